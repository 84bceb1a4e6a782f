/** Why an exchange ended as it did, in one sentence, for every way there is to be refused; and the stories of each protocol. */
import { generateKeyPairSync } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startAgent } from "../a2a/agent.ts"
import { sendJson, startProvider } from "../llm/provider.ts"
import { answerOf, ask, modern, scripted } from "../mcp/harness.ts"
import * as net from "node:net"
import { command, Standalone, until } from "../standalone.ts"
import { freePort } from "../../freePort.ts"

interface Story {
  readonly why: string
  readonly status: number
  readonly recorded: boolean
  readonly steps: ReadonlyArray<{
    readonly stage: string
    readonly decision: string
    readonly detail?: Record<string, unknown>
  }>
}

let gateway: Standalone | undefined
let admin: string
let port: number
let models: number
let raw: number
const closing: Array<() => unknown> = []

const story = async (id: string | null): Promise<Story> => {
  expect(id).toEqual(expect.any(String))
  let told: Story | undefined
  // It is told once the exchange is over, which may be a moment after its reply.
  await until(async () => {
    const reply = await fetch(`${admin}/api/explain/${id}`)
    told = reply.status === 200 ? ((await reply.json()) as Story) : undefined
    return told !== undefined
  })
  return told as Story
}

const completion = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "gpt-real",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
}

