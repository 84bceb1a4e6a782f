import { describe, expect, it } from "vitest"
import { everything, nameOf, toolsOf, type Choice } from "../../../protocols/openapi/document.ts"
import type { Json } from "../../../protocols/openapi/json.ts"

const api = (paths: Json, more: Record<string, Json> = {}): Json => ({
  openapi: "3.1.0",
  info: { title: "Pets", version: "1" },
  paths,
  ...more,
})

const only = (paths: Json, more: Record<string, Json> = {}, choice: Choice = everything) => {
  const { operations, unusable } = toolsOf(api(paths, more), choice)
  expect(unusable).toEqual([])
  const [first] = operations
  if (first === undefined) throw new Error("there is no operation")
  return first
}

const unusable = (paths: Json, more: Record<string, Json> = {}) =>
  toolsOf(api(paths, more)).unusable.map(({ operation, why }) => `${operation}: ${why}`)

describe("a document", () => {
  it.each([
    [{}, "it is no OpenAPI document: it lacks `openapi: 3.…`"],
    [null, "it is no OpenAPI document: it lacks `openapi: 3.…`"],
    [{ swagger: "2.0" }, "it is of version 2.0, and 3.0 and 3.1 are understood"],
    [{ openapi: "4.0.0" }, "it is of version 4.0.0, and 3.0 and 3.1 are understood"],
  ])("%j is refused as a whole", (document, message) => {
    expect(() => toolsOf(document as Json)).toThrow(message)
  })

  it("gives a tool for each operation, in the order of the document, whatever else is in it", () => {
    const { operations, title } = toolsOf(
      api({
        "/pets": { summary: "s", get: { operationId: "list" }, post: { operationId: "create" }, "x-get": {} },
        "x-path": { get: { operationId: "none" } },
        "/pets/{id}": { parameters: [{ name: "id", in: "path", required: true }], delete: {} },
      }),
    )
    expect(operations.map(({ name }) => name)).toEqual(["list", "create", "delete_pets_id"])
    expect(title).toBe("Pets")
  })

  it("chooses by tag and by name, and leaving out wins", () => {
    const paths = {
      "/a": { get: { operationId: "getA", tags: ["x"] }, delete: { operationId: "deleteA", tags: ["x"] } },
      "/b": { get: { operationId: "getB", tags: ["y"] } },
      "/c": { get: { operationId: "getC" } },
    }
    const named = (choice: Partial<Choice>) =>
      toolsOf(api(paths), { ...everything, ...choice }).operations.map(({ name }) => name)
    expect(named({ include: { tags: ["x"], operations: ["getC"] } })).toEqual(["getA", "deleteA", "getC"])
    expect(named({ exclude: { tags: ["y"], operations: ["delete*"] } })).toEqual(["getA", "getC"])
    expect(named({ include: { tags: ["x"], operations: [] }, exclude: { tags: [], operations: ["deleteA"] } })).toEqual(
      ["getA"],
    )
  })

  it("leaves out what cannot be a tool, and says why", () => {
    expect(
      unusable({
        "/a/{id}": { get: { operationId: "a" } },
        "/b": { get: { operationId: "b", parameters: [{ $ref: "http://other.example/p.json" }] } },
        "/c": { get: { operationId: "c", parameters: [{ $ref: "#/components/parameters/none" }] } },
        "/d": { get: { parameters: [{ name: "x", in: "nowhere" }] } },
        "/e": { get: { operationId: "e", parameters: [{ name: "x", in: "path", style: "form" }] } },
        "/f": { $ref: "#/paths/~1f" },
      }),
    ).toEqual([
      "a (GET /a/{id}): its path has the placeholder {id} and no parameter for it",
      'b (GET /b): it refers to another document, "http://other.example/p.json"',
      "c (GET /c): nothing is at #/components/parameters/none",
      'GET /d: its parameter x is in "nowhere"',
      'e (GET /e): its parameter x has the style "form", which does not go with path',
      ...["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"].map(
        (method) => `${method} /f: #/paths/~1f leads in a circle`,
      ),
    ])
  })

  it("gives names that every client takes, each once", () => {
    const { operations } = toolsOf(
      api({
        "/a": { get: { operationId: "pets/list all" }, put: { operationId: "pets list-all" } },
        "/b": { get: { operationId: "pets list all" }, put: { operationId: "x".repeat(200) } },
      }),
    )
    expect(operations.map(({ name }) => name)).toEqual([
      "pets_list_all",
      "pets_list-all",
      "pets_list_all_2",
      "x".repeat(128),
    ])
    expect(nameOf(undefined, "get", "/a/{b}/c.d")).toBe("get_a_b_c.d")
  })
})

