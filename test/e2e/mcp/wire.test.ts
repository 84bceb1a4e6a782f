/** How clients of MCP use HTTP, down to its first version: what each of it is taken for, in either generation. */
import * as net from "node:net"
import { gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { begin, legacy, type McpGateway, mcpGateway, readReply, type Scripted, scripted } from "./harness.ts"

let server: Scripted
let gateway: McpGateway
let session = ""
beforeAll(async () => {
  server = await scripted(
    legacy(({ result }) => result({ tools: [{ name: "hello", inputSchema: { type: "object" } }] })),
  )
  gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
  session = (await begin(gateway.url)).id
})
afterAll(async () => {
  await gateway.close()
  await server.close()
})

interface Raw {
  /** Interim ones too, in order. */
  readonly statuses: ReadonlyArray<number>
  readonly head: string
  readonly body: string
}

/** Exactly these bytes, the later ones once something has come back, and all that does until the connection ends. */
const raw = (first: string, later = ""): Promise<Raw> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(gateway.port, "127.0.0.1", () => socket.write(first))
    const chunks: Array<Buffer> = []
    socket.once("data", () => socket.write(later))
    socket.on("data", (chunk: Buffer) => chunks.push(chunk))
    socket.on("error", reject)
    socket.on("end", () => {
      socket.end()
      const text = Buffer.concat(chunks).toString()
      const heads = text.split(/(?=^HTTP\/1\.1 \d)/m)
      const [head = "", body = ""] = (heads.at(-1) ?? "").split("\r\n\r\n", 2)
      resolve({ statuses: [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code]) => Number(code)), head, body })
    })
  })

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
}

/** The same question in either generation: the fields that go with it, and the message. */
const kinds = {
  "of a session": () => ({
    fields: { "mcp-session-id": session },
    message: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  }),
  "without one": () => ({
    fields: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" },
    message: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { _meta: meta } }),
  }),
} as const

describe.each(Object.entries(kinds))("a request %s", (_which, kind) => {
  const json = { "content-type": "application/json", accept: "application/json, text/event-stream" }
  const fetched = async (more: Record<string, string>, url = gateway.url, body?: string | Uint8Array) => {
    const { fields, message } = kind()
    const headers = new Headers({ ...json, ...fields, ...more })
    const reply = await fetch(url, { method: "POST", headers, body: (body ?? message) as string })
    return { status: reply.status, text: await reply.text(), headers: reply.headers }
  }
  const head = (line: string, more: Record<string, string>): string =>
    `${line}\r\n${Object.entries({ host: "localhost", connection: "close", ...json, ...kind().fields, ...more })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n`

  it.each([
    ["application/json", 200],
    ["application/json; charset=utf-8", 200],
    ['Application/JSON ; charset="UTF-8"', 200],
    ["application/json;profile=x", 200],
    ["text/plain", 415],
    ["application/jsonl", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415],
  ])("whose content is %s is answered by %i", async (type, status) => {
    expect((await fetched({ "content-type": type })).status).toBe(status)
  })

  it.each([
    ["*/*", 200],
    ["application/*, text/*", 200],
    ["application/json", 200],
    ["text/event-stream", 200],
    ["APPLICATION/JSON, TEXT/EVENT-STREAM", 200],
    ["text/event-stream;q=0.1, application/json; q=0.9", 200],
    ["application/json;q=0, text/event-stream", 200],
    ["text/html, application/xml", 406],
    ["application/json;q=0, text/event-stream;q=0", 406],
  ])("that accepts %s is answered by %i", async (accept, status) => {
    expect((await fetched({ accept })).status).toBe(status)
  })

  it("that says nothing of what it accepts is answered", async () => {
    const { fields, message } = kind()
    const lines = Object.entries({ "content-type": "application/json", ...fields })
    const { body, statuses } = await raw(
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join("")}content-length: ${message.length}\r\n\r\n${message}`,
    )
    expect(statuses).toEqual([200])
    expect(body).toContain('"hello"')
  })

  it.each(["/mcp/", "/mcp?x=y", "/mcp/?sessionid=other", "/", "/mcp/more"])("to %s is taken", async (path) => {
    const said = await fetched({}, new URL(path, gateway.url).href)
    expect(said.status).toBe(200)
    expect(said.text).toContain('"hello"')
  })

  it("of HTTP/1.0 is answered, and its connection ends", async () => {
    const { message } = kind()
    const {
      body,
      head: reply,
      statuses,
    } = await raw(`${head("POST /mcp HTTP/1.0", { "content-length": String(message.length) })}${message}`)
    expect(statuses).toEqual([200])
    expect(reply.toLowerCase()).not.toContain("transfer-encoding")
    expect(body).toContain('"hello"')
  })

  it("in chunks is answered", async () => {
    const { message } = kind()
    const chunks = [message.slice(0, 7), message.slice(7)].map((one) => `${one.length.toString(16)}\r\n${one}\r\n`)
    const { body, statuses } = await raw(
      `${head("POST /mcp HTTP/1.1", { "transfer-encoding": "chunked" })}${chunks.join("")}0\r\n\r\n`,
    )
    expect(statuses).toEqual([200])
    expect(body).toContain('"hello"')
  })

  it("that waits to be told to go on is told so", async () => {
    const { message } = kind()
    const { body, statuses } = await raw(
      head("POST /mcp HTTP/1.1", { "content-length": String(message.length), expect: "100-continue" }),
      message,
    )
    expect(statuses).toEqual([100, 200])
    expect(body).toContain('"hello"')
  })

  it("that begins with a byte order mark is read", async () => {
    expect((await fetched({}, undefined, `\uFEFF${kind().message}`)).text).toContain('"hello"')
  })

  it("whose content is packed is refused, and told how it may come", async () => {
    const said = await fetched({ "content-encoding": "gzip" }, undefined, gzipSync(kind().message))
    expect(said.status).toBe(415)
    expect(said.headers.get("accept-encoding")).toBe("identity")
    expect((await fetched({ "content-encoding": "identity" })).status).toBe(200)
  })

  it.each([
    ["nothing", ""],
    ["half a message", '{"jsonrpc":"2.0","id":1,'],
    ["two messages", '{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"}'],
    ["other bytes", Buffer.from('{"jsonrpc":"2.0","id":1}', "utf16le")],
  ])("that is %s is not JSON", async (_what, body) => {
    const said = await fetched({}, undefined, body)
    expect(said.status).toBe(400)
    expect(JSON.parse(said.text)).toMatchObject({ id: null, error: { code: -32_700 } })
  })

  it("that is longer than any is refused", async () => {
    const said = await fetched(
      {},
      undefined,
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"${"x".repeat(4_200_000)}"}}`,
    )
    expect(said.status).toBe(413)
  })
})

describe("a stream of the first revision", () => {
  it("says where to post to with all that its own address had", async () => {
    const abort = new AbortController()
    const stream = readReply(
      await fetch(`${gateway.url}?tenant=a%20b`, { headers: { accept: "text/event-stream" }, signal: abort.signal }),
      () => abort.abort(),
    )
    const place = new URL(await stream.endpoint, gateway.url)
    expect([place.pathname, place.searchParams.get("tenant")]).toEqual(["/mcp", "a b"])
    const send = (id: string | null) => {
      if (id !== null) place.searchParams.set("sessionId", id)
      return fetch(place, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      })
    }
    expect((await send(null)).status).toBe(202)
    expect((await send("made-up")).status).toBe(404)
    stream.close()
  })
})
