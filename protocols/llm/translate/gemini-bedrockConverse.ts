/**
 * Clients of Gemini's generateContent, models behind Bedrock's Converse.
 *
 * Left out: safety settings, cached content, Google's own tools, seed, candidates beyond the first.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { gemini } from "../format/gemini.ts"
import { pair } from "../pair.ts"

export const geminiToBedrockConverse = pair(gemini, bedrockConverse)
