/** What a gateway must know of gRPC over HTTP: recognising a call and answering one in its own words. */

/** `application/grpc` or `application/grpc+…`, parameters and case aside; gRPC-Web is another protocol. */
export const isGrpc = (contentType: string | undefined): boolean => {
  if (contentType === undefined || contentType.length < 16) return false
  const after = contentType.charCodeAt(16)
  // The end, `+`, `;`, or white space before `;`.
  if (!Number.isNaN(after) && after !== 0x2b && after !== 0x3b && after !== 0x20 && after !== 0x09) return false
  return contentType.startsWith("application/grpc") || contentType.slice(0, 16).toLowerCase() === "application/grpc"
}

/** The gRPC code that says what an HTTP status of ours says. */
export const grpcStatusOf = (status: number): number => {
  switch (status) {
    case 200:
      return 0
    case 400:
      return 13
    case 401:
    case 407:
      return 16
    case 403:
      return 7
    case 404:
      return 12
    case 429:
    case 502:
    case 503:
    case 504:
      return 14
    case 508:
      return 9
    default:
      return 2
  }
}

const HEX = "0123456789ABCDEF"
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Percent-encodes everything but printable ASCII, and `%` itself. */
export const encodeGrpcMessage = (message: string): string => {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(message)) return message
  let encoded = ""
  for (const byte of encoder.encode(message)) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${HEX[byte >> 4] as string}${HEX[byte & 15] as string}`
  }
  return encoded
}

/** The message again; what is not valid encoding stays as it is, since a status must never be lost to its message. */
export const decodeGrpcMessage = (encoded: string): string => {
  if (!encoded.includes("%")) return encoded
  const bytes = encoder.encode(encoded)
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    let byte = bytes[i] as number
    if (byte === 0x25) {
      const pair = String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0)
      if (/^[0-9a-fA-F]{2}$/.test(pair)) {
        byte = Number.parseInt(pair, 16)
        i += 2
      }
    }
    bytes[length++] = byte
  }
  return decoder.decode(bytes.subarray(0, length))
}
