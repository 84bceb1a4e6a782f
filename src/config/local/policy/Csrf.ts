/** `csrf`: requests that pages of other origins may not make. */
import * as Schema from "effect/Schema"
import type { Csrf as IrCsrf } from "../../../../ir/policy/Csrf.ts"
import type { Path } from "../../ConfigIssue.ts"
import { opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

export const Csrf = Schema.Struct({ additionalOrigins: opt(Texts) }).annotate({ identifier: "Csrf" })
export type Csrf = typeof Csrf.Type

export const csrf = (policy: Csrf, path: Path, to: Mapping): IrCsrf => {
  const additionalOrigins = policy.additionalOrigins ?? []
  for (const [i, one] of additionalOrigins.entries()) {
    if (!/^https?:\/\/[^/?#@\s\\*]+$/i.test(one)) {
      to.fail(
        [...path, "additionalOrigins", i],
        "expected an origin",
        "Write scheme and host: `https://app.example.com`.",
      )
    }
  }
  return { _tag: "Csrf", additionalOrigins }
}
