import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { toolsOf } from "../../../protocols/openapi/document.ts"
import type { Json } from "../../../protocols/openapi/json.ts"
import { requestOf } from "../../../protocols/openapi/request.ts"
import { expand, type TemplateValue } from "../../oracle/uriTemplate.ts"

const word = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 8 })
  .filter((text) => text.isWellFormed() && !/^\.{1,2}$/.test(text))
const key = fc.string({ unit: fc.constantFrom("a", "b", "Z", "_", "é", "&", "="), minLength: 1, maxLength: 4 })
const value: fc.Arbitrary<TemplateValue> = fc.oneof(
  word,
  fc.array(word, { minLength: 1, maxLength: 4 }),
  fc.dictionary(key, word, { minKeys: 1, maxKeys: 4 }).map((one) => ({ ...one })),
)
/** Names that need no escaping, which those of headers and cookies cannot have. */
const name = fc.constantFrom("p", "filter", "X_1")

const operationOf = (path: string, parameter: Record<string, Json>) => {
  const [operation] = toolsOf({ openapi: "3.1.0", paths: { [path]: { get: { parameters: [parameter] } } } }).operations
  if (operation === undefined) throw new Error("there is no operation")
  return operation
}

const styles = { simple: "", label: ".", matrix: ";" } as const

describe("a parameter", () => {
  it("in a path is what RFC 6570 makes of it, in every style", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("simple", "label", "matrix"),
        fc.boolean(),
        name,
        value,
        (style, explode, p, given) => {
          const operation = operationOf(`/a/{${p}}/z`, { name: p, in: "path", required: true, style, explode })
          const { path } = requestOf(operation, { path: { [p]: given as Json } }, "b")
          expect(path).toBe(`/a/${expand(styles[style], p, explode, given)}/z`)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it("in a query is what RFC 6570 makes of it, in the style of forms", () => {
    fc.assert(
      fc.property(fc.boolean(), name, value, (explode, p, given) => {
        const operation = operationOf("/a", { name: p, in: "query", style: "form", explode })
        const { query } = requestOf(operation, { query: { [p]: given as Json } }, "b")
        expect(`?${query}`).toBe(expand("?", p, explode, given))
      }),
      { numRuns: 2_000 },
    )
  })

  it("in a deep object is read back by whoever knows brackets, member by member", () => {
    const leaf = fc.string({ unit: "grapheme", maxLength: 8 }).filter((text) => text.isWellFormed())
    const deep = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { minKeys: 1, maxKeys: 3 })), {
      minKeys: 1,
      maxKeys: 4,
    })
    fc.assert(
      fc.property(deep, (given) => {
        const operation = operationOf("/a", { name: "f", in: "query", style: "deepObject", explode: true })
        const { query = "" } = requestOf(operation, { query: { f: given as Json } }, "b")
        const expected = Object.entries(given).flatMap(([outer, one]) =>
          typeof one === "string"
            ? [[`f[${outer}]`, one]]
            : Object.entries(one).map(([inner, text]) => [`f[${outer}][${inner}]`, text]),
        )
        expect([...new URLSearchParams(query)]).toEqual(expected)
      }),
    )
  })

  it("with a separator of its own is read back by whoever splits at it", () => {
    const plain = fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }).filter((text) => text.isWellFormed())
    const cases = fc.constantFrom(["spaceDelimited", "%20"] as const, ["pipeDelimited", "%7C"] as const)
    fc.assert(
      fc.property(
        cases,
        fc.array(
          plain.filter((text) => !/[ |]/.test(text)),
          { minLength: 1, maxLength: 4 },
        ),
        (style, given) => {
          const operation = operationOf("/a", { name: "p", in: "query", style: style[0], explode: false })
          const { query = "" } = requestOf(operation, { query: { p: given } }, "b")
          expect(query.slice(2).split(style[1]).map(decodeURIComponent)).toEqual(given)
        },
      ),
    )
  })

  it("in a form of a body is read back by whoever reads forms", async () => {
    const [operation] = toolsOf({
      openapi: "3.0.3",
      paths: {
        "/a": {
          post: { requestBody: { content: { "application/x-www-form-urlencoded": { schema: { type: "object" } } } } },
        },
      },
    }).operations
    if (operation === undefined) throw new Error("there is no operation")
    const text = fc.string({ unit: "grapheme", maxLength: 8 }).filter((one) => one.isWellFormed())
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(key, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 }))),
        async (given) => {
          const { body, headers } = requestOf(operation, { body: given as Json }, "b")
          const type = headers[headers.indexOf("content-type") + 1] as string
          if (Object.keys(given).length === 0) return
          const read = await new Response(new Uint8Array(body ?? []), { headers: { "content-type": type } }).formData()
          const expected = Object.entries(given).flatMap(([name, one]) =>
            (Array.isArray(one) ? one : [one]).map((t) => [name, t]),
          )
          expect([...read]).toEqual(expected)
        },
      ),
    )
  })

  it("in a body of parts is read back by whoever reads parts, bytes included", async () => {
    const [operation] = toolsOf({
      openapi: "3.1.0",
      paths: {
        "/a": {
          post: {
            requestBody: {
              content: {
                "multipart/form-data": {
                  schema: {
                    type: "object",
                    properties: { note: { type: "string" }, file: { type: "string", format: "binary" } },
                  },
                },
              },
            },
          },
        },
      },
    }).operations
    if (operation === undefined) throw new Error("there is no operation")
    const text = fc.string({ unit: "grapheme", maxLength: 12 }).filter((one) => one.isWellFormed())
    await fc.assert(
      fc.asyncProperty(text, fc.uint8Array({ maxLength: 64 }), async (note, bytes) => {
        const file = Buffer.from(bytes).toString("base64")
        const { body, headers } = requestOf(operation, { body: { note, file } }, "sluice-0123456789")
        const type = headers[headers.indexOf("content-type") + 1] as string
        const read = await new Response(new Uint8Array(body ?? []), { headers: { "content-type": type } }).formData()
        expect(read.get("note")).toBe(note)
        expect(new Uint8Array(await (read.get("file") as File).arrayBuffer())).toEqual(bytes)
      }),
    )
  })
})
