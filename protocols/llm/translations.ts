/** Every pair of formats between which a call can be translated. */
import { openaiEmbeddingsToVertexEmbeddings } from "./translate/openaiEmbeddings-vertexEmbeddings.ts"
import { openaiEmbeddingsToGeminiEmbeddings } from "./translate/openaiEmbeddings-geminiEmbeddings.ts"
import { openaiEmbeddingsToBedrockTitanEmbeddings } from "./translate/openaiEmbeddings-bedrockTitanEmbeddings.ts"
import { openaiEmbeddingsToBedrockNovaEmbeddings } from "./translate/openaiEmbeddings-bedrockNovaEmbeddings.ts"
import { openaiEmbeddingsToBedrockCohereEmbeddings } from "./translate/openaiEmbeddings-bedrockCohereEmbeddings.ts"
import { cohereRerankToBedrockRerank } from "./translate/cohereRerank-bedrockRerank.ts"
import { cohereRerankToVertexRerank } from "./translate/cohereRerank-vertexRerank.ts"
import { anthropicCountTokensToBedrockCountTokens } from "./translate/anthropicCountTokens-bedrockCountTokens.ts"
import { anthropicCountTokensToGeminiCountTokens } from "./translate/anthropicCountTokens-geminiCountTokens.ts"
import { geminiCountTokensToAnthropicCountTokens } from "./translate/geminiCountTokens-anthropicCountTokens.ts"
import type { Format, Translation } from "./Translation.ts"
import { anthropicMessagesToBedrockConverse } from "./translate/anthropicMessages-bedrockConverse.ts"
import { anthropicMessagesToGemini } from "./translate/anthropicMessages-gemini.ts"
import { anthropicMessagesToOpenaiChat } from "./translate/anthropicMessages-openaiChat.ts"
import { anthropicMessagesToOpenaiResponses } from "./translate/anthropicMessages-openaiResponses.ts"
import { bedrockConverseToOpenaiChat } from "./translate/bedrockConverse-openaiChat.ts"
import { bedrockConverseToOpenaiResponses } from "./translate/bedrockConverse-openaiResponses.ts"
import { bedrockConverseToAnthropicMessages } from "./translate/bedrockConverse-anthropicMessages.ts"
import { bedrockConverseToGemini } from "./translate/bedrockConverse-gemini.ts"
import { geminiToAnthropicMessages } from "./translate/gemini-anthropicMessages.ts"
import { geminiToBedrockConverse } from "./translate/gemini-bedrockConverse.ts"
import { geminiToOpenaiChat } from "./translate/gemini-openaiChat.ts"
import { geminiToOpenaiResponses } from "./translate/gemini-openaiResponses.ts"
import { openaiChatToAnthropicMessages } from "./translate/openaiChat-anthropicMessages.ts"
import { openaiChatToBedrockConverse } from "./translate/openaiChat-bedrockConverse.ts"
import { openaiChatToGemini } from "./translate/openaiChat-gemini.ts"
import { openaiChatToOpenaiResponses } from "./translate/openaiChat-openaiResponses.ts"
import { openaiResponsesToAnthropicMessages } from "./translate/openaiResponses-anthropicMessages.ts"
import { openaiResponsesToBedrockConverse } from "./translate/openaiResponses-bedrockConverse.ts"
import { openaiResponsesToGemini } from "./translate/openaiResponses-gemini.ts"
import { openaiResponsesToOpenaiChat } from "./translate/openaiResponses-openaiChat.ts"

export const translations: ReadonlyArray<Translation> = [
  openaiChatToOpenaiResponses,
  openaiChatToAnthropicMessages,
  openaiChatToGemini,
  openaiChatToBedrockConverse,
  openaiResponsesToOpenaiChat,
  openaiResponsesToAnthropicMessages,
  openaiResponsesToGemini,
  openaiResponsesToBedrockConverse,
  anthropicMessagesToOpenaiChat,
  anthropicMessagesToOpenaiResponses,
  anthropicMessagesToGemini,
  anthropicMessagesToBedrockConverse,
  geminiToOpenaiChat,
  geminiToOpenaiResponses,
  geminiToAnthropicMessages,
  geminiToBedrockConverse,
  bedrockConverseToOpenaiChat,
  bedrockConverseToOpenaiResponses,
  bedrockConverseToAnthropicMessages,
  bedrockConverseToGemini,
  openaiEmbeddingsToVertexEmbeddings,
  openaiEmbeddingsToGeminiEmbeddings,
  openaiEmbeddingsToBedrockTitanEmbeddings,
  openaiEmbeddingsToBedrockNovaEmbeddings,
  openaiEmbeddingsToBedrockCohereEmbeddings,
  cohereRerankToBedrockRerank,
  cohereRerankToVertexRerank,
  anthropicCountTokensToBedrockCountTokens,
  anthropicCountTokensToGeminiCountTokens,
  geminiCountTokensToAnthropicCountTokens,
]

const byName = new Map(translations.map((one) => [`${one.from} ${one.to}`, one]))

/** Undefined where there is no way between the two, or where none is needed. */
export const translation = (from: Format, to: Format): Translation | undefined => byName.get(`${from} ${to}`)
