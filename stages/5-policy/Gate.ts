/** What policies that prove identities or count requests are compiled with; one for a whole gateway. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { type KeySet, parse as parseKeys } from "../../protocols/jose/jwks.ts"
import type { Subject } from "../Exchange.ts"
import type { Cedar } from "../ports/Cedar.ts"
import type { Credentials } from "../ports/Credentials.ts"
import type { Cryptography } from "../ports/Cryptography.ts"
import type { Ledger } from "../ports/Ledger.ts"
import type { Keyring } from "../ports/Keyring.ts"
import { Buckets, memory } from "./Buckets.ts"
import * as Occupied from "./Occupancy.ts"
import { Ended, memory as endedMemory } from "./oidc/Ended.ts"
import { Turnstiles } from "./Turnstile.ts"
import type { Ask } from "./ask.ts"
import { type Expiring, Tokens } from "./credentials/Tokens.ts"
import { make as makeWallet, type Wallet } from "./credentials/Wallet.ts"
import { type DocumentPorts, RemoteDocument } from "./RemoteDocument.ts"
import type { Step } from "./Step.ts"

export interface Gate {
  readonly cryptography: Cryptography
  /** The step of a policy: one for all routes it holds for, and the same again after a change that left it alone. */
  readonly once: (policy: object, compile: () => Step<Subject>) => Step<Subject>
  /** The set of keys at a URL, shared by all who verify with it. */
  readonly keysAt: (url: string, publicOnly?: boolean) => RemoteDocument<KeySet>
  /** What was counted so far. */
  readonly buckets: () => Buckets
  /** Who is inside right now, where only so many may be. */
  readonly turnstiles: () => Turnstiles
  /** Sessions that their provider has ended. */
  readonly ended: () => Ended
  /** Absent: the gateway has no credentials of its own. */
  readonly wallet: Wallet | undefined
  /** Absent: nobody here reads Cedar. */
  readonly cedar: Cedar | undefined
  /** Absent: nothing is counted together with other gateways. */
  readonly ledger: Ledger | undefined
  /** Runs something that nobody waits for; false, and it does not run, where too much of that is under way. */
  readonly background: (effect: Effect.Effect<void>) => boolean
  /** Absent: the gateway asks nobody. */
  readonly ask: Ask | undefined
  /** What was renewed lately, by the name of the policy; it outlives changes of the configuration. */
  readonly renewals: <A extends Expiring>(name: string) => Tokens<A>
  /** A document at a URL, shared by all who read it in the same way. */
  readonly documentAt: <A>(
    url: string,
    reading: string,
    decode: (text: string) => A | string,
    publicOnly?: boolean,
  ) => RemoteDocument<A>
  /** Absent: the gateway gives out no keys. */
  readonly keyring: Keyring | undefined
}

/** What a gateway may do without. */
export interface GateParts {
  readonly credentials?: Credentials
  readonly cedar?: Cedar
  readonly ask?: Ask
  readonly ledger?: Ledger
  readonly keyring?: Keyring | undefined
  /** Where threads count who is inside; absent: this one serves alone. */
  readonly occupied?: Occupied.Shared | undefined
  /** Where threads note sessions that have ended; absent: this one serves alone. */
  readonly ended?: SharedArrayBuffer | undefined
}

/** How much may go on at once that nobody waits for. */
export const BACKGROUND_MAX = 4_096

/** `counters` is the memory of `Buckets` where several threads serve. */
export const over = (
  cryptography: Cryptography,
  ports: DocumentPorts,
  counters?: SharedArrayBuffer,
  { ask, cedar, credentials, keyring, ledger, occupied, ended: endedShared }: GateParts = {},
): Gate => {
  let buckets: Buckets | undefined
  let turnstiles: Turnstiles | undefined
  let ended: Ended | undefined
  const steps = new WeakMap<object, Step<Subject>>()
  let running = 0
  const documents = new Map<string, RemoteDocument<unknown>>()
  const renewals = new Map<string, Tokens<Expiring>>()
  const documentAt: Gate["documentAt"] = <A>(
    url: string,
    reading: string,
    decode: (text: string) => A | string,
    publicOnly = false,
  ) => {
    const key = `${reading} ${publicOnly} ${url}`
    // Documents that are read in the same way are of the same kind.
    let document = documents.get(key) as RemoteDocument<A> | undefined
    if (document === undefined) documents.set(key, (document = new RemoteDocument(url, decode, ports, publicOnly)))
    return document
  }
  return {
    cryptography,
    cedar,
    ask,
    renewals: <A extends Expiring>(name: string): Tokens<A> => {
      let tokens = renewals.get(name)
      if (tokens === undefined) renewals.set(name, (tokens = new Tokens(ports)))
      // Whatever has that name put in what it takes out.
      return tokens as unknown as Tokens<A>
    },
    ledger,
    keyring,
    wallet: credentials === undefined ? undefined : makeWallet(credentials, ports),
    buckets: () => (buckets ??= new Buckets(counters ?? memory())),
    ended: () => (ended ??= new Ended(endedShared ?? endedMemory())),
    turnstiles: () =>
      (turnstiles ??= new Turnstiles(
        new Occupied.Occupancy(occupied ?? { memory: Occupied.memory(), thread: 0, threads: 1 }),
        ports.clock,
      )),
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
    keysAt: (url, publicOnly = false) => documentAt(url, "keys", parseKeys, publicOnly),
    documentAt,
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
