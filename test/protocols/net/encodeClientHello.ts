/** Writes client hellos, well-formed or not, for the tests that read them. */

export interface HelloParts {
  readonly serverName?: string | undefined
  readonly alpn?: ReadonlyArray<string>
  readonly versions?: ReadonlyArray<number>
  readonly extensions?: ReadonlyArray<readonly [type: number, body: ReadonlyArray<number>]>
  readonly sessionIdBytes?: number
}

const u16 = (value: number): ReadonlyArray<number> => [(value >> 8) & 0xff, value & 0xff]
const chars = (text: string): ReadonlyArray<number> => Array.from(text, (char) => char.charCodeAt(0))
const sized = (bytes: ReadonlyArray<number>): ReadonlyArray<number> => [...u16(bytes.length), ...bytes]

export const serverNameBody = (name: string): ReadonlyArray<number> => sized([0, ...sized(chars(name))])

/** The handshake message, without records. */
export const encodeHandshake = (parts: HelloParts): ReadonlyArray<number> => {
  const extensions: Array<readonly [number, ReadonlyArray<number>]> = [...(parts.extensions ?? [])]
  if (parts.serverName !== undefined) extensions.push([0, serverNameBody(parts.serverName)])
  if (parts.alpn !== undefined) {
    extensions.push([16, sized(parts.alpn.flatMap((protocol) => [protocol.length, ...chars(protocol)]))])
  }
  if (parts.versions !== undefined) extensions.push([43, [parts.versions.length * 2, ...parts.versions.flatMap(u16)]])
  const session = parts.sessionIdBytes ?? 32
  const body = [3, 3, ...Array.from({ length: 32 }, () => 7), session, ...Array.from({ length: session }, () => 9)]
  body.push(0, 2, 0x13, 0x01, 1, 0)
  if (extensions.length > 0) body.push(...sized(extensions.flatMap(([type, bytes]) => [...u16(type), ...sized(bytes)])))
  return [1, (body.length >> 16) & 0xff, (body.length >> 8) & 0xff, body.length & 0xff, ...body]
}

/** Cuts a message into records of the given sizes; the last takes what is left. */
export const toRecords = (message: ReadonlyArray<number>, sizes: ReadonlyArray<number> = []): Uint8Array => {
  const bytes: Array<number> = []
  let at = 0
  for (const size of [...sizes, Number.POSITIVE_INFINITY]) {
    if (at >= message.length) break
    const part = message.slice(at, at + Math.min(size, 16_384))
    bytes.push(22, 3, 1, ...u16(part.length), ...part)
    at += part.length
  }
  while (at < message.length) {
    const part = message.slice(at, at + 16_384)
    bytes.push(22, 3, 1, ...u16(part.length), ...part)
    at += part.length
  }
  return Uint8Array.from(bytes)
}
