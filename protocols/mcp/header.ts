/** Values of `Mcp-Name` and `Mcp-Param-*`: plain where that is safe, otherwise Base64 between marks. */

const opening = "=?base64?"
const closing = "?="

const isPlain = (text: string): boolean =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !(text.startsWith(opening) && text.endsWith(closing))

export const encode = (text: string): string => {
  if (isPlain(text)) return text
  const bytes = new TextEncoder().encode(text)
  return `${opening}${bytes.toBase64()}${closing}`
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Undefined: the marks are there, and what is between them is no text. */
export const decode = (value: string): string | undefined => {
  const trimmed = value.trim()
  if (!trimmed.startsWith(opening) || !trimmed.endsWith(closing)) return trimmed
  const inner = trimmed.slice(opening.length, -closing.length)
  try {
    return utf8.decode(Uint8Array.fromBase64(inner, { lastChunkHandling: "strict" }))
  } catch {
    return undefined
  }
}
