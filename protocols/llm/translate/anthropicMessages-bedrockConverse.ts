/**
 * Clients of Anthropic's Messages, models behind Bedrock's Converse.
 *
 * Left out: server tools. Cache marks become cache points, images by address are refused.
 */
import { anthropicMessages } from "../format/anthropicMessages.ts"
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { pair } from "../pair.ts"

export const anthropicMessagesToBedrockConverse = pair(anthropicMessages, bedrockConverse)