describe("an operation", () => {
  it("is described, and says what its method means", () => {
    const { tool } = only({ "/a": { get: { operationId: "a", summary: "Short", description: "Long" } } })
    expect(tool).toMatchObject({ name: "a", title: "Short", description: "Long", annotations: { readOnlyHint: true } })
    expect(only({ "/a": { put: {} } }).tool).toMatchObject({
      description: "PUT /a",
      annotations: { readOnlyHint: false, idempotentHint: true, destructiveHint: true },
    })
  })

  it("takes its arguments in groups, each required when something in it is", () => {
    const { parameters, tool } = only({
      "/a/{id}": {
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "integer" } },
          { name: "X-Trace", in: "header", schema: { type: "string" } },
          { name: "limit", in: "query", schema: { type: "integer" } },
        ],
        post: {
          operationId: "a",
          parameters: [
            { name: "x-trace", in: "header", description: "Own.", schema: { type: "integer" } },
            {
              name: "filter",
              in: "query",
              required: true,
              content: { "application/json": { schema: { type: "object" } } },
            },
            { name: "sid", in: "cookie", schema: { type: "string" } },
            { name: "Accept", in: "header", schema: { type: "string" } },
          ],
          requestBody: { required: true, content: { "application/json": { schema: { type: "object" } } } },
        },
      },
    })
    expect(tool.inputSchema).toEqual({
      type: "object",
      required: ["body", "path", "query"],
      properties: {
        body: { type: "object" },
        path: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
        query: {
          type: "object",
          properties: { limit: { type: "integer" }, filter: { type: "object" } },
          required: ["filter"],
        },
        header: { type: "object", properties: { "x-trace": { type: "integer", description: "Own." } } },
        cookie: { type: "object", properties: { sid: { type: "string" } } },
      },
    })
    expect(parameters.find(({ name }) => name === "filter")?.style).toBe("json")
  })

  it("asks nobody for credentials, which are the gateway's business", () => {
    const operation = only(
      {
        "/a": {
          get: {
            security: [{ key: [] }],
            parameters: [
              { name: "X-API-Key", in: "header", schema: {} },
              { name: "authorization", in: "header", schema: {} },
              { name: "q", in: "query", schema: {} },
            ],
          },
        },
      },
      { components: { securitySchemes: { key: { type: "apiKey", in: "header", name: "x-api-key" } } } },
    )
    expect(operation.parameters.map(({ name }) => name)).toEqual(["q"])
    expect(operation.isSecured).toBe(true)
    expect(only({ "/a": { get: { security: [{}] } } }, { security: [{ key: [] }] }).isSecured).toBe(false)
  })

  it.each([
    [{ "application/xml": {}, "application/json": {} }, "json", "application/json"],
    [{ "application/vnd.api+json; v=1": {} }, "json", "application/vnd.api+json; v=1"],
    [{ "*/*": {} }, "json", "application/json"],
    [{ "text/plain": {}, "application/x-www-form-urlencoded": {} }, "form", "application/x-www-form-urlencoded"],
    [{ "multipart/form-data": {}, "application/octet-stream": {} }, "multipart", "multipart/form-data"],
    [{ "application/pdf": {} }, "bytes", "application/pdf"],
  ])("with a body of %j sends it as %s", (content, kind, mediaType) => {
    expect(only({ "/a": { post: { requestBody: { content } } } }).body).toMatchObject({ kind, mediaType })
  })

  it("goes below the path of its server, and to no other host", () => {
    const prefix = (more: Record<string, Json>, own: Record<string, Json> = {}, choice: Partial<Choice> = {}) =>
      only({ "/a": { get: own } }, more, { ...everything, ...choice }).prefix
    expect(prefix({})).toBe("")
    expect(prefix({ servers: [{ url: "https://api.example/v1/" }, { url: "https://other.example/v2" }] })).toBe("/v1")
    expect(prefix({ servers: [{ url: "/{v}/x", variables: { v: { default: "v3" } } }] })).toBe("/v3/x")
    expect(prefix({ servers: [{ url: "/v1" }] }, { servers: [{ url: "/own" }] })).toBe("/own")
    expect(prefix({ servers: [{ url: "/v1" }] }, {}, { basePath: "/mine" })).toBe("/mine")
  })

  it("says what its results look like where that is wanted", () => {
    const responses = {
      default: { content: { "application/json": { schema: { type: "string" } } } },
      "200": { $ref: "#/components/responses/ok" },
    }
    const components = {
      responses: { ok: { content: { "application/json": { schema: { $ref: "#/components/schemas/P" } } } } },
      schemas: { P: { type: "array", items: { properties: { pw: { writeOnly: true }, id: { readOnly: true } } } } },
    }
    const asked = only({ "/a": { get: { responses } } }, { components }, { ...everything, outputSchema: true })
    expect(asked.tool["outputSchema"]).toEqual({
      type: "object",
      properties: { data: { type: "array", items: { properties: { id: { readOnly: true } } } } },
      required: ["data"],
    })
    expect(only({ "/a": { get: { responses } } }, { components }).tool["outputSchema"]).toBeUndefined()
  })
})

