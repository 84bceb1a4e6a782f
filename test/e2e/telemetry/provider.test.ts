/**
 * A TracerProvider of the real SDK in an embedding program: it gets the spans that a receiver of OTLP gets from the
 * gateway itself, with the same ids, parents and attributes, and its sampler, its limits and its processors hold.
 */
import { type Context, SpanKind, SpanStatusCode } from "@opentelemetry/api"
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Gateway from "../../../src/Gateway.ts"
import * as Source from "../../../src/config/sources.ts"
import * as Node from "../../../src/node/world.ts"
import * as Telemetry from "../../../src/telemetry/Telemetry.ts"
import * as Tracers from "../../../src/telemetry/Tracers.ts"
import { otlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../../peers/otlp.ts"
import { sendJson, startProvider } from "../llm/provider.ts"
import { ask, modern, scripted } from "../mcp/harness.ts"
import { until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

let exporter: InMemorySpanExporter
let receiver: OtlpReceiver
let seen: Array<http.IncomingHttpHeaders>
let upstream: number
let statuses: Array<number>

beforeEach(async () => {
  exporter = new InMemorySpanExporter()
  receiver = await otlpReceiver()
  closing.push(() => receiver.close())
  seen = []
  statuses = []
  const server = http.createServer((request, response) => {
    seen.push(request.headers)
    response.writeHead(statuses.shift() ?? 200).end("hello")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  upstream = (server.address() as AddressInfo).port
})

interface Made {
  readonly sampler?: Sampler
  readonly config: string
  readonly env?: Record<string, string>
  readonly attributesMax?: number
}

/** A program with a gateway in it, and a provider of its own. */
const start = async ({ attributesMax, config, env = {}, sampler }: Made): Promise<number> => {
  const port = await freePort()
  const provider = new NodeTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler === undefined ? {} : { sampler }),
    ...(attributesMax === undefined ? {} : { spanLimits: { attributeCountLimit: attributesMax } }),
  })
  const logging = { level: "warn", targets: [], format: "text" } as const
  const telemetry = Telemetry.layer({
    version: "1.2.3",
    logging,
    out: (bytes) => bytes.byteLength,
    env: { OTEL_BSP_SCHEDULE_DELAY: "20", ...env },
  }).pipe(Layer.provide(Tracers.layer(provider)))
  const program = Effect.gen(function* () {
    const source = yield* Source.text(config.replaceAll("PORT", String(port)))
    const gateway = Gateway.layer({ config: source }).pipe(Layer.provide(telemetry), Layer.provide(Node.layer()))
    yield* Effect.gen(function* () {
      yield* (yield* Gateway.Gateway).ready
      yield* Effect.sync(begun)
      return yield* Effect.never
    }).pipe(Effect.provide(gateway))
  })
  let begun = (): void => {}
  const ready = new Promise<void>((resolve) => (begun = resolve))
  const fiber = Effect.runFork(program)
  closing.push(
    () =>
      new Promise<void>((resolve) => {
        fiber.addObserver(() => resolve())
        fiber.interruptUnsafe()
      }),
  )
  await ready
  return port
}

const both = (): string =>
  `frontendPolicies: {tracing: {host: "127.0.0.1:${receiver.port}", protocol: http, randomSampling: true, attributes: {agent: 'request.headers["user-agent"]', span.name: '"named " + request.path', deep: '{"a": [1, 2]}'}, remove: [src.addr], filter: '!request.path.endsWith("/quiet")'}}`

const routes = (): string => `
gateways: {default: {port: PORT}}
routes:
- matches: [{path: {pathPrefix: /api}}]
  policies: {retry: {attempts: 1, codes: [503]}}
  backends: [{host: "127.0.0.1:${upstream}"}]
- matches: [{path: {pathPrefix: /closed}}]
  policies: {authorization: {rules: [{deny: 'true'}]}}
  backends: [{host: "127.0.0.1:${upstream}"}]
`

const kinds: Readonly<Record<number, number>> = { [SpanKind.INTERNAL]: 1, [SpanKind.SERVER]: 2, [SpanKind.CLIENT]: 3 }

/** What a receiver and the SDK would both have to say. */
const ofSdk = (span: ReadableSpan) => ({
  name: span.name,
  kind: kinds[span.kind],
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentId: span.parentSpanContext?.spanId ?? "",
  failure: span.status.code === SpanStatusCode.ERROR ? span.status.message : undefined,
  attributes: span.attributes,
})

const ofReceiver = ({ attributes, kind, name, parentId, spanId, status, traceId }: ReceivedSpan) => ({
  name,
  kind,
  traceId,
  spanId,
  parentId,
  failure: status?.code === 2 ? status.message : undefined,
  // Attributes of OpenTelemetry are flat.
  attributes: Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      key,
      typeof value === "object" && value !== null && !Array.isArray(value) ? JSON.stringify(value) : value,
    ]),
  ),
})

