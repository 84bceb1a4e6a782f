/** What a deadline for silence does to streams that are silent for long by their nature. */
import * as http from "node:http"
import * as http2 from "node:http2"
import type * as net from "node:net"
import { describe, expect, it } from "vitest"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import { outcomeOf } from "../../../src/telemetry/outcome.ts"
import { ask as askAgent, gatewayFor } from "../a2a/gateway.ts"
import { connect, rawUpstream, sleep, snapshotOf, type Started, startGateway, until } from "../harness.ts"
import { speakingHttp2 } from "../hostile/front.ts"
import { answerOf, begin, legacy, mcpGateway, readStream, scripted } from "../mcp/harness.ts"
import { outcomes } from "./freed.ts"
import { stage } from "./stage.ts"

const ends = stage()

const IDLE_MILLIS = 150
/** Long enough that whoever may not be silent was given up. */
const LONG_MILLIS = 4 * IDLE_MILLIS
const idle: TrafficPolicy = { _tag: "Timeout", idleMillis: IDLE_MILLIS }
const idleInFile = `{timeout: {idleTimeout: ${IDLE_MILLIS}ms}}`

const reasonOf = (gateway: Started): string => {
  const [told] = gateway.told.exchanges
  if (told === undefined) throw new Error("nothing was told")
  return outcomeOf(told.exchange, told.ending).reason
}

const listening = async <S extends http.Server | http2.Http2Server>(server: S): Promise<number> => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return (server.address() as net.AddressInfo).port
}

describe("MCP", () => {
  it("has times of its own: a stream that waits for news is kept open, and a call may take as long as those say", async () => {
    const server = ends(
      await scripted(
        legacy(async (turn) => {
          const stream = turn.stream()
          await sleep(LONG_MILLIS)
          stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [] } })
          stream.end()
        }),
      ),
    )
    const gateway = ends(
      await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, { policies: idleInFile }),
    )
    const client = await begin(gateway.url)
    const news = await client.listen()
    await until("the server is listened to", () => server.streams.size > 0)
    expect(answerOf(await client.request("tools/call", { name: "x" })).result).toEqual({ content: [] })
    server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    await until("the news", () => news.events.some(({ data }) => data !== undefined))
    news.close()
    await client.end()
  })

  it("behind a backend that is not told to be MCP is HTTP like any other", async () => {
    const server = ends(await scripted(legacy(() => {})))
    const gateway = ends(
      await startGateway(snapshotOf({ binds: [{ listeners: [{ routes: [{ to: server.port, policies: [idle] }] }] }] })),
    )
    const news = await readStream(`http://127.0.0.1:${gateway.port}/mcp`, { headers: { accept: "text/event-stream" } })
    await news.closed
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
    expect(reasonOf(gateway)).toBe("Timeout")
  })
})

describe("A2A", () => {
  const task = { id: "t", contextId: "c", status: { state: "TASK_STATE_WORKING", timestamp: "2026-01-01T00:00:00Z" } }
  const done = { taskId: "t", contextId: "c", status: { state: "TASK_STATE_COMPLETED" } }
  const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "x" }] }
  const call = { jsonrpc: "2.0", id: 7, method: "SendStreamingMessage", params: { message } }

  /** An agent that begins to work and says nothing more; how it goes on is told to who subscribes, if to anybody. */
  const agent = async (tellsMore: boolean): Promise<{ readonly port: number; readonly methods: Array<unknown> }> => {
    const methods: Array<unknown> = []
    const server = http.createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id: unknown; method: string }
        methods.push(method)
        response.writeHead(200, { "content-type": "text/event-stream" })
        const say = (result: unknown) => response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`)
        say({ task })
        if (method === "SendStreamingMessage" || !tellsMore) return
        say({ statusUpdate: done })
        response.end()
      })
    })
    const port = await listening(server)
    ends({
      close: () => {
        server.close()
        server.closeAllConnections()
      },
    })
    return { port, methods }
  }

  const bridged = async (port: number): Promise<Started> =>
    ends(
      await gatewayFor(`
routes:
- policies: {timeout: {idleTimeout: ${IDLE_MILLIS}ms}, a2a: {bridge: {interfaces: [{binding: JSONRPC, version: "1.0", path: /rpc}]}}}
  backends: [{host: '127.0.0.1:${port}'}]
