/**
 * The methods that are registered, with what caches and UPnP use beside them. Anything else is no request: what greets
 * in another protocol is told early that it is in the wrong place.
 */
export const methods: ReadonlySet<string> = new Set(
  (
    "GET POST PUT DELETE PATCH HEAD OPTIONS CONNECT TRACE QUERY ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE " +
    "MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND " +
    "UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
)
