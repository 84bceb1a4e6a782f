/**
 * The gateway as a Layer: give it a source of configuration and the ports of a world, and it serves until its scope
 * closes — then it drains.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { parseFunctions } from "../ir/cel/customFunctions.ts"
import type { Natives } from "../ir/cel/Natives.ts"
import { defaults as assumed } from "../ir/defaults.ts"
import type { BindKey } from "../ir/Key.ts"
import { empty } from "../ir/emptySnapshot.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import { type Propagator, propagationOf } from "../protocols/trace/propagation.ts"
import { asking } from "../stages/5-policy/ask.ts"
import { fetchDocument } from "../stages/5-policy/fetchDocument.ts"
import * as Gate from "../stages/5-policy/Gate.ts"
import type { Shared as Occupied } from "../stages/5-policy/Occupancy.ts"
import { Expressions, type Failures } from "../stages/5-policy/expression/Expressions.ts"
import { Endpoints } from "../stages/6-dispatch/Endpoints.ts"
import type { Register } from "../stages/6-dispatch/mcp/oauth/register.ts"
import { freshKey } from "./node/sealer.ts"
import { type Undelivered, undelivered } from "../stages/6-dispatch/a2a/push/undelivered.ts"
import { Hops } from "../stages/6-dispatch/Hop.ts"
import type { PushOptions } from "./a2a/push.ts"
import type { Protocols } from "../stages/6-dispatch/ports.ts"
import * as Mirrors from "../stages/6-dispatch/Mirrors.ts"
import type { Whereabouts } from "../stages/6-dispatch/Whereabouts.ts"
import type { Address } from "../stages/Connection.ts"
import { type CompilePorts, compile, type ConnectionLimits } from "../stages/compile.ts"
import * as Pipeline from "../stages/pipeline.ts"
import type { Live, Plan } from "../stages/Plan.ts"
import type { Credentials } from "../stages/ports/Credentials.ts"
import type { Grants } from "../stages/ports/Grants.ts"
import type { Keepsakes } from "../stages/ports/Keepsakes.ts"
import { Journal } from "../stages/ports/Journal.ts"
import type { Locks } from "../stages/ports/Locks.ts"
import type { Processes as ProcessPort } from "../stages/ports/Processes.ts"
import type { Keyring } from "../stages/ports/Keyring.ts"
import type { Spending } from "../stages/ports/Spending.ts"
import type { Places } from "../stages/ports/Places.ts"
import type { Tasks } from "../stages/ports/Tasks.ts"
import { Network } from "../stages/ports/Network.ts"
import { Timer } from "../stages/ports/Timer.ts"
import { Upstream } from "../stages/ports/Upstream.ts"
import { Connections, type ConnectionState } from "./Connections.ts"
import { type Desk, makeDesk } from "./Desk.ts"
import { natives } from "./node/natives.ts"
import { describe, ExpressionChecker } from "./config/checkExpressions.ts"
import { patternProblems } from "./config/checkPatterns.ts"
import * as bounds from "./config/bounds.ts"
import { cedar } from "./node/cedar.ts"
import { make as redisLedger } from "./node/redisLedger.ts"
import { credentials } from "./node/credentials/credentials.ts"
import { cryptography } from "./node/cryptography.ts"
import type { Source, Unusable } from "./config/Source.ts"
import * as Spoken from "./Spoken.ts"
import * as Publish from "./config/publish.ts"
import { type ConfigState, type OnConfig, type Peers, takeConfig } from "./takeConfig.ts"

/** How long a drain waits for the first words on a connection. */
const arrivingGraceMillis = 1_000

/** How often a drain looks whether everybody has left. */
const drainPollMillis = 20

/** How long what was cut off may take to say that it has ended. */
const cutOffMillis = 1_000

