/** `delay`: requests that are held back for a while. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Delay as IrDelay } from "../../../../ir/policy/Delay.ts"
import type { Path } from "../../ConfigIssue.ts"
import * as Duration from "../../duration.ts"
import type { Mapping } from "../Mapping.ts"
import { conditional } from "./conditional.ts"

export const Delay = conditional({
  duration: Schema.Union([Schema.NonEmptyString, Schema.Finite]).annotateKey({
    description: "A duration, or an expression that gives one.",
  }),
}).annotate({ identifier: "Delay" })
export type Delay = typeof Delay.Type

const looksLikeDuration = /^[-+.\d][\d.]*\s*(?:[a-zµ]{0,12}[\d.]*)*$/i

type PlainDelay = Exclude<Delay, { readonly conditional: unknown }>

export const delay = (policy: PlainDelay, path: Path, to: Mapping): IrDelay | undefined => {
  const at = [...path, "duration"]
  const text = String(policy.duration)
  const parsed = Duration.parse(text)
  if (Result.isSuccess(parsed)) return { _tag: "Delay", duration: { _tag: "Fixed", millis: parsed.success } }
  if (looksLikeDuration.test(text)) return to.fail(at, parsed.failure.message, parsed.failure.remedy)
  return { _tag: "Delay", duration: { _tag: "Computed", expression: text as Expression } }
}
