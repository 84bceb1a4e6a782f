/**
 * The gateway as a part of a program that tells it its configuration: what a control plane does, so that the cost of a
 * change is measured without the reading of a file.
 *
 *   node bench/gateway.ts FILE
 *
 * The parent says `{ change: n }`, and the first route of the file matches the prefix `/changed-n` from then on.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { edit } from "../ir/diff.ts"
import type { Route } from "../ir/Route.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import * as File from "../src/config/file.ts"
import { fromStream } from "../src/config/fromStream.ts"
import type { Told } from "../src/config/Source.ts"
import { Gateway, layer } from "../src/Gateway.ts"
import * as network from "../src/node/network.ts"
import * as timer from "../src/node/timer.ts"
import * as upstream from "../src/node/upstream.ts"
import { Journal } from "../stages/ports/Journal.ts"

const file = process.argv[2] as string
const nothing = (): void => {}
const silent = Layer.succeed(Journal, {
  exchange: nothing,
  relay: nothing,
  accepted: nothing,
  handshake: nothing,
  rejected: nothing,
  malformed: nothing,
})

/** Told by key, as a control plane does: all other resources stay the objects they were. */
const changed = (snapshot: Snapshot, number: number): Snapshot => {
  const first = snapshot.routes.values().next().value
  if (first === undefined) return snapshot
  const [match] = first.matches
  if (match === undefined) return snapshot
  const matches: Route["matches"] = [{ ...match, path: { _tag: "Prefix", path: `/changed-${number}` } }]
  return edit(snapshot, { routes: new Map([[first.key, { ...first, matches }]]) })
}

const program = Effect.gen(function* () {
  const { snapshot } = (yield* File.read({ file, env: {} })).loaded
  let current = snapshot
  const updates = Stream.callback<Told>((queue) =>
    Effect.sync(() => {
      Queue.offerUnsafe(queue, { _tag: "Told", snapshot })
      process.on("message", (message: { readonly change?: number }) => {
        if (message.change === undefined) return
        current = changed(current, message.change)
        Queue.offerUnsafe(queue, { _tag: "Told", snapshot: current })
      })
    }),
  )
  const ports = Layer.mergeAll(network.layer({ reusePort: false }), upstream.layer, timer.layer, silent)
  const gateway = layer({ config: fromStream("bench", updates) }).pipe(Layer.provide(ports))
  yield* Effect.scoped(
    Effect.gen(function* () {
      const { ready } = yield* Gateway
      yield* ready
      process.send?.({ ready: true })
      yield* Effect.never
    }).pipe(Effect.provide(gateway)),
  )
})

Effect.runPromise(program).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
process.once("disconnect", () => process.exit())
