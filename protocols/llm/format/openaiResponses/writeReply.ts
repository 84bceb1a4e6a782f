/** A reply as a response. */
import type { ChatReply } from "../../Conversation.ts"
import type { JsonObject } from "../../Json.ts"
import type { Context } from "../Format.ts"
import { ending, itemsOf, responseId, writeResponse } from "./writeItems.ts"

export const writeReply = (reply: ChatReply, context: Context): JsonObject => {
  const choice = reply.choices[0] ?? { parts: [], finish: "stop" }
  const { status, reason } = ending(choice.finish)
  return writeResponse(
    {
      id: responseId(reply.id, context),
      model: reply.model ?? context.call.model,
      createdSeconds: reply.createdSeconds ?? Math.floor(context.call.nowMillis / 1000),
      status,
      reason,
      output: itemsOf(choice, context),
      usage: reply.usage,
    },
    context,
  )
}
