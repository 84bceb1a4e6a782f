import { assert, describe, it } from "@effect/vitest"
import { encodeSse, encodeSseComment, type SseEvent, SseParser } from "../../../protocols/http/sse.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)
const read = (text: string): ReadonlyArray<SseEvent> => {
  const events: Array<SseEvent> = []
  const parser = new SseParser((event) => events.push(event))
  assert.isTrue(parser.feed(bytesOf(text)))
  assert.isTrue(parser.end())
  return events
}
const event = (data: string, more: Partial<SseEvent> = {}): SseEvent => ({
  event: undefined,
  data,
  id: undefined,
  retryMillis: undefined,
  ...more,
})

describe("server-sent events", () => {
  it("are read with every field, whatever ends the lines", () => {
    const lines = ["event: add", "id: 7", "data: a", "data:  b", "data", "retry: 10", "", "data:x", "", ""]
    for (const end of ["\n", "\r", "\r\n"]) {
      assert.deepStrictEqual(read(lines.join(end)), [
        event("a\n b\n", { event: "add", id: "7", retryMillis: 10 }),
        event("x"),
      ])
    }
  })

  it("skip comments, unknown fields, a byte order mark and what a field may not hold", () => {
    assert.deepStrictEqual(read("\ufeff: hi\nfoo: bar\ndata: 1\nid: a\0b\nretry: 1x\nevent:\n\n"), [event("1")])
    assert.deepStrictEqual(read(": only a comment\n\nevent: alone\n\n"), [])
  })

  it("with an id and no data are told to the relay", () => {
    assert.deepStrictEqual(read("id: 1\ndata:\n\nid: 2\n\nretry: 5\n\n"), [
      event("", { id: "1" }),
      event("", { id: "2" }),
      event("", { retryMillis: 5 }),
    ])
  })

  it("do not inherit the type or id of the one before", () => {
    assert.deepStrictEqual(read("event: a\nid: 1\ndata: x\n\ndata: y\n\n"), [
      event("x", { event: "a", id: "1" }),
      event("y"),
    ])
  })

  it("need not be closed by an empty line when the stream ends", () => {
    assert.deepStrictEqual(read("data: [DONE]"), [event("[DONE]")])
    assert.deepStrictEqual(read("data: [DONE]\n"), [event("[DONE]")])
  })

  it("are not held beyond their bound, in one line or in many", () => {
    for (const text of ["data: 0123456789abcdef", "data: 01234567\ndata: 01234567\n", `x${"y".repeat(20)}\n\n`]) {
      let count = 0
      const parser = new SseParser(() => count++, 16)
      assert.isFalse(parser.feed(bytesOf(text)), text)
      assert.isFalse(parser.feed(bytesOf("\n\ndata: 1\n\n")))
      assert.isFalse(parser.end())
      assert.strictEqual(count, 0)
    }
    let count = 0
    const parser = new SseParser(() => count++, 16)
    for (let i = 0; i < 100; i++) assert.isTrue(parser.feed(bytesOf("data: 0123456\n\n")))
    assert.strictEqual(count, 100)
  })

  it("are written so that no text becomes a field of its own", () => {
    assert.strictEqual(encodeSse({ data: "a" }), "data: a\n\n")
    assert.strictEqual(
      encodeSse({ event: "x\ndata: evil", id: "1\r2\0", retryMillis: 5.5, data: "a\r\nb\rc\n" }),
      "event: xdata: evil\nid: 12\nretry: 5\ndata: a\ndata: b\ndata: c\ndata: \n\n",
    )
    assert.strictEqual(encodeSseComment("keep\nalive"), ": keepalive\n\n")
  })
})
