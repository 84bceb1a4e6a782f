/** Which tools, prompts, resources and tasks of an MCP backend a caller may see and use. */
import * as Schema from "effect/Schema"
import { RuleSet } from "./RuleSet.ts"

export const McpAuthorization = Schema.TaggedStruct("McpAuthorization", { ...RuleSet.fields })
export type McpAuthorization = typeof McpAuthorization.Type
