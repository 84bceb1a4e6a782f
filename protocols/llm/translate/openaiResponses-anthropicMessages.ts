/**
 * Clients of Responses, models behind Anthropic's Messages.
 *
 * Left out: hosted tools. Signed thoughts travel as the encrypted content of reasoning items.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const openaiResponsesToAnthropicMessages = pair(openaiResponses, anthropicMessages)
