import { describe, expect, it } from "vitest"
import { toolsOf } from "../../../protocols/openapi/document.ts"
import type { Json } from "../../../protocols/openapi/json.ts"
import { requestOf, unknownArguments } from "../../../protocols/openapi/request.ts"

const operation = (parameters: Json, path = "/a", requestBody?: Json) => {
  const [found] = toolsOf({
    openapi: "3.1.0",
    servers: [{ url: "/v1" }],
    paths: { [path]: { post: { parameters, ...(requestBody === undefined ? {} : { requestBody }) } } },
  } as Json).operations
  if (found === undefined) throw new Error("there is no operation")
  return found
}

const request = (parameters: Json, args: Json, path?: string) => requestOf(operation(parameters, path), args, "b")

const color = { R: 100, G: 200 }
const list = ["blue", "black"]

const inPath = (style: string | undefined, explode: boolean, value: Json) =>
  request(
    [{ name: "c", in: "path", required: true, explode, ...(style === undefined ? {} : { style }) }],
    { path: { c: value } },
    "/a/{c}",
  ).path

describe("a value in the path", () => {
  it.each([
    [undefined, false, "blue", "blue"],
    ["simple", false, list, "blue,black"],
    ["simple", false, color, "R,100,G,200"],
    ["simple", true, color, "R=100,G=200"],
    ["label", false, "blue", ".blue"],
    ["label", false, list, ".blue,black"],
    ["label", true, list, ".blue.black"],
    ["label", true, color, ".R=100.G=200"],
    ["matrix", false, "blue", ";c=blue"],
    ["matrix", false, list, ";c=blue,black"],
    ["matrix", true, list, ";c=blue;c=black"],
    ["matrix", true, color, ";R=100;G=200"],
    [undefined, false, 12, "12"],
    [undefined, false, "a/b?c#d é", "a%2Fb%3Fc%23d%20%C3%A9"],
  ])("of style %s, exploded %s: %j is %s", (style, explode, value, text) => {
    expect(inPath(style, explode, value)).toBe(`/v1/a/${text}`)
  })

  it.each([["."], [".."], ["%2e%2E"], ["%2e"]])("cannot be %s, which leads elsewhere", (value) => {
    if (value.startsWith("%")) expect(inPath(undefined, false, value)).toBe(`/v1/a/${value.replaceAll("%", "%25")}`)
    else expect(() => inPath(undefined, false, value)).toThrow("a path parameter cannot be `.` or `..`")
  })

  it("cannot be empty or missing", () => {
    expect(() => inPath(undefined, false, "")).toThrow("a path parameter cannot be empty")
    expect(() => request([{ name: "c", in: "path" }], {}, "/a/{c}")).toThrow("`path.c` is required")
    expect(() => request([{ name: "c", in: "path" }], { path: { c: null } }, "/a/{c}")).toThrow("`path.c` is required")
  })

  it("is put in as it is, whatever it looks like", () => {
    expect(inPath(undefined, false, "$&$1")).toBe("/v1/a/%24%26%241")
  })
})

const inQuery = (
  style: string | undefined,
  explode: boolean | undefined,
  value: Json,
  more: Record<string, Json> = {},
) =>
  request(
    [
      {
        name: "c",
        in: "query",
        ...(style === undefined ? {} : { style }),
        ...(explode === undefined ? {} : { explode }),
        ...more,
      },
    ],
    { query: { c: value } },
  ).query

describe("a value in the query", () => {
  it.each([
    [undefined, undefined, list, "c=blue&c=black"],
    [undefined, undefined, color, "R=100&G=200"],
    ["form", false, list, "c=blue,black"],
    ["form", false, color, "c=R,100,G,200"],
    ["spaceDelimited", false, list, "c=blue%20black"],
    ["pipeDelimited", false, list, "c=blue%7Cblack"],
    ["deepObject", true, color, "c[R]=100&c[G]=200"],
    ["deepObject", true, { a: { b: [1, 2] }, "x]&": true }, "c[a][b]=1&c[a][b]=2&c[x]%26]=true"],
    [undefined, undefined, "a&b=c d+e", "c=a%26b%3Dc%20d%2Be"],
    [undefined, undefined, null, "c"],
    [undefined, undefined, "", "c="],
    [undefined, undefined, [], undefined],
  ])("of style %s, exploded %s: %j is %s", (style, explode, value, text) => {
    expect(inQuery(style, explode, value) ?? "").toBe(text ?? "")
  })

  it("may keep reserved letters, but not those that would end it", () => {
    expect(inQuery(undefined, undefined, "a/b?c:d&e#f", { allowReserved: true })).toBe("c=a/b?c:d%26e%23f")
  })

  it("may be written as JSON", () => {
    const content = { "application/json": {} }
    expect(inQuery(undefined, undefined, { a: [1] }, { content })).toBe("c=%7B%22a%22%3A%5B1%5D%7D")
  })

  it("is required where the document says so", () => {
    expect(() => request([{ name: "c", in: "query", required: true }], {})).toThrow("`query.c` is required")
  })
})

