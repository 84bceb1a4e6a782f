/** What guards see of messages, and what they put in its place. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { closed, eventReader, opened, saidIn, withSaid } from "../../../protocols/a2a/texts.ts"
import { HeldStream } from "../../../protocols/llm/guard/HeldStream.ts"
import { full } from "./values.ts"

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const check = <A>(arbitrary: fc.Arbitrary<A>, law: (value: A) => void): void =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      law(value)
    }),
    { numRuns: 100 },
  )

describe("an event", () => {
  it("that was opened and closed again is the same", () =>
    check(full.event, (event) => assert.deepStrictEqual(plain(closed(opened(event))), plain(event))))

  it("says nothing in which everything was replaced", () =>
    check(full.event, (event) => {
      const open = opened(event)
      const said = saidIn(open)
      const muted = withSaid(
        open,
        said.map((one) => [one, "*"] as const),
      )
      assert.deepStrictEqual(
        saidIn(muted).map(({ text }) => text),
        said.map(() => "*"),
      )
      assert.deepStrictEqual(saidIn(opened(closed(muted))).length, said.length)
    }))
})

/** A text that must not be said, in a stream that says it in any number of pieces. */
const secret = "SECRET"

const pieces = fc
  .tuple(
    fc.stringMatching(/^[a-z ]{0,12}$/),
    fc.stringMatching(/^[a-z ]{0,12}$/),
    fc.array(fc.nat(40), { maxLength: 6 }),
  )
  .map(([before, after, cuts]) => {
    const text = `${before}${secret}${after}`
    const at = [...new Set(cuts.filter((cut) => cut > 0 && cut < text.length))].sort((a, b) => a - b)
    return [0, ...at].map((start, i) => text.slice(start, at[i] ?? text.length))
  })

const asFile = (text: string): object => ({ raw: btoa(text), mediaType: "text/plain" })

/** As a guard that replaces what it finds, event by event. */
const through = (events: ReadonlyArray<object>): ReadonlyArray<string> => {
  const held = new HeldStream(eventReader(), { tailChars: 16, batchChars: 1, heldCharsMax: 1_000_000 })
  const out: Array<string> = []
  const pump = (): void => {
    while (held.isDue) {
      for (const { masked } of held.windows()) {
        const start = masked.text.indexOf(secret)
        if (start >= 0) masked.replace([{ start, end: start + secret.length, text: "#" }])
      }
      const released = held.release()
      if (released.length === 0) break
      out.push(...released.map(({ data }) => data))
    }
  }
  for (const event of events) {
    held.take({ data: JSON.stringify({ result: opened(event) }) })
    pump()
  }
  held.end()
  pump()
  return out
}

const textIn = (data: ReadonlyArray<string>): string =>
  data
    .flatMap((one) => saidIn(opened(closed((JSON.parse(one) as { result: unknown }).result))))
    .map(({ text }) => text)
    .join("")

describe("a stream", () => {
  it.each(["words", "a file"])("does not say in pieces what it must not say as a whole, as %s", (how) =>
    check(fc.tuple(pieces, fc.boolean()), ([chunks, isMarked]) => {
      const events = chunks.map((text, i) => ({
        artifactUpdate: {
          taskId: "t",
          artifact: { artifactId: "a", parts: [how === "words" ? { text } : asFile(text)] },
          append: i > 0,
          ...(isMarked ? { lastChunk: i === chunks.length - 1 } : {}),
        },
      }))
      const out = through(events)
      assert.strictEqual(out.length, events.length, "no event is lost")
      assert.strictEqual(textIn(out), chunks.join("").replace(secret, "#"))
    }),
  )

  it("keeps the order of its events, whatever they are", () =>
    check(fc.array(full.event, { maxLength: 12 }), (events) => {
      const out = through(events)
      assert.deepStrictEqual(
        out.map((one) => plain(closed((JSON.parse(one) as { result: unknown }).result))),
        events.map(plain),
      )
    }))
})
