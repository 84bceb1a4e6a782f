/** Lets requests pass by the addresses they come from. */
import * as Effect from "effect/Effect"
import { Cidr, Ip, isLinkLocalUnicast, isLoopback, parseCidr, parseIp, unmapped } from "../../ir/cel/ip.ts"
import type { IpAccessControl } from "../../ir/policy/IpAccessControl.ts"
import type { Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { pass, type Step, unusable, type Verdict } from "./Step.ts"

const refused: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "AuthorizationFailed" })

const ranges = (texts: ReadonlyArray<string>): ReadonlyArray<Cidr> =>
  texts.map(parseCidr).filter((one): one is Cidr => one instanceof Cidr)

const local = ranges(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])

const isPrivate = (ip: Ip): boolean =>
  isLoopback(ip) || isLinkLocalUnicast(ip) || local.some((range) => range.contains(ip))

/** With a port or without, an IPv6 address in brackets where it has one; undefined: it is no address. */
export const addressIn = (entry: string): Ip | undefined => {
  const text = entry.trim()
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text
  const ip = parseIp(bare)
  return ip instanceof Ip ? unmapped(ip) : undefined
}

/** The addresses to judge; undefined: there is one that cannot be read, or there are too many. */
export const judged = (
  { chainLengthMax, isWholeChain, trustedHops }: IpAccessControl,
  peer: string,
  forwarded: ReadonlyArray<string>,
): ReadonlyArray<Ip> | undefined => {
  const entries = forwarded.flatMap((line) => line.split(",")).filter((entry) => entry.trim() !== "")
  if (entries.length > chainLengthMax) return undefined
  // A proxy writes down who it was asked by, so the client of the n-th proxy from here is the n-th entry from the end.
  const client = trustedHops === undefined || trustedHops === 0 ? undefined : entries.at(-trustedHops)
  const texts = isWholeChain ? [...entries, peer] : [client ?? peer]
  const addresses: Array<Ip> = []
  for (const text of texts) {
    const address = addressIn(text)
    if (address === undefined) return undefined
    addresses.push(address)
  }
  return addresses
}

/** Whether one policy lets an address pass. */
export const judgeOf = ({ allow, deny, skipsPrivate }: IpAccessControl): ((ip: Ip) => boolean) => {
  const allowed = ranges(allow)
  const denied = ranges(deny)
  return (ip) => {
    if (skipsPrivate && isPrivate(ip)) return true
    if (denied.some((range) => range.contains(ip))) return false
    return allow.length === 0 || allowed.some((range) => range.contains(ip))
  }
}

export const compile = (policies: ReadonlyArray<IpAccessControl>): Step<Subject> => {
  // The file is checked when it is read; what came another way lets nobody pass.
  const unreadable = policies
    .flatMap(({ allow, deny }) => [...allow, ...deny])
    .find((one) => !(parseCidr(one) instanceof Cidr))
  if (unreadable !== undefined) return unusable("IpAccessControl", `${unreadable} is no range of addresses`)
  const all = policies.map((policy) => ({ policy, passes: judgeOf(policy) }))
  return {
    kind: "IpAccessControl",
    run: ({ exchange }) => {
      const peer = exchange.bound.secured.accepted.peer.host
      const forwarded = exchange.request.headers.all("x-forwarded-for")
      for (const { passes, policy } of all) {
        const addresses = judged(policy, peer, forwarded)
        if (addresses !== undefined && addresses.every(passes)) continue
        exchange.inquiry?.note({ stage: "IpAccessControl", decision: "refused", detail: { peer } })
        return refused
      }
      return pass
    },
  }
}
