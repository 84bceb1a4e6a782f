/** `cors`: what pages of other origins may read. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Cors as IrCors } from "../../../../ir/policy/Cors.ts"
import { Millis, opt, Texts } from "../grammar.ts"
import { present } from "../present.ts"

const corsShape = Schema.Struct({
  allowCredentials: opt(Schema.Boolean),
  allowHeaders: opt(Texts),
  allowMethods: opt(Texts),
  allowOrigins: opt(Texts, "`*`, an origin, or an origin with a wildcard in its host."),
  exposeHeaders: opt(Texts),
  maxAge: opt(Millis),
}).annotate({ identifier: "Cors", description: "Answer preflights and tell browsers what a page may read." })
export interface CorsSchema extends Named<typeof corsShape> {}
export const Cors: CorsSchema = corsShape
export type Cors = typeof Cors.Type

export const cors = (policy: Cors): IrCors => ({
  _tag: "Cors",
  allowCredentials: policy.allowCredentials ?? false,
  allowHeaders: policy.allowHeaders ?? [],
  allowMethods: policy.allowMethods ?? [],
  allowOrigins: policy.allowOrigins ?? [],
  exposeHeaders: policy.exposeHeaders ?? [],
  ...present({ maxAgeMillis: policy.maxAge }),
})