const bySpan = <A extends { readonly spanId: string }>(all: ReadonlyArray<A>) =>
  all.toSorted((a, b) => a.spanId.localeCompare(b.spanId))

const spans = () => exporter.getFinishedSpans()

const get = (port: number, path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, { headers })

const parentIn = (traceparent: unknown): string | undefined =>
  /^00-[0-9a-f]{32}-([0-9a-f]{16})-01$/.exec(String(traceparent))?.[1]

describe("a provider of the embedding program", () => {
  it("gets what a receiver of OTLP gets: ids, parents, kinds, names, attributes and failures", async () => {
    const port = await start({ config: `${both()}\n${routes()}` })
    statuses = [503, 200]
    await get(port, "/api/a?token=hidden-word", { "user-agent": "tester" })
    await get(port, "/closed")
    await get(port, "/nowhere")
    await get(port, "/api/b", { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, tracestate: "vendor=1" })
    await until(() => receiver.spans.length >= 7 && spans().length >= 7)
    expect(bySpan(spans().map(ofSdk))).toEqual(bySpan(receiver.spans.map(ofReceiver)))
    const [, again] = spans().filter(({ kind }) => kind === SpanKind.CLIENT)
    expect(again?.attributes).toMatchObject({ "http.request.resend_count": 1, "http.status": 200 })
    expect(seen.slice(0, 2).map(({ traceparent }) => parentIn(traceparent))).toEqual(
      spans()
        .filter(({ kind }) => kind === SpanKind.CLIENT)
        .slice(0, 2)
        .map((span) => span.spanContext().spanId),
    )
    const followed = spans().find((span) => span.parentSpanContext?.spanId === "b".repeat(16))
    expect(followed?.spanContext()).toMatchObject({ traceId: "a".repeat(32), traceFlags: 1 })
    expect(followed?.spanContext().traceState?.get("vendor")).toBe("1")
    expect(followed?.name).toBe("named /api/b")
    expect(followed?.instrumentationScope).toMatchObject({ name: "sluice", version: "1.2.3" })
    for (const span of spans()) {
      const theirs = receiver.spans.find(({ spanId }) => spanId === span.spanContext().spanId)
      const [seconds, nanos] = span.startTime
      expect(Math.abs(seconds * 1000 + nanos / 1e6 - (theirs?.startedUnixMillis ?? 0))).toBeLessThan(5)
      const [lastSeconds, lastNanos] = span.duration
      expect(Math.abs(lastSeconds * 1000 + lastNanos / 1e6 - (theirs?.millis ?? -1))).toBeLessThan(1)
    }
    expect(JSON.stringify(spans().map(ofSdk))).not.toContain("hidden-word")
  })

  it("is not told what the filter of a policy drops, though it began", async () => {
    const port = await start({ config: `${both()}\n${routes()}` })
    await get(port, "/api/quiet")
    await get(port, "/api/loud")
    await until(() => spans().length >= 2 && receiver.spans.length >= 2)
    expect(spans().map(({ name }) => name)).toContain("named /api/loud")
    expect(spans()).toHaveLength(2)
  })

  it("needs no policy: its own sampler decides, on the attributes it is shown", async () => {
    const asked: Array<unknown> = []
    const sampler: Sampler = {
      shouldSample: (_: Context, _traceId, _name, kind, attributes) => {
        asked.push([kind, attributes["http.path"]])
        const isWanted = kind !== SpanKind.SERVER || String(attributes["http.path"]).endsWith("wanted")
        return { decision: isWanted ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD }
      },
      toString: () => "wanted",
    }
    const port = await start({ config: routes(), sampler })
    await get(port, "/api/no", { traceparent: `00-${"c".repeat(32)}-${"d".repeat(16)}-01` })
    await get(port, "/api/wanted")
    await until(() => spans().length >= 2)
    expect(spans().map(({ name }) => name)).toEqual(
      [`GET 127.0.0.1:${upstream}`, "GET /api/*"].map((name, i) => (i === 0 ? spans()[0]?.name : name)),
    )
    expect(asked[0]).toEqual([SpanKind.SERVER, "/api/no"])
    // What is not sampled goes on as it came.
    expect(seen[0]?.["traceparent"]).toBe(`00-${"c".repeat(32)}-${"d".repeat(16)}-01`)
    expect(parentIn(seen[1]?.["traceparent"])).toBe(spans()[0]?.spanContext().spanId)
    expect(receiver.spans).toEqual([])
  })

  it("may leave the decision to the client, and may keep its own limits", async () => {
    const sampler = new ParentBasedSampler({ root: new AlwaysOffSampler() })
    const port = await start({ config: routes(), sampler, attributesMax: 4 })
    await get(port, "/api/none")
    await get(port, "/api/none", { traceparent: `00-${"e".repeat(32)}-${"f".repeat(16)}-00` })
    await get(port, "/api/one", { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` })
    await until(() => spans().length >= 2)
    expect(new Set(spans().map((span) => span.spanContext().traceId))).toEqual(new Set(["a".repeat(32)]))
    for (const span of spans()) expect(Object.keys(span.attributes).length).toBeLessThanOrEqual(4)
  })

  it("is told nothing where the variables turn everything off", async () => {
    const port = await start({ config: `${both()}\n${routes()}`, env: { OTEL_SDK_DISABLED: "true" } })
    await get(port, "/api/a")
    await get(port, "/api/b")
    expect([spans(), receiver.spans]).toEqual([[], []])
  })

  it("sees the protocols as well: a tool that is called, whose client said its trace inside the message", async () => {
    const server = await scripted(
      modern((turn) =>
        turn.message.method === "tools/list"
          ? turn.result({
              resultType: "complete",
              tools: [{ name: "get", inputSchema: { type: "object" } }],
              ttlMs: 0,
              cacheScope: "private",
            })
          : turn.result({ resultType: "complete", content: [] }),
      ),
    )
    closing.push(() => server.close())
    const port = await start({
      config: `
gateways: {default: {port: PORT}}
routes: [{backends: [{mcp: {targets: [{name: a, mcp: {host: "${server.url}"}}]}}]}]`,
    })
    const outside = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    await ask(
      `http://127.0.0.1:${port}/mcp`,
      "tools/call",
      { name: "get", arguments: {} },
      { meta: { traceparent: outside } },
    )
    await until(() => spans().some(({ kind }) => kind === SpanKind.SERVER))
    const top = spans().find(({ kind }) => kind === SpanKind.SERVER)
    expect([top?.name, top?.spanContext().traceId, top?.parentSpanContext?.spanId]).toEqual([
      "tools/call get",
      "a".repeat(32),
      "b".repeat(16),
    ])
    const execution = spans().find(({ attributes }) => attributes["gen_ai.operation.name"] === "execute_tool")
    expect(execution?.parentSpanContext?.spanId).toBe(top?.spanContext().spanId)
    const meta = server.calls("tools/call")[0]?.params?.["_meta"] as Record<string, unknown>
    expect(parentIn(meta["traceparent"])).toBe(execution?.spanContext().spanId)
  })

  it("sees a call of a model in the words for it", async () => {
    const provider = await startProvider((_, response) =>
      sendJson(response, 200, {
        id: "c",
        object: "chat.completion",
        created: 1,
        model: "gpt-real",
        choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
      }),
    )
    closing.push(() => provider.close())
    const port = await start({
      config: `llm: {port: PORT, models: [{name: gpt, provider: openAI, params: {apiKey: k, baseUrl: "http://127.0.0.1:${provider.port}/v1"}}]}`,
    })
    const reply = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt", messages: [{ role: "user", content: "hi" }] }),
    })
    expect(reply.status).toBe(200)
    await reply.text()
    await until(() => spans().length >= 2)
    const call = spans().find(({ kind }) => kind === SpanKind.CLIENT)
    expect(call?.name).toBe("chat gpt")
    expect(call?.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.response.model": "gpt-real",
      "gen_ai.usage.input_tokens": 11,
      "gen_ai.usage.output_tokens": 7,
    })
  })
})
