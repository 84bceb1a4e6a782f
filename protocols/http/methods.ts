/** What a request may ask for. Which methods there are is for servers to say (RFC 9110 §9.1). */

/** Known without a look at their letters. */
const everyday: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])

/** What greets in another protocol is told early that it is in the wrong place, and so is HTTP/2. */
const other = /^(?!PRI$)[A-Z][A-Z_-]{0,39}$/

export const isMethod = (text: string): boolean => everyday.has(text) || other.test(text)

const idempotent: ReadonlySet<string> = new Set(
  "GET HEAD OPTIONS TRACE QUERY PROPFIND REPORT SEARCH PUT DELETE".split(" "),
)

/** Whether doing it twice does no more than doing it once (RFC 9110 §9.2.2). */
export const isIdempotent = (method: string): boolean => idempotent.has(method)