`),
    )

  it("is taken up again where a bridged stream falls silent, and its client hears the rest", async () => {
    const { methods, port } = await agent(true)
    const gateway = await bridged(port)
    const posted = await askAgent("POST", `http://127.0.0.1:${gateway.port}`, call, { "a2a-version": "1.0" })
    expect(posted.text).toContain("TASK_STATE_COMPLETED")
    expect(posted.text).not.toContain('"error"')
    expect(methods).toEqual(["SendStreamingMessage", "SubscribeToTask"])
    await until("the end", () => gateway.told.exchanges.length === 1)
    expect(reasonOf(gateway)).toBe("Upstream")
  })

  it("ends with an error where it stays silent, which is told apart as a timeout", async () => {
    const { methods, port } = await agent(false)
    const gateway = await bridged(port)
    const posted = await askAgent("POST", `http://127.0.0.1:${gateway.port}`, call, { "a2a-version": "1.0" })
    expect(posted.text).toContain(`the agent broke off: the upstream sent nothing for ${IDLE_MILLIS} ms`)
    expect(methods.length).toBeGreaterThan(1)
    await until("the end", () => gateway.told.exchanges.length === 1)
    expect(reasonOf(gateway)).toBe("Timeout")
  })
})

describe("what is behind a switch of protocols", () => {
  it.each([
    [
      "a WebSocket",
      "GET /chat HTTP/1.1\r\nhost: x.test\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
      "101",
    ],
    ["CONNECT", "CONNECT x.test:443 HTTP/1.1\r\nhost: x.test:443\r\n\r\n", "", "200"],
  ])("may be silent: %s", async (_name, request, reply, status) => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        if (reply !== "") {
          await connection.take("\r\n\r\n")
          connection.write(reply)
        }
        connection.write(`got ${await connection.take("\n")}`)
      }),
    )
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [{ listeners: [{ routes: [{ to: upstream.port, policies: [idle] }] }] }],
          frontend: [{ _tag: "Connect", mode: "route" }],
        }),
      ),
    )
    const client = ends(await connect(gateway.port))
    expect(await client.write(request).take("\r\n\r\n")).toContain(` ${status} `)
    await sleep(LONG_MILLIS)
    client.write("still here\n")
    await client.take("got still here\n")
    client.close()
    for (const connection of upstream.connections) connection.close()
    await outcomes(gateway, 1)
  })
})

describe("gRPC", () => {
  /** Answers with its head and one message, and then waits for the client to end, if it may. */
  const service = async (): Promise<number> => {
    const sessions = new Set<http2.ServerHttp2Session>()
    const server = http2.createServer()
    server.on("session", (session) => {
      sessions.add(session)
      session.once("close", () => sessions.delete(session))
    })
    server.on("stream", (stream: http2.ServerHttp2Stream, head) => {
      stream.on("error", () => {})
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
      stream.write(Buffer.from([0, 0, 0, 0, 0]))
      if (head[":path"] === "/s/Talk") stream.resume().once("end", () => stream.end())
    })
    const port = await listening(server)
    ends({
      close: () => {
        for (const session of sessions) session.destroy()
        server.close()
      },
    })
    return port
  }

  const calling = async (path: string) => {
    const routes = [{ to: await service(), policies: [idle] }]
    const gateway = ends(await startGateway(speakingHttp2(snapshotOf({ binds: [{ listeners: [{ routes }] }] }))))
    const session = http2.connect(`http://127.0.0.1:${gateway.port}`)
    ends({ close: () => session.destroy() })
    const call = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    })
    const seen = { bytes: 0, status: "", code: undefined as number | undefined }
    call.on("data", (chunk: Buffer) => (seen.bytes += chunk.byteLength))
    call.on("trailers", (trailers) => (seen.status = String(trailers["grpc-status"])))
    call.on("error", () => {})
    call.on("close", () => (seen.code = call.rstCode))
    call.write(Buffer.from([0, 0, 0, 0, 0]))
    await until("the first message", () => seen.bytes > 0)
    return { call, gateway, seen, session }
  }

  it("a stream of a client that has said all it had is given up when the service falls silent: it is reset", async () => {
    const { call, gateway, seen, session } = await calling("/s/Watch")
    call.end()
    await until("the reset", () => seen.code !== undefined)
    expect(seen).toMatchObject({ status: "", code: http2.constants.NGHTTP2_INTERNAL_ERROR })
    session.destroy()
    expect(await outcomes(gateway, 1)).toEqual(["upstreamFailed"])
    expect(reasonOf(gateway)).toBe("Timeout")
  })

  it("a stream whose client may still say something is not: the service may be waiting for it", async () => {
    const { call, gateway, seen, session } = await calling("/s/Talk")
    await sleep(LONG_MILLIS)
    expect(seen.code).toBeUndefined()
    call.end()
    await until("the end", () => seen.code !== undefined)
    expect(seen).toMatchObject({ status: "0", code: 0 })
    session.destroy()
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })
})
