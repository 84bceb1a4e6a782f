import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { HeldStream } from "../../../protocols/llm/guard/HeldStream.ts"
import { MaskedText, type Span } from "../../../protocols/llm/guard/MaskedText.ts"
import { entities, recognise } from "../../../protocols/llm/guard/recognise.ts"
import { replySpots, requestSpots, withTexts } from "../../../protocols/llm/guard/spots.ts"
import { Notes } from "../../../protocols/llm/Notes.ts"
import { chatFormats, type WireEvent } from "../../../protocols/llm/Translation.ts"
import { deltasOf, replies, requests } from "./conversations.ts"
import { judge } from "./grammar.ts"
import { clients, plainContext, upstreamEvents, upstreamReply } from "./upstream.ts"

const formats = chatFormats

const masksOf = (text: string): ReadonlyArray<Span> => recognise("ssn", text)
const mask = (text: string): string => {
  const masked = new MaskedText(text)
  masked.replace(masksOf(text))
  return masked.text
}

const spansIn = (length: number) =>
  fc
    .array(fc.tuple(fc.nat(length), fc.nat(length), fc.constantFrom("", "#", "<masked>")), { maxLength: 4 })
    .map((all) => {
      const spans: Array<Span> = []
      let free = 0
      for (const [a, b, text] of all.toSorted((x, y) => Math.min(x[0], x[1]) - Math.min(y[0], y[1]))) {
        const start = Math.max(free, Math.min(a, b))
        const end = Math.max(a, b)
        if (end > start) {
          spans.push({ start, end, text })
          free = end
        }
      }
      return spans
    })

const spliced = (text: string, spans: ReadonlyArray<Span>): string =>
  spans.toReversed().reduce((now, { start, end, text: put }) => now.slice(0, start) + put + now.slice(end), text)

describe("a text with replaced ranges", () => {
  it("reads as if each had been cut out and put in, one round after the other", () => {
    const text = "the quick brown fox"
    fc.assert(
      fc.property(spansIn(text.length), fc.infiniteStream(fc.nat()), (first, numbers) => {
        const masked = new MaskedText(text)
        masked.replace(first)
        const once = spliced(text, first)
        expect(masked.text).toBe(once)
        if (once === "") return
        const start = numbers.next().value % once.length
        const second = [{ start, end: start + 1 + (numbers.next().value % (once.length - start)), text: "?" }]
        const inside = first.length > 0
        masked.replace(second)
        // A replacement that is touched goes as a whole, so more may be gone than was asked.
        if (!inside) expect(masked.text).toBe(spliced(once, second))
        expect(masked.text).toContain("?")
      }),
    )
  })

  it("is the sum of any parts it is cut into where nothing is cut through", () => {
    const text = "the quick brown fox jumps"
    fc.assert(
      fc.property(spansIn(text.length), fc.nat(text.length), (spans, place) => {
        const masked = new MaskedText(text)
        masked.replace(spans)
        const cut = masked.cutBefore(place)
        expect(cut).toBeLessThanOrEqual(place)
        expect(masked.between(0, cut) + masked.between(cut, text.length)).toBe(masked.text)
      }),
    )
  })

  it("becomes any other text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 12 }), fc.string({ maxLength: 12 }), (before, after) => {
        const masked = new MaskedText(before)
        masked.become(after)
        expect(masked.text).toBe(after)
      }),
    )
  })
})

