/** Where a route, or a shorthand section, is attached. */
import * as Schema from "effect/Schema"

export const GatewayRefs = Schema.Union([Schema.NonEmptyString, Schema.Array(Schema.NonEmptyString)]).annotate({
  identifier: "GatewayRefs",
  description: "`gateway` for all its listeners, or `gateway/listener`.",
})
export type GatewayRefs = typeof GatewayRefs.Type
