/** Expects the PROXY header of a load balancer in front. */
import * as Schema from "effect/Schema"

export const ProxyProtocol = Schema.TaggedStruct("ProxyProtocol", {
  version: Schema.Literals(["v1", "v2", "all"]),
  /** `optional` also serves connections that come without the header. */
  mode: Schema.Literals(["strict", "optional"]),
})
export type ProxyProtocol = typeof ProxyProtocol.Type
