/** One guard, compiled: it looks at words and says what is to become of them. */
import type * as Effect from "effect/Effect"
import type { Span } from "../../../../protocols/llm/guard/MaskedText.ts"
import type { Judgement, Message } from "../../../../protocols/llm/guard/remote.ts"
import type { Scope } from "../../../../protocols/llm/guard/spots.ts"
import type { Rejection } from "../../../../ir/policy/PromptGuard.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import type { FieldEdits } from "../../../5-policy/headerEdits.ts"
import type { Try } from "../../Target.ts"

export type Side = "request" | "response"

/** Sees every text by itself, at once. */
export interface LocalGuard {
  readonly _tag: "Local"
  readonly action: "mask" | "reject"
  readonly find: (text: string) => ReadonlyArray<Span>
  /** How long a text may be for one look; longer ones are looked at piece by piece. */
  readonly textLengthMax: number
}

/** Asks a service about all texts together. */
export interface RemoteGuard {
  readonly _tag: "Remote"
  readonly failsOpen: boolean
  /** Whether it wants the messages, or every text by itself. */
  readonly wants: "texts" | "messages"
  readonly ask: (
    attempt: Try,
    side: Side,
    messages: ReadonlyArray<Message>,
    replyHeaders: Headers | undefined,
  ) => Effect.Effect<Judgement>
}

export type Judge = LocalGuard | RemoteGuard

export interface Guard {
  /** As the configuration names its kind. */
  readonly name: string
  readonly judge: Judge
  readonly rejection: Rejection | undefined
  readonly rejectionHeaders: FieldEdits | undefined
  readonly scope: ReadonlySet<Scope>
}

/** What a guard did, for whoever asks later. */
export interface Checked {
  readonly phase: Side
  readonly guard: string
  readonly action: "allow" | "mask" | "reject" | "failOpen" | "failClosed"
}
