/** Traces of every protocol as a receiver gets them: which spans there are, whose parts they are, and what they say. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { otlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../../peers/otlp.ts"
import { startAgent } from "../a2a/agent.ts"
import { sendEvents, sendJson, startProvider } from "../llm/provider.ts"
import { answerOf, ask, legacy, modern, type Script, type Scripted, scripted } from "../mcp/harness.ts"
import { Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

const server = 2
const client = 3
const internal = 1

let receiver: OtlpReceiver
const closing: Array<() => unknown> = []
beforeEach(async () => {
  receiver = await otlpReceiver()
  closing.push(() => receiver.close())
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const start = async (rest: string): Promise<{ readonly gateway: Standalone; readonly port: number }> => {
  const port = await freePort()
  const text = `
frontendPolicies: {tracing: {host: "127.0.0.1:${receiver.port}", protocol: http, randomSampling: true}}
${rest.replaceAll("PORT", String(port))}`
  const gateway = await new Standalone({ args: ["-c", text], env: { OTEL_BSP_SCHEDULE_DELAY: "20" } }).serving()
  closing.push(() => gateway.kill("SIGKILL"))
  return { gateway, port }
}

/** Waits for the whole trace whose span of the exchange is called so. */
const traceOf = async (name: string): Promise<{ readonly top: ReceivedSpan; readonly parts: Array<ReceivedSpan> }> => {
  const find = (): ReceivedSpan | undefined => receiver.spans.find((span) => span.kind === server && span.name === name)
  await until(
    () => find() !== undefined,
    () => `no span ${name} among ${receiver.spans.map((span) => span.name).join(", ")}`,
  )
  const top = find() as ReceivedSpan
  return { top, parts: receiver.spans.filter((span) => span.traceId === top.traceId && span !== top) }
}

const named = (spans: ReadonlyArray<ReceivedSpan>, name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name)
  expect(
    found.map((span) => span.name),
    spans.map((span) => span.name).join(", "),
  ).toEqual([name])
  return found[0] as ReceivedSpan
}

const under = (spans: ReadonlyArray<ReceivedSpan>, parent: ReceivedSpan): ReadonlyArray<ReceivedSpan> =>
  spans.filter(({ parentId }) => parentId === parent.spanId)

/** What a server was told as its parent. */
const parentIn = (traceparent: unknown): string | undefined =>
  /^00-[0-9a-f]{32}-([0-9a-f]{16})-/.exec(String(traceparent))?.[1]

