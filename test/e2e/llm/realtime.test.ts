/** Realtime connections of OpenAI's own client, whose answers are charged one by one while the connection lasts. */
import { createHash } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { textFrame } from "../../../protocols/llm/framing/webSocket.ts"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  vi.unstubAllGlobals()
  for (const close of closing.splice(0).toReversed()) await close()
})

/** The client insists on TLS, which these gateways do without. */
beforeEach(() => {
  const Native = WebSocket
  vi.stubGlobal(
    "WebSocket",
    class extends Native {
      constructor(url: string | URL, protocols?: string | Array<string>) {
        super(String(url).replace(/^wss:/, "ws:"), protocols)
      }
    },
  )
})

const usage = { total_tokens: 30, input_tokens: 20, output_tokens: 10 }
const done = JSON.stringify({ type: "response.done", response: { object: "realtime.response", usage } })

interface Provider {
  readonly port: number
  readonly asked: Array<http.IncomingMessage>
  readonly sockets: Array<Duplex>
}

/** Answers every message with one answer of 30 tokens. */
const startRealtime = async (): Promise<Provider> => {
  const asked: Array<http.IncomingMessage> = []
  const sockets: Array<Duplex> = []
  const server = http.createServer()
  server.on("upgrade", (request, socket) => {
    asked.push(request)
    sockets.push(socket)
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64")
    const protocol = request.headers["sec-websocket-protocol"]?.split(",")[0]
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n` +
        `${protocol === undefined ? "" : `sec-websocket-protocol: ${protocol}\r\n`}\r\n`,
    )
    socket.on("data", (bytes: Buffer) => {
      if (bytes[0] === 0x88) socket.end(Buffer.from([0x88, 0]))
      else if (bytes[0] === 0x81) socket.write(textFrame(done))
    })
    socket.on("error", () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, asked, sockets }
}

const place = async (provider: Provider, policies: string): Promise<Place> => {
  const made = await startPlace(`
llm:
  port: 1
  models: [{name: gpt-realtime, provider: openai, params: {hostOverride: "127.0.0.1:${provider.port}", apiKey: secret}}]
  policies: ${policies}
`)
  closing.push(made.close)
  return made
}

interface Session {
  readonly client: OpenAIRealtimeWebSocket
  readonly answers: Array<unknown>
  readonly errors: Array<unknown>
  readonly closed: Array<{ readonly code: number; readonly reason: string }>
}

const open = async ({ url }: Place): Promise<Session> => {
  const baseURL = `${url}/v1`
  const client = new OpenAIRealtimeWebSocket({ model: "gpt-realtime" }, { baseURL, apiKey: "key-of-the-client" })
  const session: Session = { client, answers: [], errors: [], closed: [] }
  client.on("response.done", (event) => session.answers.push(event))
  client.on("error", (error) => session.errors.push(error))
  client.socket.addEventListener("close", ({ code, reason }) => session.closed.push({ code, reason }))
  closing.push(() => client.socket.close())
  await until("it is open, or refused", () => client.socket.readyState !== WebSocket.CONNECTING)
  return session
}

const answered = async (session: Session): Promise<void> => {
  const count = session.answers.length + 1
  session.client.send({ type: "response.create" })
  await until("the answer is there", () => session.answers.length >= count)
}

it("ends, in words of the client's, as soon as its answers have spent a budget that is hard", async () => {
  const provider = await startRealtime()
  const made = await place(provider, "{budgets: [{name: talk, tokens: 50, window: 24h}]}")
  const session = await open(made)
  await answered(session)
  await answered(session)
  await until("it is over", () => session.closed.length > 0)
  expect(session.closed).toEqual([{ code: 1008, reason: "budget_exceeded" }])
  expect(session.errors).toMatchObject([{ error: { type: "insufficient_quota", code: "budget_exceeded" } }])
  await until("the provider is let go", () => provider.sockets[0]?.destroyed === true)
  await until("it was told", () => made.gateway.told.exchanges.length > 0)
  expect(made.gateway.told.exchanges[0]?.exchange.notes?.llm?.usage).toMatchObject({
    inputTokens: 40,
    outputTokens: 20,
  })
  expect((await open(made)).answers).toEqual([])
  expect(provider.asked).toHaveLength(1)
})

it("has spent for everybody while it lasts, and what was charged then is not charged again", async () => {
  const provider = await startRealtime()
  const made = await place(provider, "{budgets: [{name: talk, tokens: 100, window: 24h}]}")
  const [one, other] = [await open(made), await open(made)]
  await answered(one)
  await answered(other)
  await answered(one)
  expect([one.closed, other.closed]).toEqual([[], []])
  one.client.close()
  await until("the first was told", () => made.gateway.told.exchanges.length > 0)
  // 90 of 100 are gone, so there is room for one more to begin.
  await answered(other)
  await until("the other is over", () => other.closed.length > 0)
  expect(other.closed).toEqual([{ code: 1008, reason: "budget_exceeded" }])
})

it("goes on beyond a budget that is soft", async () => {
  const provider = await startRealtime()
  const made = await place(provider, "{budgets: [{name: talk, tokens: 20, window: 24h, onExceeded: warn}]}")
  const session = await open(made)
  for (let i = 0; i < 3; i++) await answered(session)
  session.client.close()
  await until("it was told", () => made.gateway.told.exchanges.length > 0)
  expect(made.gateway.told.exchanges[0]?.exchange.notes?.llm?.overspent).toEqual(["talk"])
})

it("takes from limits on tokens while it lasts", async () => {
  const provider = await startRealtime()
  const limit = "{maxTokens: 50, tokensPerFill: 1, fillInterval: 24h, type: tokens}"
  const made = await place(provider, `{localRateLimit: [${limit}]}`)
  const session = await open(made)
  await answered(session)
  await answered(session)
  const refused = await open(made)
  expect(refused.client.socket.readyState).not.toBe(WebSocket.OPEN)
  expect(provider.asked).toHaveLength(1)
  expect(session.closed).toEqual([])
})

it("does not hand the client's key to the provider", async () => {
  const provider = await startRealtime()
  const made = await place(provider, "{}")
  const session = await open(made)
  await answered(session)
  const head = JSON.stringify(provider.asked[0]?.rawHeaders)
  expect(head).not.toContain("key-of-the-client")
  expect(provider.asked[0]?.headers.authorization).toBe("Bearer secret")
  expect(session.client.socket.protocol).toBe("realtime")
})
