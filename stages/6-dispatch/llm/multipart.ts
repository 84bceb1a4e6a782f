/** Single fields of a form as browsers and SDKs upload files with it (RFC 7578). */

const latin1 = new TextDecoder("latin1")
const utf8 = new TextDecoder()

const boundaryOf = (type: string | undefined): string | undefined => {
  const found = type === undefined ? null : /^multipart\/form-data\s*;.*?boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type)
  return found === null ? undefined : (found[1] ?? found[2])
}

/** Values longer than this are no names of anything. */
const VALUE_BYTES_MAX = 1024

export interface FieldSpan {
  readonly start: number
  readonly end: number
}

/** Where the value of a field stands. */
const multipartSpan = (bytes: Uint8Array, type: string | undefined, name: string): FieldSpan | undefined => {
  const boundary = boundaryOf(type)
  if (boundary === undefined) return undefined
  const text = latin1.decode(bytes)
  const delimiter = `--${boundary}`
  let at = text.indexOf(delimiter)
  while (at >= 0) {
    const headStart = at + delimiter.length
    const headEnd = text.indexOf("\r\n\r\n", headStart)
    if (headEnd < 0) return undefined
    const next = text.indexOf(`\r\n${delimiter}`, headEnd + 2)
    if (next < 0) return undefined
    const head = text.slice(headStart, headEnd)
    const found = /content-disposition:[^\r\n]*?\bname="([^"]*)"/i.exec(head)
    if (found?.[1] === name && !/filename=/i.test(head)) return { start: headEnd + 4, end: next }
    at = next + 2
  }
  return undefined
}

export const multipartField = (bytes: Uint8Array, type: string | undefined, name: string): string | undefined => {
  const span = multipartSpan(bytes, type, name)
  if (span === undefined || span.end - span.start > VALUE_BYTES_MAX) return undefined
  const value = utf8.decode(bytes.subarray(span.start, span.end)).trim()
  return value === "" ? undefined : value
}

/** The same form with another value for a field that it has. */
export const withMultipartField = (
  bytes: Uint8Array,
  type: string | undefined,
  name: string,
  value: string,
): Uint8Array => {
  const span = multipartSpan(bytes, type, name)
  if (span === undefined) return bytes
  const replaced = new TextEncoder().encode(value)
  const whole = new Uint8Array(bytes.byteLength - (span.end - span.start) + replaced.byteLength)
  whole.set(bytes.subarray(0, span.start))
  whole.set(replaced, span.start)
  whole.set(bytes.subarray(span.end), span.start + replaced.byteLength)
  return whole
}
