/** Asks a rate-limit service that a whole fleet shares. */
import * as Schema from "effect/Schema"
import { Expression, NamedExpression } from "../Expression.ts"
import { Callee } from "./Callee.ts"

export const RateLimitDescriptor = Schema.Struct({
  entries: Schema.Array(NamedExpression),
  type: Schema.Literals(["requests", "tokens"]),
  cost: Schema.optionalKey(Expression),
  limitOverride: Schema.optionalKey(Expression),
})
export type RateLimitDescriptor = typeof RateLimitDescriptor.Type

export const RemoteRateLimit = Schema.TaggedStruct("RemoteRateLimit", {
  callee: Callee,
  domain: Schema.String,
  descriptors: Schema.Array(RateLimitDescriptor),
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
})
export type RemoteRateLimit = typeof RemoteRateLimit.Type
