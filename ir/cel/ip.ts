/** IP addresses and ranges as values of expressions. */
import { CelError, Network } from "./CelValue.ts"

export class Ip extends Network {
  readonly family: 4 | 6
  readonly bits: bigint
  constructor(family: 4 | 6, bits: bigint) {
    super()
    this.family = family
    this.bits = bits
  }
  get kind(): "ip" {
    return "ip"
  }
  get text(): string {
    return this.family === 4 ? print4(this.bits) : print6(this.bits)
  }
}

export class Cidr extends Network {
  readonly ip: Ip
  readonly prefix: number
  readonly #base: number
  readonly #mask: number
  constructor(ip: Ip, prefix: number) {
    super()
    this.ip = ip
    this.prefix = prefix
    this.#base = ip.family === 4 ? Number(ip.bits) : -1
    this.#mask = prefix === 0 ? 0 : -1 << (32 - prefix)
  }
  get kind(): "cidr" {
    return "cidr"
  }
  get text(): string {
    return `${this.ip.text}/${this.prefix}`
  }
  /** Whether an IPv4 address in its usual form is inside; undefined for any other text or range. */
  containsText(text: string): boolean | undefined {
    const bits = this.#base < 0 || text.length > 15 ? -1 : parse4(text)
    return bits < 0 ? undefined : ((bits ^ this.#base) & this.#mask) === 0
  }
  contains(ip: Ip): boolean {
    if (ip.family !== this.ip.family) return false
    const shift = BigInt(width(ip.family) - this.prefix)
    return ip.bits >> shift === this.ip.bits >> shift
  }
  get masked(): Cidr {
    const shift = BigInt(width(this.ip.family) - this.prefix)
    return new Cidr(new Ip(this.ip.family, (this.ip.bits >> shift) << shift), this.prefix)
  }
}

const width = (family: 4 | 6): number => (family === 4 ? 32 : 128)

const print4 = (bits: bigint): string => {
  const n = Number(bits)
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups left out. */
const print6 = (bits: bigint): string => {
  const groups: Array<number> = []
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((bits >> shift) & 0xffffn))
  let best = -1
  let length = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (groups[i + run] === 0) run++
    if (run > length) [best, length] = [i, run]
  }
  const hex = (part: ReadonlyArray<number>) => part.map((one) => one.toString(16)).join(":")
  if (bits >> 32n === 0xffffn) return `::ffff:${print4(bits & 0xffffffffn)}`
  return best < 0 ? hex(groups) : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + length))}`
}

/** Four decimal numbers without leading zeros; −1 for anything else. */
const parse4 = (text: string): number => {
  let bits = 0
  let byte = -1
  let dots = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      if (byte < 0 || ++dots > 3) return -1
      bits = bits * 256 + byte
      byte = -1
    } else {
      if (code < 48 || code > 57 || byte === 0) return -1
      byte = (byte < 0 ? 0 : byte * 10) + code - 48
      if (byte > 255) return -1
    }
  }
  return dots === 3 && byte >= 0 ? bits * 256 + byte : -1
}

const parse6 = (text: string): bigint | undefined => {
  const lastColon = text.lastIndexOf(":")
  const dotted = text.includes(".")
  const tail = dotted ? parse4(text.slice(lastColon + 1)) : 0
  if (tail < 0) return undefined
  const hex = dotted
    ? `${text.slice(0, lastColon + 1)}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`
    : text
  const halves = hex.split("::")
  if (halves.length > 2) return undefined
  const sides = halves.map((half) => (half === "" ? [] : half.split(":")))
  const given = sides.flat()
  if (!given.every((one) => /^[0-9a-fA-F]{1,4}$/.test(one))) return undefined
  const missing = 8 - given.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups =
    halves.length === 1 ? given : [...(sides[0] ?? []), ...Array<string>(missing).fill("0"), ...(sides[1] ?? [])]
  return groups.reduce((bits, one) => (bits << 16n) | BigInt(Number.parseInt(one, 16)), 0n)
}

export const parseIp = (text: string): Ip | CelError => {
  const four = text.length <= 15 ? parse4(text) : -1
  if (four >= 0) return new Ip(4, BigInt(four))
  const six = text.length <= 45 && text.includes(":") ? parse6(text) : undefined
  if (six === undefined) return new CelError("invalid", `not an IP address: ${text.slice(0, 64)}`)
  return new Ip(6, six)
}

export const parseCidr = (text: string): Cidr | CelError => {
  const slash = text.indexOf("/")
  const ip = slash < 0 ? undefined : parseIp(text.slice(0, slash))
  const length = text.slice(slash + 1)
  const invalid = new CelError("invalid", `not a range such as 10.0.0.0/8: ${text.slice(0, 64)}`)
  if (!(ip instanceof Ip) || !/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > width(ip.family)) return invalid
  return new Cidr(ip, Number(length))
}

/** An IPv4 address written as IPv6 (::ffff:10.0.0.1), as dual-stack sockets give it, is the IPv4 address. */
export const unmapped = (ip: Ip): Ip =>
  ip.family === 6 && ip.bits >> 32n === 0xffffn ? new Ip(4, ip.bits & 0xffffffffn) : ip

const range = (text: string): Cidr => parseCidr(text) as Cidr
const loopback4 = range("127.0.0.0/8")
const linkLocal4 = range("169.254.0.0/16")
const linkLocalMulticast4 = range("224.0.0.0/24")
const multicast4 = range("224.0.0.0/4")
const linkLocal6 = range("fe80::/10")
const linkLocalMulticast6 = range("ff02::/16")
const multicast6 = range("ff00::/8")

export const isUnspecified = (ip: Ip): boolean => ip.bits === 0n
export const isLoopback = (ip: Ip): boolean => (ip.family === 4 ? loopback4.contains(ip) : ip.bits === 1n)
export const isLinkLocalUnicast = (ip: Ip): boolean => linkLocal4.contains(ip) || linkLocal6.contains(ip)
export const isLinkLocalMulticast = (ip: Ip): boolean =>
  linkLocalMulticast4.contains(ip) || linkLocalMulticast6.contains(ip)
/** Anything one host can be reached at beyond its own link, private ranges included. */
export const isGlobalUnicast = (ip: Ip): boolean =>
  !isUnspecified(ip) &&
  !isLoopback(ip) &&
  !isLinkLocalUnicast(ip) &&
  !multicast4.contains(ip) &&
  !multicast6.contains(ip) &&
  !(ip.family === 4 && ip.bits === 0xffffffffn)
