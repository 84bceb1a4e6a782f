/** Clients of Chat Completions, models behind Anthropic's Messages. */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const openaiChatToAnthropicMessages = pair(openaiChat, anthropicMessages)
