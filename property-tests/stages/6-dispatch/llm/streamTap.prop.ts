import * as fc from "fast-check"
import { expect, it } from "vitest"
import type { JsonObject } from "../../../../protocols/llm/Json.ts"
import { StreamTap } from "../../../../stages/6-dispatch/llm/StreamTap.ts"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

type Data = { readonly n: number; readonly usage?: object | null; readonly choices: ReadonlyArray<unknown> }

const usage = fc.nat(1000).map((prompt_tokens) => ({ prompt_tokens }))
const data: fc.Arbitrary<Data> = fc.record({
  n: fc.nat(),
  // Words of a model may say anything, names of members included.
  choices: fc.array(fc.record({ text: fc.oneof(fc.string(), fc.constant('"usage":{"x":1}')) }), { maxLength: 2 }),
  usage: fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, usage),
})
const lineEnd = fc.constantFrom("\n", "\r\n")
const event = fc.record({ data, lineEnd, comment: fc.boolean() })
type Event = typeof event extends fc.Arbitrary<infer A> ? A : never

const written = ({ comment, data, lineEnd }: Event): string =>
  `${comment ? `: waiting${lineEnd}${lineEnd}` : ""}data: ${JSON.stringify(data)}${lineEnd}${lineEnd}`

const stream = fc.array(event, { minLength: 1, maxLength: 30 })
const cuts = fc.array(fc.nat(), { maxLength: 40 })

const pieces = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [...new Set([0, ...cuts.map((cut) => cut % bytes.byteLength), bytes.byteLength])].sort((a, b) => a - b)
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

const keeping =
  (seen: Array<JsonObject>) =>
  (data: JsonObject): boolean => {
    seen.push(data)
    return data["usage"] !== null
  }

const run = (tap: StreamTap, chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const passed = chunks.map((chunk) =>
    tap
      .feed(chunk)
      .map((bytes) => decoder.decode(bytes))
      .join(""),
  )
  return [
    ...passed,
    tap
      .end()
      .map((bytes) => decoder.decode(bytes))
      .join(""),
  ]
}

it("the bytes of a stream pass as they are, whole events at a time, however they were cut", () => {
  fc.assert(
    fc.property(stream, cuts, fc.boolean(), (events, cuts, endsEarly) => {
      const all = events.map(written).join("")
      const text = endsEarly ? all.trimEnd() : all
      const passed = run(new StreamTap(() => false, false), pieces(encoder.encode(text), cuts))
      expect(passed.join("")).toBe(text)
      for (const piece of passed.slice(0, -1)) expect(piece === "" || /\n\r?\n$/.test(piece)).toBe(true)
    }),
  )
})

it("the first event is read, and the last that tells of usage, whatever lies between", () => {
  fc.assert(
    fc.property(stream, cuts, (events, cuts) => {
      const seen: Array<JsonObject> = []
      run(new StreamTap(keeping(seen), false), pieces(encoder.encode(events.map(written).join("")), cuts))
      expect(seen[0]).toEqual(events[0]?.data)
      const last = events.findLast(({ data }) => data.usage !== null)
      if (last === undefined) expect(seen.every((data) => data["usage"] === null)).toBe(true)
      else expect(seen.findLast((data) => data["usage"] !== null)).toEqual(last.data)
    }),
  )
})

it("events that only tell of usage are withheld from whoever did not ask for them, and read all the same", () => {
  fc.assert(
    fc.property(stream, cuts, (events, cuts) => {
      const seen: Array<JsonObject> = []
      const tap = new StreamTap(keeping(seen), true)
      const passed = run(tap, pieces(encoder.encode(events.map(written).join("")), cuts)).join("")
      const isOnlyUsage = ({ choices, usage }: Data): boolean => choices.length === 0 && usage !== null
      const numbers = [...passed.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json as string) as Data)
      expect(numbers).toEqual(events.map(({ data }) => data).filter((data) => !isOnlyUsage(data)))
      for (const { data } of events) if (data.usage !== null) expect(seen).toContainEqual(data)
      expect(tap.received().events).toEqual(numbers)
    }),
  )
})

it("what is kept for counting is bounded, says of how much it is a part, and lacks no usage", () => {
  const seen: Array<JsonObject> = []
  const tap = new StreamTap(keeping(seen), false)
  const chunk = encoder.encode(`data: ${JSON.stringify({ text: "x".repeat(16_000), usage: null })}\n\n`)
  for (let i = 0; i < 99; i++) tap.feed(chunk)
  const last = { usage: { prompt_tokens: 7 }, text: "y".repeat(16_000) }
  tap.feed(encoder.encode(`data: ${JSON.stringify(last)}\n\n`))
  tap.end()
  const { events, share } = tap.received()
  expect(events.length).toBeLessThan(20)
  expect(share).toBeCloseTo(events.length / 100, 2)
  expect(seen.at(-1)).toEqual(last)
})