describe("recognisers", () => {
  it("find ranges of the text, in order and apart, whatever the text is", () => {
    const soup = fc
      .array(
        fc.constantFrom(
          "4",
          "1",
          "0",
          "9",
          "-",
          " ",
          "@",
          ".",
          "+",
          "(",
          ")",
          "a",
          "DE",
          "sk-",
          "eyJ",
          "é",
          "😀",
          ":",
          "\n",
          "_",
        ),
        { maxLength: 80 },
      )
      .map((parts) => parts.join(""))
    fc.assert(
      fc.property(soup, fc.constantFrom(...entities), (text, entity) => {
        let last = 0
        for (const span of recognise(entity, text)) {
          expect(span.start).toBeGreaterThanOrEqual(last)
          expect(span.end).toBeGreaterThan(span.start)
          expect(span.end).toBeLessThanOrEqual(text.length)
          last = span.end
        }
      }),
      { numRuns: 2000 },
    )
  })

  it("take time in proportion to the text, also to one made to stall them", () => {
    const units = ["1", "1-", "@", "a@", "a.", "(", "+1", "eyJ", "sk-", "DE12", "GB82 ", "1.1.", "a:", "0 ", "xoxb-"]
    for (const entity of entities)
      for (const unit of units) {
        const time = (length: number): number => {
          const text = unit.repeat(Math.ceil(length / unit.length))
          const started = performance.now()
          recognise(entity, text)
          return performance.now() - started
        }
        // A quadratic one would take hours for this.
        expect(time(200_000)).toBeLessThan(10_000)
      }
  })
})

describe.each(formats)("the words of %s", (format) => {
  it("are all found, and putting them back changes nothing", () => {
    fc.assert(
      fc.property(requests, (request) => {
        const body = clients[format].writeRequest(
          { ...request, extras: { vendor: clients[format].vendor, fields: {} } },
          plainContext(format),
          new Notes(),
        )
        const spots = requestSpots(format, body)
        for (const turn of request.turns)
          for (const part of turn.parts)
            if (part.kind === "text") expect(spots.some((spot) => spot.text.includes(part.text))).toBe(true)
            else if (part.kind === "toolResult")
              for (const one of part.content)
                if (one.kind === "text")
                  expect(spots.some((spot) => spot.scope === "toolOutput" && spot.text === one.text)).toBe(true)
        expect(withTexts(body, new Map(spots.map((spot) => [spot, spot.text])))).toEqual(body)
        const gone = withTexts(body, new Map(spots.map((spot) => [spot, "X"])))
        expect(requestSpots(format, gone).every((spot) => spot.text === "X")).toBe(true)
        expect(requestSpots(format, gone).length).toBe(spots.length)
      }),
      { numRuns: 60 },
    )
  })

  it("in a reply are what the model said", () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const spots = replySpots(format, upstreamReply(format, reply))
        const said = spots.filter((spot) => spot.scope === "messages").map((spot) => spot.text)
        expect(said).toEqual(reply.choices[0]?.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])))
      }),
      { numRuns: 60 },
    )
  })
})

