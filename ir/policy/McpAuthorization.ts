/** Which tools, prompts, resources and tasks of an MCP backend a caller may see and use. */
import * as Schema from "effect/Schema"
import { Cedar } from "./Cedar.ts"
import { RuleSet } from "./RuleSet.ts"

export const McpAuthorization = Schema.TaggedStruct("McpAuthorization", {
  ...RuleSet.fields,
  /** Judges beside the rules: both must let an item pass. */
  cedar: Schema.optionalKey(Cedar),
})
export type McpAuthorization = typeof McpAuthorization.Type
