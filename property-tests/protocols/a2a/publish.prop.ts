/** Messages as turns of a chat and as calls of tools: total, and nothing is lost on the way. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Fields, fieldsOf, listOf } from "../../../protocols/a2a/Fields.ts"
import { cardOfTools } from "../../../protocols/a2a/publish/card.ts"
import { chatRequest, deltaOf, turnOf } from "../../../protocols/a2a/publish/chat.ts"
import { callOf, partsOfResult, questionsOf, responsesOf } from "../../../protocols/a2a/publish/toolCall.ts"
import { part } from "./values.ts"

const anything = fc.jsonValue()
const parts = fc.array(part, { maxLength: 4 })

describe("a message", () => {
  it("becomes a turn that holds all its texts, or is refused in words", () => {
    fc.assert(
      fc.property(parts, (said) => {
        const turn = turnOf({ parts: said })
        if (typeof turn === "string") return void expect(turn.length).toBeGreaterThan(0)
        const written = JSON.stringify(chatRequest("m", undefined, [turn]))
        for (const { text } of said)
          if (typeof text === "string") expect(written).toContain(JSON.stringify(text).slice(1, -1))
        return undefined
      }),
    )
  })

  it("calls only tools that there are, and by the name that was given", () => {
    const tool = fc.record({ name: fc.string({ minLength: 1 }), inputSchema: anything })
    fc.assert(
      fc.property(parts, fc.option(fc.string(), { nil: undefined }), fc.array(tool), (said, skill, tools) => {
        const call = callOf({ parts: said }, skill, tools as ReadonlyArray<Fields>)
        if ("question" in call) return void expect(call.question.length).toBeGreaterThan(0)
        expect(tools.map(({ name }) => name)).toContain(call.name)
        if (skill !== undefined) expect(call.name).toBe(skill)
        return undefined
      }),
    )
  })
})

describe("what comes back", () => {
  it("is read whatever it is", () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(typeof deltaOf(value).text).toBe("string")
        expect(Array.isArray(partsOfResult(fieldsOf(value)))).toBe(true)
        expect(Array.isArray(cardOfTools({ name: "x" }, [fieldsOf(value)], false)["skills"])).toBe(true)
      }),
    )
  })

  it("keeps every text and the structured content, once", () => {
    const content = fc.array(fc.record({ type: fc.constant("text"), text: fc.string() }), { maxLength: 4 })
    fc.assert(
      fc.property(content, fc.dictionary(fc.string(), anything), (said, structuredContent) => {
        const twin = { type: "text", text: JSON.stringify(structuredContent) }
        const made = partsOfResult({ content: [...said, twin], structuredContent })
        expect(made.filter((one) => "data" in one)).toEqual([{ data: structuredContent }])
        for (const { text } of said) {
          if (text !== twin.text) expect(made.some((one) => one["text"] === text)).toBe(true)
        }
      }),
    )
  })

  it("answers every question that was asked", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anything), parts, (inputRequests, said) => {
        const asked = questionsOf({ resultType: "input_required", inputRequests })
        const responses = responsesOf({ parts: said }, inputRequests as Fields)
        expect(Object.keys(responses)).toEqual(listOf(asked?.keys))
      }),
    )
  })
})
