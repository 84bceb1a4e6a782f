/** Who may do what, judged on the request. */
import * as Schema from "effect/Schema"
import { Cedar } from "./Cedar.ts"
import { RuleSet } from "./RuleSet.ts"

export const Authorization = Schema.TaggedStruct("Authorization", {
  ...RuleSet.fields,
  /** Judges beside the rules: both must let a request pass. */
  cedar: Schema.optionalKey(Cedar),
})
export type Authorization = typeof Authorization.Type
