/**
 * Clients of Chat Completions, models behind Gemini's generateContent.
 *
 * Left out: parallel_tool_calls, user, metadata. The signature of a tool call travels in its id.
 */
import { gemini } from "../format/gemini.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const openaiChatToGemini = pair(openaiChat, gemini)
