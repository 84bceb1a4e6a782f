/** What models may be used with and what they have cost: keys that were given out, and budgets. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Clock } from "../../../stages/ports/Timer.ts"
import * as Keys from "../../llm/keys.ts"
import * as Spending from "../../llm/spending.ts"
import { latestFirst, type Spent } from "../../llm/Spent.ts"
import { Wanted } from "../../llm/wanted.ts"
import type { Component, Store, StoreFailure } from "../../store/Store.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"

/** Opens the part of the storage that a component has. */
export type Opening = (component: Component) => Effect.Effect<Store, StoreFailure>

/** Reads what gateways that share a Redis have spent; a text says why that cannot be read. */
export type SharedSpending = (max: number) => Effect.Effect<ReadonlyArray<Spent>, string>

const spentMax = 1_000

export const modelEndpoints = (of: Opening, clock: Clock, shared?: SharedSpending): ReadonlyArray<Endpoint> => {
  const using = async <A>(
    component: Component,
    work: (store: Store) => Effect.Effect<A, StoreFailure>,
  ): Promise<unknown> => {
    const exit = await Effect.runPromiseExit(Effect.flatMap(of(component), work))
    return Exit.isSuccess(exit) ? exit.value : refused(503, "the storage cannot be used just now")
  }
  return [
    endpoint({
      method: "GET",
      path: "/api/keys",
      summary: "Keys for models that were given out here, without the keys themselves",
      isGuarded: true,
      reply: Replies.Keys,
      run: async () => using(Keys.component, (store) => Effect.map(Keys.list(store), (keys) => ({ keys }))),
    }),
    endpoint({
      method: "POST",
      path: "/api/keys",
      summary: "Gives out a key for models; it is shown this once",
      body: Wanted,
      reply: Replies.IssuedKey,
      run: ({ body }) => using(Keys.component, (store) => Keys.create(store, body, clock.wallMillis())),
    }),
    endpoint({
      method: "DELETE",
      path: "/api/keys/{id}",
      summary: "Takes a key back",
      reply: Replies.Revoked,
      run: async ({ name }) => {
        const done = await using(Keys.component, (store) =>
          Effect.map(Keys.revoke(store, name, clock.wallMillis()), (revoked) => ({ revoked })),
        )
        return typeof done === "object" && done !== null && "revoked" in done && done.revoked === false
          ? refused(404, "there is no such key, or it was taken back already")
          : done
      },
    }),
    endpoint({
      method: "GET",
      path: "/api/budgets",
      summary: "What was spent of each budget by each of its subjects, the latest windows first",
      isGuarded: true,
      reply: Replies.Budgets,
      run: async () => {
        const elsewhere = shared === undefined ? undefined : await Effect.runPromiseExit(shared(spentMax))
        if (elsewhere !== undefined && Exit.isFailure(elsewhere)) {
          return refused(503, "what is kept in Redis cannot be read just now")
        }
        return using(Spending.component, (store) =>
          Effect.map(Spending.list(store, spentMax), (own) => ({
            budgets: [...own, ...(elsewhere?.value ?? [])].toSorted(latestFirst).slice(0, spentMax),
          })),
        )
      },
    }),
  ]
}
