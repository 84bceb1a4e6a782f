/** Every policy kind, in three families named after where they act. */
import * as Schema from "effect/Schema"

export const FrontendPolicy = Schema.TaggedUnion({ ProxyProtocol: { version: Schema.Literals(["v1", "v2", "all"]), mode: Schema.Literals(["strict", "optional"]) } })
export type FrontendPolicy = typeof FrontendPolicy.Type
export const TrafficPolicy = Schema.TaggedUnion({ Timeout: { requestMillis: Schema.optionalKey(Schema.Number) } })
export type TrafficPolicy = typeof TrafficPolicy.Type
export const BackendPolicy = Schema.TaggedUnion({ BackendTcp: { connectTimeoutMillis: Schema.optionalKey(Schema.Number) } })
export type BackendPolicy = typeof BackendPolicy.Type
