/** What a resource server says of the token that it wants: the Bearer challenge of `WWW-Authenticate` (RFC 6750 §3). */

export interface Challenge {
  readonly error: string | undefined
  /** Absent: it does not say. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** Where the resource describes itself (RFC 9728 §5.1). */
  readonly resourceMetadata: string | undefined
}

interface Cursor {
  readonly text: string
  at: number
}

const take = (cursor: Cursor, pattern: RegExp): string | undefined => {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)
  if (found === null) return undefined
  cursor.at = pattern.lastIndex
  return found[0]
}

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const separators = /[ \t,]*/y
const equals = /[ \t]*=[ \t]*/y
const quoted = /"(?:[^"\\]|\\.)*"/y
const token68 = /[-A-Za-z0-9._~+/]+=*(?=[ \t]*(?:,|$))/y

/** The parameters of the first Bearer challenge among all that a field names; undefined where there is none. */
export const challengeIn = (field: string | undefined): Challenge | undefined => {
  if (field === undefined) return undefined
  const cursor: Cursor = { text: field, at: 0 }
  let scheme: string | undefined
  let found: Map<string, string> | undefined
  while (cursor.at < field.length) {
    take(cursor, separators)
    const name = take(cursor, token)
    if (name === undefined) break
    const before = cursor.at
    if (take(cursor, equals) !== undefined) {
      const value = take(cursor, quoted) ?? take(cursor, token)
      if (value === undefined) {
        // What looked like a parameter was the padding of a token.
        cursor.at = before
        if (take(cursor, /=*/y) === undefined) break
        continue
      }
      const key = name.toLowerCase()
      if (scheme === "bearer" && found !== undefined && !found.has(key)) {
        found.set(key, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value)
      }
      continue
    }
    if (found !== undefined) break
    scheme = name.toLowerCase()
    if (scheme === "bearer") found = new Map()
    else if (take(cursor, /[ \t]+/y) !== undefined) take(cursor, token68)
  }
  if (found === undefined) return undefined
  const scope = found.get("scope")
  return {
    error: found.get("error"),
    scopes: scope === undefined ? undefined : scopesOf(scope),
    resourceMetadata: found.get("resource_metadata"),
  }
}

/** A list of scopes as it is written: words between spaces, each once. */
export const scopesOf = (text: string): ReadonlyArray<string> => [
  ...new Set(text.split(" ").filter((one) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one))),
]
