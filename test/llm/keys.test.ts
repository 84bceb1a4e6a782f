/** Keys that the gateway gives out: what each is good for, until when, and what becomes of it when it is renewed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { afterEach, expect, it } from "vitest"
import * as Keys from "../../src/llm/keys.ts"
import * as Storage from "../../src/store/Storage.ts"

const scopes: Array<Scope.Closeable> = []
afterEach(async () => {
  for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
})

const hash = (key: string): string => createHash("sha256").update(key).digest("hex")

const kept = async () => {
  const scope = Effect.runSync(Scope.make())
  scopes.push(scope)
  const context = await Effect.runPromise(Layer.buildWithScope(Storage.memory, scope))
  const store = await Effect.runPromise(Context.get(context, Storage.Storage).of(Keys.component))
  let now = 1_000
  const ring = Keys.keyring(Effect.succeed(store), { nowMillis: () => now })
  return {
    store,
    find: (key: string) => Effect.runPromise(ring.find(hash(key))),
    later: (millis: number) => void (now += millis),
  }
}

it("a key is good for what it was given out for", async () => {
  const { find, store } = await kept()
  const wanted = { name: "ann", models: ["gpt-*"], tools: ["files/*", "search"], expiresMillis: 9_000 }
  const { id, key } = await Effect.runPromise(Keys.create(store, wanted, 1_000))
  expect(await find(key)).toMatchObject({
    id,
    issued: { allowedModels: ["gpt-*"], allowedTools: ["files/*", "search"], expiresMillis: 9_000 },
  })
  const { key: open } = await Effect.runPromise(Keys.create(store, { name: "bob" }, 1_001))
  const issued = (await find(open))?.issued
  expect([issued?.allowedModels, issued?.allowedTools, issued?.expiresMillis]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  const [shown] = await Effect.runPromise(Keys.list(store))
  expect(shown).toMatchObject({ name: "ann", tools: ["files/*", "search"] })
  expect(JSON.stringify(shown)).not.toContain(key)
})

it("a renewed key is the same holder's; the one before is good until its grace is over", async () => {
  const { find, later, store } = await kept()
  const { id, key } = await Effect.runPromise(
    Keys.create(store, { name: "ann", tools: ["a"], expiresMillis: 90_000 }, 1_000),
  )
  const renewed = await Effect.runPromise(Keys.renew(store, id, 2_000, 500))
  if (renewed === undefined) throw new Error("there was a key")
  expect(renewed.id).toBe(id)
  expect(renewed.key).not.toBe(key)
  later(Keys.FRESH_MILLIS + 1)
  expect(await find(renewed.key)).toMatchObject({ id, issued: { allowedTools: ["a"], expiresMillis: 90_000 } })
  expect(await find(key)).toMatchObject({ id, issued: { allowedTools: ["a"], expiresMillis: 2_500 } })
  // The one before that is gone, and with the key both are.
  const again = await Effect.runPromise(Keys.renew(store, id, 3_000, 0))
  later(Keys.FRESH_MILLIS + 1)
  expect(await find(key)).toBe(undefined)
  await Effect.runPromise(Keys.revoke(store, id, 4_000))
  later(Keys.FRESH_MILLIS + 1)
  expect(await find(again?.key ?? "")).toBe(undefined)
  expect(await Effect.runPromise(Keys.renew(store, id, 5_000, 0))).toBe(undefined)
  expect(await Effect.runPromise(Keys.renew(store, "nobody", 5_000, 0))).toBe(undefined)
})
