import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { expect, it } from "vitest"
import { textFrame, WebSocketReader } from "../../../../protocols/llm/framing/webSocket.ts"
import type { Overhearing, Socket } from "../../../../stages/ports/Network.ts"
import { Account } from "../../../../stages/6-dispatch/llm/Account.ts"
import { watched } from "../../../../stages/6-dispatch/llm/realtime.ts"

const clock = { nowMillis: () => 1, wallMillis: () => 1, after: () => () => {}, random: () => 0 }
const nobody = { destroy: () => {} } as unknown as Socket

interface Connected {
  readonly got: Array<Uint8Array>
  readonly say: (bytes: Uint8Array) => void
  readonly isOver: () => boolean
  readonly fiber: Fiber.Fiber<unknown>
}

/** A connection whose budget is used up by its first answer, which is asked for only once `release` is called. */
const connected = async (): Promise<Connected & { readonly release: () => void }> => {
  const account = new Account("chat", "m", false, undefined, 0)
  let release = (): void => {}
  const asked = new Promise<void>((resolve) => (release = resolve))
  account.renewed = Effect.as(
    Effect.promise(() => asked),
    { refusal: { error: { kind: "billing", status: 429, code: "budget_exceeded", message: "spent" }, headers: [] } },
  )
  const got: Array<Uint8Array> = []
  let isOver = false
  let overhearing: Overhearing | undefined
  const client = {
    relay: (_other: Socket, listening: Overhearing) => {
      overhearing = listening
      listening.begun((last) => {
        got.push(last)
        isOver = true
      })
      return Effect.never
    },
  } as unknown as Socket
  const answered = (): void => {}
  const tunnel = watched(nobody, account, clock, answered, () => {})
  if (tunnel === undefined || !("handOver" in tunnel)) throw new Error("it is not watched")
  const fiber = Effect.runFork(tunnel.handOver(client))
  await expect.poll(() => overhearing !== undefined).toBe(true)
  const say = (bytes: Uint8Array): void => {
    const passed = overhearing?.heard(bytes)
    if (passed !== undefined && passed.byteLength > 0 && !isOver) got.push(passed)
  }
  return { got, say, isOver: () => isOver, fiber, release }
}

const textsOf = (got: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const texts: Array<string> = []
  const reader = new WebSocketReader((text) => texts.push(text), 1_000_000)
  for (const bytes of got) reader.feed(bytes)
  return texts
}

const done = textFrame('{"type":"response.done","response":{"usage":{"input_tokens":1,"output_tokens":1}}}')
const typesOf = (got: ReadonlyArray<Uint8Array>): ReadonlyArray<unknown> =>
  textsOf(got).map((text) => JSON.parse(text).type)

it("a message that is passing when the budget is spent passes whole, and nothing after it", async () => {
  const next = textFrame(JSON.stringify({ type: "next", text: "x".repeat(300) }))
  const other = textFrame('{"type":"other"}')
  for (const cut of [1, 2, 3, 5, 100, next.byteLength - 1]) {
    const { fiber, got, isOver, release, say } = await connected()
    say(done)
    say(next.subarray(0, cut))
    release()
    // The gateway is told that nothing is left, and waits for the end of the message.
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver()).toBe(false)
    say(Buffer.concat([next.subarray(cut), other]))
    expect(isOver()).toBe(true)
    expect(typesOf(got)).toEqual(["response.done", "next", "error"])
    await Effect.runPromise(Fiber.interrupt(fiber))
  }
})

it("between two messages it ends at once", async () => {
  const { fiber, got, isOver, release, say } = await connected()
  say(done)
  release()
  await expect.poll(isOver).toBe(true)
  expect(typesOf(got)).toEqual(["response.done", "error"])
  await Effect.runPromise(Fiber.interrupt(fiber))
})

it("a message in several frames is not broken into", async () => {
  const { fiber, got, isOver, release, say } = await connected()
  const [first, last] = [Uint8Array.of(0x01, 2, 0x7b, 0x22), Uint8Array.of(0x80, 5, 0x61, 0x22, 0x3a, 0x31, 0x7d)]
  say(done)
  say(first)
  release()
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  expect(isOver()).toBe(false)
  say(last)
  expect(isOver()).toBe(true)
  expect(textsOf(got)[1]).toBe('{"a":1}')
  expect(typesOf(got)[2]).toBe("error")
  await Effect.runPromise(Fiber.interrupt(fiber))
})
