import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { encodeSse, encodeSseComment, type SseEvent, SseParser } from "../../../protocols/http/sse.ts"

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}
const readAll = (
  chunks: ReadonlyArray<Uint8Array>,
  charsMax?: number,
): { events: ReadonlyArray<SseEvent>; fine: boolean } => {
  const events: Array<SseEvent> = []
  const parser = new SseParser((event) => events.push(event), charsMax)
  let fine = true
  for (const chunk of chunks) fine = parser.feed(chunk)
  return { events, fine: parser.end() && fine }
}

/** The standard's algorithm over the whole text, line by line. */
const naive = (text: string): ReadonlyArray<SseEvent> => {
  const events: Array<SseEvent> = []
  let block: Array<readonly [string, string]> = []
  for (const line of [...text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/), ""]) {
    if (line !== "") {
      const [, name = "", value = ""] = /^([^:]*)(?::[ ]?([^]*))?$/.exec(line) ?? []
      block.push([name, value])
      continue
    }
    const data = block.filter(([name]) => name === "data").map(([, value]) => value)
    const id = block.findLast(([name, value]) => name === "id" && !value.includes("\0"))?.[1]
    const retry = block.findLast(([name, value]) => name === "retry" && /^\d{1,15}$/.test(value))?.[1]
    const type = block.findLast(([name]) => name === "event")?.[1]
    block = []
    if (data.length === 0 && id === undefined && retry === undefined) continue
    events.push({
      event: type === "" ? undefined : type,
      data: data.join("\n"),
      id,
      retryMillis: retry === undefined ? undefined : Number(retry),
    })
  }
  return events
}

const soup = fc
  .array(
    fc.constantFrom(
      "data",
      "event",
      "id",
      "retry",
      ":",
      ": ",
      " ",
      "\n",
      "\r",
      "\r\n",
      "\n\n",
      "7",
      "é",
      "😀",
      "\0",
      "\ufeff",
      "x",
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""))
/** Mostly real fields under every kind of line end, so that cutting between CR and LF has something to break. */
const stream = fc
  .array(
    fc.tuple(
      fc.oneof(fc.constantFrom("data: 1", "data:é", "data", "id: 5", "retry: 7", "event: x", ": c", ""), soup),
      fc.constantFrom("\n", "\r", "\r\n"),
    ),
    { maxLength: 12 },
  )
  .map((lines) => lines.map(([line, end]) => line + end).join(""))
const places = fc.array(fc.nat(), { maxLength: 12 })
const line = fc
  .string({ unit: "grapheme", maxLength: 8 })
  .map((text) => text.toWellFormed().replaceAll(/[\r\n\0]/g, ""))
const event = fc.record({
  event: fc.option(
    line.filter((text) => text !== ""),
    { nil: undefined },
  ),
  data: fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n")),
  id: fc.option(line, { nil: undefined }),
  retryMillis: fc.option(fc.nat(), { nil: undefined }),
})

describe("server-sent events", () => {
  it("are read as the standard says, however the bytes were cut", () => {
    fc.assert(
      fc.property(fc.oneof(soup, stream), places, (text, places) => {
        const bytes = new TextEncoder().encode(text)
        const expected = naive(text)
        const byteByByte = Array.from(bytes, (byte) => Uint8Array.of(byte))
        return [cut(bytes, places), byteByByte].every((chunks) => {
          const { events, fine } = readAll(chunks)
          return fine && same(events, expected)
        })
      }),
      { numRuns: 2000 },
    )
  })

  it("read after write are the same events, comments between them unseen", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), line, places, (events, comment, places) => {
        const text = events.map((event) => encodeSseComment(comment) + encodeSse(event)).join("")
        return same(readAll(cut(new TextEncoder().encode(text), places)).events, events)
      }),
    )
  })

  it("from any bytes: never throw, and never hold more than the bound", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          soup.map((text) => new TextEncoder().encode(text)),
        ),
        places,
        (bytes, places) =>
          readAll(cut(bytes, places), 20).events.every(
            ({ data, event = "", id = "" }) => Math.max(data.length, event.length, id.length) <= 20,
          ),
      ),
    )
  })
})
