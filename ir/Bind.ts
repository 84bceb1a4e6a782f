/** An address to listen on, and what is expected to arrive there. */
import * as Schema from "effect/Schema"
import { BindKey } from "./Key.ts"

export const ListenAddress = Schema.TaggedUnion({
  /** No host means every address, IPv6 included where it is enabled. */
  Ip: { host: Schema.optionalKey(Schema.NonEmptyString), port: Schema.Port },
  Unix: { path: Schema.NonEmptyString },
  /** Reachable only from inside the gateway; no port means any port. */
  Internal: { port: Schema.optionalKey(Schema.Port) },
})
export type ListenAddress = typeof ListenAddress.Type

/** `auto` looks at the first byte and serves TLS and plaintext on one port. */
export const BindProtocol = Schema.Literals(["http", "tls", "tcp", "auto"])
export type BindProtocol = typeof BindProtocol.Type

export const TunnelProtocol = Schema.Literals(["direct", "proxy", "connect", "hboneWaypoint", "hboneGateway"])
export type TunnelProtocol = typeof TunnelProtocol.Type

export const Bind = Schema.Struct({
  key: BindKey,
  address: ListenAddress,
  protocol: BindProtocol,
  tunnel: TunnelProtocol,
})
export type Bind = typeof Bind.Type
