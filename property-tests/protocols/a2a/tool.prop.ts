/** Skills as tools, and what agents say as results of tools. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Fields, fieldsOf, listOf } from "../../../protocols/a2a/Fields.ts"
import { Gathered, textIn } from "../../../protocols/a2a/tool/Gathered.ts"
import { resultOf, signInUrl } from "../../../protocols/a2a/tool/heard.ts"
import { answerParts, formOf } from "../../../protocols/a2a/tool/question.ts"
import { messageOf, partsOf } from "../../../protocols/a2a/tool/said.ts"
import { toolsOf } from "../../../protocols/a2a/tool/skills.ts"
import { states } from "../../../protocols/a2a/dialect/words.ts"
import { part } from "./values.ts"

const anything = fc.jsonValue()
const skill = fc.record(
  {
    id: fc.oneof(fc.string(), fc.constantFrom("a", "A b", "a-b", "ä", "x".repeat(80))),
    name: fc.string(),
    description: fc.string(),
    tags: fc.oneof(anything, fc.array(fc.string())),
    inputModes: fc.oneof(anything, fc.array(fc.constantFrom("text/plain", "application/json", "image/png", "*/*"))),
  },
  { requiredKeys: [] },
)
const card = fc.record({ name: fc.string(), skills: fc.array(skill, { maxLength: 8 }) })

describe("skills", () => {
  it("become tools with names that are apart and fit for models, and something to say to each", () => {
    fc.assert(
      fc.property(fc.oneof(card, fc.dictionary(fc.string(), anything)), (one) => {
        const tools = toolsOf(one as Fields)
        expect(tools.length).toBeGreaterThan(0)
        expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length)
        for (const { name, tool } of tools) {
          expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
          const { properties, type } = fieldsOf(tool["inputSchema"])
          expect(type).toBe("object")
          expect(["message", "data", "files"].some((one) => Object.hasOwn(fieldsOf(properties), one))).toBe(true)
        }
      }),
    )
  })

  it("do not change names when others are added behind them", () => {
    fc.assert(
      fc.property(card, skill, (one, more) => {
        const before = toolsOf(one).filter(({ skill }) => skill !== undefined)
        const after = toolsOf({ ...one, skills: [...one.skills, more] })
        expect(after.map(({ name }) => name).slice(0, before.length)).toEqual(before.map(({ name }) => name))
      }),
    )
  })
})

describe("arguments", () => {
  it("become a message without losing anything, or are refused in words", () => {
    fc.assert(
      fc.property(
        fc.record(
          { message: fc.string(), data: fc.dictionary(fc.string(), anything), files: fc.array(anything) },
          { requiredKeys: [] },
        ),
        (args) => {
          const parts = partsOf(args)
          if (typeof parts === "string") return
          const speaking = { messageId: "m", skill: undefined, contextId: undefined, taskId: undefined }
          const said = listOf(messageOf(parts, speaking)["parts"]).map(fieldsOf)
          expect(said.filter((one) => "text" in one).map(({ text }) => text)).toEqual(
            args.message === undefined || args.message === "" ? [] : [args.message],
          )
          expect(said.filter((one) => "data" in one).map(({ data }) => data)).toEqual(
            args.data === undefined ? [] : [args.data],
          )
          expect(said.filter((one) => "raw" in one || "url" in one).length).toBe(args.files?.length ?? 0)
        },
      ),
    )
  })
})

const text = fc.string({ minLength: 1, maxLength: 8 })
const status = (state: string, parts: ReadonlyArray<Fields> = []): Fields => ({
  state,
  ...(parts.length === 0 ? {} : { message: { messageId: "m", role: "ROLE_AGENT", parts } }),
})

describe("what an agent says", () => {
  it("is the same whole in however many pieces a text comes", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 6 }), (pieces) => {
        const gathered = new Gathered()
        for (const [i, one] of pieces.entries()) {
          const artifact = { artifactId: "a", parts: [{ text: one }] }
          gathered.note({ artifactUpdate: { taskId: "t", contextId: "c", artifact, append: i > 0 } }, 1)
        }
        expect(gathered.artifacts.map(({ parts }) => parts)).toEqual([[{ text: pieces.join("") }]])
      }),
    )
  })

  it("is the same whether it comes as a task or as the events of one", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ artifactId: text, parts: fc.array(part, { minLength: 1, maxLength: 3 }) }), {
          selector: ({ artifactId }) => artifactId,
          maxLength: 4,
        }),
        fc.constantFrom(...states),
        fc.array(part, { maxLength: 2 }),
        (artifacts, state, said) => {
          const whole = new Gathered()
          whole.note({ task: { id: "t", contextId: "c", status: status(state, said), artifacts } }, 1)
          const streamed = new Gathered()
          streamed.note({ task: { id: "t", contextId: "c", status: status("TASK_STATE_SUBMITTED") } }, 1)
          for (const artifact of artifacts) {
            streamed.note({ artifactUpdate: { taskId: "t", contextId: "c", artifact } }, 1)
          }
          streamed.note({ statusUpdate: { taskId: "t", contextId: "c", status: status(state, said) } }, 1)
          const telling = { conversation: "x" }
          expect(resultOf(streamed, telling)).toEqual(resultOf(whole, telling))
        },
      ),
    )
  })

  it("gives a result whatever it is, with content and a state", () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 4 }), (events) => {
        const gathered = new Gathered()
        for (const one of events) gathered.note(one, 1)
        for (const one of events) gathered.note({ task: one, message: one }, 1)
        const result = resultOf(gathered, { conversation: undefined })
        expect(listOf(result["content"]).length).toBeGreaterThan(0)
        expect(typeof fieldsOf(result["structuredContent"])["state"]).toBe("string")
        const url = signInUrl(gathered)
        if (url !== undefined) expect(url).toMatch(/^https?:/i)
      }),
    )
  })

  it("asks by a form that is flat, and its answer is what was filled in", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 3 }), text, (message, answer) => {
        const { isOwn, requestedSchema } = formOf({ message }, "agent")
        for (const one of Object.values(fieldsOf(requestedSchema["properties"]))) {
          expect(["string", "number", "integer", "boolean", "array"]).toContain(fieldsOf(one)["type"])
        }
        expect(answerParts({ answer }, isOwn)).toEqual(isOwn ? [{ data: { answer } }] : [{ text: answer }])
      }),
    )
  })

  it("is told apart from nothing", () => {
    expect(textIn([])).toBeUndefined()
    expect(new Gathered().isSettled).toBe(false)
  })
})
