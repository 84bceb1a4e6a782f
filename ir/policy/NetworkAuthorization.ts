/** Who may connect at all, judged before a byte is answered. */
import * as Schema from "effect/Schema"
import { Cedar } from "./Cedar.ts"
import { RuleSet } from "./RuleSet.ts"

export const NetworkAuthorization = Schema.TaggedStruct("NetworkAuthorization", {
  ...RuleSet.fields,
  /** Judges beside the rules: both must let a connection stay. */
  cedar: Schema.optionalKey(Cedar),
})
export type NetworkAuthorization = typeof NetworkAuthorization.Type
