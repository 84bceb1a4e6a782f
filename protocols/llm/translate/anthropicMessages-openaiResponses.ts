/**
 * Clients of Anthropic's Messages, models behind Responses.
 *
 * Left out: server tools, stop sequences, top_k. Encrypted thoughts travel as redacted ones.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const anthropicMessagesToOpenaiResponses = pair(anthropicMessages, openaiResponses)
