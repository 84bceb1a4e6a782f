/**
 * Clients of Bedrock's Converse, models behind Responses.
 *
 * Left out: guardrail and performance settings, tools of the provider's own, stop sequences, top_k, prompt variables.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const bedrockConverseToOpenaiResponses = pair(bedrockConverse, openaiResponses)
