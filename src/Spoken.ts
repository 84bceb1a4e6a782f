/**
 * The protocols above HTTP: what speaks them, and what is remembered for each from plan to plan. Each begins with the first
 * configuration that needs it, so a gateway that only relays neither reads its code nor keeps its state.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { Snapshot } from "../ir/Snapshot.ts"
import { type Protocol, spokenIn } from "../ir/spoken.ts"
import { asking } from "../stages/5-policy/ask.ts"
import type { Expressions } from "../stages/5-policy/expression/Expressions.ts"
import { apiDocuments, fetchDocument } from "../stages/5-policy/fetchDocument.ts"
import type { Fetched } from "../stages/5-policy/RemoteDocument.ts"
import type { ProbedRoutes, Step } from "../stages/6-dispatch/llm/ProbedRoutes.ts"
import type { Watched } from "../stages/6-dispatch/llm/Watched.ts"
import type { Register } from "../stages/6-dispatch/mcp/oauth/register.ts"
import type { DispatchPorts, Protocols } from "../stages/6-dispatch/ports.ts"
import type { LockParts } from "../stages/6-dispatch/lock/LockParts.ts"
import type { Plan } from "../stages/Plan.ts"
import { inMemory as inMemoryGrants } from "../stages/ports/Grants.ts"
import type { Journal } from "../stages/ports/Journal.ts"
import { inMemory as inMemoryLocks } from "../stages/ports/Locks.ts"
import { inMemory as inMemoryReplies } from "../stages/ports/Replies.ts"
import type { Passed } from "../stages/ports/Siblings.ts"
import { inMemory as inMemorySpending } from "../stages/ports/Spending.ts"
import { version } from "./cli/version.ts"
import * as bounds from "./config/bounds.ts"
import type { GatewayOptions } from "./Gateway.ts"
import { scoped as redisSpending } from "./llm/redisSpending.ts"
import { make as makeTokens } from "./llm/tokens.ts"
import { coding } from "./node/coding.ts"
import { credentials } from "./node/credentials/credentials.ts"
import { cryptography } from "./node/cryptography.ts"
import * as Processes from "./node/processes.ts"
import { make as redisReplies } from "./node/redisReplies.ts"
import { freshKey, sealer } from "./node/sealer.ts"
import { siblings } from "./node/siblings.ts"

export interface SpokenParts extends Pick<DispatchPorts, "clock" | "defaults" | "endpoints"> {
  readonly expressions: Expressions
  readonly journal: Journal["Service"]
  readonly options: GatewayOptions
  readonly plan: () => Plan
}

/** What is remembered, by now. */
export type Remembered = Pick<DispatchPorts, "agents" | "llm" | "mcp">

type Writable<A> = { -readonly [K in keyof A]: A[K] }

/** The parser of YAML is loaded by the first document that needs it. */
const asJson = (fetched: Fetched): Effect.Effect<Fetched, string> =>
  Effect.tryPromise({
    try: async () => {
      const { parseDocument } = await import("./node/openapiDocument.ts")
      return { ...fetched, text: JSON.stringify(parseDocument(fetched.text)) }
    },
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause)),
  })

/** At hand, or read now. */
const loaded = <A>(atHand: A | undefined, read: () => Promise<A>): Effect.Effect<A> =>
  atHand === undefined ? Effect.promise(read) : Effect.succeed(atHand)

