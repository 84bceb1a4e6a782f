/** A policy server of another implementation of gRPC, asked about calls and results. */
import { afterEach, describe, expect, it } from "vitest"
import { grpc, type GrpcServer, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { answerOf, ask, begin, type Json, mcpGateway, modern, type Script, type Scripted, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => unknown }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

interface Asked {
  readonly serviceNames: ReadonlyArray<string>
  readonly method: string
  readonly metadataContext: unknown
  readonly mcpRequest?: Buffer
  readonly mcpResponse?: Buffer
  readonly headers?: ReadonlyArray<{ readonly key: string; readonly value: Buffer }>
}

type Answer = Json | Error

interface Guard {
  readonly server: GrpcServer
  readonly requests: Array<Asked>
  readonly responses: Array<Asked>
}

const service = serviceOf("ext_mcp.proto", "agentgateway.dev.ext_mcp.ExtMcp")

const guardian = async (
  request: (asked: Asked) => Answer,
  response: (asked: Asked) => Answer = () => ({ pass: {} }),
): Promise<Guard> => {
  const requests: Array<Asked> = []
  const responses: Array<Asked> = []
  const answering =
    (seen: Array<Asked>, decide: (asked: Asked) => Answer): grpc.handleUnaryCall<Asked, Json> =>
    (call, reply) => {
      seen.push(call.request)
      const answer = decide(call.request)
      if (answer instanceof Error) reply({ code: grpc.status.UNAVAILABLE, message: answer.message })
      else reply(null, answer)
    }
  const server = await grpcServer([
    [service, { CheckRequest: answering(requests, request), CheckResponse: answering(responses, response) }],
  ])
  open.push(server)
  return { server, requests, responses }
}

const echo: Script = modern((turn) => {
  switch (turn.message.method) {
    case "tools/list":
      return turn.result({
        resultType: "complete",
        tools: [{ name: "say", inputSchema: { type: "object" } }],
        ttlMs: 0,
        cacheScope: "public",
      })
    case "tools/call":
      return turn.result({
        resultType: "complete",
        content: [{ type: "text", text: JSON.stringify(turn.message.params?.["arguments"]) }],
      })
    default:
      return turn.error(-32_601, "Method not found", undefined, 404)
  }
})

const behind = async (
  guard: Pick<Guard, "server">,
  methods: string,
  more = "",
  targets = 1,
): Promise<{ readonly url: string; readonly servers: ReadonlyArray<Scripted> }> => {
  const servers: Array<Scripted> = []
  for (let i = 0; i < targets; i++) servers.push(await scripted(echo))
  open.push(...servers)
  const listed = servers.map(({ url }, i) => `{name: t${i}, mcp: {host: "${url}"}}`).join(", ")
  const processor = `{host: "127.0.0.1:${guard.server.port}", methods: ${methods}${more === "" ? "" : `, ${more}`}}`
  const gateway = await mcpGateway(`{targets: [${listed}]}`, {
    policies: `{mcpGuardrails: {processors: [${processor}]}}`,
  })
  open.push(gateway)
  return { url: gateway.url, servers }
}

const say = async (url: string, args: Json, name = "say", headers: Record<string, string> = {}) =>
  answerOf(await ask(url, "tools/call", { name, arguments: args }, { headers }))

const textOf = (answer: { readonly result?: Json }): unknown =>
  (answer.result?.["content"] as ReadonlyArray<{ readonly text: string }> | undefined)?.[0]?.text

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

describe("a guardrail", () => {
  it("is shown a call in the target's own words, and may let it pass", async () => {
    const guard = await guardian(() => ({ pass: {} }))
    const { url } = await behind(guard, '{"tools/call": full}', "metadata: {team: 'request.headers[\"x-team\"]'}", 2)
    const headers = { "x-team": "red", authorization: "Bearer secret" }
    expect(textOf(await say(url, { a: 1 }, "t1_say", headers))).toBe('{"a":1}')
    const [asked] = guard.requests
    expect(asked).toMatchObject({ serviceNames: ["t1"], method: "tools/call" })
    expect(JSON.parse(String(asked?.mcpRequest))).toEqual({ name: "say", arguments: { a: 1 } })
    expect(JSON.stringify(asked?.metadataContext)).toContain("red")
    const shown = Object.fromEntries((asked?.headers ?? []).map(({ key, value }) => [key, String(value)]))
    expect(shown).toMatchObject({ "x-team": "red" })
    expect(shown).not.toHaveProperty("authorization")
    expect(guard.responses).toHaveLength(1)
    await ask(url, "tools/list")
    expect(guard.requests).toHaveLength(1)
  })

  it("may change a call and its result", async () => {
    const guard = await guardian(
      ({ mcpRequest }) => ({
        mutated: json({ ...(JSON.parse(String(mcpRequest)) as Json), arguments: { a: "changed" } }),
        headerMutation: { set: [{ key: "X-Guard", value: Buffer.from("seen") }], remove: ["x-team"] },
      }),
      ({ mcpResponse }) => ({ mutated: Buffer.from(String(mcpResponse).replace("changed", "hidden")) }),
    )
    const { servers, url } = await behind(guard, '{"tools/*": full}')
    expect(textOf(await say(url, { a: 1 }, "say", { "x-team": "red" }))).toBe('{"a":"hidden"}')
    const [server] = servers
    expect(server?.calls("tools/call")[0]?.params).toMatchObject({ arguments: { a: "changed" } })
    const called = server?.requests.find(({ headers }) => headers["mcp-method"] === "tools/call")
    expect(called?.headers).toMatchObject({ "x-guard": "seen" })
    expect(called?.headers).not.toHaveProperty("x-team")
  })

  it.each([
    ["PERMISSION_DENIED", -32_001],
    ["RESOURCE_EXHAUSTED", -32_003],
    ["INVALID", -32_600],
    ["UNKNOWN", -32_603],
  ])("may reject a call with %s, and the target never hears of it", async (code, number) => {
    const guard = await guardian(() => ({ error: { code, reason: "not today" } }))
    const { servers, url } = await behind(guard, '{"*": request}')
    expect((await say(url, {})).error).toMatchObject({ code: number, message: "not today" })
    expect(servers[0]?.calls("tools/call")).toEqual([])
  })

  it("may say the whole error itself, and reject a result", async () => {
    const guard = await guardian(
      () => ({ pass: {} }),
      () => ({ error: { code: "UNKNOWN", mcpError: json({ code: 1234, message: "own", data: { x: 1 } }) } }),
    )
    const { url } = await behind(guard, '{"*call": response}')
    expect((await say(url, {})).error).toEqual({ code: 1234, message: "own", data: { x: 1 } })
    expect(guard.requests).toEqual([])
  })

  it("looks at a list once, as all targets together answer it", async () => {
    const guard = await guardian(
      () => ({ pass: {} }),
      ({ mcpResponse }) => {
        const result = JSON.parse(String(mcpResponse)) as { tools: Array<{ name: string }> }
        return { mutated: json({ ...result, tools: result.tools.filter(({ name }) => name !== "t0_say") }) }
      },
    )
    const { url } = await behind(guard, '{"tools/list": full}', "", 2)
    const { result } = answerOf(await ask(url, "tools/list"))
    expect(result?.["tools"]).toMatchObject([{ name: "t1_say" }])
    expect(guard.requests).toMatchObject([{ serviceNames: ["t0", "t1"], method: "tools/list" }])
    expect(guard.requests[0]?.mcpRequest ?? Buffer.alloc(0)).toHaveLength(0)
  })

  it("has the last word on a list each time, for clients of every generation", async () => {
    let hidden = "t0_say"
    const guard = await guardian(
      () => ({ pass: {} }),
      ({ mcpResponse }) => {
        const result = JSON.parse(String(mcpResponse)) as { tools: Array<{ name: string }> }
        return { mutated: json({ ...result, tools: result.tools.filter(({ name }) => name !== hidden) }) }
      },
    )
    const { url } = await behind(guard, '{"tools/list": response}', "", 2)
    const client = await begin(url)
    const names = async (): Promise<ReadonlyArray<string>> => {
      const lists = [answerOf(await client.request("tools/list")), answerOf(await ask(url, "tools/list"))]
      return lists.flatMap(({ result }) =>
        ((result?.["tools"] ?? []) as ReadonlyArray<{ name: string }>).map(({ name }) => name),
      )
    }
    expect(await names()).toEqual(["t1_say", "t1_say"])
    hidden = "t1_say"
    expect(await names()).toEqual(["t0_say", "t0_say"])
  })

  it("that cannot be asked refuses, unless it is to let pass", async () => {
    const guard = await guardian(
      () => new Error("down"),
      () => new Error("down"),
    )
    const closed = await behind(guard, '{"tools/call": full}')
    expect((await say(closed.url, {})).error).toMatchObject({
      code: -32_603,
      data: { reason: "guardrail_unavailable" },
    })
    expect(closed.servers[0]?.calls("tools/call")).toEqual([])
    const opened = await behind(guard, '{"tools/call": full}', "failureMode: failOpen")
    expect(textOf(await say(opened.url, { a: 1 }))).toBe('{"a":1}')
    const gone = await behind({ server: { ...guard.server, port: 1 } }, '{"tools/call": response}')
    expect((await say(gone.url, {})).error).toMatchObject({ code: -32_603 })
  })

  it("that decides nothing, or answers what is no message, cannot be asked either", async () => {
    const silent = await behind(await guardian(() => ({})), '{"tools/call": request}')
    expect((await say(silent.url, {})).error).toMatchObject({ data: { reason: "guardrail_unavailable" } })
    const confused = await behind(await guardian(() => ({ mutated: Buffer.from("[1") })), '{"tools/call": request}')
    expect((await say(confused.url, {})).error).toMatchObject({ data: { reason: "guardrail_unavailable" } })
  })

  it("comes before rules, which judge what it made of the call", async () => {
    const guard = await guardian(({ mcpRequest }) => ({
      mutated: json({ ...(JSON.parse(String(mcpRequest)) as Json), name: "secret" }),
    }))
    const server = await scripted(echo)
    open.push(server)
    const gateway = await mcpGateway(`{targets: [{name: t0, mcp: {host: "${server.url}"}}]}`, {
      policies: `{mcpAuthorization: {rules: ['mcp.tool.name == "say"']}, mcpGuardrails: {processors: [{host: "127.0.0.1:${guard.server.port}", methods: {"tools/call": request}}]}}`,
    })
    open.push(gateway)
    expect((await say(gateway.url, {})).error).toMatchObject({ code: -32_602 })
    expect(server.calls("tools/call")).toEqual([])
  })
})
