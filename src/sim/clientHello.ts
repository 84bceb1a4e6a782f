/** The first flight of a TLS client, as far as a server has to read it before it can choose a certificate. */

const u16 = (value: number): ReadonlyArray<number> => [value >> 8, value & 0xff]
const u24 = (value: number): ReadonlyArray<number> => [value >> 16, ...u16(value & 0xffff)]
const sized = (bytes: ReadonlyArray<number>): ReadonlyArray<number> => [...u16(bytes.length), ...bytes]
const ascii = (text: string): ReadonlyArray<number> => Array.from(text, (character) => character.charCodeAt(0))

/** An empty name sends no server name at all. */
export const clientHello = (serverName: string, alpn: ReadonlyArray<string>): Uint8Array => {
  const extensions: Array<number> = []
  if (serverName !== "") extensions.push(...u16(0), ...sized(sized([0, ...sized(ascii(serverName))])))
  extensions.push(...u16(16), ...sized(sized(alpn.flatMap((name) => [name.length, ...ascii(name)]))))
  extensions.push(...u16(43), ...sized([2, 3, 4]))
  const random = Array.from({ length: 32 }, (_, i) => i)
  const hello = [3, 3, ...random, 0, ...sized([0x13, 0x01]), 1, 0, ...sized(extensions)]
  const handshake = [1, ...u24(hello.length), ...hello]
  return Uint8Array.from([22, 3, 1, ...sized(handshake)])
}
