/**
 * Clients of Bedrock's Converse, models behind Chat Completions.
 *
 * Left out: guardrail and performance settings, tools of the provider's own, top_k, prompt variables.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const bedrockConverseToOpenaiChat = pair(bedrockConverse, openaiChat)
