/** Clients of Anthropic's Messages, models behind Chat Completions. */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const anthropicMessagesToOpenaiChat = pair(anthropicMessages, openaiChat)