describe("MCP", () => {
  const tools = (names: ReadonlyArray<string>): Script =>
    modern((turn) => {
      const { message } = turn
      if (message.method === "tools/list") {
        return turn.result({
          resultType: "complete",
          tools: names.map((name) => ({ name, inputSchema: { type: "object" } })),
          ttlMs: 0,
          cacheScope: "private",
        })
      }
      return turn.result({
        resultType: "complete",
        content: [{ type: "text", text: "done" }],
        isError: message.params?.["name"] === "fails",
      })
    })

  const backend = (servers: Readonly<Record<string, Scripted>>): string =>
    `gateways: {default: {port: PORT}}
routes:
- backends: [{mcp: {targets: [${Object.entries(servers)
      .map(([name, { url }]) => `{name: ${name}, mcp: {host: "${url}"}}`)
      .join(", ")}]}}]`

  const serve = async (script: Script): Promise<Scripted> => {
    const made = await scripted(script)
    closing.push(made.close)
    return made
  }

  it("asks every target in a span of its own, and the requests to each are parts of that", async () => {
    const [a, b] = [await serve(tools(["get"])), await serve(tools(["put"]))]
    const { port } = await start(backend({ a, b }))
    expect(answerOf(await ask(`http://127.0.0.1:${port}/mcp`, "tools/list")).result?.["tools"]).toHaveLength(2)
    const { parts, top } = await traceOf("tools/list")
    expect(top.attributes).toMatchObject({ protocol: "mcp", "mcp.method.name": "tools/list" })
    const targets = under(parts, top)
    expect(targets.map(({ attributes }) => attributes["mcp.target"]).toSorted()).toEqual(["a", "b"])
    for (const target of targets) {
      expect(target).toMatchObject({
        kind: client,
        attributes: { "mcp.method.name": "tools/list", "mcp.protocol.version": "2026-07-28" },
      })
      const calls = under(parts, target)
      expect(calls.length).toBeGreaterThan(0)
      for (const call of calls) {
        expect(call.attributes).toMatchObject({
          "agentgateway.outbound.kind": "Primary",
          "agentgateway.outbound.subtype": "Mcp",
          "http.method": "POST",
        })
      }
    }
    // They are asked at once, not in turn.
    const [first, second] = targets as [ReceivedSpan, ReceivedSpan]
    expect(second.startedUnixMillis).toBeLessThan(first.startedUnixMillis + first.millis)
  })

  it("executes a tool in a span that the server is told as its parent, in the header and in `_meta`", async () => {
    const a = await serve(tools(["get", "fails"]))
    const { port } = await start(backend({ a }))
    const url = `http://127.0.0.1:${port}/mcp`
    const outside = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    await ask(url, "tools/call", { name: "get", arguments: {} }, { meta: { traceparent: outside } })
    const { parts, top } = await traceOf("tools/call get")
    expect([top.traceId, top.parentId]).toEqual(["a".repeat(32), "b".repeat(16)])
    const execution = named(under(parts, top), "tools/call get")
    expect(execution).toMatchObject({
      kind: client,
      status: undefined,
      attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get", "mcp.target": "a" },
    })
    const meta = a.calls("tools/call")[0]?.params?.["_meta"] as Record<string, unknown>
    expect(parentIn(meta["traceparent"])).toBe(execution.spanId)
    const sent = a.requests.find(({ headers }) => headers["mcp-method"] === "tools/call")
    // What it takes to find out how the server speaks is a part of it too.
    expect(under(parts, execution).map(({ spanId }) => spanId)).toContain(parentIn(sent?.headers["traceparent"]))

    await ask(url, "tools/call", { name: "fails", arguments: {} })
    const failed = await traceOf("tools/call fails")
    expect(named(under(failed.parts, failed.top), "tools/call fails")).toMatchObject({
      status: { code: 2, message: "tool_error" },
      attributes: { "error.type": "tool_error" },
    })
  })

  it("tells servers with sessions as well, and what a target that fails was", async () => {
    const old = await serve(
      legacy((turn) =>
        turn.message.method === "tools/list"
          ? turn.result({ tools: [{ name: "get", inputSchema: { type: "object" } }] })
          : turn.result({ content: [] }),
      ),
    )
    const dead = await serve(tools(["put"]))
    await dead.close()
    const { port } = await start(backend({ old, dead }))
    await ask(`http://127.0.0.1:${port}/mcp`, "tools/call", { name: "old_get", arguments: {} })
    const { parts, top } = await traceOf("tools/call get")
    const execution = named(under(parts, top), "tools/call get")
    expect(execution.attributes["mcp.target"]).toBe("old")
    const meta = old.calls("tools/call")[0]?.params?.["_meta"] as Record<string, unknown>
    expect(parentIn(meta["traceparent"])).toBe(execution.spanId)
    await ask(`http://127.0.0.1:${port}/mcp`, "tools/list")
    const list = await traceOf("tools/list")
    const failed = under(list.parts, list.top).find(({ attributes }) => attributes["mcp.target"] === "dead")
    expect(failed).toMatchObject({ status: { code: 2 }, attributes: { "error.type": "Unreachable" } })
  })
})