export const make = Effect.fnUntraced(function* (parts: SpokenParts) {
  const { clock, defaults, endpoints, expressions, journal, options, plan } = parts
  const scope = yield* Effect.scope
  const run = yield* FiberSet.makeRuntime<never, unknown, unknown>()
  const seals = sealer(options.sealingKey ?? freshKey())
  const others = options.processName === undefined ? undefined : siblings(options.processName, run)
  const processes = options.processes ?? Processes.make()
  const grants = options.grants ?? inMemoryGrants(clock)
  const ask = asking({ clock, defaults, endpoints })
  const protocols: Writable<Protocols> = {}
  const remembered: Writable<Remembered> = {}
  let register: Register | undefined
  let watched: { readonly routes: ProbedRoutes; readonly providers: Watched } | undefined

  const probing = yield* FiberSet.make<void>()
  const runProbes = yield* FiberSet.runtime(probing)()

  /** Models and agents spend from the same place. */
  const spendings = yield* Effect.cached(
    Effect.gen(function* () {
      const url = options.redisUrl === undefined ? undefined : Redacted.value(options.redisUrl)
      return {
        own: options.spending ?? inMemorySpending(clock.wallMillis, randomUUID),
        ...(url === undefined ? {} : { redis: yield* Scope.provide(redisSpending(url, clock), scope) }),
      }
    }),
  )
  const lock: LockParts = {
    locks: options.locks ?? inMemoryLocks(clock, seals.digest),
    clock,
    digest: seals.digest,
    run,
    alarm: journal.alarm,
  }

  const beginLlm = Effect.gen(function* () {
    const llm = yield* loaded(options.protocols?.llm, () => import("../stages/6-dispatch/llm/protocol.ts"))
    if (protocols.llm !== undefined) return
    const url = options.redisUrl === undefined ? undefined : Redacted.value(options.redisUrl)
    const replies = url === undefined ? undefined : redisReplies(url, clock.nowMillis, run)
    if (replies !== undefined) yield* Scope.addFinalizer(scope, Effect.sync(replies.close))
    const kept = {
      memory: inMemoryReplies(bounds.replyCacheBytesMax, clock.nowMillis),
      ...(replies === undefined ? {} : { redis: replies }),
    }
    remembered.llm = new llm.LlmState(makeTokens(), yield* spendings, kept, coding)
    watched = { routes: new llm.ProbedRoutes(), providers: new llm.Watched(remembered.llm, clock, runProbes) }
    protocols.llm = llm
  })

  const beginMcp = Effect.map(
    loaded(options.protocols?.mcp, () => import("../stages/6-dispatch/mcp/protocol.ts")),
    (mcp) => {
      if (protocols.mcp !== undefined) return
      const fetchApi = fetchDocument({ clock, defaults, endpoints }, apiDocuments)
      const granted = new mcp.Connections({
        clock,
        run,
        grants,
        tokens: { ask, clock, cryptography, credentials: options.credentials ?? credentials },
      })
      remembered.mcp = new mcp.McpState(
        {
          clock,
          lock,
          run,
          sealer: seals,
          processes,
          documents: { fetch: (url) => Effect.flatMap(fetchApi(url), asJson) },
          expressions,
          connections: granted,
          worker: others?.self ?? seals.secret(),
          ...(others === undefined ? {} : { siblings: others }),
          ...(options.keepsakes === undefined ? {} : { keepsakes: options.keepsakes }),
          ...(journal.target === undefined ? {} : { asked: journal.target }),
          version,
        },
        mcp.makeMcpTarget,
        options.mcpSessionIdleMillis,
      )
      register = mcp.registerOf(granted, () => plan().snapshot)
      protocols.mcp = mcp
    },
  )

  const beginAgents = Effect.gen(function* () {
    const a2a = yield* loaded(options.protocols?.a2a, () => import("../stages/6-dispatch/a2a/protocol.ts"))
    const { places, push, tasks } = options
    const passing =
      push === undefined
        ? undefined
        : (yield* Effect.promise(() => import("./a2a/push.ts"))).makePush(push, { clock, cryptography, ask })
    if (protocols.a2a !== undefined) return
    protocols.a2a = a2a
    remembered.agents = yield* Scope.provide(
      a2a.makeAgents(clock, { lock, places, tasks, push: passing, spendings: yield* spendings }),
      scope,
    )
  })

  const begin: Readonly<Record<Protocol, Effect.Effect<void>>> = { a2a: beginAgents, llm: beginLlm, mcp: beginMcp }

  const receive = (passed: Passed) => {
    const { mcp } = remembered
    return mcp === undefined || protocols.mcp === undefined
      ? Effect.succeed(undefined)
      : protocols.mcp.servePassed(mcp, passed, plan(), clock.nowMillis())
  }
  others?.receive(receive)
  // What agents write to may come before any configuration that names one.
  if (options.push !== undefined) yield* beginAgents

  const connected: Register = {
    list: grants.list(),
    forget: (id) => Effect.flatMap(beginMcp, () => register?.forget(id) ?? Effect.succeed(false)),
  }

  return {
    protocols: protocols satisfies Protocols as Protocols,
    remembered: remembered satisfies Remembered as Remembered,
    /** Whatever a configuration needs is here when this is over. */
    need: (snapshot: Snapshot): Effect.Effect<void> =>
      Effect.forEach(
        Array.from(spokenIn(snapshot)).filter((protocol) => protocols[protocol] === undefined),
        (protocol) => begin[protocol],
        { discard: true },
      ),
    connected,
    digest: seals.digest,
    /** Called after every change. */
    reconcile: ({ heritage, snapshot }: Plan, dispatch: DispatchPorts, step: Step): void => {
      remembered.mcp?.reconcile(snapshot)
      if (watched === undefined || heritage === undefined) return
      const { attachments, services } = heritage
      watched.providers.update(watched.routes.next(dispatch, { snapshot, attachments, services }, step))
    },
    /** Whoever only waits is asked to come again elsewhere. */
    drain: (): void => remembered.mcp?.drain(),
    /** Providers are not asked any more how they are. */
    stopAsking: FiberSet.clear(probing),
    close: Effect.suspend(() => {
      remembered.mcp?.close()
      return processes.stopAll
    }),
  }
})
