import { describe, expect, it } from "vitest"
import { askToLegacy } from "../../../protocols/mcp/questions.ts"

const form = (properties: object, more: object = {}) =>
  JSON.stringify({ mode: "form", message: "?", requestedSchema: { type: "object", properties, ...more } })

const said = (properties: object, revision: "2025-06-18" | "2025-11-25" = "2025-06-18") => {
  const found = askToLegacy("elicitation/create", form(properties), revision, "id-1")
  if (found?.params === undefined) throw new Error("it cannot be said")
  return {
    params: JSON.parse(found.params),
    restore: (result: object) => JSON.parse(found.restore(JSON.stringify(result))),
  }
}

const colours = {
  colours: {
    type: "array",
    title: "Colours",
    description: "Which do you like?",
    minItems: 1,
    items: {
      anyOf: [
        { const: "#f00", title: "Red" },
        { const: "#0f0", title: "Green" },
      ],
    },
  },
}

describe("a choice of several, for a client of 2025-06-18", () => {
  it("is a text that says what there is to choose from", () => {
    expect(said(colours).params.requestedSchema.properties.colours).toEqual({
      type: "string",
      title: "Colours",
      description: "Which do you like? Any of these, separated by commas: #f00 (Red), #0f0 (Green)",
    })
  })

  it("is a list again when it is answered, by values or by titles", () => {
    const { restore } = said(colours)
    expect(restore({ action: "accept", content: { colours: "Red, #0f0,Red" } })).toEqual({
      action: "accept",
      content: { colours: ["#f00", "#0f0"] },
    })
    expect(restore({ action: "accept", content: { colours: "" } })).toMatchObject({ content: { colours: [] } })
  })

  it("is declined where what was typed stands for nothing", () => {
    expect(said(colours).restore({ action: "accept", content: { colours: "Blue" } })).toEqual({ action: "decline" })
    expect(said(colours).restore({ action: "cancel" })).toEqual({ action: "cancel" })
  })

  it("cannot be asked where a value holds a comma", () => {
    const list = { type: "array", items: { type: "string", enum: ["a,b", "c"] } }
    expect(askToLegacy("elicitation/create", form({ list }), "2025-06-18", "id-1")).toBeUndefined()
  })

  it("stays what it is for a newer client", () => {
    expect(said(colours, "2025-11-25").params.requestedSchema.properties).toEqual(colours)
  })
})

it("titles of single choices become names, and defaults of anything but yes and no are left out", () => {
  const { params } = said({
    one: { type: "string", oneOf: [{ const: "a", title: "A" }], default: "a" },
    yes: { type: "boolean", default: true },
  })
  expect(params).not.toHaveProperty("mode")
  expect(params.requestedSchema.properties).toEqual({
    one: { type: "string", enum: ["a"], enumNames: ["A"] },
    yes: { type: "boolean", default: true },
  })
})

it("somewhere to go has a name, and cannot be said before 2025-11-25", () => {
  const url = JSON.stringify({ mode: "url", message: "?", url: "https://example.test" })
  expect(askToLegacy("elicitation/create", url, "2025-06-18", "id-1")).toBeUndefined()
  expect(JSON.parse(askToLegacy("elicitation/create", url, "2025-11-25", "id-1")?.params ?? "")).toMatchObject({
    elicitationId: "id-1",
    url: "https://example.test",
  })
})
