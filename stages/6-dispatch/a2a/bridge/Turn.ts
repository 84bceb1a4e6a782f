import type { Answer } from "../../../../protocols/a2a/Answer.ts"
import type { Call } from "../../../../protocols/a2a/operation.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import type { Try } from "../../Target.ts"
import type { Line } from "../Agent.ts"
import type { Conversation } from "../Conversation.ts"
import type { Calling } from "../question.ts"
import type { Voice } from "../Speech.ts"

/** One question of a client that was read, and what it takes to put it to the agent and to tell the answer. */
export interface Turn {
  readonly attempt: Try
  readonly conversation: Conversation
  readonly seen: Calling
  readonly voice: Voice
  readonly line: Line
  readonly call: Call
}

/** What one question got for an answer, before the client hears of it. */
export interface Heard {
  readonly answer: Answer
  readonly headers: Headers
}
