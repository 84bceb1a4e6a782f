/** Functions on IP addresses and ranges. */
import { type CelValue, type Evaluated, isError, textOf } from "../CelValue.ts"
import * as ip from "../ip.ts"
import { type CelFunction, define, noOverload } from "./define.ts"

const read = (name: string, value: CelValue, parse: (text: string) => Evaluated): Evaluated => {
  const text = textOf(value)
  return text === undefined ? noOverload(name, value) : parse(text)
}

const testIp = (name: string, test: (value: ip.Ip) => boolean): CelFunction =>
  define([`ip.${name}() -> bool`], (value) => (value instanceof ip.Ip ? test(value) : noOverload(name, value)))

const addressIn = (range: ip.Cidr, value: CelValue): Evaluated => {
  const inside = typeof value === "string" ? range.containsText(value) : undefined
  if (inside !== undefined) return inside
  const address = value instanceof ip.Ip ? value : read("containsIP", value, ip.parseIp)
  if (!(address instanceof ip.Ip)) return address
  // Sockets that listen on both families report IPv4 peers as IPv6.
  return range.contains(range.ip.family === 4 ? ip.unmapped(address) : address)
}

export const ips: ReadonlyArray<CelFunction> = [
  define(["isIP(string) -> bool"], (value) => {
    const text = textOf(value)
    return text === undefined ? noOverload("isIP", value) : !isError(ip.parseIp(text))
  }),
  define(
    ["ip(string) -> ip", "ip(ip) -> ip", "cidr.ip() -> ip"],
    (value) => (value instanceof ip.Ip ? value : value instanceof ip.Cidr ? value.ip : read("ip", value, ip.parseIp)),
    { readsLiteral: true },
  ),
  define(
    ["cidr(string) -> cidr", "cidr(cidr) -> cidr"],
    (value) => (value instanceof ip.Cidr ? value : read("cidr", value, ip.parseCidr)),
    {
      readsLiteral: true,
    },
  ),
  define(["ip.family() -> int"], (value) => (value instanceof ip.Ip ? value.family : noOverload("family", value))),
  testIp("isUnspecified", ip.isUnspecified),
  testIp("isLoopback", ip.isLoopback),
  testIp("isLinkLocalMulticast", ip.isLinkLocalMulticast),
  testIp("isLinkLocalUnicast", ip.isLinkLocalUnicast),
  testIp("isGlobalUnicast", ip.isGlobalUnicast),
  define(["cidr.containsIP(string) -> bool", "cidr.containsIP(ip) -> bool"], (range, value) =>
    range instanceof ip.Cidr ? addressIn(range, value) : noOverload("containsIP", range, value),
  ),
  define(["cidr.containsCIDR(string) -> bool", "cidr.containsCIDR(cidr) -> bool"], (range, value) => {
    if (!(range instanceof ip.Cidr)) return noOverload("containsCIDR", range, value)
    const inner = value instanceof ip.Cidr ? value : read("containsCIDR", value, ip.parseCidr)
    return inner instanceof ip.Cidr ? inner.prefix >= range.prefix && range.contains(inner.ip) : inner
  }),
  define(["cidr.masked() -> cidr"], (range) => (range instanceof ip.Cidr ? range.masked : noOverload("masked", range))),
  define(["cidr.prefixLength() -> int"], (range) =>
    range instanceof ip.Cidr ? range.prefix : noOverload("prefixLength", range),
  ),
]
