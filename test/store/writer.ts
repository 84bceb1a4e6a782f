/** Writes into a database until it is killed, and says how many writes have succeeded. */
import * as Effect from "effect/Effect"
import { sql } from "../../src/store/Statement.ts"
import { layer, Storage } from "../../src/store/Storage.ts"
import { notes } from "./suite.ts"

const [path = "", round = ""] = process.argv.slice(2)

const program = Effect.gen(function* () {
  const store = yield* (yield* Storage).of(notes)
  for (let i = 1; ; i++) {
    yield* store.run(
      sql`INSERT INTO notes (id, count, body) VALUES (${`${round}/${i}`}, ${i}, ${new Uint8Array(2000)})`,
    )
    process.send?.(i)
  }
})

await Effect.runPromise(Effect.scoped(Effect.provide(program, layer({ _tag: "File", path }))))
