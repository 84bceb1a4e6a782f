/** Documents as they are found: large, circular, contradictory, and written by several hands. */
import { describe, expect, it } from "vitest"
import { toolsOf } from "../../../protocols/openapi/document.ts"
import { isMap, type Json, mapAt } from "../../../protocols/openapi/json.ts"
import type { Operation } from "../../../protocols/openapi/Operation.ts"
import { requestOf } from "../../../protocols/openapi/request.ts"

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

const ugly: Json = {
  openapi: "3.1.0",
  info: { title: "Everything at once", version: "0" },
  servers: [
    {
      url: "https://{region}.example.test:{port}/{base}/",
      variables: { region: { default: "eu" }, port: { default: "8443" }, base: { default: "v2" } },
    },
    { url: "https://never.example.test/other" },
  ],
  security: [{ token: [] }],
  webhooks: { happened: { post: { operationId: "notATool", responses: {} } } },
  paths: {
    "/nodes/{id}": {
      summary: "of a path",
      servers: [{ url: "/internal" }],
      parameters: [
        { name: "id", in: "path", required: true, schema: { type: ["string", "integer"] } },
        { $ref: "#/components/parameters/Verbose" },
        { name: "X-Api-Key", in: "header", schema: { type: "string" } },
      ],
      get: {
        operationId: "node",
        responses: {},
        parameters: [{ name: "verbose", in: "query", schema: { type: "integer" } }],
      },
      put: {
        operationId: "node",
        requestBody: { $ref: "#/components/requestBodies/Node" },
        security: [{ key: [] }, {}],
      },
      delete: { operationId: "drop it / now!", deprecated: true },
    },
    "/search": {
      get: {
        operationId: "search",
        parameters: [
          { name: "filter", in: "query", style: "deepObject", explode: true, schema: ref("Filter") },
          {
            name: "ids",
            in: "query",
            style: "pipeDelimited",
            explode: false,
            schema: { type: "array", items: { type: "integer" } },
          },
          { name: "raw", in: "query", content: { "application/json": { schema: ref("Filter") } } },
          { name: "session", in: "cookie", schema: { type: "string" } },
        ],
      },
    },
    "/upload": {
      post: {
        operationId: "upload",
        requestBody: {
          required: true,
          content: {
            "application/xml": { schema: { type: "string" } },
            "multipart/form-data": {
              schema: {
                type: "object",
                properties: {
                  file: { type: "string", contentMediaType: "application/octet-stream" },
                  meta: ref("Node"),
                },
              },
              encoding: { meta: { contentType: "application/json" } },
            },
          },
        },
      },
    },
    "/elsewhere": {
      post: {
        operationId: "elsewhere",
        requestBody: { content: { "application/json": { schema: { $ref: "./other.yaml#/Thing" } } } },
      },
    },
    "/circle": { post: { operationId: "circle", requestBody: { $ref: "#/components/requestBodies/Round" } } },
    "/lost/{who}": { get: { operationId: "lost" } },
    "x-extension": { get: { operationId: "noPath" } },
  },
  components: {
    securitySchemes: {
      token: { type: "http", scheme: "bearer" },
      key: { type: "apiKey", in: "header", name: "X-Api-Key" },
    },
    parameters: { Verbose: { name: "verbose", in: "query", schema: { type: "boolean" } } },
    requestBodies: {
      Node: { required: true, content: { "application/json": { schema: ref("Node") } } },
      Round: { $ref: "#/components/requestBodies/Round" },
    },
    schemas: {
      Node: {
        allOf: [
          ref("Named"),
          {
            type: "object",
            properties: {
              children: { type: "array", items: ref("Node") },
              parent: { anyOf: [ref("Node"), { type: "null" }] },
            },
          },
        ],
        discriminator: { propertyName: "kind", mapping: { leaf: "#/components/schemas/Leaf" } },
      },
      Named: {
        type: "object",
        required: ["name", "id"],
        properties: {
          name: { type: "string" },
          id: { type: "string", readOnly: true },
          secret: { type: "string", writeOnly: true },
        },
      },
      Leaf: { allOf: [ref("Node"), { not: { required: ["children"] } }] },
      Filter: {
        oneOf: [
          { type: "object", properties: { and: { type: "array", items: ref("Filter") } } },
          { type: "object", additionalProperties: { type: ["string", "null"] } },
        ],
      },
    },
  },
}

const { operations, unusable } = toolsOf(ugly)
const byName = new Map(operations.map((one) => [one.name, one]))
const operation = (name: string): Operation => {
  const found = byName.get(name)
  if (found === undefined) throw new Error(`no ${name} among ${[...byName.keys()].join(", ")}`)
  return found
}
const group = (name: string, place: string): Json =>
  mapAt(mapAt(operation(name).tool.inputSchema, "properties")[place] ?? null, "properties")

