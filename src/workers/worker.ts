/** One more core: a gateway in a thread, told by the main thread what to serve. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parentPort, workerData } from "node:worker_threads"
import { edit } from "../../ir/diff.ts"
import { empty } from "../../ir/emptySnapshot.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { unseal } from "../../ir/transfer.ts"
import { version } from "../cli/version.ts"
import type { Prepared } from "../config/publish.ts"
import { Gateway, layer } from "../Gateway.ts"
import { gatewayOptions } from "../gatewayOptions.ts"
import { fromStorage as agentsFromStorage } from "../a2a/fromStorage.ts"
import { fromStorage } from "../llm/fromStorage.ts"
import { locksFromStorage } from "../lock/locks.ts"
import { fromStorage as mcpFromStorage } from "../mcp/fromStorage.ts"
import * as World from "../node/world.ts"
import type { Out } from "../telemetry/LineSink.ts"
import * as Storage from "../store/Storage.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import { answer } from "./questions.ts"
import { type FromWorker, owedBytesMax, type ThreadStart, type ToWorker } from "./messages.ts"

const port = parentPort
if (port === null) throw new Error("a worker is started by the main thread")
const {
  levels,
  owed,
  counters,
  endedSessions,
  number,
  occupied,
  processName,
  sealingKey,
  static: settings,
  ticketSecret,
} = unseal(workerData as ThreadStart)
const say = (message: FromWorker): void => port.postMessage(message)
const decoder = new TextDecoder()

/** Lines go out through the main thread, which takes them as fast as they are read. */
const out: Out = (bytes) => {
  if (Atomics.load(owed, 0) > owedBytesMax)
    throw Object.assign(new Error("the main thread is behind"), { code: "EAGAIN" })
  Atomics.add(owed, 0, bytes.byteLength)
  say({ _tag: "Lines", text: decoder.decode(bytes), bytes: bytes.byteLength })
  return bytes.byteLength
}

/** Where the configuration leaves a port to the system, all workers take the one the first got. */
const withPorts = (snapshot: Snapshot, ports: Extract<ToWorker, { _tag: "Prepare" }>["ports"]): Snapshot => {
  const chosen = new Map(ports)
  return {
    ...snapshot,
    binds: new Map(
      [...snapshot.binds].map(([key, bind]) => {
        const portNumber = chosen.get(key)
        return bind.address._tag === "Ip" && bind.address.port === 0 && portNumber !== undefined
          ? [key, { ...bind, address: { ...bind.address, port: portNumber } }]
          : [key, bind]
      }),
    ),
  }
}

const program = Effect.gen(function* () {
  const gateway = yield* Gateway
  const telemetry = yield* Telemetry.Telemetry
  telemetry.watch(gateway)
  if (levels !== undefined) telemetry.levels.replace(levels)
  const prepared = new Map<number, { readonly change: Prepared; readonly snapshot: Snapshot }>()
  /** As the main thread knows it. */
  let serving: Snapshot = empty

  const prepare = ({ id, next, ports }: Extract<ToWorker, { _tag: "Prepare" }>): Effect.Effect<void> => {
    const snapshot = "edits" in next ? edit(serving, unseal(next.edits)) : unseal(next.snapshot)
    return Effect.match(gateway.prepare(withPorts(snapshot, ports)), {
      onFailure: ({ problems }) => say({ _tag: "Prepared", id, problems }),
      onSuccess: (change) => {
        prepared.set(id, { change, snapshot })
        say({ _tag: "Prepared", id, problems: [] })
      },
    })
  }

  const finish = ({ change, how, id }: Extract<ToWorker, { _tag: "Finish" }>): Effect.Effect<void> => {
    const found = prepared.get(change)
    prepared.delete(change)
    if (found !== undefined && how === "commit") serving = found.snapshot
    return Effect.andThen(
      found === undefined ? Effect.void : found.change[how],
      Effect.sync(() => say({ _tag: "Finished", id })),
    )
  }

  yield* Effect.callback<void>((resume) => {
    port.on("message", (message: ToWorker) => {
      switch (message._tag) {
        case "Prepare":
          return void Effect.runFork(prepare(message))
        case "Finish":
          return void Effect.runFork(finish(message))
        case "Metrics":
          return say({ _tag: "Metrics", id: message.id, exported: telemetry.metrics.registry.export() })
        case "Ask":
          return void answer({ gateway, telemetry }, message.asking).then(
            (said) => say({ _tag: "Said", id: message.id, said }),
            () => say({ _tag: "Said", id: message.id, said: undefined }),
          )
        case "LogLevels":
          return telemetry.levels.replace(message.setting)
        case "Drain":
          resume(Effect.void)
      }
    })
    say({ _tag: "Ready" })
  })
})

void Effect.runPromise(
  Effect.scoped(
    Effect.provide(
      program,
      Layer.unwrap(
        Effect.map(
          Effect.all([
            Telemetry.Telemetry,
            fromStorage,
            mcpFromStorage(settings),
            agentsFromStorage(settings),
            locksFromStorage,
          ]),
          ([{ flush }, kept, granted, agents, locks]) =>
            layer({
              ...gatewayOptions(settings),
              ...kept,
              ...granted,
              ...agents,
              ...locks,
              counters,
              occupied: { ...occupied, thread: number },
              endedSessions,
              sealingKey,
              processName,
              config: { name: "main thread", follow: () => Effect.never },
              beforeClose: flush,
            }),
        ),
      ).pipe(
        Layer.provideMerge(Telemetry.layer({ version, ...Telemetry.telemetryOptions(settings), out })),
        Layer.provideMerge(Storage.layer(settings.database.location)),
        Layer.provideMerge(
          World.layer({
            dns: settings.dns.lookupFamily,
            ipv6: settings.enableIpv6,
            network: { reusePort: true, ticketSecret },
          }),
        ),
      ),
    ),
  ),
).finally(() => port.close())
