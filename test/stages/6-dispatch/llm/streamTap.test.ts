import { expect, it } from "vitest"
import { StreamTap } from "../../../../stages/6-dispatch/llm/StreamTap.ts"

const utf8 = new TextEncoder()
const event = (data: object): Uint8Array => utf8.encode(`data: ${JSON.stringify(data)}\n\n`)

it("a long stream in small pieces is kept whole and in order, in few pieces, and what it used is found at its end", () => {
  const events = Array.from({ length: 300 }, (_, i) => ({ id: i, usage: null }))
  const usage = { id: 300, usage: { prompt_tokens: 1, completion_tokens: 300 } }
  const told: Array<unknown> = []
  const tap = new StreamTap((data) => told.push(data["id"]) > 1, false)
  for (const one of [...events, usage]) tap.feed(event(one))
  tap.end()
  expect(told).toEqual([0, 300])
  const { events: received, share } = tap.received()
  expect(received.map(({ id }) => id)).toEqual(Array.from({ length: 301 }, (_, i) => i))
  expect(share).toBe(1)
  const { kept } = tap as unknown as { readonly kept: ReadonlyArray<Uint8Array> }
  expect(kept.length).toBeLessThan(70)
})
