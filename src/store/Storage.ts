/**
 * The storage of this process, opened when a component first asks for its tables. It is one database for all of them:
 * the file or the Postgres that `config.database` names, else a file of ours.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import type { Location } from "./Location.ts"
import {
  type Component,
  type Driver,
  failure,
  isFailure,
  make as makeStore,
  type Store,
  type StoreFailure,
} from "./Store.ts"

export class Storage extends Context.Service<
  Storage,
  {
    /** The component's store, its tables up to date. One that failed is tried again when it is asked for again. */
    readonly of: (component: Component) => Effect.Effect<Store, StoreFailure>
    /** Opens the database, if it is not open yet. */
    readonly check: Effect.Effect<void, StoreFailure>
  }
>()("sluice/src/store/Storage") {}

const opened = async (location: Location): Promise<Driver> => {
  switch (location._tag) {
    case "File": {
      const { open } = await import("./threaded.ts")
      return open(location.path)
    }
    case "Memory": {
      const { inMemory } = await import("./inMemory.ts")
      return inMemory()
    }
    case "Postgres": {
      const { open } = await import("./postgres.ts")
      return open(Redacted.value(location.url), location.connectionsMax)
    }
  }
}

const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, StoreFailure> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) =>
      isFailure(cause) ? cause : failure("unavailable", cause instanceof Error ? cause.message : String(cause)),
  })

const make = (location: Location) =>
  Effect.gen(function* () {
    let driver: Driver | undefined
    const stores = new Map<Component, Store>()
    const one = Semaphore.makeUnsafe(1)
    yield* Effect.addFinalizer(() => Effect.promise(async () => driver?.close().catch(() => {})))

    const connect = Effect.suspend(() =>
      driver === undefined
        ? Effect.tap(
            attempt(() => opened(location)),
            (made) => Effect.sync(() => (driver = made)),
          )
        : Effect.succeed(driver),
    )

    const prepare = Effect.fnUntraced(function* (component: Component) {
      const { migrations, name } = component
      const known = stores.get(component)
      if (known !== undefined) return known
      const using = yield* connect
      yield* attempt(() =>
        using.migrate(
          name,
          migrations.map((one) => (typeof one === "string" ? one : one[using.dialect])),
        ),
      )
      const store = makeStore(using)
      stores.set(component, store)
      return store
    })

    return Storage.of({
      of: (component) => one.withPermits(1)(prepare(component)),
      check: Effect.asVoid(one.withPermits(1)(connect)),
    })
  })

export const layer = (location: Location): Layer.Layer<Storage> => Layer.effect(Storage, make(location))

/** Forgotten with its scope; for tests and simulation. */
export const memory: Layer.Layer<Storage> = layer({ _tag: "Memory" })