describe.each(formats)("a held stream of %s", (format) => {
  /** Text with numbers that must not pass, wherever the stream cuts them. */
  const said = fc
    .array(
      fc.constantFrom("my number is ", "078-05-1120", " ok ", "219 09 9999", "é😀", " end. ", "123", "a".repeat(40)),
      { minLength: 1, maxLength: 12 },
    )
    .map((parts) => parts.join(""))
  const reply = (text: string) => ({
    id: "up_1",
    model: "m",
    createdSeconds: 1,
    choices: [
      {
        parts: [
          { kind: "text" as const, text },
          { kind: "toolCall" as const, id: "c", name: "f", input: '{"a":1}' },
        ],
        finish: "toolCalls" as const,
      },
    ],
    usage: { inputTokens: 1, outputTokens: 2 },
  })

  it("says the same masked, cut anywhere and judged at any pace, and stays a stream", () => {
    fc.assert(
      fc.property(
        said,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.boolean(), { maxLength: 40 }),
        (text, cuts, batchChars, paces) => {
          const events = upstreamEvents(format, deltasOf(reply(text), cuts))
          const held = new HeldStream(format, { tailChars: 16, batchChars, heldCharsMax: 1_000_000 })
          const out: Array<WireEvent> = []
          const round = (): void => {
            for (const { masked } of held.windows()) masked.replace(masksOf(masked.text))
            out.push(...held.release())
          }
          for (const [i, event] of events.entries()) {
            held.take(event)
            if (held.isDue && paces[i] !== false) round()
          }
          held.end()
          while (!held.isEmpty) round()
          const judged = judge(format, out)
          expect(judged.ended).toBe(true)
          expect(judged.text).toBe(mask(text))
          expect(judged.calls.length).toBe(1)
          expect(out.length).toBe(events.length)
        },
      ),
      { numRuns: 150 },
    )
  })

  it("that may hold little still lets all of it pass, in order", () => {
    const plain = fc
      .array(fc.constantFrom("words ", "é😀 ", "a".repeat(40), " "), { minLength: 1, maxLength: 12 })
      .map((parts) => `x${parts.join("")}`)
    fc.assert(
      fc.property(
        plain,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 400 }),
        (text, cuts, heldCharsMax) => {
          const events = upstreamEvents(format, deltasOf(reply(text), cuts))
          const held = new HeldStream(format, { tailChars: 16, batchChars: 1000, heldCharsMax })
          const out: Array<WireEvent> = []
          let waiting = 0
          for (const event of events) {
            held.take(event)
            waiting += event.data.length
            while (held.isDue) {
              held.windows()
              const some = held.release()
              // Whoever is due makes progress, or this would never end.
              expect(some.length).toBeGreaterThan(0)
              for (const one of some) waiting -= one.data.length
              out.push(...some)
            }
            expect(waiting).toBeLessThanOrEqual(heldCharsMax + event.data.length)
          }
          held.end()
          while (!held.isEmpty) {
            held.windows()
            out.push(...held.release())
          }
          expect(out).toEqual(events)
          expect(judge(format, out).text).toBe(text)
        },
      ),
      { numRuns: 100 },
    )
  })

  it("in which everything is replaced as one is not judged for ever, nor with every letter", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 3000 }), fc.integer({ min: 1, max: 50 }), (length, batchChars) => {
        const text = "word ".repeat(length)
        const cuts = Array.from({ length: 400 }, (_, i) => Math.floor((i * text.length) / 400))
        const events = upstreamEvents(format, deltasOf(reply(text), cuts))
        const held = new HeldStream(format, { tailChars: 16, batchChars, heldCharsMax: 10_000_000 })
        const out: Array<WireEvent> = []
        let rounds = 0
        const round = (): void => {
          rounds++
          for (const { masked } of held.windows()) masked.replace([{ start: 0, end: masked.text.length, text: "#" }])
          out.push(...held.release())
        }
        for (const event of events) {
          held.take(event)
          while (held.isDue) round()
        }
        held.end()
        while (!held.isEmpty) round()
        const judged = judge(format, out)
        expect(judged.text.replaceAll("#", "")).toBe("")
        expect(judged.text.length).toBeGreaterThan(0)
        // Events without words pass in rounds of their own.
        expect(rounds).toBeLessThan(60)
      }),
      { numRuns: 30 },
    )
  })
})

describe("a held stream of several answers at once", () => {
  it("keeps the order of events, whichever answer ends first", () => {
    const piece = fc.record({
      choice: fc.constantFrom(0, 1, 2),
      text: fc.constantFrom("words ", "078-05-1120 ", "a".repeat(60), "x"),
      ends: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), (pieces, batchChars) => {
        const held = new HeldStream("openaiChat", { tailChars: 16, batchChars, heldCharsMax: 1_000_000 })
        const texts = ["", "", ""]
        const ended = new Set<number>()
        const out: Array<WireEvent> = []
        let rounds = 0
        const round = (): void => {
          if (++rounds > 500) throw new Error("judged for ever")
          for (const { masked } of held.windows()) masked.replace(masksOf(masked.text))
          out.push(...held.release())
        }
        let count = 0
        for (const { choice, ends, text } of pieces) {
          if (ended.has(choice)) continue
          texts[choice] += text
          if (ends) ended.add(choice)
          const one = { index: choice, delta: { content: text }, finish_reason: ends ? "stop" : null }
          held.take({ data: JSON.stringify({ choices: [one], n: count++ }) })
          while (held.isDue) round()
        }
        held.end()
        while (!held.isEmpty) round()
        const said = ["", "", ""]
        for (const [i, { data }] of out.entries()) {
          const event = JSON.parse(data) as { n: number; choices: [{ index: number; delta: { content: string } }] }
          expect(event.n).toBe(i)
          said[event.choices[0].index] += event.choices[0].delta.content
        }
        expect(out.length).toBe(count)
        expect(said).toEqual(texts.map(mask))
      }),
      { numRuns: 300 },
    )
  })
})