export interface GatewayOptions {
  readonly config: Source
  readonly ipv6?: boolean
  /** How long connections go on being accepted once the end is near, and how long exchanges may then take. */
  readonly drain?: { readonly minMillis: number; readonly maxMillis: number }
  readonly upstream?: Partial<CompilePorts["dispatch"]["defaults"]>
  readonly limits?: Partial<Limits>
  /** Other workers that serve the same configuration: they change with us or not at all. */
  readonly peers?: Peers
  /** Where this gateway stands, for services that prefer what is near. */
  readonly whereabouts?: Whereabouts
  /** Functions that expressions may call, as text. */
  readonly customFunctions?: string
  /** What `env` holds in expressions. */
  readonly environment?: Readonly<Record<string, string>>
  /** Headers that `redacted()` hides beside those it always does. */
  readonly sensitiveHeaders?: ReadonlyArray<string>
  /** What expressions take from the outside, unless it is the real one. */
  readonly natives?: Natives
  /** Memory that the workers share, where there are others: what they count is counted together. */
  readonly counters?: SharedArrayBuffer
  /** Where the workers count who is inside, where there are others. */
  readonly occupied?: Occupied
  /** Where the workers note sessions that their provider has ended, where there are others. */
  readonly endedSessions?: SharedArrayBuffer
  /** Where limits are kept that several gateways share. */
  readonly redisUrl?: Redacted.Redacted
  /** Where the gateway's own credentials come from, unless it is the clouds' libraries. */
  readonly credentials?: Credentials
  /** Seals what clients are given to bring back, 32 bytes; absent: a key of this gateway alone. */
  readonly sealingKey?: Uint8Array
  /** Child processes, unless they are real ones. */
  readonly processes?: ProcessPort
  /** The same for all workers of this process, where there are others: what belongs to one of them is handed to it. */
  readonly processName?: string
  /** How long a session of MCP may be left alone. */
  readonly mcpSessionIdleMillis?: number
  /** Run when the last exchange is over, while upstreams can still be called. */
  readonly beforeClose?: Effect.Effect<void>
  /** What was spent on models; in memory unless given. */
  readonly spending?: Spending
  /** What people granted it at MCP servers; in memory unless given. */
  readonly grants?: Grants
  /** What outlives workers of MCP sessions and tasks; in memory unless given. */
  readonly keepsakes?: Keepsakes
  /** What was approved of servers; in memory unless given. */
  readonly locks?: Locks
  /** Keys that the gateway gave out itself; none unless given. */
  readonly keyring?: Keyring
  /** How notifications of agents are passed on; absent: they are between agents and clients. */
  readonly push?: PushOptions
  /** Where the tasks of agents live; remembered by this process alone unless given. */
  readonly places?: Places
  /** The tasks of agents that the gateway plays; remembered by this process alone unless given. */
  readonly tasks?: Tasks
  /** What speaks the protocols above HTTP; absent: each is loaded by the first configuration that needs it. */
  readonly protocols?: Protocols
  /** Nothing is traced, whatever the configuration says. */
  readonly tracingDisabled?: boolean
  /** How others are told which trace they are part of; as W3C has it unless given. */
  readonly propagators?: ReadonlyArray<Propagator>
  /** Told when the end has begun. */
  readonly onDrain?: () => void
  /** Told of every configuration that was taken or refused. */
  readonly onConfig?: OnConfig
}

/** Bounds of what clients may hold open or send. */
export interface Limits extends ConnectionLimits {
  readonly connectionsMax: number
}

const limitsByDefault: Limits = {
  connectionsMax: bounds.bindConnectionsMax,
  headBytesMax: bounds.headerBytesMax,
  headTimeoutMillis: 30_000,
  bodyIdleTimeoutMillis: 60_000,
  writeStallTimeoutMillis: 60_000,
  http2StreamsMax: bounds.http2StreamsMax,
}

export type { ConfigState } from "./takeConfig.ts"
export type { ConnectionState } from "./Connections.ts"

export class Gateway extends Context.Service<
  Gateway,
  {
    readonly live: Live
    /** Where each bind really listens. */
    readonly addresses: () => ReadonlyMap<BindKey, Address>
    /** What is open right now; all zero after a drain. */
    readonly open: () => { readonly connections: number; readonly exchanges: number; readonly endpoints: number }
    readonly draining: () => boolean
    /** Where it sends to, what it keeps, and what can be done about it. */
    readonly desk: Desk
    /** What waits or is under way beside exchanges, by what it is. */
    readonly queues: () => Readonly<Record<string, number>>
    /** The fibers of connections, and whose they are. */
    readonly fibers: () => ReadonlyArray<readonly [fiber: Fiber.Fiber<unknown, unknown>, what: string]>
    /** Connections of clients that speak HTTP. */
    readonly connections: () => ReadonlyArray<ConnectionState>
    /** Takes leave of every client; done once, however often it is asked for, and at the latest when the scope closes. */
    readonly drain: Effect.Effect<void>
    /** What compiles expressions for whoever observes this gateway. */
    readonly expressions: Expressions
    /** How many evaluations of expressions failed, by what they were for. */
    readonly expressionFailures: () => Failures
    /** What people granted at MCP servers. */
    readonly connected: Register
    /** Notifications of agents that were given up. */
    readonly undelivered: Undelivered
    /** What became of the configurations told so far. */
    readonly config: () => ConfigState
    /** First half of a change that somebody else decides about; see `Source` for the ordinary way. */
    readonly prepare: (snapshot: Snapshot) => Effect.Effect<Publish.Prepared, Unusable>
    /** Completes when a first configuration serves; fails with what is wrong with it. */
    readonly ready: Effect.Effect<void, Unusable>
  }
