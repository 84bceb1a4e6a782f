/** Between header values, which are one character for each byte, and text, which is UTF-8 elsewhere. */

const strict = new TextDecoder("utf-8", { fatal: true })
const encoder = new TextEncoder()

const isAscii = (value: string): boolean => {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false
  return true
}

const bytesOf = (value: string): Uint8Array => Uint8Array.from(value, (char) => char.charCodeAt(0))

/** A value as text: what it says where it is UTF-8, and else its bytes as Latin-1. */
export const textOfValue = (value: string): string => {
  if (isAscii(value)) return value
  try {
    return strict.decode(bytesOf(value))
  } catch {
    return value
  }
}

export const valueOfBytes = (bytes: Uint8Array): string => {
  let value = ""
  for (const byte of bytes) value += String.fromCharCode(byte)
  return value
}

/** Text as a value. */
export const valueOfText = (text: string): string => (isAscii(text) ? text : valueOfBytes(encoder.encode(text)))
