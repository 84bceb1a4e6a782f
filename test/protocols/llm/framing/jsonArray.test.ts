import { describe, expect, it } from "vitest"
import { eventEncoder } from "../../../../protocols/llm/framing.ts"
import { JsonArrayDecoder } from "../../../../protocols/llm/framing/jsonArray.ts"

const read = (chunks: Iterable<Uint8Array>, charsMax?: number) => {
  const elements: Array<unknown> = []
  const decoder = new JsonArrayDecoder((json) => elements.push(JSON.parse(json)), charsMax)
  let problem: string | undefined
  for (const chunk of chunks) problem = decoder.feed(chunk)
  return { elements, problem: problem ?? decoder.end() }
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const all = [{ a: '[{"\\' }, { b: [1, { c: "é😀}" }] }, {}]

describe("a list that arrives element by element", () => {
  it("is read however it is cut", () => {
    const text = bytes(`[${all.map((one) => JSON.stringify(one)).join("\n,\r\n")}]\n`)
    expect(read([text])).toEqual({ elements: all, problem: undefined })
    expect(read(Array.from(text, (byte) => Uint8Array.of(byte)))).toEqual({ elements: all, problem: undefined })
    for (let at = 0; at < text.length; at++)
      expect(read([text.subarray(0, at), text.subarray(at)])).toEqual({ elements: all, problem: undefined })
  })

  it("that is written is read", () => {
    const encoder = eventEncoder("jsonArray")
    const utf8 = new TextDecoder()
    const parts = [...all.map((one) => encoder.events([{ data: JSON.stringify(one) }])), encoder.end()]
    const text = parts.map((part) => utf8.decode(part)).join("")
    expect(JSON.parse(text)).toEqual(all)
    expect(read([bytes(text)])).toEqual({ elements: all, problem: undefined })
    expect(JSON.parse(new TextDecoder().decode(eventEncoder("jsonArray").end()))).toEqual([])
  })

  it("that is none, never ends or grows beyond its bound is told", () => {
    expect(read([bytes("<html>")]).problem).toMatch(/no list/)
    expect(read([bytes('[{"a":1}')]).problem).toMatch(/ended inside/)
    expect(read([bytes('[{"a":')]).problem).toMatch(/ended inside/)
    expect(read([bytes(`[{"a":"${"x".repeat(100)}`)], 50).problem).toMatch(/larger than 50/)
  })
})