beforeAll(async () => {
  port = await freePort()
  models = await freePort()
  raw = await freePort()
  const tools = await scripted(
    modern((turn) =>
      turn.message.method === "tools/list"
        ? turn.result({
            resultType: "complete",
            tools: ["open", "closed"].map((name) => ({ name, inputSchema: { type: "object" } })),
            ttlMs: 0,
            cacheScope: "private",
          })
        : turn.result({ resultType: "complete", content: [] }),
    ),
  )
  const provider = await startProvider(({ json }, response) => {
    if (json.stream !== true) return sendJson(response, 200, completion)
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(`data: ${JSON.stringify({ ...completion, object: "chat.completion.chunk", choices: [] })}\n\n`)
  })
  const agent = await startAgent({ at: "http://agent.internal:9999" })
  const upstream = http.createServer((request, response) => {
    if (request.url?.endsWith("silent") === true) response.write("hel")
    else if (request.url !== "/slow") response.end("hello")
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  closing.push(tools.close, provider.close, agent.close, () => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const to = `{host: "127.0.0.1:${(upstream.address() as AddressInfo).port}"}`
  const route = (path: string, policies: string, backend = to): string =>
    `    - {name: ${path}, matches: [{path: {pathPrefix: /${path}}}], policies: ${policies}, backends: [${backend}]}`
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" })
  const text = `
binds:
- port: ${port}
  listeners:
  - name: main
    hostname: "127.0.0.1"
    routes:
${route("key", "{apiKey: {mode: strict, keys: [{key: right}]}}")}
${route("password", "{basicAuth: {mode: strict, htpasswd: 'ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=', realm: x}}")}
${route("token", `{jwtAuth: {mode: strict, issuer: x, jwks: '${JSON.stringify({ keys: [key] })}'}}`)}
${route("rule", `{authorization: {rules: [{deny: 'request.method == "GET"'}]}}`)}
${route("forged", "{csrf: {additionalOrigins: []}}")}
${route("many", "{localRateLimit: [{maxTokens: 1, tokensPerFill: 1, fillInterval: 1h}]}")}
${route("check", "{extAuthz: {host: '127.0.0.1:1', protocol: {http: {}}}}")}
${route("process", "{extProc: {host: '127.0.0.1:1'}}")}
${route("shared", `{remoteRateLimit: {host: '127.0.0.1:1', domain: d, descriptors: [{entries: [{key: a, value: '"b"'}]}]}}`)}
${route("slow", "{timeout: {requestTimeout: 100ms}}")}
${route("silent", "{timeout: {idleTimeout: 100ms}}")}
${route("held-silent", "{timeout: {idleTimeout: 100ms}, buffer: {response: {maxBytes: 100}}}")}
${route("dead", "{}", '{host: "127.0.0.1:1"}')}
${route("nowhere", "{}", '{host: "nobody.invalid:80"}')}
${route("nothing", "{directResponse: {status: 418, body: tea}}")}
    - name: tools
      matches: [{path: {pathPrefix: /mcp}}]
      backends:
      - mcp: {targets: [{name: shop, mcp: {host: "${tools.url}"}}, {name: dead, mcp: {host: "http://127.0.0.1:1/mcp"}}]}
        policies: {mcpAuthorization: {rules: ['mcp.tool.name == "open"']}}
    - name: agent
      matches: [{path: {pathPrefix: /a2a}}]
      policies: {a2a: {}}
      backends: [{host: "127.0.0.1:${agent.port}"}]
- port: ${raw}
  listeners:
  - {name: database, protocol: TCP, tcpRoutes: [{name: orders, backends: [{host: "127.0.0.1:1"}]}]}
frontendPolicies:
  networkAuthorization: {rules: [{deny: 'source.address == "127.0.0.2"'}]}
llm:
  port: ${models}
  models:
  - name: gpt
    provider: openAI
    params: {model: gpt-real, apiKey: k, idleTimeout: 100ms, baseUrl: "http://127.0.0.1:${provider.port}/v1"}
    guardrails: {request: [{regex: {action: reject, rules: [{pattern: forbidden}]}}]}
`
  gateway = await new Standalone({ args: ["-c", text] }).serving()
  admin = /^ +admin +(http\S+)$/m.exec(gateway.out)?.[1] ?? ""
}, 60_000)
afterAll(async () => {
  gateway?.kill("SIGKILL")
  for (const close of closing.toReversed()) await close()
})

const send = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${port}/${path}`, init)

describe("a refusal", () => {
  it.each<readonly [path: string, init: RequestInit, why: RegExp]>([
    ["unknown", {}, /^404 by no route took it \(listener main\): route not found\.$/],
    [
      "key",
      {},
      /^401 by the policy ApiKey \(listener main, route default\/key\): api key authentication failure: .+\.$/,
    ],
    ["password", {}, /^401 by the policy BasicAuth \(.*route default\/password\): .+\.$/],
    ["token", {}, /^401 by the policy JwtAuth \(.*route default\/token\): authentication failure: .+\.$/],
    ["rule", {}, /^403 by the policy Authorization \(.*route default\/rule\): authorization failed\.$/],
    ["forged", { method: "POST", headers: { origin: "http://evil.example" } }, /^403 by the policy Csrf \(.*\): .+\.$/],
    ["check", {}, /^403 by the policy ExtAuthz \(.*\): .+\.$/],
    ["process", {}, /^5\d\d by the policy ExtProc \(.*\): .+\.$/],
    ["shared", {}, /^5\d\d by the policy RemoteRateLimit \(.*\): .+\.$/],
    ["slow", {}, /^504 by the way to the backend \(.*route default\/slow, backend .*\): request timeout\.$/],
    ["dead", {}, /^503 by the way to the backend \(.*route default\/dead, backend .*\): upstream call failed: .+\.$/],
    ["nowhere", {}, /^503 by the way to the backend \(.*\): backends required DNS resolution which failed: .+\.$/],
  ])("of /%s is explained in one sentence", async (path, init, why) => {
    const reply = await send(path, init)
    await reply.text()
    const told = await story(reply.headers.get("x-sluice-id"))
    expect(told.why).toMatch(why)
    expect(told.why).not.toContain("\n")
    expect(told.status).toBe(reply.status)
    expect(told.recorded).toBe(false)
  })

  it("of a limit says which one once it is spent", async () => {
    await (await send("many")).text()
    const reply = await send("many")
    await reply.text()
    expect(reply.status).toBe(429)
    expect((await story(reply.headers.get("x-sluice-id"))).why).toMatch(
      /^429 by the policy LocalRateLimit \(.*route default\/many\): .+\.$/,
    )
  })

  it("that was wanted is none: it has no story unless somebody asks for it", async () => {
    expect((await send("nothing")).headers.get("x-sluice-id")).toBeNull()
  })

  it("of a host that nobody serves says so", async () => {
    const id = await new Promise<string | undefined>((resolve, reject) => {
      http
        .get({ port, host: "127.0.0.1", path: "/", headers: { host: "other.example" } }, (reply) => {
          reply.resume()
          resolve(reply.headers["x-sluice-id"] as string | undefined)
        })
        .on("error", reject)
    })
    expect((await story(id ?? null)).why).toMatch(/^404 by no listener took it: listener not found\.$/)
  })
})

describe("a reply that pauses for longer than it may", () => {
  const waitFor = (expression: string): Promise<unknown> =>
    fetch(`${admin}/api/explain`, { method: "POST", body: JSON.stringify({ count: 1, expression }) })
  const linesOf = (id: string | undefined, path: string): ReadonlyArray<string> =>
    (gateway?.out ?? "").split("\n").filter((line) => line.includes(`http.path=${path} `) && id !== undefined)

  it("breaks off, and is told apart as a timeout: in its story, and once in its line", async () => {
    await waitFor('request.path == "/silent"')
    const reply = await send("silent")
    const id = reply.headers.get("x-sluice-id")
    await expect(reply.text()).rejects.toThrow()
    expect((await story(id)).why).toMatch(
      /^Timeout \(.*route default\/silent.*\): the upstream sent nothing for 100 ms\.$/,
    )
    await until(async () => linesOf(id ?? undefined, "/silent").length > 0)
    const [line, ...more] = linesOf(id ?? undefined, "/silent")
    expect(more).toEqual([])
    expect(line).toMatch(/ http\.status=200 .* error="the upstream sent nothing for 100 ms" reason=Timeout /)
    expect(line?.match(/sent nothing/g)).toHaveLength(1)
  })

  it("is refused as late, where the client has nothing of it yet", async () => {
    const reply = await send("held-silent")
    expect([reply.status, await reply.text()]).toEqual([504, "upstream call timeout"])
    expect((await story(reply.headers.get("x-sluice-id"))).why).toMatch(/^504 by .*: upstream call timeout\.$/)
  })

  it("says the same of a model, whose client reads of it in the words of its protocol", async () => {
    await waitFor('request.path.endsWith("/chat/completions")')
    const reply = await fetch(`http://127.0.0.1:${models}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt", stream: true, messages: [{ role: "user", content: "hi" }] }),
    })
    expect(await reply.text()).toContain("the provider broke off its reply: the upstream sent nothing for 100 ms")
    const id = reply.headers.get("x-sluice-id")
    expect((await story(id)).why).toMatch(/^Timeout \(.*\): the upstream sent nothing for 100 ms\.$/)
    await until(async () => linesOf(id ?? undefined, "/v1/chat/completions").length > 0)
    expect(linesOf(id ?? undefined, "/v1/chat/completions")).toEqual([
      expect.stringMatching(/ http\.status=200 .* error="the upstream sent nothing for 100 ms" reason=Timeout /),
    ])
  })
})

