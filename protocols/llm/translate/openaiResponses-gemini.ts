/**
 * Clients of Responses, models behind Gemini's generateContent.
 *
 * Left out: hosted tools, user, metadata. The signature of a tool call travels in its id.
 */
import { gemini } from "../format/gemini.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const openaiResponsesToGemini = pair(openaiResponses, gemini)
