/** Addresses that are not of the public network: what a URL from a stranger must not lead to (RFC 6890). */
import { parseIpv4, parseIpv6 } from "./ip.ts"

type Range = readonly [bytes: ReadonlyArray<number>, bits: number]

const four: ReadonlyArray<Range> = [
  [[0], 8],
  [[10], 8],
  [[100, 64], 10],
  [[127], 8],
  [[169, 254], 16],
  [[172, 16], 12],
  [[192, 0, 0], 24],
  [[192, 0, 2], 24],
  [[192, 88, 99], 24],
  [[192, 168], 16],
  [[198, 18], 15],
  [[198, 51, 100], 24],
  [[203, 0, 113], 24],
  [[224], 3],
]

/** Within 2000::/3, the only part that is given out to the public. */
const six: ReadonlyArray<Range> = [
  [[0x20, 0x01, 0x00], 23],
  [[0x20, 0x01, 0x0d, 0xb8], 32],
  [[0x20, 0x02], 16],
  [[0x3f, 0xff, 0x00], 20],
]

const isIn = (address: Uint8Array, [bytes, bits]: Range): boolean => {
  for (let i = 0; i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 0xff : (0xff << (8 - (bits - i * 8))) & 0xff
    if (((address[i] as number) & mask) !== ((bytes[i] ?? 0) & mask)) return false
  }
  return true
}

const isPublicFour = (address: Uint8Array): boolean => !four.some((range) => isIn(address, range))

const translated: ReadonlyArray<Range> = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 96],
  [[0, 0x64, 0xff, 0x9b], 96],
]

/** False also for what is no address. */
export const isPublic = (text: string): boolean => {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return isPublicFour(v4)
  const v6 = parseIpv6(text)
  if (v6 === undefined) return false
  if (translated.some((range) => isIn(v6, range))) return isPublicFour(v6.subarray(12))
  return isIn(v6, [[0x20], 3]) && !six.some((range) => isIn(v6, range))
}
