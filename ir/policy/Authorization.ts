/** Who may do what, judged on the request. */
import * as Schema from "effect/Schema"
import { RuleSet } from "./RuleSet.ts"

export const Authorization = Schema.TaggedStruct("Authorization", { ...RuleSet.fields })
export type Authorization = typeof Authorization.Type
