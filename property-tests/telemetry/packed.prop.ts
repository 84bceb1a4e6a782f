import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { any, type Match } from "../../ir/Match.ts"
import { Writer } from "../../protocols/protobuf/Writer.ts"
import { idOf, read, write } from "../../src/telemetry/packed.ts"
import type { Remains } from "../../src/telemetry/Remains.ts"

const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme", maxLength: 200 }))
const maybe = <A>(of: fc.Arbitrary<A>): fc.Arbitrary<A | undefined> => fc.option(of, { nil: undefined })
const millis = fc.double({ min: 0, max: 2e12, noNaN: true })
/** `-0` has no place in JSON. */
const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as never)
const match: Match = { ...any, path: { _tag: "Prefix", path: "/of-the-route" } }

const remains: fc.Arbitrary<Remains> = fc.record({
  id: text,
  startedMillis: millis,
  endedMillis: millis,
  startedUnixMillis: millis,
  fields: fc.array(
    fc.tuple(
      text,
      fc.oneof(
        json,
        text.map((one) => one as never),
      ),
    ),
  ),
  status: fc.integer({ min: 0, max: 999 }),
  error: maybe(text),
  endpoint: maybe(text),
  listenerName: maybe(text),
  routeName: maybe(text),
  reason: text,
  outcome: fc.constantFrom("answered", "upstreamFailed", "drained", "clientGone", "interrupted"),
  isOwn: fc.boolean(),
  listener: maybe(text),
  route: maybe(text),
  match: maybe(fc.constant(match)),
  backend: maybe(text),
  attempts: fc.nat(1_000),
  refusal: maybe(fc.constantFrom("NotFound" as never, "Denied" as never)),
  refusedBy: maybe(text),
  declined: maybe(fc.record({ by: text, why: text })),
  notes: maybe(
    fc.array(
      fc.record({
        atMillis: millis,
        stage: text,
        decision: text,
        detail: fc.oneof(fc.constant(undefined), fc.constant(match), json, text, fc.integer()),
      }),
    ),
  ),
  notesDropped: fc.nat(10_000),
  spans: maybe(fc.array(fc.record({ name: text, startedMillis: millis, endedMillis: millis, error: maybe(text) }))),
  steps: fc.array(fc.record({ stage: text, decision: text })),
  problem: maybe(text),
})

const written = (one: Remains): Uint8Array => {
  const writer = new Writer()
  write(writer, one)
  return writer.finish()
}

describe("what remains of an exchange", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(remains, (one) => {
        const record = written(one)
        expect(idOf(record)).toBe(one.id)
        expect(read(record)).toEqual(one)
      }),
      { numRuns: 500 },
    )
  })

  it("is never long: notes end where there is no more room, and are counted", () => {
    const note = { atMillis: 1, stage: "s", decision: "d".repeat(60_000), detail: undefined }
    fc.assert(
      fc.property(remains, fc.integer({ min: 6, max: 40 }), (one, count) => {
        const record = written({ ...one, notes: Array.from({ length: count }, () => note), notesDropped: 3 })
        expect(record.byteLength).toBeLessThan(400 * 1024)
        const found = read(record)
        expect((found.notes?.length ?? 0) + found.notesDropped).toBe(count + 3)
      }),
      { numRuns: 30 },
    )
  })

  it("what cannot be said in JSON is said as text", () => {
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    const [one] = fc.sample(remains, 1)
    if (one === undefined) throw new Error("there is no sample")
    const note = { atMillis: 1, stage: "s", decision: "d" }
    const notes = [
      { ...note, detail: circle },
      { ...note, detail: 10n },
    ]
    expect(read(written({ ...one, notes })).notes?.map(({ detail }) => detail)).toEqual(["[object Object]", "10"])
  })
})
