/** Where a route, or a call the gateway makes on its own, is to be sent. */
import * as Schema from "effect/Schema"
import { Expression } from "./Expression.ts"
import { BackendKey, RouteGroupKey, ServiceKey } from "./Key.ts"

export const BackendRef = Schema.TaggedUnion({
  Backend: { backend: BackendKey },
  Service: { service: ServiceKey, port: Schema.Port },
  Group: { group: RouteGroupKey },
  /** Dials the authority the client asked for, or what the expression says. */
  Dynamic: { target: Schema.optionalKey(Expression) },
  Invalid: {},
})
export type BackendRef = typeof BackendRef.Type