describe("schemas", () => {
  const body = (schema: Json, schemas: Record<string, Json> = {}, openapi = "3.1.0") => {
    const { tool } = only(
      { "/a": { post: { requestBody: { content: { "application/json": { schema } } } } } },
      { openapi, components: { schemas } },
    )
    const input = tool.inputSchema as { properties: { body: Json }; $defs?: Json }
    return { body: input.properties.body, defs: input.$defs }
  }
  const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

  it("stand on their own, with references written out", () => {
    const { body: schema, defs } = body(
      { allOf: [ref("A"), { properties: { b: ref("B") } }] },
      {
        A: { type: "object", properties: { b: ref("B") } },
        B: { oneOf: [{ type: "string" }, { not: ref("C") }] },
        C: {},
      },
    )
    const b = { oneOf: [{ type: "string" }, { not: {} }] }
    expect(schema).toEqual({ allOf: [{ type: "object", properties: { b } }, { properties: { b } }] })
    expect(defs).toBeUndefined()
  })

  it("that contain themselves are kept once", () => {
    const { body: schema, defs } = body(ref("Tree"), {
      Tree: { type: "object", properties: { children: { type: "array", items: ref("Tree") }, to: ref("Other") } },
      Other: { properties: { back: ref("Tree") } },
    })
    expect(schema).toMatchObject({ properties: { children: { items: { $ref: "#/$defs/Tree" } } } })
    expect(defs).toEqual({
      Tree: {
        type: "object",
        properties: {
          children: { type: "array", items: { $ref: "#/$defs/Tree" } },
          to: { properties: { back: { $ref: "#/$defs/Tree" } } },
        },
      },
    })
  })

  it("that would multiply without end are kept once too", () => {
    const schemas: Record<string, Json> = { S0: { type: "string" } }
    for (let i = 1; i <= 20; i++) {
      schemas[`S${i}`] = { properties: { a: ref(`S${i - 1}`), b: ref(`S${i - 1}`), c: ref(`S${i - 1}`) } }
    }
    const { body: schema, defs } = body(ref("S20"), schemas)
    expect(JSON.stringify([schema, defs]).length).toBeLessThan(400_000)
    expect(Object.keys(defs as object).length).toBeGreaterThan(0)
  })

  it("too large for any model leave the operation out", () => {
    const properties = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`p${i}`, {}]))
    const found = unusable({
      "/a": {
        post: { operationId: "a", requestBody: { content: { "application/json": { schema: { properties } } } } },
      },
    })
    expect(found).toEqual(["a (POST /a): its schemas are too large"])
  })

  it("of 3.0 are written in the words of today", () => {
    const { body: schema } = body(
      {
        properties: {
          a: { type: "string", nullable: true, enum: ["x"], example: "x" },
          b: { type: "integer", minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false },
          c: { ...ref("C"), description: "ignored beside a reference" },
          d: { allOf: [ref("C")], nullable: true },
        },
        discriminator: { propertyName: "a" },
        "x-own": 1,
      },
      { C: { type: "boolean" } },
      "3.0.3",
    )
    expect(schema).toEqual({
      properties: {
        a: { type: ["string", "null"], enum: ["x", null], examples: ["x"] },
        b: { type: "integer", exclusiveMinimum: 1, maximum: 9 },
        c: { type: "boolean" },
        d: { anyOf: [{ allOf: [{ type: "boolean" }] }, { type: "null" }] },
      },
    })
  })

  it("of 3.1 keep what stands beside a reference", () => {
    const schemas = { C: { type: "string", description: "general" } }
    expect(body({ ...ref("C"), description: "special" }, schemas).body).toEqual({
      type: "string",
      description: "special",
    })
    expect(body({ ...ref("C"), maxLength: 3 }, schemas).body).toEqual({
      allOf: [{ type: "string", description: "general" }],
      maxLength: 3,
    })
  })

  it("do not ask for what is only ever received", () => {
    expect(
      body({ properties: { id: { readOnly: true }, name: { writeOnly: true } }, required: ["id", "name"] }).body,
    ).toEqual({ properties: { name: { writeOnly: true } }, required: ["name"] })
  })
})
