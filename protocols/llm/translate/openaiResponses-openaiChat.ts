/**
 * Clients of Responses, models behind Chat Completions.
 *
 * Left out: hosted tools and thoughts of earlier turns. What OpenAI stored is refused, for nobody else can see it.
 */
import { openaiChat } from "../format/openaiChat.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const openaiResponsesToOpenaiChat = pair(openaiResponses, openaiChat)
