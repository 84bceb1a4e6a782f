/** What of models must outlive the process: budgets and keys, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import { Timer } from "../../stages/ports/Timer.ts"
import type { GatewayOptions } from "../Gateway.ts"
import { Storage } from "../store/Storage.ts"
import * as Keys from "./keys.ts"
import * as Spent from "./spending.ts"
import { Unsettled } from "./Unsettled.ts"

export const fromStorage = Effect.gen(function* () {
  const storage = yield* Storage
  const clock = yield* Timer
  const unsettled = new Unsettled(yield* Effect.context<never>())
  yield* Effect.addFinalizer(() => unsettled.settled)
  return {
    spending: unsettled.of(Spent.make({ store: storage.of(Spent.component), clock, run: unsettled.run })),
    keyring: Keys.keyring(storage.of(Keys.component), clock),
  } satisfies Pick<GatewayOptions, "spending" | "keyring">
})
