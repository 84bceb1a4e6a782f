/** The PROXY header of a load balancer in front of us: it names the real ends of the connection. */
import * as Effect from "effect/Effect"
import { defaults } from "../../ir/defaults.ts"
import type { ProxyProtocol } from "../../ir/policy/ProxyProtocol.ts"
import { type ProxyHeader, readProxyHeader } from "../../protocols/net/proxyProtocol.ts"
import type { Accepted, Address } from "../Connection.ts"
import { needMore, peek, seen } from "../peek.ts"
import type { Clock } from "../ports/Timer.ts"
import { rejected, type Rejected } from "../Rejected.ts"

const stage = "accept"

type Policy = Pick<ProxyProtocol, "version" | "mode">

interface Found {
  readonly header: ProxyHeader
  readonly bytes: number
}

const addressOf = (end: { readonly address: string; readonly port: number }): Address => ({
  host: end.address.startsWith("::ffff:") ? end.address.slice(7) : end.address,
  port: end.port,
})

/** Who the connection is between according to the header; without one, where that is allowed, as it was. */
const learn = (accepted: Accepted, found: Found | undefined): Accepted => {
  if (found === undefined) return accepted
  accepted.socket.skip(found.bytes)
  const { addresses } = found.header
  if (addresses === undefined) return accepted
  return { ...accepted, peer: addressOf(addresses.source), local: addressOf(addresses.destination) }
}

/** Reads and removes the header; the whole of it must come in time. */
export const readHeader = (clock: Clock, accepted: Accepted, policy: Policy): Effect.Effect<Accepted, Rejected> =>
  Effect.map(
    peek<Found | undefined>(stage, clock, accepted.socket, defaults.proxyHeaderTimeoutMillis, (bytes) => {
      const result = readProxyHeader(bytes)
      switch (result._tag) {
        case "NeedMore":
          return needMore(bytes.byteLength + 1)
        case "Malformed":
          return rejected(stage, `malformed PROXY header: ${result.reason}`)
        case "Absent":
          return policy.mode === "optional" ? seen(undefined) : rejected(stage, "no PROXY header")
        case "Header":
          return policy.version === "all" || policy.version === `v${result.header.version}`
            ? seen({ header: result.header, bytes: result.bytes })
            : rejected(stage, `PROXY header of version ${result.header.version}, expected ${policy.version}`)
      }
    }),
    (found) => learn(accepted, found),
  )
