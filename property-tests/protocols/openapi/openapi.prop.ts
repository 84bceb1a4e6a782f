import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { toolsOf, UnusableDocument } from "../../../protocols/openapi/document.ts"
import { isMap, type Json } from "../../../protocols/openapi/json.ts"
import { requestOf, WrongArguments } from "../../../protocols/openapi/request.ts"
import { resultOf } from "../../../protocols/openapi/result.ts"

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>

/** Schemas that refer to each other at will, themselves included. */
const names = ["A", "B", "C", "D"] as const
const schema: fc.Arbitrary<Json> = fc.letrec<{ schema: Json }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>({ type: "string" }, { type: "integer", nullable: true }, {}, true),
    fc.constantFrom(...names).map((name): Json => ({ $ref: `#/components/schemas/${name}` })),
    fc.record({ type: fc.constant("array"), items: tie("schema") }),
    fc.record({ type: fc.constant("object"), properties: fc.dictionary(fc.constantFrom("x", "y"), tie("schema")) }),
    fc.record({ allOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ oneOf: fc.array(tie("schema"), { minLength: 1, maxLength: 2 }) }),
  ),
})).schema

const schemas = fc.record({ A: schema, B: schema, C: schema, D: schema })

const document = (body: Json, components: Json, version = "3.1.0"): Json => ({
  openapi: version,
  paths: { "/a": { post: { operationId: "a", requestBody: { content: { "application/json": { schema: body } } } } } },
  components: { schemas: components },
})

const referencesIn = (value: Json): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (!isMap(value)) return []
  return Object.entries(value).flatMap(([key, one]) =>
    key === "$ref" && typeof one === "string" ? [one] : referencesIn(one),
  )
}

describe("a document", () => {
  it("is either tools or a reason, and nothing else, whatever it is", () => {
    const anything = fc.oneof(
      json,
      fc.record({ openapi: fc.constant("3.1.0"), paths: json }),
      fc.record({
        openapi: fc.constantFrom("3.0.1", "3.1.0"),
        paths: fc.dictionary(fc.constantFrom("/a", "/{b}"), fc.dictionary(fc.constantFrom("get", "post"), json)),
      }),
    ) as fc.Arbitrary<Json>
    fc.assert(
      fc.property(anything, (given) => {
        try {
          const { operations } = toolsOf(given)
          expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length)
          for (const { name } of operations) expect(name).toMatch(/^[A-Za-z0-9_.-]{1,128}$/)
        } catch (cause) {
          expect(cause).toBeInstanceOf(UnusableDocument)
        }
      }),
    )
  })

  it("gives schemas that refer to nothing but themselves, and to nothing that is not there", () => {
    fc.assert(
      fc.property(schema, schemas, fc.constantFrom("3.0.0", "3.1.0"), (body, components, version) => {
        const [operation] = toolsOf(document(body, components, version)).operations
        if (operation === undefined) return
        const input = operation.tool.inputSchema
        const defs = isMap(input) && isMap(input["$defs"]) ? Object.keys(input["$defs"]) : []
        for (const reference of referencesIn(input)) {
          expect(defs.map((name) => `#/$defs/${name}`)).toContain(reference)
        }
      }),
    )
  })
})

const styles = fc.oneof(
  fc.record({ in: fc.constant("path"), style: fc.constantFrom("simple", "label", "matrix") }),
  fc.record({
    in: fc.constant("query"),
    style: fc.constantFrom("form", "spaceDelimited", "pipeDelimited", "deepObject"),
  }),
  fc.record({ in: fc.constant("header"), style: fc.constant("simple") }),
  fc.record({ in: fc.constant("cookie"), style: fc.constant("form") }),
)

describe("a request", () => {
  it("stays on the operation's own path and carries no more fields than there are parameters, whatever the values", () => {
    fc.assert(
      fc.property(styles, fc.boolean(), json, (style, explode, value) => {
        const path = style.in === "path" ? "/a/{p}/z" : "/a/z"
        const [operation] = toolsOf({
          openapi: "3.1.0",
          paths: { [path]: { get: { parameters: [{ name: "p", required: false, explode, ...style }] } } },
        } as Json).operations
        if (operation === undefined) throw new Error("there is no operation")
        try {
          const made = requestOf(operation, { [style.in]: { p: value } } as Json, "b")
          const url = new URL(`http://host${made.path}${made.query === undefined ? "" : `?${made.query}`}`)
          expect(url.pathname).toBe(made.path)
          expect(url.hash).toBe("")
          expect(made.path.split("/").length).toBe(path.split("/").length)
          expect(made.path.startsWith("/a/") && made.path.endsWith("/z")).toBe(true)
          expect(made.headers.length).toBeLessThanOrEqual(2)
          for (const text of made.headers) expect(text).not.toMatch(/[\r\n\0]/)
        } catch (cause) {
          expect(cause).toBeInstanceOf(WrongArguments)
        }
      }),
    )
  })

  it("in a form can be read back", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((one) => one.isWellFormed())
    fc.assert(
      fc.property(text, (value) => {
        const [operation] = toolsOf({
          openapi: "3.1.0",
          paths: { "/a": { get: { parameters: [{ name: "p q", in: "query" }] } } },
        }).operations
        if (operation === undefined) throw new Error("there is no operation")
        const { query } = requestOf(operation, { query: { "p q": value } }, "b")
        expect(new URLSearchParams(query).get("p q")).toBe(value)
      }),
    )
  })
})

describe("a result", () => {
  it("is JSON, and says an error exactly for the statuses of errors", () => {
    const types = fc.constantFrom(undefined, "application/json", "text/plain", "image/png", "application/zip", "", ";;")
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 599 }),
        types,
        fc.uint8Array({ maxLength: 64 }),
        (status, contentType, bytes) => {
          const found = JSON.parse(resultOf({ status, contentType, bytes, path: "/a" })) as Record<string, unknown>
          expect(found["isError"] === true).toBe(status >= 400)
          expect(Array.isArray(found["content"])).toBe(true)
        },
      ),
    )
  })
})
