/** `cors`: what pages of other origins may read. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Cors as IrCors } from "../../../../ir/policy/Cors.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Millis, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
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

/** What a browser may say, with wildcards in it. */
const origin = /^(?:\*|null|[a-z][a-z0-9+.-]*:\/\/[^/?#@\s\\]+)$/i

export const cors = (policy: Cors, path: Path, to: Mapping): IrCors => {
  const allowOrigins = policy.allowOrigins ?? []
  for (const [i, one] of allowOrigins.entries()) {
    if (!origin.test(one)) {
      to.warn(
        [...path, "allowOrigins", i],
        `no browser says that its page is of ${JSON.stringify(one)}`,
        "Write scheme and host: `https://app.example.com`.",
      )
    }
  }
  return {
    _tag: "Cors",
    allowCredentials: policy.allowCredentials ?? false,
    allowHeaders: policy.allowHeaders ?? [],
    allowMethods: policy.allowMethods ?? [],
    allowOrigins,
    exposeHeaders: policy.exposeHeaders ?? [],
    ...present({ maxAgeMillis: policy.maxAge }),
  }
}
