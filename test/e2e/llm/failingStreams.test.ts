/** Two hundred streams at once while providers fail in every way: each ends well-formed, in time, and leaves nothing behind. */
import { expect, it } from "vitest"
import { until } from "../harness.ts"
import { listen } from "./manyStreams.ts"
import { startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"

const STREAMS = 200
const TOKENS = 20
const IDLE_SECONDS = 1

const said = (content: string | undefined, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

/** Counts aloud, and does at some number as it is told. */
const counting = (at: (call: number) => "end" | "break" | "silence" | "error"): Scripted["answer"] =>
  (() => {
    let calls = 0
    return (_call: unknown, response: Parameters<Scripted["answer"]>[1]) => {
      const call = calls++
      const how = at(call)
      const stops = how === "end" ? TOKENS : 1 + (call % (TOKENS - 1))
      response.writeHead(200, { "content-type": "text/event-stream" })
      let next = 0
      const timer = setInterval(() => {
        if (next < stops) return void response.write(said(` ${next++}`))
        clearInterval(timer)
        if (how === "end") response.end(`${said(undefined, "stop")}data: [DONE]\n\n`)
        else if (how === "break") response.destroy()
        else if (how === "error") response.end(`data: ${JSON.stringify({ error: { message: "overloaded" } })}\n\n`)
      }, 5)
      response.once("close", () => clearInterval(timer))
    }
  })()

it("two hundred streams of failing providers", { timeout: 60_000 }, async () => {
  const ways = ["end", "break", "silence", "error", "end"] as const
  const deadCalls = { count: 0 }
  // Refuses, or dies before it says a word: others are asked instead.
  const dead = await startProvider((_call, response) => {
    if (deadCalls.count++ % 2 === 0) response.writeHead(503).end("no")
    else response.destroy()
  })
  const flaky = await startProvider(counting((call) => ways[call % ways.length] ?? "end"))
  const place = await startPlace(`
binds:
- port: 1
  listeners:
  - routes:
    - backends:
      - ai:
          groups:
          - providers: [{ name: dead, provider: { custom: { formats: [{ type: completions }] } }, hostOverride: "127.0.0.1:${dead.port}" }]
          - providers: [{ name: flaky, provider: { custom: { formats: [{ type: completions }] } }, hostOverride: "127.0.0.1:${flaky.port}", idleTimeout: ${IDLE_SECONDS}s }]
`)
  try {
    const began = performance.now()
    const all = await Promise.all(Array.from({ length: STREAMS }, () => listen(place.gateway.port)))
    const seconds = (performance.now() - began) / 1000
    // In the order in which it was said, with nothing left out, as far as it went.
    for (const { numbers } of all) expect(numbers).toEqual(numbers.map((_, i) => i))
    expect(all.filter(({ isWhole, numbers }) => isWhole && numbers.length === TOKENS).length).toBe((STREAMS * 2) / 5)
    expect(all.every(({ numbers }) => numbers.length > 0)).toBe(true)
    // Silence is the longest that anything may take; the rest is what a busy machine adds.
    expect(seconds).toBeLessThan(IDLE_SECONDS + 30)
    await until("nothing is left", () => place.gateway.gateway.open().exchanges === 0)
    await until("all were told", () => place.gateway.told.exchanges.length === STREAMS)
    const accounts = place.gateway.told.exchanges.map(({ exchange }) => exchange.notes?.llm)
    expect(accounts.every((account) => account !== undefined && account.endedMillis > 0)).toBe(true)
    expect(accounts.every((account) => (account?.usage?.outputTokens ?? 0) > 0)).toBe(true)
    expect(accounts.every((account) => account?.providerName === "flaky")).toBe(true)
    // Who failed three times in a row is not asked by everybody.
    expect(deadCalls.count).toBeLessThan(STREAMS * 2)
    // And the gateway is as good as before.
    expect((await listen(place.gateway.port)).numbers[0]).toBe(0)
  } finally {
    await place.close()
    await Promise.all([dead.close(), flaky.close()])
  }
})
