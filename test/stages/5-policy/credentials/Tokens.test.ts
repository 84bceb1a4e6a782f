import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { AHEAD_MILLIS, MARGIN_MILLIS, RETRY_MILLIS, Tokens } from "../../../../stages/5-policy/credentials/Tokens.ts"
import type { Refusal } from "../../../../stages/Refusal.ts"
import { FakeClock } from "../../exchange.ts"

interface Note {
  readonly name: string
  readonly expiresMillis: number
}

const down: Refusal = { _tag: "BackendAuthFailed", detail: "down" }
const late: Refusal = { _tag: "BackendAuthFailed", detail: "late" }

const made = () => {
  const clock = new FakeClock()
  const tokens = new Tokens<Note>({ clock, run: (effect) => Effect.runFork(effect) })
  const answers: Array<Deferred.Deferred<Note, Refusal>> = []
  const asking = {
    fetch: () => {
      const answer = Deferred.makeUnsafe<Note, Refusal>()
      answers.push(answer)
      return Deferred.await(answer)
    },
    timeoutMillis: 1_000_000,
    late,
    entriesMax: 4,
  }
  const note = (name: string, lifetimeMillis: number): Note => ({
    name,
    expiresMillis: clock.wallMillis() + lifetimeMillis,
  })
  const ask = (key = "a") => Effect.runFork(Effect.result(tokens.get(key, asking)))
  const outcome = async (fiber: ReturnType<typeof ask>): Promise<string> => {
    const result = await Effect.runPromise(Fiber.join(fiber))
    return result._tag === "Success" ? result.success.name : (result.failure as { detail: string }).detail
  }
  const tell = async (index: number, what: Note | Refusal) => {
    const answer = answers[index]
    if (answer === undefined) throw new Error(`nobody asked ${index + 1} times`)
    if ("name" in what) Deferred.doneUnsafe(answer, Effect.succeed(what))
    else Deferred.doneUnsafe(answer, Effect.fail(what))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { clock, tokens, answers, asking, note, ask, outcome, tell }
}

describe("tokens", () => {
  it("are asked for once by all who need the same one", async () => {
    const { answers, ask, note, outcome, tell } = made()
    const fibers = Array.from({ length: 50 }, () => ask())
    assert.strictEqual(answers.length, 1)
    await tell(0, note("t", 3_600_000))
    for (const fiber of fibers) assert.strictEqual(await outcome(fiber), "t")
    assert.strictEqual(await outcome(ask()), "t")
    assert.strictEqual(answers.length, 1)
  })

  it("come although the one who asked first has left", async () => {
    const { ask, note, outcome, tell } = made()
    const first = ask()
    const second = ask()
    await Effect.runPromise(Fiber.interrupt(first))
    await tell(0, note("t", 3_600_000))
    assert.strictEqual(await outcome(second), "t")
  })

  it("are renewed before their end, and nobody waits for it", async () => {
    const { answers, ask, clock, note, outcome, tell } = made()
    const first = ask()
    await tell(0, note("old", 3_600_000))
    assert.strictEqual(await outcome(first), "old")
    clock.advance(3_600_000 - AHEAD_MILLIS - 1)
    assert.strictEqual(await outcome(ask()), "old")
    assert.strictEqual(answers.length, 1)
    clock.advance(1)
    assert.strictEqual(await outcome(ask()), "old")
    assert.strictEqual(await outcome(ask()), "old")
    assert.strictEqual(answers.length, 2)
    await tell(1, note("new", 3_600_000))
    assert.strictEqual(await outcome(ask()), "new")
  })

  it("stay in use to the margin of their end when they cannot be renewed", async () => {
    const { answers, ask, clock, note, outcome, tell } = made()
    const first = ask()
    await tell(0, note("old", 3_600_000))
    await outcome(first)
    clock.advance(3_600_000 - AHEAD_MILLIS)
    await outcome(ask())
    await tell(1, down)
    assert.strictEqual(await outcome(ask()), "old")
    assert.strictEqual(answers.length, 2, "not tried again at once")
    clock.advance(RETRY_MILLIS)
    assert.strictEqual(await outcome(ask()), "old")
    assert.strictEqual(answers.length, 3)
    await tell(2, down)
    clock.advance(AHEAD_MILLIS - MARGIN_MILLIS - RETRY_MILLIS)
    const waiting = ask()
    assert.strictEqual(answers.length, 4)
    await tell(3, down)
    assert.strictEqual(await outcome(waiting), "down")
  })

  it("that cannot be had are a refusal, told to whoever asks soon after without asking again", async () => {
    const { answers, ask, clock, outcome, tell } = made()
    const first = ask()
    await tell(0, down)
    assert.strictEqual(await outcome(first), "down")
    assert.strictEqual(await outcome(ask()), "down")
    assert.strictEqual(answers.length, 1)
    clock.advance(RETRY_MILLIS)
    ask()
    assert.strictEqual(answers.length, 2)
  })

  it("that end within the margin serve those who waited for them and nobody else", async () => {
    const { answers, ask, note, outcome, tell } = made()
    const first = ask()
    await tell(0, note("short", MARGIN_MILLIS))
    assert.strictEqual(await outcome(first), "short")
    ask()
    assert.strictEqual(answers.length, 2)
  })

  it("are no better after somebody set the clock back", async () => {
    const { answers, ask, clock, note, outcome, tell } = made()
    const first = ask()
    await tell(0, note("t", 60_000))
    await outcome(first)
    clock.advance(60_000)
    ;(clock as { wallMillis: () => number }).wallMillis = () => 0
    ask()
    assert.isAtLeast(answers.length, 2)
  })

  it("keep to their bound, the one used longest ago going first", async () => {
    const { answers, ask, note, outcome, tell, tokens } = made()
    for (const [i, key] of ["a", "b", "c", "d"].entries()) {
      const fiber = ask(key)
      await tell(i, note(key, 3_600_000))
      await outcome(fiber)
    }
    await outcome(ask("a"))
    ask("e")
    assert.strictEqual(tokens.size, 4)
    assert.strictEqual(await outcome(ask("a")), "a")
    assert.strictEqual(answers.length, 5)
    ask("b")
    assert.strictEqual(answers.length, 6)
  })

  it("take only so long", async () => {
    const clock = new FakeClock()
    const tokens = new Tokens<Note>({ clock, run: (effect) => Effect.runFork(effect) })
    const asking = { fetch: () => Effect.never, timeoutMillis: 1, late, entriesMax: 1 }
    const result = await Effect.runPromise(Effect.result(tokens.get("a", asking)))
    assert.deepStrictEqual(result._tag === "Failure" && result.failure, late)
  })

  it("survive a defect of who fetches them", async () => {
    const clock = new FakeClock()
    const tokens = new Tokens<Note>({ clock, run: (effect) => Effect.runFork(effect) })
    const asking = { fetch: () => Effect.die(new Error("bug")), timeoutMillis: 1000, late, entriesMax: 1 }
    const result = await Effect.runPromise(Effect.result(tokens.get("a", asking)))
    assert.strictEqual(result._tag === "Failure" && result.failure._tag, "Defect")
  })
})
