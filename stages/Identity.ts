/** Who is behind a request, as far as policies have proved it. */
import type * as Redacted from "effect/Redacted"
import type { Budget } from "../ir/policy/Budget.ts"
import type { Json } from "effect/Schema"
import type { Subject } from "./Exchange.ts"

export interface Identity {
  /** The claims of the token that was verified last. */
  readonly jwt?: Claims
  readonly apiKey?: KeyHolder
  readonly basicAuth?: { readonly username: string }
  /** The token behind `jwt` as it was sent, for whoever passes it on or exchanges it. */
  readonly token?: Redacted.Redacted
}

export type Claims = { readonly [name: string]: Json }

export interface KeyHolder {
  readonly key: Redacted.Redacted
  /** What the configuration says of the holder. */
  readonly metadata: Json | undefined
  /** The same for the same key, and no secret. */
  readonly id?: string
  readonly budgets?: ReadonlyArray<Budget> | undefined
  /** Models the key is good for; absent: any. */
  readonly allowedModels: ReadonlyArray<string> | undefined
  /** Tools of MCP servers that the key is good for; absent: any. */
  readonly allowedTools?: ReadonlyArray<string> | undefined
}

/** What is known of the caller now, beside what was known before. */
export const identify = ({ exchange }: Subject, identity: Identity): void => {
  exchange.identity = exchange.identity === undefined ? identity : { ...exchange.identity, ...identity }
}