describe("a raw connection", () => {
  /** Opens one, and waits for its end. */
  const knock = (localAddress: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = net.connect({ port: raw, host: "127.0.0.1", localAddress }, () => socket.write("hello"))
      socket.on("error", () => {})
      socket.once("close", () => resolve())
    })

  interface Latest {
    readonly id: string
    readonly why: string
  }

  const latest = async (holds: (one: Latest) => boolean): Promise<Latest> => {
    let found: Latest | undefined
    await until(async () => {
      const { code, error, out } = await command(["explain", "--latest", "-n", "500", "--json", "--admin", admin])
      expect([code, error]).toEqual([0, ""])
      found = (JSON.parse(out) as ReadonlyArray<Latest>).find(holds)
      return found !== undefined
    })
    return found as Latest
  }

  it("that a rule refuses has a story, which the list of the latest names", async () => {
    await knock("127.0.0.2")
    const { id, why } = await latest(({ why: text }) => text.includes("networkAuthorization"))
    expect(why).toBe(
      "The connection was refused by the policy networkAuthorization (listener database): network authorization failed.",
    )
    const told = await story(id)
    expect(told.steps).toEqual([{ stage: "networkAuthorization", decision: "refused: network authorization failed" }])
    const { code, out } = await command(["explain", "--id", id, "--admin", admin])
    expect(code).toBe(0)
    expect(out).toContain(why)
    expect(out).toMatch(/connection from 127\.0\.0\.2:\d+/)
  }, 60_000)

  it("whose backend cannot be reached has one, named in its line of the log", async () => {
    await knock("127.0.0.1")
    await until(() => /protocol=tcp.* sluice\.id=[0-9a-f]{16}/.test(gateway?.out ?? ""))
    const id = / sluice\.id=([0-9a-f]{16})/.exec(gateway?.out ?? "")?.[1] ?? ""
    expect((await story(id)).why).toMatch(
      /^The connection was refused by the way to the backend \(listener database, route default\/orders\): connection refused \(ECONNREFUSED\)\.$/,
    )
  })

  it("that carries no request has one, named in its line of the log", async () => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nbad header\r\n\r\n"))
    let answer = ""
    socket.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk))
    await new Promise<void>((resolve) => socket.once("close", () => resolve()))
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    await until(() => /http\.status=400.* sluice\.id=[0-9a-f]{16}/.test(gateway?.out ?? ""))
    const id = /http\.status=400.* sluice\.id=([0-9a-f]{16})/.exec(gateway?.out ?? "")?.[1] ?? ""
    expect(await story(id)).toMatchObject({
      status: 400,
      why: expect.stringMatching(/^400 by the reader of HTTP \(listener main\): .+\.$/),
    })
  })

  it("that its client only opens and leaves is nobody's refusal", async () => {
    const before = await fetch(`${admin}/api/explain?count=500`).then((reply) => reply.json())
    await new Promise<void>((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => socket.end(() => resolve()))
    })
    await until(
      async () => ((await gateway?.metric("downstream_connections_rejected_total", 'stage="listener"')) ?? 0) > 0,
    )
    expect(await fetch(`${admin}/api/explain?count=500`).then((reply) => reply.json())).toEqual(before)
  })
})

