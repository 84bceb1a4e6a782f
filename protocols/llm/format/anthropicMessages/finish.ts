/** Why Claude stopped, and what a client of Anthropic's format is told. */
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
    case "pause_turn":
      return "pause"
    case "refusal":
      return "refusal"
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
  contentFilter: "refusal",
  refusal: "refusal",
  pause: "pause_turn",
}

export const stopReason = (finish: Finish): string => reasons[finish]
