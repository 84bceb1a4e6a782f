/**
 * Clients of Anthropic's Messages, models behind Chat Completions.
 *
 * Left out: thoughts of earlier turns, server tools, top_k. What a tool answers beside text follows as the user's words.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const anthropicMessagesToOpenaiChat = pair(anthropicMessages, openaiChat)