describe("MCP", () => {
  const url = (): string => `http://127.0.0.1:${port}/mcp`

  it("a tool that is hidden from its caller has a story, though the client is told there is none", async () => {
    const said = await ask(url(), "tools/call", { name: "shop_closed", arguments: {} })
    expect(answerOf(said).error).toMatchObject({ message: "Unknown tool: shop_closed" })
    const told = await story(said.headers.get("x-sluice-id"))
    expect(told.why).toBe(
      `200 by the rules of MCP (listener main, route default/tools, backend ${/backend ([^)]*)\)/.exec(told.why)?.[1] ?? ""}): no rule lets the caller use the tool closed of shop, so there is none for it.`,
    )
  })

  it("a story tells which targets were asked for what, and how each answered", async () => {
    await fetch(`${admin}/api/explain`, {
      method: "POST",
      body: JSON.stringify({ count: 1, expression: 'request.path == "/mcp" && request.headers["x-ask"] == "1"' }),
    })
    const said = await ask(url(), "tools/list", {}, { headers: { "x-ask": "1" } })
    const told = await story(said.headers.get("x-sluice-id"))
    const decisions = told.steps.map(({ decision, stage }) => `${stage}: ${decision}`)
    expect(decisions).toEqual(
      expect.arrayContaining([
        "target: asks shop for tools/list",
        "target: asks dead for tools/list",
        "target: shop answered",
        "target: dead failed: Unreachable",
        "mcp: tools/list",
      ]),
    )
    expect(told.recorded).toBe(true)
  })
})

describe("models", () => {
  const send = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${models}/v1/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    })
  const messages = [{ role: "user", content: "hi" }]

  it("a guard that refuses is named, and so is a model that there is not", async () => {
    const guarded = await send("chat/completions", {
      model: "gpt",
      messages: [{ role: "user", content: "the forbidden word" }],
    })
    expect((await story(guarded.headers.get("x-sluice-id"))).why).toMatch(
      /^\d{3} by the guard regex \(.*\): it rejects the request\.$/,
    )
    const unknown = await send("chat/completions", { model: "nobody", messages })
    expect((await story(unknown.headers.get("x-sluice-id"))).why).toMatch(
      /^404 by the list of models \(.*\): .*nobody.*\.$/,
    )
  })

  it("a story tells who was asked, what was translated, and what it cost", async () => {
    await fetch(`${admin}/api/explain`, {
      method: "POST",
      body: JSON.stringify({ count: 1, expression: 'request.path.endsWith("/messages")' }),
    })
    const reply = await send(
      "messages",
      { model: "gpt", max_tokens: 10, messages },
      { "anthropic-version": "2023-06-01" },
    )
    expect(reply.status).toBe(200)
    await reply.text()
    const { steps } = await story(reply.headers.get("x-sluice-id"))
    const decisions = steps.map(({ decision, stage }) => `${stage}: ${decision}`)
    expect(decisions.find((one) => one.startsWith("model: asks "))).toMatch(
      /\(openai\) for gpt-real, translated from \w+ to \w+$/,
    )
    const model = steps.find(({ decision }) => decision.startsWith("gpt was answered for by"))
    expect(model?.detail).toMatchObject({
      provider: "openai",
      model: "gpt-real",
      inputTokens: 11,
      outputTokens: 7,
      tokens: 18,
    })
    expect(decisions).toContain("guard: regex looked at the request: allow")
    expect(decisions.find((one) => one.startsWith("cost: "))).toBeDefined()
  })
})

