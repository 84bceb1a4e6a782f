/** Who asks for all, who waits, and who is set free. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { expect, it } from "vitest"
import { type Boarding, Flights } from "../../../../../stages/6-dispatch/llm/cache/Flights.ts"

const timers = () => {
  const all: Array<() => void> = []
  const clock = {
    nowMillis: () => 0,
    wallMillis: () => 0,
    random: () => 0,
    after: (_millis: number, run: () => void) => {
      all.push(run)
      return () => void all.splice(all.indexOf(run), 1)
    },
  }
  return { clock, all }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Says what became of each who entered. */
const boarding = (flights: Flights<string>, deadlineMillis = Infinity) => {
  const who = {}
  let became: string | undefined
  const fiber = Effect.runFork(
    Effect.matchEffect(flights.enter("k", who, deadlineMillis), {
      onFailure: ({ _tag }) => Effect.sync(() => void (became = _tag)),
      onSuccess: (found: Boarding<string>) =>
        Effect.sync(() => void (became = found._tag === "Given" ? found.answer : found._tag)),
    }),
  )
  return {
    who,
    fiber,
    get became() {
      return became
    },
  }
}

it("the first asks, the others are given what it finds, and who comes later until it has landed", async () => {
  const flights = new Flights<string>(timers().clock)
  const first = boarding(flights)
  const second = boarding(flights)
  const third = boarding(flights)
  await settle()
  expect([first.became, second.became, third.became]).toEqual(["Lead", undefined, undefined])
  // Only whoever asks can answer.
  expect(flights.answered("k", second.who, "no")).toBe(false)
  expect(flights.answered("k", first.who, "yes")).toBe(true)
  const fourth = boarding(flights)
  await settle()
  expect([second.became, third.became, fourth.became]).toEqual(["yes", "yes", "yes"])
  flights.left("k", first.who, false)
  flights.landed("k", first.who)
  expect(flights.size).toBe(0)
  expect(boarding(flights).became).toBe("Lead")
})

it("whoever asks and leaves hands it on to one that still waits", async () => {
  const flights = new Flights<string>(timers().clock)
  const first = boarding(flights)
  const second = boarding(flights)
  const third = boarding(flights)
  await settle()
  await Effect.runPromise(Fiber.interrupt(second.fiber))
  flights.left("k", second.who, true)
  flights.left("k", first.who, true)
  await settle()
  expect([second.became, third.became]).toEqual([undefined, "Lead"])
  flights.left("k", third.who, true)
  expect(flights.size).toBe(0)
})

it("an answer that is not for others sets them free", async () => {
  const flights = new Flights<string>(timers().clock)
  const first = boarding(flights)
  const second = boarding(flights)
  await settle()
  flights.left("k", first.who, false)
  await settle()
  expect(second.became).toBe("Alone")
  expect(flights.size).toBe(0)
})

it("nobody waits longer than it may", async () => {
  const { all, clock } = timers()
  const flights = new Flights<string>(clock)
  const first = boarding(flights)
  const second = boarding(flights, 5)
  const third = boarding(flights, 5)
  await settle()
  expect(all.length).toBe(2)
  all[0]?.()
  await settle()
  expect(second.became).toBe("RequestTimeout")
  expect(Exit.isSuccess(await Effect.runPromise(Fiber.await(second.fiber)))).toBe(true)
  flights.answered("k", first.who, "yes")
  await settle()
  expect(third.became).toBe("yes")
  // The timers of those who were answered are gone.
  expect(all.length).toBe(1)
})