describe("models", () => {
  const completion = {
    id: "c",
    object: "chat.completion",
    created: 1,
    model: "gpt-real",
    choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
  }

  const chat = async (port: number, body: object): Promise<string> => {
    const reply = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt", messages: [{ role: "user", content: "hi there" }], ...body }),
    })
    expect(reply.status).toBe(200)
    return reply.text()
  }

  it("each attempt at a provider is a span in the words for it, and only the one that answered says what it used", async () => {
    const busy = await startProvider((_, response) => sendJson(response, 503, { error: { message: "busy" } }))
    const well = await startProvider((_, response) => sendJson(response, 200, completion))
    closing.push(busy.close, well.close)
    const { port } = await start(`
gateways: {default: {port: PORT}}
routes:
- backends:
  - ai:
      groups:
      - providers: [{name: busy, hostOverride: "127.0.0.1:${busy.port}", provider: {openAI: {model: gpt-first}}}]
      - providers: [{name: well, hostOverride: "127.0.0.1:${well.port}", provider: {openAI: {model: gpt-second}}}]
`)
    await chat(port, {})
    const { parts, top } = await traceOf("chat gpt")
    expect(top.attributes).toMatchObject({
      protocol: "llm",
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.response.model": "gpt-real",
      "gen_ai.usage.input_tokens": 11,
    })
    const first = named(under(parts, top), "chat gpt-first")
    const second = named(under(parts, top), "chat gpt-second")
    expect(first).toMatchObject({
      kind: client,
      status: { code: 2 },
      attributes: { "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-first", "http.status": 503 },
    })
    expect(first.attributes).not.toHaveProperty("gen_ai.usage.input_tokens")
    expect(second).toMatchObject({
      kind: client,
      attributes: {
        "agentgateway.outbound.subtype": "Llm",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-second",
        "gen_ai.response.model": "gpt-real",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
      },
    })
    expect(parentIn(well.calls[0]?.headers["traceparent"])).toBe(second.spanId)
  })

  it("a stream lasts as long as its last word, and says when the first one came", async () => {
    const provider = await startProvider((_, response) =>
      sendEvents(response, [
        { data: { id: "c", model: "gpt-real", choices: [{ index: 0, delta: { role: "assistant", content: "a" } }] } },
        {
          data: { id: "c", model: "gpt-real", choices: [{ index: 0, delta: { content: "b" }, finish_reason: "stop" }] },
        },
        {
          data: {
            id: "c",
            model: "gpt-real",
            choices: [],
            usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
          },
        },
        { data: "[DONE]" },
      ]),
    )
    closing.push(provider.close)
    const { port } = await start(
      `llm: {port: PORT, models: [{name: gpt, provider: openAI, params: {apiKey: k, baseUrl: "http://127.0.0.1:${provider.port}/v1"}}]}`,
    )
    expect(await chat(port, { stream: true })).toContain("[DONE]")
    const { parts, top } = await traceOf("chat gpt")
    const call = named(under(parts, top), "chat gpt")
    expect(call.attributes).toMatchObject({ "gen_ai.request.stream": true, "gen_ai.usage.output_tokens": 2 })
    expect(call.attributes["gen_ai.response.time_to_first_chunk"]).toEqual(expect.any(Number))
  })

  it("guards are spans, and the services they ask are parts of them", async () => {
    const provider = await startProvider((_, response) => sendJson(response, 200, completion))
    const hook = await startProvider((_, response) => sendJson(response, 200, { action: {} }))
    closing.push(provider.close, hook.close)
    const { port } = await start(`
llm:
  port: PORT
  models:
  - name: gpt
    provider: openAI
    params: {apiKey: k, baseUrl: "http://127.0.0.1:${provider.port}/v1"}
    guardrails:
      request:
      - regex: {action: mask, rules: [{builtin: email}]}
      - webhook: {target: {host: "127.0.0.1:${hook.port}"}}
`)
    await chat(port, {})
    const { parts, top } = await traceOf("chat gpt")
    const guards = under(parts, top).filter(({ name }) => name.startsWith("guardrail "))
    expect(guards.map(({ attributes }) => attributes["agw.guardrail.action"])).toEqual(["allow", "allow"])
    expect(new Set(guards.map(({ kind }) => kind))).toEqual(new Set([internal]))
    const asked = parts.find(({ attributes }) => attributes["agentgateway.outbound.subtype"] === "Guardrail")
    expect(asked).toMatchObject({ kind: client, attributes: { "agentgateway.outbound.kind": "Policy" } })
    expect(guards.map(({ spanId }) => spanId)).toContain(asked?.parentId)
    expect(parentIn(hook.calls[0]?.headers["traceparent"])).toBe(asked?.spanId)
  })
})

