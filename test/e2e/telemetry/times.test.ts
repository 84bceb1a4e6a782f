/** What metrics say of time: of models that stream, of servers of tools one by one, of the gateway itself, and of what waits. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, it } from "vitest"
import { sendJson, startProvider } from "../llm/provider.ts"
import { ask, modern, scripted, type Scripted } from "../mcp/harness.ts"
import { read, type Sample } from "../../telemetry/prometheus.ts"
import { Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const slowMillis = 300
const firstMillis = 200
const betweenMillis = 100

let gateway: Standalone | undefined
let port: number
let models: number
const closing: Array<() => unknown> = []

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const tools = async (millis: number): Promise<Scripted> => {
  const made = await scripted(
    modern(async (turn) => {
      await pause(millis)
      turn.result({ resultType: "complete", tools: [], ttlMs: 0, cacheScope: "private" })
    }),
  )
  closing.push(made.close)
  return made
}

beforeAll(async () => {
  port = await freePort()
  models = await freePort()
  const [quick, slow] = [await tools(0), await tools(slowMillis)]
  const provider = await startProvider(async (_, response) => {
    if (response.req.url?.includes("embeddings") === true) return sendJson(response, 200, {})
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    const chunk = (delta: object, more: object = {}): void =>
      void response.write(
        `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "gpt", choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`,
      )
    await pause(firstMillis)
    for (const content of ["a", "b", "c"]) {
      chunk({ content })
      await pause(betweenMillis)
    }
    chunk({}, { choices: [], usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 } })
    response.end("data: [DONE]\n\n")
  })
  const upstream = http.createServer((_, response) => setTimeout(() => response.end("late"), slowMillis))
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  closing.push(provider.close, () => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const text = `
binds:
- port: ${port}
  listeners:
  - routes:
    - matches: [{path: {pathPrefix: /mcp}}]
      backends: [{mcp: {targets: [{name: quick, mcp: {host: "${quick.url}"}}, {name: slow, mcp: {host: "${slow.url}"}}]}}]
    - backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]
llm:
  port: ${models}
  models: [{name: gpt, provider: openAI, params: {apiKey: k, baseUrl: "http://127.0.0.1:${provider.port}/v1"}}]
`
  gateway = await new Standalone({ args: ["-c", text] }).serving()
}, 60_000)
afterAll(async () => {
  gateway?.kill("SIGKILL")
  for (const close of closing.toReversed()) await close()
})

const samples = async (): Promise<ReadonlyArray<Sample>> => read((await gateway?.metrics()) ?? "")
const valueOf = (all: ReadonlyArray<Sample>, name: string, labels: Record<string, string> = {}): number | undefined => {
  const found = all.filter(
    (sample) =>
      sample.name === `agentgateway_${name}` &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0)
}

it("a model that streams: when its first token came, and how long one took after the other", async () => {
  const reply = await fetch(`http://127.0.0.1:${models}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt", stream: true, messages: [{ role: "user", content: "hi" }] }),
  })
  expect(await reply.text()).toContain("[DONE]")
  const labels = { gen_ai_request_model: "gpt" }
  await until(async () => valueOf(await samples(), "gen_ai_server_time_to_first_token_count", labels) === 1)
  const all = await samples()
  const first = valueOf(all, "gen_ai_server_time_to_first_token_sum", labels) ?? 0
  const whole = valueOf(all, "gen_ai_server_request_duration_sum", labels) ?? 0
  const each = valueOf(all, "gen_ai_server_time_per_output_token_sum", labels) ?? 0
  // Timers may be late, and a millisecond early, but the parts belong together.
  expect(first).toBeGreaterThan((firstMillis - 5) / 1000)
  expect(each).toBeGreaterThan((betweenMillis - 5) / 1000)
  expect(whole).toBeGreaterThan(first + 2 * (betweenMillis / 1000) - 0.01)
  expect(each).toBeCloseTo((whole - first) / 2, 3)
  expect(valueOf(all, "gen_ai_client_token_usage_sum", { ...labels, gen_ai_token_type: "output" })).toBe(3)
})

it("servers of tools that are asked at once: how long each of them took, and not all together", async () => {
  await ask(`http://127.0.0.1:${port}/mcp`, "tools/list")
  const labels = (server: string) => ({ method: "tools/list", server })
  await until(async () => valueOf(await samples(), "mcp_target_duration_seconds_count", labels("slow")) === 1)
  const all = await samples()
  const slow = valueOf(all, "mcp_target_duration_seconds_sum", labels("slow")) ?? 0
  const quick = valueOf(all, "mcp_target_duration_seconds_sum", labels("quick")) ?? Infinity
  expect(slow).toBeGreaterThan((slowMillis - 5) / 1000)
  expect(quick).toBeLessThan(slow)
  expect(valueOf(all, "mcp_target_duration_seconds_count", labels("quick"))).toBe(1)
})

it("the gateway itself: what it took beside waiting for its upstream", async () => {
  expect(await (await fetch(`http://127.0.0.1:${port}/late`)).text()).toBe("late")
  await until(async () => (valueOf(await samples(), "request_overhead_seconds_count") ?? 0) > 0)
  const all = await samples()
  const whole = valueOf(all, "request_duration_seconds_sum", { protocol: "http", method: "GET" }) ?? 0
  const backend = all.find(({ name, labels }) => name === "agentgateway_requests_total" && labels["method"] === "GET")
    ?.labels["backend"]
  const own = valueOf(all, "request_overhead_seconds_sum", { backend: String(backend) }) ?? Infinity
  expect(whole).toBeGreaterThan((slowMillis - 5) / 1000)
  expect(own).toBeLessThan(whole - (slowMillis - 5) / 1000)
})

it("what waits, and how long it took to connect", async () => {
  const all = await samples()
  const queues = all.filter(({ name }) => name === "agentgateway_queue_size").map(({ labels }) => labels["queue"])
  expect(queues).toEqual(expect.arrayContaining(["log lines", "exports", "mirrored copies", "parked calls"]))
  expect(valueOf(all, "upstream_connect_duration_seconds_count", { transport: "plaintext" })).toBeGreaterThan(2)
  expect(valueOf(all, "event_loop_delay_seconds", { quantile: "0.99" })).toBeGreaterThanOrEqual(0)
})