const references = (value: Json): ReadonlyArray<string> =>
  Array.isArray(value)
    ? value.flatMap(references)
    : isMap(value)
      ? Object.entries(value).flatMap(([key, one]) => (key === "$ref" ? [String(one)] : references(one)))
      : []

describe("a document that has everything", () => {
  it("gives a tool for each operation of its paths, each under a name of its own, and says why others are none", () => {
    expect([...byName.keys()]).toEqual(["node", "node_2", "drop_it_now_", "search", "upload"])
    expect(unusable.map(({ operation: one }) => one.split(" ")[0])).toEqual(["elsewhere", "circle", "lost"])
    expect(unusable.map(({ why }) => why).join("\n")).toMatch(/another document[\s\S]*circle[\s\S]*\{who\}/)
  })

  it("leads to the server nearest to an operation, by its path only", () => {
    expect(operation("node").prefix).toBe("/internal")
    expect(operation("search").prefix).toBe("/v2")
  })

  it("has the parameters of a path in all of its operations, unless they have their own, and none with credentials", () => {
    expect(group("node", "query")).toEqual({ verbose: { type: "integer" } })
    expect(group("node_2", "query")).toEqual({ verbose: { type: "boolean" } })
    expect(group("node", "path")).toEqual({ id: { type: ["string", "integer"] } })
    expect(group("node", "header")).toEqual({ "X-Api-Key": { type: "string" } })
    expect(mapAt(operation("node_2").tool.inputSchema, "properties")).not.toHaveProperty("header")
  })

  it("has schemas that stand on their own although they go in circles", () => {
    for (const { tool } of operations) {
      const defs = Object.keys(mapAt(tool.inputSchema, "$defs"))
      for (const one of references(tool.inputSchema)) expect(defs).toContain(one.replace("#/$defs/", ""))
    }
    const body = JSON.stringify(operation("node_2").tool.inputSchema)
    expect(body).toContain("secret")
    // What only ever comes back is not asked for.
    expect(body).toContain('"required":["name"]')
    expect(body).not.toContain("discriminator")
  })

  it("is called in every style at once", () => {
    const made = requestOf(
      operation("search"),
      { query: { filter: { a: { b: "x y" } }, ids: [1, 2], raw: { and: [] } }, cookie: { session: "s;1" } },
      "b",
    )
    expect(made.query).toBe("filter[a][b]=x%20y&ids=1%7C2&raw=%7B%22and%22%3A%5B%5D%7D")
    expect(made.headers).toEqual(["cookie", "session=s%3B1"])
    const upload = requestOf(operation("upload"), { body: { file: "AAEC", meta: { name: "n" } } }, "b")
    const text = Buffer.from(upload.body ?? []).toString("latin1")
    expect(text).toContain('name="file"; filename="file"')
    expect(text).toContain('content-type: application/json\r\n\r\n{"name":"n"}')
    expect(text).toContain("\u0000\u0001\u0002")
  })
})

it("five thousand operations are five thousand tools", { timeout: 60_000 }, () => {
  const paths = Object.fromEntries(
    Array.from({ length: 2_500 }, (_, i): [string, Json] => [
      `/things/${i}/{id}`,
      {
        parameters: [{ name: "id", in: "path", required: true, schema: { type: ["integer", "string"] } }],
        get: { parameters: [{ name: "depth", in: "query", schema: ref("Depth") }] },
        put: { operationId: "put", requestBody: { content: { "application/json": { schema: ref("Thing") } } } },
      },
    ]),
  )
  const schemas = {
    Depth: { type: "integer", minimum: 0 },
    Thing: { allOf: [{ type: "object", properties: { parts: { type: "array", items: ref("Thing") } } }] },
  }
  const made = toolsOf({ openapi: "3.1.0", paths, components: { schemas } })
  expect(made.unusable).toEqual([])
  expect(new Set(made.operations.map(({ name }) => name)).size).toBe(5_000)
})

it("a thousand operations on shared schemas are a thousand tools, and not a multiple of the document", () => {
  const paths = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i): [string, Json] => [
      `/things/${i}`,
      { post: { requestBody: { content: { "application/json": { schema: ref(`S${i % 40}`) } } } } },
    ]),
  )
  const schemas = Object.fromEntries(
    Array.from({ length: 40 }, (_, i): [string, Json] => [
      `S${i}`,
      { type: "object", properties: { next: ref(`S${(i + 1) % 40}`), text: { type: "string" } } },
    ]),
  )
  const made = toolsOf({ openapi: "3.1.0", paths, components: { schemas } })
  expect(made.operations).toHaveLength(1_000)
  expect(new Set(made.operations.map(({ name }) => name)).size).toBe(1_000)
  const longest = Math.max(...made.operations.map(({ tool }) => JSON.stringify(tool).length))
  expect(longest).toBeLessThan(40_000)
})
