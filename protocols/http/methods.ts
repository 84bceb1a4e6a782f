/** The methods that clients use every day. */
const everyday: ReadonlySet<string> = new Set(
  (
    "GET POST PUT DELETE PATCH HEAD OPTIONS CONNECT TRACE QUERY ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE " +
    "MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND " +
    "UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
)

/** Of others: what greets in another protocol is told early that it is in the wrong place. */
const other = /^(?!PRI$)[A-Z][A-Z_-]{0,39}$/

/** Whether a request may begin so. Which methods there are is for servers to say (RFC 9110 §9.1), as `LIST` of Vault. */
export const isMethod = (text: string): boolean => everyday.has(text) || other.test(text)
