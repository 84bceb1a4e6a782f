/**
 * Clients of Bedrock's Converse, models behind Gemini's generateContent.
 *
 * Left out: guardrail and performance settings, tools of the provider's own, prompt variables. The signature of a tool call
 * travels in its id.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { gemini } from "../format/gemini.ts"
import { pair } from "../pair.ts"

export const bedrockConverseToGemini = pair(bedrockConverse, gemini)