describe("agents", () => {
  it("a call is a span of its method, and the agent is told it as its parent", async () => {
    const agent = await startAgent({ at: "http://agent.internal:9999" })
    closing.push(agent.close)
    const seen: Array<http.IncomingHttpHeaders> = []
    const between = http.createServer((request, response) => {
      seen.push(request.headers)
      request.pipe(
        http.request(
          { port: agent.port, method: request.method, path: request.url, headers: request.headers },
          (reply) => {
            response.writeHead(reply.statusCode ?? 500, reply.headers)
            reply.pipe(response)
          },
        ),
      )
    })
    await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve))
    closing.push(() => {
      between.closeAllConnections()
      between.close()
    })
    const { port } = await start(`
gateways: {default: {port: PORT}}
routes:
- policies: {a2a: {}}
  backends: [{host: "127.0.0.1:${(between.address() as AddressInfo).port}"}]
`)
    const outside = `00-${"c".repeat(32)}-${"d".repeat(16)}-01`
    const reply = await fetch(`http://127.0.0.1:${port}/a2a/jsonrpc`, {
      method: "POST",
      headers: { "content-type": "application/json", "a2a-version": "1.0", traceparent: outside },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "GetTask", params: { id: "none" } }),
    })
    await reply.text()
    const { parts, top } = await traceOf("GetTask")
    expect([top.traceId, top.parentId]).toEqual(["c".repeat(32), "d".repeat(16)])
    expect(top.attributes).toMatchObject({ protocol: "a2a", "a2a.method": "GetTask" })
    const call = under(parts, top).find(({ attributes }) => attributes["agentgateway.outbound.subtype"] === "A2a")
    expect(call).toMatchObject({ kind: client, attributes: { "a2a.method": "GetTask" } })
    expect(seen.map(({ traceparent }) => parentIn(traceparent))).toContain(call?.spanId)
  })
})

describe("services that policies ask", () => {
  it("each call says what kind it is, and its service is told it as its parent", async () => {
    const told = new Map<string, unknown>()
    const serve = async (
      file: string,
      service: string,
      handlers: (name: string) => grpc.UntypedServiceImplementation,
    ) => {
      const made = await grpcServer([[serviceOf(file, service), handlers(service)]])
      closing.push(made.close)
      return made.port
    }
    const authorization = await serve("envoy_auth.proto", "envoy.service.auth.v3.Authorization", () => ({
      Check: (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
        told.set("ExtAuthz", call.metadata.get("traceparent")[0])
        done(null, { status: { code: 0 }, okResponse: {}, httpResponse: "okResponse" })
      },
    }))
    const limits = await serve("envoy_rate_limit.proto", "envoy.service.ratelimit.v3.RateLimitService", () => ({
      ShouldRateLimit: (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
        told.set("RateLimit", call.metadata.get("traceparent")[0])
        done(null, { overallCode: "OK", statuses: [{ code: "OK" }] })
      },
    }))
    const processing = await serve("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor", () => ({
      Process: (call: grpc.ServerDuplexStream<Record<string, unknown>, object>) => {
        told.set("ExtProc", call.metadata.get("traceparent")[0])
        call.on("error", () => {})
        call.on("data", (message: Record<string, unknown>) => {
          const kind = String(message["request"])
          call.write({ [kind]: { response: {} }, response: kind })
        })
        call.on("end", () => call.end())
      },
    }))
    const upstream = http.createServer((_, response) => response.end("hello"))
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
    closing.push(() => {
      upstream.closeAllConnections()
      upstream.close()
    })
    const { gateway, port } = await start(`
gateways: {default: {port: PORT}}
routes:
- matches: [{path: {exact: /all}}]
  policies:
    extAuthz: {host: "127.0.0.1:${authorization}"}
    remoteRateLimit: {host: "127.0.0.1:${limits}", domain: d, descriptors: [{entries: [{key: a, value: '"b"'}]}]}
    extProc: {host: "127.0.0.1:${processing}", processingOptions: {requestHeaderMode: send, responseHeaderMode: skip, requestBodyMode: none, responseBodyMode: none}}
  backends: [{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}]
`)
    expect((await fetch(`http://127.0.0.1:${port}/all`)).status).toBe(200)
    const { parts, top } = await traceOf("GET /all")
    for (const [subtype, name] of [
      ["ExtAuthz", "envoy.service.auth.v3.Authorization/Check"],
      ["RateLimit", "envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"],
      ["ExtProc", "envoy.service.ext_proc.v3.ExternalProcessor/Process"],
    ] as const) {
      const call = named(under(parts, top), name)
      expect(call).toMatchObject({
        kind: client,
        attributes: { "agentgateway.outbound.kind": "Policy", "agentgateway.outbound.subtype": subtype },
      })
      expect(parentIn(told.get(subtype)), subtype).toBe(call.spanId)
      expect(
        await gateway.metric("upstream_call_duration_seconds_count", `kind="Policy",subtype="${subtype}"`),
        subtype,
      ).toBe(1)
    }
    expect(await gateway.metric("upstream_call_duration_seconds_count", `kind="Primary",subtype="Http"`)).toBe(1)
  })
})
