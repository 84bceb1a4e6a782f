/**
 * Clients of Gemini's generateContent, models behind Anthropic's Messages.
 *
 * Left out: safety settings, cached content, Google's own tools, seed, candidates beyond the first.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { gemini } from "../format/gemini.ts"
import { pair } from "../pair.ts"

export const geminiToAnthropicMessages = pair(gemini, anthropicMessages)
