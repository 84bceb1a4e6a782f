/** What of models must outlive the process: budgets and keys, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import { Timer } from "../../stages/ports/Timer.ts"
import type { GatewayOptions } from "../Gateway.ts"
import { Storage } from "../store/Storage.ts"
import * as Keys from "./keys.ts"
import * as Spent from "./spending.ts"

/** What is still to be written down when the gateway ends is waited for. */
const LAST_WRITES_MILLIS = 5_000

export const fromStorage = Effect.gen(function* () {
  const storage = yield* Storage
  const clock = yield* Timer
  const writes = yield* FiberSet.make<void>()
  yield* Effect.addFinalizer(() =>
    Effect.raceFirst(FiberSet.awaitEmpty(writes), Effect.sleep(LAST_WRITES_MILLIS)).pipe(Effect.ignore),
  )
  const run = yield* FiberSet.runtime(writes)()
  return {
    spending: Spent.make({ store: storage.of(Spent.component), clock, run: (effect) => void run(effect) }),
    keyring: Keys.keyring(storage.of(Keys.component), clock),
  } satisfies Pick<GatewayOptions, "spending" | "keyring">
})
