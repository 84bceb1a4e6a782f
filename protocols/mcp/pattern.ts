/** Names with `*` for any run of characters: matched in one pass, whatever the pattern is. */

export const matches = (pattern: string, name: string): boolean => {
  let p = 0
  let n = 0
  let star = -1
  let mark = 0
  while (n < name.length) {
    if (pattern.charCodeAt(p) === 0x2a) {
      star = p++
      mark = n
    } else if (p < pattern.length && pattern.charCodeAt(p) === name.charCodeAt(n)) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++mark
    } else return false
  }
  while (pattern.charCodeAt(p) === 0x2a) p++
  return p === pattern.length
}

export const matchesAny = (patterns: ReadonlyArray<string>, name: string): boolean =>
  patterns.some((pattern) => matches(pattern, name))
