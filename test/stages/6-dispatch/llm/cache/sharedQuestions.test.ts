/** Who asks for all, who waits, and who is set free. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { expect, it } from "vitest"
import { type Part, SharedQuestions } from "../../../../../stages/6-dispatch/llm/cache/SharedQuestions.ts"

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
const entered = (questions: SharedQuestions<string>, deadlineMillis = Infinity) => {
  const who = {}
  let became: string | undefined
  const fiber = Effect.runFork(
    Effect.matchEffect(questions.enter("k", who, deadlineMillis), {
      onFailure: ({ _tag }) => Effect.sync(() => void (became = _tag)),
      onSuccess: (found: Part<string>) =>
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

it("the first asks, the others are given what it finds, and who comes later until it is over", async () => {
  const questions = new SharedQuestions<string>(timers().clock)
  const first = entered(questions)
  const second = entered(questions)
  const third = entered(questions)
  await settle()
  expect([first.became, second.became, third.became]).toEqual(["Lead", undefined, undefined])
  // Only whoever asks can answer.
  expect(questions.answered("k", second.who, "no")).toBe(false)
  expect(questions.answered("k", first.who, "yes")).toBe(true)
  const fourth = entered(questions)
  await settle()
  expect([second.became, third.became, fourth.became]).toEqual(["yes", "yes", "yes"])
  questions.left("k", first.who, false)
  questions.over("k", first.who)
  expect(questions.size).toBe(0)
  expect(entered(questions).became).toBe("Lead")
})

it("whoever asks and leaves hands it on to one that still waits", async () => {
  const questions = new SharedQuestions<string>(timers().clock)
  const first = entered(questions)
  const second = entered(questions)
  const third = entered(questions)
  await settle()
  await Effect.runPromise(Fiber.interrupt(second.fiber))
  questions.left("k", second.who, true)
  questions.left("k", first.who, true)
  await settle()
  expect([second.became, third.became]).toEqual([undefined, "Lead"])
  questions.left("k", third.who, true)
  expect(questions.size).toBe(0)
})

it("an answer that is not for others sets them free", async () => {
  const questions = new SharedQuestions<string>(timers().clock)
  const first = entered(questions)
  const second = entered(questions)
  await settle()
  questions.left("k", first.who, false)
  await settle()
  expect(second.became).toBe("Alone")
  expect(questions.size).toBe(0)
})

it("nobody waits longer than it may", async () => {
  const { all, clock } = timers()
  const questions = new SharedQuestions<string>(clock)
  const first = entered(questions)
  const second = entered(questions, 5)
  const third = entered(questions, 5)
  await settle()
  expect(all.length).toBe(2)
  all[0]?.()
  await settle()
  expect(second.became).toBe("RequestTimeout")
  expect(Exit.isSuccess(await Effect.runPromise(Fiber.await(second.fiber)))).toBe(true)
  questions.answered("k", first.who, "yes")
  await settle()
  expect(third.became).toBe("yes")
  // The timers of those who were answered are gone.
  expect(all.length).toBe(1)
})
