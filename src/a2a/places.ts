/** Where tasks live, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import { PLACE_MILLIS_MAX, type Places, type PlacesFailure } from "../../stages/ports/Places.ts"
import { join, list, sql } from "../store/Statement.ts"
import { type Component, type Store, type StoreFailure, text } from "../store/Store.ts"

export const component: Component = {
  name: "a2a_place",
  migrations: [
    "CREATE TABLE a2a_place (name TEXT PRIMARY KEY, place TEXT NOT NULL, noted DOUBLE PRECISION NOT NULL)",
    "CREATE INDEX a2a_place_noted ON a2a_place (noted)",
  ],
}

const failed = ({ message }: StoreFailure): PlacesFailure => ({ _tag: "PlacesFailure", message })

export const make = (store: Effect.Effect<Store, StoreFailure>): Places => {
  const using = <A>(work: (open: Store) => Effect.Effect<A, StoreFailure>): Effect.Effect<A, PlacesFailure> =>
    Effect.mapError(Effect.flatMap(store, work), failed)
  return {
    find: (names) =>
      using((open) =>
        Effect.map(
          open.all(
            sql`SELECT name, place FROM a2a_place WHERE name IN ${list(names)}`,
            (row) => [text(row, "name"), text(row, "place")] as const,
          ),
          (rows) => new Map(rows),
        ),
      ),
    note: (places, now) =>
      places.size === 0
        ? Effect.void
        : using((open) =>
            Effect.asVoid(
              open.run(
                sql`INSERT INTO a2a_place (name, place, noted) VALUES ${join(
                  [...places].map(([name, place]) => sql`(${name}, ${place}, ${now})`),
                  ", ",
                )} ON CONFLICT (name) DO UPDATE SET place = excluded.place, noted = excluded.noted`,
              ),
            ),
          ),
    sweep: (now) =>
      using((open) => Effect.asVoid(open.run(sql`DELETE FROM a2a_place WHERE noted < ${now - PLACE_MILLIS_MAX}`))),
  }
}
