/**
 * Clients of Gemini's generateContent, models behind Responses.
 *
 * Left out: safety settings, cached content, Google's own tools, stop sequences, seed.
 */
import { gemini } from "../format/gemini.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const geminiToOpenaiResponses = pair(gemini, openaiResponses)
