/** Whoever books and leaves before the answer leaves nothing booked behind. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import { Unsettled } from "../../src/llm/Unsettled.ts"
import { inMemory, type Spending } from "../../stages/ports/Spending.ts"

const account = { budget: "b", subject: "s", windowMillis: 0, endMillis: 3_600_000 }
const booking = { account, amount: 10, limit: 10, expiresMillis: 3_600_000 }

const slowly = (gate: Deferred.Deferred<void>): Spending => {
  let last = 0
  const kept = inMemory(
    () => 0,
    () => String(++last),
  )
  return { ...kept, book: (one) => Effect.tap(kept.book(one), () => Deferred.await(gate)) }
}

describe("a booking on its way", () => {
  it("is given back when whoever asked has left, and is waited for at the end", async () => {
    const gate = Deferred.makeUnsafe<void>()
    const kept = slowly(gate)
    const unsettled = new Unsettled(Context.empty())
    const spending = unsettled.of(kept)
    const asking = Effect.runFork(spending.book(booking))
    await new Promise((resolve) => setImmediate(resolve))
    await Effect.runPromise(Fiber.interrupt(asking))
    const end = Effect.runPromise(unsettled.settled)
    Effect.runSync(Deferred.succeed(gate, undefined))
    await end
    expect(await Effect.runPromise(spending.book(booking))).toMatchObject({ id: "2", spent: 0 })
  })

  it("is the caller's where it stayed", async () => {
    const gate = Deferred.makeUnsafe<void>()
    Effect.runSync(Deferred.succeed(gate, undefined))
    const spending = new Unsettled(Context.empty()).of(slowly(gate))
    const { id } = await Effect.runPromise(spending.book(booking))
    expect(id).toBe("1")
    expect((await Effect.runPromise(spending.book(booking))).id).toBeUndefined()
    spending.settle(account, id, 0)
    expect((await Effect.runPromise(spending.book(booking))).id).toBe("2")
  })
})
