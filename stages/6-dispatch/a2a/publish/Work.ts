/** What an agent that the gateway plays does about a message. */
import type * as Effect from "effect/Effect"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import type { Exchange, Request, Routed } from "../../../Exchange.ts"

export interface Asked {
  readonly message: Fields
  readonly skill: string | undefined
  /** Earlier tasks of the same conversation, the first of them first. */
  readonly earlier: ReadonlyArray<Fields>
  /** What was kept when the task asked something back. */
  readonly more: unknown
  /** On whose behalf; it may be over before the task is. */
  readonly exchange: Exchange
  readonly request: Request
}

export interface Doing {
  /** Nothing is asked of whoever listens. */
  readonly says: (text: string) => void
  readonly makes: (artifact: Fields, append: boolean, lastChunk: boolean) => void
}

/** How far it came: done, or what it waits for. */
export interface Done {
  readonly state: string
  readonly parts?: ReadonlyArray<Fields> | undefined
  /** Needed to go on when somebody has answered. */
  readonly more?: unknown
}

export interface Work {
  /** What the card says of it, for whoever asks. */
  readonly card: (exchange: Routed, request: Request) => Effect.Effect<Fields, string>
  /** Refused before there is a task; undefined: it can be done. */
  readonly refuses: (message: Fields) => string | undefined
  readonly run: (asked: Asked, doing: Doing) => Effect.Effect<Done>
}

export const failedWith = (text: string): Done => ({ state: "TASK_STATE_FAILED", parts: [{ text }] })
export const completed: Done = { state: "TASK_STATE_COMPLETED" }
