/**
 * Clients of Gemini's generateContent, models behind Chat Completions.
 *
 * Left out: safety settings, cached content, Google's own tools.
 */
import { gemini } from "../format/gemini.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const geminiToOpenaiChat = pair(gemini, openaiChat)
