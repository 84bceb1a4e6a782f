/** What of agents must outlive the process, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import type { Static } from "../config/Static.ts"
import type { GatewayOptions } from "../Gateway.ts"
import { Storage } from "../store/Storage.ts"
import * as Places from "./places.ts"
import * as Postbox from "./postbox.ts"
import * as Tasks from "./tasks.ts"

export const fromStorage = ({
  push,
  sessionKey,
}: Static): Effect.Effect<Pick<GatewayOptions, "places" | "push" | "tasks">, never, Storage> =>
  Effect.map(Storage, (storage) => ({
    places: Places.make(storage.of(Places.component)),
    tasks: Tasks.make(storage.of(Tasks.component)),
    ...(push === undefined
      ? {}
      : { push: { ...push, kept: Postbox.make({ store: storage.of(Postbox.component), key: sessionKey }) } }),
  }))