describe("agents", () => {
  it("a story tells what was asked of which agent, and how it ended", async () => {
    await fetch(`${admin}/api/explain`, {
      method: "POST",
      body: JSON.stringify({ count: 1, expression: 'request.path.startsWith("/a2a")' }),
    })
    const reply = await fetch(`http://127.0.0.1:${port}/a2a/jsonrpc`, {
      method: "POST",
      headers: { "content-type": "application/json", "a2a-version": "1.0" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "GetTask", params: { id: "none" } }),
    })
    await reply.text()
    const { steps } = await story(reply.headers.get("x-sluice-id"))
    const call = steps.find(({ stage }) => stage === "a2a")
    expect(call?.decision).toBe("GetTask")
    expect(call?.detail).toMatchObject({ binding: "JSONRPC", version: "1.0", "a2a.method": "GetTask" })
  })
})

describe("sluice explain --id", () => {
  const wish = (expression: string): Promise<Response> =>
    fetch(`${admin}/api/explain`, { method: "POST", body: JSON.stringify({ count: 1, expression }) })

  const told = async (reply: { readonly headers: Headers }): Promise<string> => {
    const id = reply.headers.get("x-sluice-id")
    await story(id)
    const { code, error, out } = await command(["explain", "--id", String(id), "--admin", admin])
    expect([code, error]).toEqual([0, ""])
    // The first line is the whole answer in one sentence.
    expect(out.split("\n")[0]).toMatch(/^\d{3} .+\.$/)
    return out
  }

  it("HTTP: listener, route, what policies decided, and the attempt", async () => {
    await wish('request.path == "/key"')
    const reply = await fetch(`http://127.0.0.1:${port}/key`, { headers: { authorization: "Bearer right" } })
    await reply.text()
    const text = await told(reply)
    expect(text).toMatch(/^200 by the upstream 127\.0\.0\.1:\d+ \(listener main, route default\/key, backend .+\)\.\n/)
    expect(text).toMatch(/GET 127\.0\.0\.1\/key/)
    for (const line of [
      / listener +\S+\/main$/m,
      / route +\S+\/key /m,
      / ApiKey +passed$/m,
      / attempt +answered 200/m,
    ]) {
      expect(text).toMatch(line)
    }
  })

  it("MCP: the targets that were asked and how each answered", async () => {
    await wish('request.path == "/mcp" && request.headers["x-ask"] == "2"')
    const said = await ask(`http://127.0.0.1:${port}/mcp`, "tools/list", {}, { headers: { "x-ask": "2" } })
    const text = await told(said)
    for (const line of [
      / target +asks shop for tools\/list$/m,
      / target +dead failed: Unreachable/m,
      / mcp +tools\/list$/m,
    ]) {
      expect(text).toMatch(line)
    }
  })

  it("models: who was asked for what, what was translated, tokens and cost", async () => {
    await wish('request.path.endsWith("/messages") && request.headers["x-ask"] == "3"')
    const reply = await fetch(`http://127.0.0.1:${models}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "anthropic-version": "2023-06-01", "x-ask": "3" },
      body: JSON.stringify({ model: "gpt", max_tokens: 10, messages: [{ role: "user", content: "hi" }] }),
    })
    await reply.text()
    const text = await told(reply)
    for (const line of [
      / model +asks \S+ \(openai\) for gpt-real, translated from \w+ to \w+$/m,
      / guard +regex looked at the request: allow$/m,
      / model +gpt was answered for by .*"tokens":18/m,
      / cost +\S/m,
    ]) {
      expect(text).toMatch(line)
    }
  })

  it("agents: the method, the binding and the version", async () => {
    await wish('request.path.startsWith("/a2a") && request.headers["x-ask"] == "4"')
    const reply = await fetch(`http://127.0.0.1:${port}/a2a/jsonrpc`, {
      method: "POST",
      headers: { "content-type": "application/json", "a2a-version": "1.0", "x-ask": "4" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "GetTask", params: { id: "none" } }),
    })
    await reply.text()
    expect(await told(reply)).toMatch(/ a2a +GetTask.*"binding":"JSONRPC"/m)
  })

  it("a name that nobody has is an error, and so is a gateway that does not answer", async () => {
    const [unknown, nobody] = await Promise.all([
      command(["explain", "--id", "nothing", "--admin", admin]),
      command(["explain", "--id", "nothing", "--admin", "http://127.0.0.1:1"]),
    ])
    expect(unknown).toMatchObject({
      code: 1,
      out: "",
      error: expect.stringContaining("there is no story of that name"),
    })
    expect(nobody).toMatchObject({ code: 1, out: "", error: expect.stringContaining("no gateway answers at") })
  })
})
