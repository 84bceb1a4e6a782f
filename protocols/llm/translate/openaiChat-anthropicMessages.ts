/**
 * Clients of Chat Completions, models behind Anthropic's Messages.
 *
 * Left out: seed, n, penalties, log-probabilities, sound. Thoughts come as `reasoning_content`, signed ones go back as they came.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const openaiChatToAnthropicMessages = pair(openaiChat, anthropicMessages)
