/** `cors`: what pages of other origins may read. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Cors as IrCors } from "../../../../ir/policy/Cors.ts"
import { token } from "../../../../protocols/http/token.ts"
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

/** As browsers write one: a scheme and a host, perhaps a port, and nothing after it. */
const origin = /^(?:\*|null|[a-z][a-z0-9+.-]*:\/\/[^/?#@\s\\]+)$/i

export const cors = (policy: Cors, path: Path, to: Mapping): IrCors => {
  for (const list of ["allowHeaders", "allowMethods", "exposeHeaders"] as const) {
    for (const [i, one] of (policy[list] ?? []).entries()) {
      const what = list === "allowMethods" ? "method" : "header name"
      if (!token.test(one)) to.fail([...path, list, i], `${JSON.stringify(one)} is not a ${what}`)
    }
  }
  for (const [i, one] of (policy.allowOrigins ?? []).entries()) {
    if (origin.test(one)) continue
    to.warn(
      [...path, "allowOrigins", i],
      `no page comes from ${JSON.stringify(one)}`,
      "Write scheme and host and nothing after them: `https://app.example.com`, `https://*.example.com`, or `*`.",
    )
  }
  return {
    _tag: "Cors",
    allowCredentials: policy.allowCredentials ?? false,
    allowHeaders: policy.allowHeaders ?? [],
    allowMethods: policy.allowMethods ?? [],
    allowOrigins: policy.allowOrigins ?? [],
    exposeHeaders: policy.exposeHeaders ?? [],
    ...present({ maxAgeMillis: policy.maxAge }),
  }
}
