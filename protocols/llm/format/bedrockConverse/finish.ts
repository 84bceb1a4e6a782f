/** Why a model behind Bedrock stopped, and what a client of Bedrock's is told. */
import type { Finish } from "../../Conversation.ts"

export const finishOf = (reason: unknown): Finish => {
  switch (reason) {
    case "max_tokens":
      return "length"
    case "model_context_window_exceeded":
      return "contextWindow"
    case "stop_sequence":
      return "stopSequence"
    case "tool_use":
      return "toolCalls"
    case "content_filtered":
    case "guardrail_intervened":
      return "contentFilter"
    default:
      return "stop"
  }
}

const reasons: Readonly<Record<Finish, string>> = {
  stop: "end_turn",
  stopSequence: "stop_sequence",
  length: "max_tokens",
  contextWindow: "model_context_window_exceeded",
  toolCalls: "tool_use",
  contentFilter: "content_filtered",
  refusal: "content_filtered",
  pause: "end_turn",
}

export const stopReason = (finish: Finish): string => reasons[finish]
