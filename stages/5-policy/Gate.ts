/** What policies that prove identities or count requests are compiled with; one for a whole gateway. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { type KeySet, parse as parseKeys } from "../../protocols/jose/jwks.ts"
import type { Subject } from "../Exchange.ts"
import type { Cedar } from "../ports/Cedar.ts"
import type { Credentials } from "../ports/Credentials.ts"
import type { Cryptography } from "../ports/Cryptography.ts"
import { Buckets, memory } from "./Buckets.ts"
import { make as makeWallet, type Wallet } from "./credentials/Wallet.ts"
import { type DocumentPorts, RemoteDocument } from "./RemoteDocument.ts"
import type { Step } from "./Step.ts"

export interface Gate {
  readonly cryptography: Cryptography
  /** The step of a policy: one for all routes it holds for, and the same again after a change that left it alone. */
  readonly once: (policy: object, compile: () => Step<Subject>) => Step<Subject>
  /** The set of keys at a URL, shared by all who verify with it. */
  readonly keysAt: (url: string) => RemoteDocument<KeySet>
  /** What was counted so far. */
  readonly buckets: () => Buckets
  /** Absent: the gateway has no credentials of its own. */
  readonly wallet: Wallet | undefined
  /** Absent: nobody here reads Cedar. */
  readonly cedar: Cedar | undefined
  /** Runs something that nobody waits for; false, and it does not run, where too much of that is under way. */
  readonly background: (effect: Effect.Effect<void>) => boolean
}

/** What a gateway may do without. */
export interface GateParts {
  readonly credentials?: Credentials
  readonly cedar?: Cedar
}

/** How much may go on at once that nobody waits for. */
export const BACKGROUND_MAX = 4_096

/** `counters` is the memory of `Buckets` where several threads serve. */
export const over = (
  cryptography: Cryptography,
  ports: DocumentPorts,
  counters?: SharedArrayBuffer,
  { cedar, credentials }: GateParts = {},
): Gate => {
  let buckets: Buckets | undefined
  const steps = new WeakMap<object, Step<Subject>>()
  let running = 0
  const documents = new Map<string, RemoteDocument<KeySet>>()
  return {
    cryptography,
    cedar,
    wallet: credentials === undefined ? undefined : makeWallet(credentials, ports),
    buckets: () => (buckets ??= new Buckets(counters ?? memory())),
    background: (effect) => {
      if (running >= BACKGROUND_MAX) return false
      running++
      ports.run(
        Effect.ensuring(
          effect,
          Effect.sync(() => running--),
        ),
      )
      return true
    },
    once: (policy, compile) => {
      let step = steps.get(policy)
      if (step === undefined) steps.set(policy, (step = compile()))
      return step
    },
    keysAt: (url) => {
      let document = documents.get(url)
      if (document === undefined) documents.set(url, (document = new RemoteDocument(url, parseKeys, ports)))
      return document
    },
  }
}

/** Fetches belong to the scope it is made in. */
export const make = (
  cryptography: Cryptography,
  ports: Omit<DocumentPorts, "run">,
  counters?: SharedArrayBuffer,
  parts?: GateParts,
): Effect.Effect<Gate, never, Scope.Scope> =>
  Effect.map(FiberSet.makeRuntime<never, void>(), (run) => over(cryptography, { ...ports, run }, counters, parts))
