/** Whether there is room for another connection, in all and from its address; judged once its peer is known. */
import { type Ip, parseIp, unmapped } from "../../ir/cel/ip.ts"
import type { ConnectionLimit } from "../../ir/policy/ConnectionLimit.ts"
import type { Gate } from "../5-policy/Gate.ts"
import { identityOf, ownerOf } from "../5-policy/keyed.ts"
import { full } from "../5-policy/Occupancy.ts"
import type { Accepted } from "../Connection.ts"
import { rejected } from "../Rejected.ts"

/** What to call when the connection ends; undefined: there is no room for it. */
export type Entrance = (accepted: Accepted) => (() => void) | undefined

export const tooMany = rejected("connectionLimit", "too many connections")

/** Whom an address stands for: of IPv6 the first 64 bits, since one client usually has all that share them. */
export const clientOf = (host: string): string => {
  const parsed = parseIp(host)
  if (!("bits" in parsed)) return host
  const ip: Ip = unmapped(parsed)
  return ip.family === 4 ? ip.text : `${(ip.bits >> 64n).toString(16)}::/64`
}

export const compile = (
  policies: ReadonlyArray<ConnectionLimit> | undefined,
  gate: Gate | undefined,
): Entrance | undefined => {
  const set = (policies ?? []).filter(
    ({ connectionsMax, connectionsPerAddressMax }) => (connectionsMax ?? connectionsPerAddressMax) !== undefined,
  )
  if (set.length === 0) return undefined
  // Nobody counts, so nobody may come in as if somebody did.
  if (gate === undefined) return () => undefined
  const { cryptography } = gate
  const limits = set.map(({ connectionsMax, connectionsPerAddressMax, id }) => {
    const owner = ownerOf(id)
    return {
      max: connectionsMax,
      perAddressMax: connectionsPerAddressMax,
      all: identityOf(cryptography, "connections", owner),
      of: (client: string) => identityOf(cryptography, "connections", owner, client),
    }
  })
  return ({ peer }) => {
    const leaves: Array<() => void> = []
    const leave = (): void => {
      for (const one of leaves) one()
    }
    const enter = (identity: bigint, max: number | undefined): boolean => {
      if (max === undefined) return true
      const turnstile = gate.turnstiles().at(identity)
      const inside = turnstile.enter(max)
      if (inside !== full) leaves.push(() => turnstile.leave(inside))
      return inside !== full
    }
    for (const { all, max, of, perAddressMax } of limits) {
      const client = perAddressMax === undefined ? "" : clientOf(peer.host)
      // The address first: one that is full must not take the room of others, not even for a moment.
      if (perAddressMax !== undefined && !enter(of(client), perAddressMax)) return void leave()
      if (!enter(all, max)) return void leave()
    }
    return leave
  }
}
