/** Marks a backend as an agent that speaks A2A, and says how far the gateway speaks for it, and who may say what to it. */
import * as Schema from "effect/Schema"
import { ToolLock } from "../backend/ToolLock.ts"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"
import { a2aSpoken } from "./A2aSpoken.ts"
import { LocalRateLimit } from "./LocalRateLimit.ts"
import { PromptGuard } from "./PromptGuard.ts"

/** How many messages an agent may be sent in a time. */
export const MessageBudget = Schema.Struct({
  name: Schema.NonEmptyString,
  /** Everybody with the same value shares one budget; absent: all together. */
  key: Schema.optionalKey(Expression),
  messages: Schema.Natural,
  /** Windows begin at multiples of this since 1970. */
  windowMillis: Millis,
  /** In the storage of the gateway unless set. */
  store: Schema.optionalKey(Schema.Literals(["redis"])),
})
export type MessageBudget = typeof MessageBudget.Type

export const A2a = Schema.TaggedStruct("A2a", {
  ...a2aSpoken,
  /** Looks at what is said to the agent and by it. */
  guard: Schema.optionalKey(PromptGuard),
  /** How often it may be sent a message. */
  limit: Schema.optionalKey(LocalRateLimit),
  budgets: Schema.optionalKey(Schema.NonEmptyArray(MessageBudget)),
  /** When true, a caller may know of a task that somebody else began; absent: never. */
  foreignTasks: Schema.optionalKey(Expression),
  /** How far its card is taken on trust. */
  lock: Schema.optionalKey(ToolLock),
})
export type A2a = typeof A2a.Type
