/** A response as a reply. */
import type { ChatReply, Finish, Part } from "../../Conversation.ts"
import { at, isObject, type JsonObject, numberOf, objectsOf, textOf } from "../../Json.ts"
import type { Untranslatable } from "../../Translation.ts"
import { readResponsesUsage } from "../../usage/openaiResponses.ts"
import type { Context } from "../Format.ts"
import { citationOf } from "../openaiChat/readReply.ts"
import { hiddenThought } from "./readRequest.ts"

export const thoughtOf = (item: JsonObject): Part => {
  const id = textOf(item["id"]) ?? ""
  const encrypted = textOf(item["encrypted_content"])
  return {
    kind: "reasoning",
    text: [...objectsOf(item["summary"]), ...objectsOf(item["content"])]
      .map((one) => textOf(one["text"]) ?? "")
      .join("\n\n"),
    id,
    hidden: encrypted === undefined ? undefined : hiddenThought(id, encrypted),
  }
}

const partsOf = (item: JsonObject, context: Context, i: number): ReadonlyArray<Part> => {
  switch (item["type"]) {
    case "message":
      return objectsOf(item["content"]).flatMap((content): ReadonlyArray<Part> => {
        if (content["type"] === "refusal") return [{ kind: "refusal", text: textOf(content["refusal"]) ?? "" }]
        if (content["type"] !== "output_text") return []
        const citations = objectsOf(content["annotations"]).map(citationOf)
        const logprobs = content["logprobs"]
        return [
          {
            kind: "text",
            text: textOf(content["text"]) ?? "",
            citations: citations.length === 0 ? undefined : citations,
            logprobs: Array.isArray(logprobs) && logprobs.length > 0 ? logprobs : undefined,
          },
        ]
      })
    case "reasoning":
      return [thoughtOf(item)]
    case "function_call":
    case "custom_tool_call": {
      const custom = item["type"] === "custom_tool_call"
      return [
        {
          kind: "toolCall",
          id: textOf(item["call_id"]) ?? textOf(item["id"]) ?? `call_${context.call.id}_${i}`,
          name: textOf(item["name"]) ?? "",
          input: textOf(item[custom ? "input" : "arguments"]) ?? "",
          custom: custom ? true : undefined,
        },
      ]
    }
    case "image_generation_call": {
      const data = textOf(item["result"])
      return data === undefined ? [] : [{ kind: "image", source: { kind: "base64", mediaType: "image/png", data } }]
    }
    default:
      return []
  }
}

/** How a finished response ended. */
export const finishOf = (response: JsonObject): Finish => {
  const output = objectsOf(response["output"])
  const reason = textOf(at(response, "incomplete_details", "reason"))
  if (response["status"] === "incomplete" || reason !== undefined) {
    if (reason === "content_filter") return "contentFilter"
    return reason?.includes("context") === true ? "contextWindow" : "length"
  }
  if (output.some((item) => item["type"] === "function_call" || item["type"] === "custom_tool_call")) return "toolCalls"
  const refused = output.some(
    (item) => item["type"] === "message" && objectsOf(item["content"]).some((content) => content["type"] === "refusal"),
  )
  return refused ? "refusal" : "stop"
}

export const readReply = (body: JsonObject, context: Context): ChatReply | Untranslatable => {
  const status = textOf(body["status"])
  if (status === "failed" || status === "cancelled" || isObject(body["error"]))
    return { path: "error", reason: textOf(at(body, "error", "message")) ?? `the response is ${status ?? "failed"}` }
  if (status === "queued" || status === "in_progress")
    return { path: "status", reason: `the response is not finished: ${status}` }
  if (!Array.isArray(body["output"])) return { path: "output", reason: "the response has no output" }
  return {
    id: textOf(body["id"]),
    model: textOf(body["model"]),
    createdSeconds: numberOf(body["created_at"]),
    choices: [
      { parts: objectsOf(body["output"]).flatMap((item, i) => partsOf(item, context, i)), finish: finishOf(body) },
    ],
    usage: readResponsesUsage(body["usage"]),
    serviceTier: textOf(body["service_tier"]),
  }
}
