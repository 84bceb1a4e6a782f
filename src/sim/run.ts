/**
 * Runs a gateway in a simulated world. The gateway is the one that serves production: only its ports, its clock and its
 * scheduler are ours, and one seed decides everything that is left to chance.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import * as EffectScheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { setImmediate } from "node:timers/promises"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { everyProtocol } from "../../stages/6-dispatch/everyProtocol.ts"
import { Journal } from "../../stages/ports/Journal.ts"
import { Network } from "../../stages/ports/Network.ts"
import { type Clock as TimerClock, Timer } from "../../stages/ports/Timer.ts"
import { Upstream } from "../../stages/ports/Upstream.ts"
import type { Source, Told } from "../config/Source.ts"
import * as Gateway from "../Gateway.ts"
import { seededNatives } from "../node/natives.ts"
import { SimulatedNetwork } from "./network.ts"
import * as SeededRandom from "./Random.ts"
import { Recorder } from "./Recorder.ts"
import { Scheduler, startMillis, type Stop } from "./Scheduler.ts"
import { SimulatedClient } from "./SimulatedClient.ts"
import { Timekeeper } from "./timer.ts"
import { type Left, requestIdHeader, type Trace, type When } from "./Trace.ts"
import { SimulatedUpstream } from "./upstream.ts"
import type { World } from "./World.ts"

/** The ports of a simulated gateway; a test may wrap them, for instance to see whether the checkers notice. */
export interface Ports {
  readonly network: Network["Service"]
  readonly upstream: Upstream["Service"]
  readonly journal: Journal["Service"]
  readonly clock: TimerClock
}

export interface Scenario {
  /** The first one serves from the beginning; the world says when which of them arrives. */
  readonly configs: readonly [Snapshot, ...ReadonlyArray<Snapshot>]
  readonly world: World
  readonly gateway?: Partial<Omit<Gateway.GatewayOptions, "config" | "onConfig">>
  readonly wrap?: (ports: Ports, gateway: () => Gateway.Gateway["Service"] | undefined) => Ports
}

/** The first configuration was refused, so there is nothing to simulate. */
export class Unusable extends Error {
  readonly problems: ReadonlyArray<string>

  constructor(problems: ReadonlyArray<string>) {
    super(`the configuration cannot be used:\n${problems.join("\n")}`)
    this.name = "Unusable"
    this.problems = problems
  }
}

const bounds = { tasksMax: 500_000, millisMax: 24 * 3_600_000 }

/** How often the host may be waited for before a simulation counts as stuck. */
const hostTurnsMax = 200

/** How long after the drain somebody may still come back who should be gone. */
const afterMillis = 120_000

const drainByDefault = { minMillis: 0, maxMillis: 5_000 }

export const run = async (scenario: Scenario, seed: number): Promise<Trace> => {
  const simulation = begin(scenario, seed)
  let hostTurns = 0
  for (;;) {
    const stop = await simulation.advance()
    // Something that is not simulated may be awaited: a promise of the host.
    if (stop !== "stuck" || hostTurns >= hostTurnsMax) return simulation.trace(stop, hostTurns)
    hostTurns++
    await setImmediate()
  }
}