>()("sluice/src/Gateway") {}

const make = Effect.fnUntraced(function* (options: GatewayOptions) {
  const network = yield* Network
  const upstream = yield* Upstream
  const journal = yield* Journal
  const clock = yield* Timer
  const limits = { ...limitsByDefault, ...options.limits }
  const drain = options.drain ?? { minMillis: 0, maxMillis: 5_000 }

  const functions = parseFunctions(options.customFunctions ?? "")
  const expressions = new Expressions({
    clock,
    natives: options.natives ?? natives(clock),
    functions: Result.getOrUndefined(functions),
    ...(options.environment === undefined ? {} : { env: options.environment }),
    ...(options.sensitiveHeaders === undefined ? {} : { sensitiveHeaders: options.sensitiveHeaders }),
  })
  const functionProblems = Result.isFailure(functions)
    ? functions.failure.map(({ line, message }) => `customFunctions: line ${line}: ${message}`)
    : []
  const checker = new ExpressionChecker(expressions)
  const endpoints = new Endpoints(upstream.open)
  const defaults = {
    connectTimeoutMillis: assumed.connectTimeoutMillis,
    poolIdleMillis: assumed.poolIdleTimeoutMillis,
    poolSizeMax: undefined,
    keepAlive: { enabled: true, timeMillis: 180_000 },
    ...options.upstream,
  }
  const spoken = yield* Spoken.make({
    clock,
    defaults,
    endpoints,
    expressions,
    journal,
    options,
    plan: () => live.current,
  })
  const ledger =
    options.redisUrl === undefined ? undefined : redisLedger(Redacted.value(options.redisUrl), clock.nowMillis)
  if (ledger !== undefined) yield* Effect.addFinalizer(() => Effect.sync(ledger.close))
  const mirrors = yield* Mirrors.make
  const identityPorts = {
    clock,
    defaults,
    endpoints,
    ...(journal.called === undefined ? {} : { called: journal.called }),
  }
  const compilePorts: CompilePorts = {
    dispatch: {
      endpoints,
      clock,
      defaults,
      mirrors,
      protocols: spoken.protocols,
      hops: new Hops(Buffer.from(options.sealingKey ?? freshKey()).toString("hex"), cryptography.sha256),
      get agents() {
        return spoken.remembered.agents
      },
      get llm() {
        return spoken.remembered.llm
      },
      get mcp() {
        return spoken.remembered.mcp
      },
      ...(options.whereabouts === undefined ? {} : { whereabouts: options.whereabouts }),
      ...(journal.called === undefined ? {} : { called: journal.called }),
    },
    tlsContext: network.tlsContext,
    tracing: {
      maker: journal.spans,
      isDisabled: options.tracingDisabled,
      propagation: propagationOf(options.propagators),
    },
    gate: yield* Gate.make(cryptography, { clock, fetch: fetchDocument(identityPorts) }, options.counters, {
      credentials: options.credentials ?? credentials,
      cedar,
      keyring: options.keyring,
      occupied: options.occupied,
      ended: options.endedSessions,
      ask: asking(identityPorts),
      ...(ledger === undefined ? {} : { ledger }),
    }),
    expressions,
    limits,
  }
  const live: Live = { current: yield* compile(compilePorts, empty, undefined) }
  const fibers = yield* FiberSet.make<void>()
  const connections = new Connections(yield* FiberSet.runtime(fibers)())
  const retired = new Set<Plan>()
  let draining = false
  let isCutOff = false
  const exchangeCount = (): number => [...retired, live.current].reduce((sum, plan) => sum + plan.use.count, 0)

  const pipeline = Pipeline.make({
    context: yield* Effect.context<never>(),
    live,
    clock,
    journal,
    protocols: spoken.protocols,
    isCutOff: () => isCutOff,
    relaying: (bound) => connections.relaying(bound),
    opened: (bound, connection) => {
      connections.opened(bound, connection)
      if (draining) connection.drain()
    },
  })

  const publisher = Publish.make(
    {
      compile: compilePorts,
      need: spoken.need,
      check: (snapshot) => [
        ...functionProblems,
        ...patternProblems(snapshot),
        ...checker.check(snapshot).map(describe),
      ],
      network,
      ipv6: options.ipv6 ?? true,
      connectionsMax: limits.connectionsMax,
      onSocket: (bind, socket) => connections.accept(bind, socket, pipeline.connection(bind, socket)),
      onSwap: (before, after, changes) => {
        retired.add(before)
        before.use.retire(() => retired.delete(before))
        spoken.reconcile(after, compilePorts.dispatch, { from: before.snapshot, changes })
        connections.swapped(before, after)
      },
    },
    live,
  )

  const leave = yield* Effect.cached(
    Effect.gen(function* () {
      draining = true
      options.onDrain?.()
      yield* Effect.sleep(drain.minMillis)
      publisher.stop()
      connections.drain()
      spoken.drain()
      const beganAt = clock.nowMillis()
      const giveUpAt = clock.nowMillis() + drain.maxMillis
      const isEmpty = (): boolean => connections.count === 0
      while (!isEmpty() && clock.nowMillis() < giveUpAt) {
        // A connection that was opened in time may have its request on the way, but not for long.
        if (clock.nowMillis() - beganAt >= arrivingGraceMillis) connections.dropArriving()
        yield* Effect.sleep(drainPollMillis)
      }
      if (!isEmpty()) {
        isCutOff = true
        yield* Effect.logWarning("the deadline of the drain has passed: what is still open is cut off", {
          connections: connections.count,
          exchanges: exchangeCount(),
        })
      }
      yield* FiberSet.clear(fibers)
      // An exchange learns that its connection is gone a moment later, and is still to be told of.
      const endedBy = clock.nowMillis() + cutOffMillis
      while (exchangeCount() > 0 && clock.nowMillis() < endedBy) yield* Effect.sleep(drainPollMillis)
      yield* publisher.close
      yield* spoken.close
      yield* options.beforeClose ?? Effect.void
      yield* spoken.stopAsking
      endpoints.close()
    }).pipe(Effect.uninterruptible),
  )
  yield* Effect.addFinalizer(() => leave)

  const config = takeConfig({ ...options, publisher, clock })

  const ready = yield* Deferred.make<void, Unusable>()
  yield* Effect.forkScoped(
    options.config.follow((update) =>
      // Nothing is opened any more that the end would have to close.
      draining
        ? Effect.void
        : Effect.matchEffect(config.take(update), {
            onFailure: (unusable) => Deferred.fail(ready, unusable),
            onSuccess: () => Deferred.succeed(ready, undefined),
          }),
    ),
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.delay(
        Effect.sync(() => endpoints.sweep()),
        2 * defaults.poolIdleMillis,
      ),
    ),
  )

  const desk = makeDesk({
    clock,
    digest: spoken.digest,
    endpoints,
    remembered: spoken.remembered,
    members: () => live.current.heritage?.services.known() ?? [],
    open: upstream.open,
    plan: () => live.current,
  })

  return Gateway.of({
    live,
    addresses: publisher.addresses,
    open: () => ({
      connections: connections.count,
      exchanges: exchangeCount(),
      endpoints: endpoints.size,
    }),
    draining: () => draining,
    desk,
    queues: () => ({ "mirrored copies": mirrors.inFlight, "parked calls": spoken.remembered.mcp?.parked.size ?? 0 }),
    fibers: () => connections.fibers(),
    connections: () => connections.states(clock.nowMillis()),
    expressions,
    expressionFailures: () => expressions.failures,
    connected: spoken.connected,
    undelivered: undelivered(() => spoken.remembered.agents?.push),
    drain: leave,
    config: config.state,
    prepare: publisher.prepare,
    ready: Deferred.await(ready),
  })
})

export const layer = (options: GatewayOptions): Layer.Layer<Gateway, never, Network | Upstream | Journal | Timer> =>
  Layer.effect(Gateway, make(options))
