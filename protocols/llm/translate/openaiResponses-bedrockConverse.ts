/**
 * Clients of Responses, models behind Bedrock's Converse.
 *
 * Left out: hosted tools. Images and files must come as data.
 */
import { bedrockConverse } from "../format/bedrockConverse.ts"
import { openaiResponses } from "../format/openaiResponses.ts"
import { pair } from "../pair.ts"

export const openaiResponsesToBedrockConverse = pair(openaiResponses, bedrockConverse)
