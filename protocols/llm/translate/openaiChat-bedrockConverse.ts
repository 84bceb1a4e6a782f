/**
 * Clients of Chat Completions, models behind Bedrock's Converse.
 *
 * Left out: seed, n, penalties, log-probabilities. Images and files must come as data.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { openaiChat } from "../format/openaiChat.ts"
import { pair } from "../pair.ts"

export const openaiChatToBedrockConverse = pair(openaiChat, bedrockConverse)
