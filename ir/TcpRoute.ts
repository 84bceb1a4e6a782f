/** From server names to weighted backends, for raw connections. */
import * as Schema from "effect/Schema"
import { ListenerKey, TcpRouteKey } from "./Key.ts"
import { RouteName, WeightedBackend } from "./Route.ts"

export const TcpRoute = Schema.Struct({
  key: TcpRouteKey,
  listener: ListenerKey,
  name: RouteName,
  /** Compared with the server name of the TLS handshake; empty means any, or none at all. */
  hostnames: Schema.Array(Schema.NonEmptyString),
  backends: Schema.Array(WeightedBackend),
})
export type TcpRoute = typeof TcpRoute.Type
