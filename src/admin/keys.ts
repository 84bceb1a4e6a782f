/** Keys over the admin interface: given out, listed, taken back. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Keys from "../llm/keys.ts"
import type { Store, StoreFailure } from "../store/Store.ts"
import { type Answer, type Asked, json, text } from "./serve.ts"

export type KeyDesk = Readonly<Record<string, (asked: Asked) => Promise<Answer>>>

const answered = async (effect: Effect.Effect<Answer, StoreFailure>): Promise<Answer> =>
  Effect.runPromise(
    Effect.catch(effect, ({ message }) => Effect.succeed(text(503, `the storage failed: ${message}\n`))),
  )

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

export const keyDesk = (store: Effect.Effect<Store, StoreFailure>): KeyDesk => ({
  "/keys/create": async ({ body }) => {
    const said = await body()
    if (said === undefined) return text(413, "the body is too long\n")
    const { decodeWanted } = await import("../llm/wanted.ts")
    const wanted = decodeWanted(parsed(said))
    if (Exit.isFailure(wanted)) {
      return text(
        400,
        'expected {"name": "…", "metadata": {…}, "models": ["…"], "tools": ["…"], "budgets": [{"name", "usd", "tokens", "windowMillis", "hard"}], "expiresMillis": …}\n',
      )
    }
    return answered(
      Effect.flatMap(store, (open) => Effect.map(Keys.create(open, wanted.value, Date.now()), (made) => json(made))),
    )
  },
  "/keys/list": async () => answered(Effect.flatMap(store, (open) => Effect.map(Keys.list(open), (all) => json(all)))),
  "/keys/renew": async ({ query }) => {
    const id = query.get("id")
    const graceMillis = Number(query.get("graceMillis") ?? 0)
    if (id === null || !Number.isFinite(graceMillis) || graceMillis < 0) {
      return text(400, "usage: POST /keys/renew?id=<id>[&graceMillis=<milliseconds>]\n")
    }
    return answered(
      Effect.flatMap(store, (open) =>
        Effect.map(Keys.renew(open, id, Date.now(), graceMillis), (made) =>
          made === undefined ? text(404, "no such key\n") : json(made),
        ),
      ),
    )
  },
  "/keys/revoke": async ({ query }) => {
    const id = query.get("id")
    if (id === null) return text(400, "usage: POST /keys/revoke?id=<id>\n")
    return answered(
      Effect.flatMap(store, (open) =>
        Effect.map(Keys.revoke(open, id, Date.now()), (done) =>
          done ? text(200, "revoked\n") : text(404, "no such key\n"),
        ),
      ),
    )
  },
})
