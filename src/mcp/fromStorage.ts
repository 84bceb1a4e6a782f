/** What people granted, and what is known of sessions and tasks, kept in the storage of the gateway. */
import * as Effect from "effect/Effect"
import { Timer } from "../../stages/ports/Timer.ts"
import type { Static } from "../config/Static.ts"
import { Storage } from "../store/Storage.ts"
import { grantKeys } from "./grantKeys.ts"
import { component, grantsIn } from "./grants.ts"
import * as Keepsakes from "./keepsakes.ts"

export const fromStorage = Effect.fnUntraced(function* ({ database, grantKeys: configured }: Static) {
  const storage = yield* Storage
  const clock = yield* Timer
  // The key is made when it is first needed; one that could not be had is tried again.
  let known: ReturnType<typeof grantKeys> | undefined
  const keys = Effect.suspend(
    () =>
      known ??
      Effect.tap(grantKeys({ location: database.location, configured }), (found) =>
        Effect.sync(() => {
          known = Effect.succeed(found)
        }),
      ),
  )
  return {
    grants: grantsIn({ store: storage.of(component), keys, clock }),
    keepsakes: Keepsakes.make(storage.of(Keepsakes.component)),
  }
})
