/** Locks of both kinds of book. Files hold what was approved; everything else of theirs is in the storage as well. */
import * as Effect from "effect/Effect"
import type { GatewayOptions } from "../Gateway.ts"
import { Timer } from "../../stages/ports/Timer.ts"
import type { Locks, LocksFailure, Page, ServerPlace } from "../../stages/ports/Locks.ts"
import { Storage } from "../store/Storage.ts"
import { component, storedLocks, type StoredParts } from "./storedLocks.ts"

type Files = typeof import("./bookFile.ts")

export const locksOf = (parts: StoredParts): Locks => {
  const stored = storedLocks(parts)
  const books = new Map<string, InstanceType<Files["BookFile"]>>()
  const inFile = <A>(
    path: string,
    work: (book: InstanceType<Files["BookFile"]>) => Promise<A>,
  ): Effect.Effect<A, LocksFailure> =>
    Effect.tryPromise({
      try: async () => {
        // The parser of YAML is loaded by the first lock that is a file.
        const { BookFile } = await import("./bookFile.ts")
        let book = books.get(path)
        if (book === undefined) books.set(path, (book = new BookFile(path)))
        return work(book)
      },
      catch: (cause) => cause as LocksFailure,
    })
  const withPasses = (place: ServerPlace, page: Page): Effect.Effect<Page> =>
    // Without the storage nobody is let pass; what is approved stands in the file.
    Effect.match(stored.read(place), {
      onFailure: () => page,
      onSuccess: ({ passes }): Page => ({ ...page, passes }),
    })
  return {
    ...stored,
    read: (place) => {
      const { book, server } = place
      return book._tag === "Storage"
        ? stored.read(place)
        : Effect.flatMap(
            inFile(book.path, (file) => file.page(server)),
            (page) => withPasses(place, page),
          )
    },
    write: (place, page, revision) => {
      const { book, server } = place
      return book._tag === "Storage"
        ? stored.write(place, page, revision)
        : Effect.flatMap(
            inFile(book.path, (file) => file.write(server, page, revision)),
            (written): Effect.Effect<Page | undefined> =>
              written === undefined ? Effect.succeed(undefined) : withPasses(place, written),
          )
    },
  }
}

export const locksFromStorage: Effect.Effect<
  Required<Pick<GatewayOptions, "locks">>,
  never,
  Storage | Timer
> = Effect.gen(function* () {
  const storage = yield* Storage
  const clock = yield* Timer
  return { locks: locksOf({ store: storage.of(component), clock }) }
})
