/** Who may connect at all, judged before a byte is answered. */
import * as Schema from "effect/Schema"
import { RuleSet } from "./RuleSet.ts"

export const NetworkAuthorization = Schema.TaggedStruct("NetworkAuthorization", { ...RuleSet.fields })
export type NetworkAuthorization = typeof NetworkAuthorization.Type
