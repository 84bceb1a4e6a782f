/**
 * Clients of Chat Completions, models behind Responses.
 *
 * Left out: stop, seed, n, penalties.
 */
import { openaiChat } from "../format/openaiChat.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const openaiChatToOpenaiResponses = pair(openaiChat, openaiResponses)
