/** What nobody rewrites arrives in the very characters it was sent in, whoever speaks what. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { begin, mcpGateway, post } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

/** Members in no sensible order, numbers that no double holds, escapes that need not be, null beside what is absent. */
const odd = String.raw`{"z":12345678901234567890,"a":1.0,"e":1E+2,"s":"\u00e9é\ud83d\ude00","n":null,"deep":{"b":[],"a":{}},"x":-0}`
const meta = String.raw`"my.own/key":{"n":1.50,"u":"\u0041"}`

/** A server of one generation that keeps the text of every call, and answers with the oddities. */
const server = async (era: "legacy" | "modern"): Promise<{ readonly url: string; readonly calls: Array<string> }> => {
  const calls: Array<string> = []
  const listening = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString()
      const isModern = request.headers["mcp-protocol-version"] === "2026-07-28"
      if (request.method !== "POST") return void response.writeHead(405).end()
      if (isModern !== (era === "modern")) return void response.writeHead(400).end()
      const { id, method } = JSON.parse(text) as { readonly id?: number; readonly method: string }
      if (id === undefined) return void response.writeHead(202).end()
      const result =
        method === "initialize"
          ? `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"unheardOf":${odd},"_meta":{${meta}}}`
          : method === "server/discover"
            ? `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"unheardOf":${odd},"_meta":{${meta}}}`
            : `{"content":[],"structuredContent":${odd},"_meta":{${meta}},"unheardOf":[null]${era === "modern" ? ',"resultType":"complete"' : ""}}`
      if (method === "tools/call") calls.push(text)
      response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" })
      response.end(`{"jsonrpc":"2.0","id":${id},"result":${result}}`)
    })
  })
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve))
  open.push({
    close: () =>
      new Promise((resolve) => {
        listening.close(() => resolve())
        listening.closeAllConnections()
      }),
  })
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/mcp`, calls }
}

const envelope = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}`

describe.each(["legacy", "modern"] as const)("a %s server", (up) => {
  it.each(["legacy", "modern"] as const)("is introduced to a %s client with all that it says", async (down) => {
    const { url } = await server(up)
    const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${url}"}}]}`)
    open.push(gateway)
    const [method, params, headers] =
      down === "legacy"
        ? ["initialize", `{"protocolVersion":"2025-11-25","capabilities":{}}`, {}]
        : [
            "server/discover",
            `{"_meta":{${envelope}}}`,
            { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" },
          ]
    const said = await post(gateway.url, `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`, headers)
    expect(said.text).toContain(`"unheardOf":${odd}`)
    expect(said.text).toContain(meta)
    expect(said.text.split('"capabilities"')).toHaveLength(2)
    expect(said.messages[0]?.result?.[down === "legacy" ? "protocolVersion" : "supportedVersions"]).toBeDefined()
    if (down === "legacy") expect(said.text).not.toContain("resultType")
  })

  it.each(["legacy", "modern"] as const)("and a %s client exchange what they mean", async (down) => {
    const { calls, url } = await server(up)
    const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${url}"}}]}`)
    open.push(gateway)
    const call = (members: string): string =>
      `{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"x"${members}}}`
    const send = async (members: string, inMeta: string): Promise<string> => {
      if (down === "legacy") {
        const { id } = await begin(gateway.url)
        const headers = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" }
        return (await post(gateway.url, call(`${members},"_meta":{${inMeta}}`), headers)).text
      }
      const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "x" }
      return (await post(gateway.url, call(`${members},"_meta":{${inMeta},${envelope}}`), headers)).text
    }
    const answer = await send(`,"arguments":${odd},"unheardOf":{"a":null}`, meta)
    expect(answer).toContain(`"structuredContent":${odd}`)
    expect(answer).toContain(meta)
    expect(answer).toContain('"unheardOf":[null]')
    expect(answer).toContain('"id":"7"')
    expect(calls[0]).toContain(`"arguments":${odd}`)
    expect(calls[0]).toContain('"unheardOf":{"a":null}')
    expect(calls[0]).toContain(meta)
    await send("", meta)
    expect(calls[1]).not.toContain("arguments")
  })
})