const begin = ({ configs, gateway: options, world, wrap }: Scenario, seed: number) => {
  const scheduler = new Scheduler(SeededRandom.make(seed, "scheduler"), bounds)
  const timekeeper = new Timekeeper(scheduler, SeededRandom.make(seed, "gateway"))
  const recorder = new Recorder(scheduler)
  const network = new SimulatedNetwork(world.takenPorts)
  const upstream = new SimulatedUpstream(world.servers, scheduler, recorder)
  const drain = options?.drain ?? drainByDefault
  let gateway: Gateway.Gateway["Service"] | undefined
  let drainStarted: When | undefined
  let drainEnded: When | undefined
  let left: Left | undefined
  let fibers = 0

  const clients: Array<SimulatedClient> = []
  let clientsBusy = world.clients.length
  let onAllDone = () => {}
  for (const [index, script] of world.clients.entries()) {
    clients.push(
      new SimulatedClient(index, script, scheduler, recorder, network, () => {
        if (--clientsBusy === 0) onAllDone()
      }),
    )
  }

  const own: Ports = {
    network: network.service,
    upstream: upstream.service,
    clock: timekeeper.clock,
    journal: {
      exchange: (exchange, ending) =>
        recorder.journal.push({
          ...recorder.now(),
          request: exchange.request.headers.get(requestIdHeader),
          exchange,
          ending,
        }),
      relay: () => {},
      accepted: () => {},
      handshake: () => {},
      rejected: (_, peer, stage, reason) => recorder.rejections.push({ peer, stage, reason }),
      malformed: () => {},
    },
  }
  const ports = wrap === undefined ? own : wrap(own, () => gateway)
  const portsLayer = Layer.mergeAll(
    Layer.succeed(Network, ports.network),
    Layer.succeed(Upstream, ports.upstream),
    Layer.succeed(Journal, ports.journal),
    Layer.succeed(Timer, ports.clock),
  )

  // The one before the first configuration serves nothing.
  let planServing = 1
  let listening: ReadonlyArray<string> = []
  /** Remembers what serves, so that what a refusal changed can be seen. */
  const offered = (problems: ReadonlyArray<string> | undefined) => {
    const [planBefore, listeningBefore] = [planServing, listening]
    planServing = gateway?.live.current.version ?? (problems === undefined ? planServing + 1 : planServing)
    listening = network.listening.toSorted()
    recorder.offers.push({
      ...recorder.now(),
      problems,
      planBefore,
      planAfter: planServing,
      listeningBefore,
      listeningAfter: listening,
    })
  }

  const changes = world.changes.toSorted((a, b) => a.atMillis - b.atMillis)
  const told = (config: number): Told => ({
    _tag: "Told",
    snapshot: configs[config % configs.length] ?? configs[0],
  })
  const source: Source = {
    name: "simulation",
    follow: (take) =>
      Effect.andThen(
        take(told(0)),
        Effect.forEach(
          changes,
          ({ atMillis, config }) =>
            Effect.andThen(
              Effect.sleep(Math.max(0, startMillis + atMillis - scheduler.nowMillis)),
              Effect.suspend(() => take(told(config))),
            ),
          { discard: true },
        ),
      ),
  }

  const measure = (): Left => {
    const open = gateway?.open() ?? { connections: 0, exchanges: 0, endpoints: 0 }
    return {
      ...open,
      // This one runs in a fiber, too.
      fibers: fibers - 1,
      timers: timekeeper.waiting,
      tasks: 0,
      sockets: network.sockets.size,
      listening: network.listening.length,
      calls: upstream.calls.size,
      openEndpoints: upstream.openEndpoints,
    }
  }

  const main = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const layer = Gateway.layer({
      natives: seededNatives(ports.clock),
      protocols: everyProtocol,
      ...options,
      drain,
      config: source,
      onConfig: (result) => offered("version" in result ? undefined : result.problems),
    })
    const context = yield* Layer.buildWithScope(Layer.provide(layer, portsLayer), scope)
    gateway = Context.get(context, Gateway.Gateway)
    const ready = yield* Effect.result(gateway.ready)
    if (ready._tag === "Failure") {
      yield* Scope.close(scope, Exit.void)
      return yield* Effect.fail(new Unusable(ready.failure.problems))
    }
    const outages = upstream.start()
    for (const client of clients) client.start()
    yield* Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      onAllDone = done
      if (clientsBusy === 0) scheduler.post(done)
      if (world.drainAtMillis !== undefined) scheduler.after(world.drainAtMillis, done)
    })
    drainStarted = recorder.now()
    yield* Scope.close(scope, Exit.void)
    drainEnded = recorder.now()
    // What has been told to end ends without any time passing.
    yield* Effect.callback<void>((resume) => void scheduler.after(0.001, () => resume(Effect.void)))
    left = measure()
    for (const cancel of outages) cancel()
    for (const client of clients) client.stop()
    yield* Effect.callback<void>((resume) => void scheduler.after(afterMillis, () => resume(Effect.void)))
  })

  const logger = Logger.make(({ cause, logLevel, message }) => {
    const text = Array.isArray(message) ? message.join(" ") : String(message)
    recorder.log(logLevel, cause.reasons.length === 0 ? text : `${text}: ${Cause.pretty(cause)}`)
  })
  const context = Context.empty().pipe(
    Context.add(EffectScheduler.Scheduler, scheduler),
    Context.add(Clock.Clock, timekeeper.effectClock),
    Context.add(Logger.CurrentLoggers, new Set([logger])),
    Context.add(Metric.FiberRuntimeMetrics, {
      recordFiberStart: () => void fibers++,
      recordFiberEnd: () => void fibers--,
    }),
  )
  const fiber = Effect.runForkWith(context)(Random.withSeed(main, seed))

  return {
    advance: (): Promise<Stop> => scheduler.run(() => fiber.pollUnsafe() !== undefined),
    trace: (stopped: Stop, hostTurns: number): Trace => {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined && Exit.isFailure(exit)) throw failureOf(exit)
      return {
        seed,
        requests: recorder.requests,
        calls: recorder.calls,
        journal: recorder.journal,
        offers: recorder.offers,
        rejections: recorder.rejections,
        breaches: recorder.breaches,
        log: recorder.lines,
        drainStarted,
        drainEnded,
        drainMaxMillis: drain.minMillis + drain.maxMillis,
        left: left ?? measure(),
        stopped,
        hostTurns,
        fingerprint: scheduler.fingerprint,
      }
    },
  }
}

const failureOf = (exit: Exit.Failure<unknown, unknown>): unknown => {
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return reason.error
    if (reason._tag === "Die") return reason.defect
  }
  return new Error("the simulation was interrupted")
}
