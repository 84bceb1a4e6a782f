/** One more core: a gateway in a thread, told by the main thread what to serve. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { parentPort, workerData } from "node:worker_threads"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { unseal } from "../../ir/transfer.ts"
import { version } from "../cli/version.ts"
import type { Prepared } from "../config/publish.ts"
import { Gateway, layer } from "../Gateway.ts"
import { gatewayOptions } from "../gatewayOptions.ts"
import * as World from "../node/world.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts"

const port = parentPort
if (port === null) throw new Error("a worker is started by the main thread")
const { static: settings, ticketSecret } = unseal(workerData as WorkerStart)
const say = (message: FromWorker): void => port.postMessage(message)
const decoder = new TextDecoder()

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
  const prepared = new Map<number, Prepared>()

  const finish = (id: number, how: "commit" | "abort"): void => {
    const change = prepared.get(id)
    prepared.delete(id)
    if (change !== undefined) Effect.runFork(change[how])
  }

  yield* Effect.callback<void>((resume) => {
    port.on("message", (message: ToWorker) => {
      switch (message._tag) {
        case "Prepare":
          Effect.runFork(
            Effect.match(gateway.prepare(withPorts(unseal(message.snapshot), message.ports)), {
              onFailure: ({ problems }) => say({ _tag: "Prepared", id: message.id, problems }),
              onSuccess: (change) => {
                prepared.set(message.id, change)
                say({ _tag: "Prepared", id: message.id, problems: undefined })
              },
            }),
          )
          return
        case "Commit":
          return finish(message.id, "commit")
        case "Abort":
          return finish(message.id, "abort")
        case "Ask":
          return say({
            _tag: "Answer",
            id: message.id,
            value: message.what === "metrics" ? telemetry.metrics.registry.export() : gateway.open(),
          })
        case "LogLevels":
          return telemetry.levels.replace(message.setting)
        case "Drain":
          resume(Effect.void)
      }
    })
    say({ _tag: "Ready" })
  })
})

await Effect.runPromise(
  Effect.scoped(
    Effect.provide(
      program,
      layer({ ...gatewayOptions(settings), config: { name: "main thread", updates: Stream.never } }).pipe(
        Layer.provideMerge(
          Telemetry.layer({
            version,
            logging: settings.logging,
            metricsRemove: settings.metricsRemove,
            out: (bytes) => {
              say({ _tag: "Lines", text: decoder.decode(bytes) })
              return bytes.byteLength
            },
          }),
        ),
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
)
port.close()