describe("a value in a header or a cookie", () => {
  it("is written as a list, and cannot carry more fields", () => {
    const header = (value: Json, explode = false) =>
      request([{ name: "X-C", in: "header", explode }], { header: { "X-C": value } }).headers
    expect(header(list)).toEqual(["x-c", "blue,black"])
    expect(header(color)).toEqual(["x-c", "R,100,G,200"])
    expect(header(color, true)).toEqual(["x-c", "R=100,G=200"])
    expect(() => header("a\r\nevil: 1")).toThrow("the header X-C cannot hold such a value")
    expect(() => header("€")).toThrow("the header X-C cannot hold such a value")
  })

  it("shares one header with other cookies", () => {
    const parameters = [
      { name: "a", in: "cookie" },
      { name: "b", in: "cookie" },
    ]
    expect(request(parameters, { cookie: { a: "1; x", b: list } }).headers).toEqual([
      "cookie",
      "a=1%3B%20x; b=blue%2Cblack",
    ])
  })
})

const bodyOf = (content: Json, body: Json | undefined, required = false) => {
  const made = requestOf(
    operation([], "/a", { required, content }),
    (body === undefined ? {} : { body }) as Json,
    "limit",
  )
  return { text: made.body === undefined ? undefined : new TextDecoder().decode(made.body), headers: made.headers }
}

describe("a body", () => {
  it("is JSON where the operation takes that", () => {
    expect(bodyOf({ "application/json": {} }, { a: [1, null] })).toEqual({
      text: '{"a":[1,null]}',
      headers: ["content-type", "application/json"],
    })
    expect(bodyOf({ "application/json": {} }, undefined)).toEqual({ text: undefined, headers: [] })
    expect(() => bodyOf({ "application/json": {} }, undefined, true)).toThrow("`body` is required")
  })

  it("may be a form", () => {
    const content = { "application/x-www-form-urlencoded": { encoding: { meta: { contentType: "application/json" } } } }
    expect(bodyOf(content, { a: "x y", b: [1, 2], meta: { c: 1 }, n: null })).toEqual({
      text: "a=x%20y&b=1&b=2&meta=%7B%22c%22%3A1%7D",
      headers: ["content-type", "application/x-www-form-urlencoded"],
    })
    expect(() => bodyOf(content, "text")).toThrow("`body` must be an object")
  })

  it("may hold files", () => {
    const schema = { properties: { file: { type: "string", format: "binary" }, note: {}, meta: {} } }
    const content = { "multipart/form-data": { schema } }
    expect(bodyOf(content, { note: "hi", file: btoa("content"), meta: { a: 1 } })).toEqual({
      headers: ["content-type", "multipart/form-data; boundary=limit"],
      text: [
        "--limit",
        'content-disposition: form-data; name="note"',
        "",
        "hi",
        "--limit",
        'content-disposition: form-data; name="file"; filename="file"',
        "content-type: application/octet-stream",
        "",
        "content",
        "--limit",
        'content-disposition: form-data; name="meta"',
        "content-type: application/json",
        "",
        '{"a":1}',
        "--limit--",
        "",
      ].join("\r\n"),
    })
    expect(() => bodyOf(content, { file: "no base64!" })).toThrow("the content of a file must be a base64 text")
  })

  it("may be text, or bytes", () => {
    expect(bodyOf({ "text/csv": {} }, "a,b").text).toBe("a,b")
    expect(bodyOf({ "application/octet-stream": {} }, btoa("bytes")).text).toBe("bytes")
  })
})

describe("arguments", () => {
  it("that no group of the operation takes are noticed", () => {
    const one = operation([{ name: "c", in: "query" }])
    expect(unknownArguments(one, { query: {}, c: 1 })).toEqual(["c"])
    expect(unknownArguments(one, undefined)).toEqual([])
  })
})
