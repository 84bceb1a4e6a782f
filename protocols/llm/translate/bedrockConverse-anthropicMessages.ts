/**
 * Clients of Bedrock's Converse, models behind Anthropic's Messages.
 *
 * Left out: guardrail and performance settings, tools of the provider's own, prompt variables.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { pair } from "../pair.ts"

export const bedrockConverseToAnthropicMessages = pair(bedrockConverse, anthropicMessages)
