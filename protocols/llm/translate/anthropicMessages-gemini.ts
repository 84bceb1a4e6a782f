/**
 * Clients of Anthropic's Messages, models behind Gemini's generateContent.
 *
 * Left out: server tools, metadata. The signature of a tool call travels in its id.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { gemini } from "../format/gemini.ts"
import { pair } from "../pair.ts"

export const anthropicMessagesToGemini = pair(anthropicMessages, gemini)
