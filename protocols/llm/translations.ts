/** Every pair of formats between which a call can be translated. */
import type { Format, Translation } from "./Translation.ts"
import { anthropicMessagesToOpenaiChat } from "./translate/anthropicMessages-openaiChat.ts"
import { openaiChatToAnthropicMessages } from "./translate/openaiChat-anthropicMessages.ts"

export const translations: ReadonlyArray<Translation> = [openaiChatToAnthropicMessages, anthropicMessagesToOpenaiChat]

const byName = new Map(translations.map((one) => [`${one.from} ${one.to}`, one]))

/** Undefined where there is no way between the two, or where none is needed. */
export const translation = (from: Format, to: Format): Translation | undefined => byName.get(`${from} ${to}`)
