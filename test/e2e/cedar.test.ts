/** Policies in Cedar, beside rules in CEL: on requests, connections, MCP servers, models and agents. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { jwks, rsa, signed } from "../stages/5-policy/tokens.ts"
import { connect, httpUpstream, rawUpstream, startGateway } from "./harness.ts"
import { answerOf, ask as askServer, modern, scripted } from "./mcp/harness.ts"
import { ask, type Closing, snapshotOf } from "./services/place.ts"
import { get, makeDirectory, Standalone, until } from "./standalone.ts"
import { freePort } from "../freePort.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const gatewayOf = async (text: string) => {
  const gateway = await startGateway(await snapshotOf(text))
  closing.push(gateway.close)
  return gateway
}

const key = rsa("k1")
const authenticated = `jwtAuth: {mode: strict, issuer: "https://issuer.example", jwks: '${jwks(key)}'}`
const bearer = (claims: object): { authorization: string } => ({
  authorization: `Bearer ${signed(key, "RS256", {
    iss: "https://issuer.example",
    exp: Math.floor(Date.now() / 1000) + 600,
    ...claims,
  })}`,
})

const ann = bearer({ sub: "ann", groups: ["editors"] })
const ben = bearer({ sub: "ben", groups: ["readers"] })

describe("requests", () => {
  const root = makeDirectory()
  afterAll(() => fs.rmSync(root, { recursive: true }))

  it("are judged by files, and by what the files say once they have changed", async () => {
    const port = await freePort()
    const file = path.join(root, "policies.cedar")
    const entities = path.join(root, "entities.json")
    fs.writeFileSync(file, 'permit(principal in Group::"staff", action == Action::"GET", resource);')
    fs.writeFileSync(
      entities,
      '[{"uid": {"type": "Group", "id": "editors"}, "attrs": {}, "parents": [{"type": "Group", "id": "staff"}]}]',
    )
    const config = path.join(root, "config.yaml")
    fs.writeFileSync(
      config,
      `
gateways: {default: {port: ${port}}}
routes:
- policies:
    ${authenticated}
    authorization:
      rules: [{deny: 'request.path.startsWith("/secret")'}]
      cedar: {policies: {file: policies.cedar}, entities: {file: entities.json}}
    directResponse: {status: 200, body: ok}
`,
    )
    const one = new Standalone({ args: ["-f", config], cwd: root })
    closing.push(async () => {
      one.kill("SIGKILL")
      await one.ended
    })
    await one.serving()
    const statusOf = async (headers: { readonly authorization: string }, url = "/", method = "GET") =>
      (await get(`http://127.0.0.1:${port}${url}`, { headers, method })).status
    expect([await statusOf(ann), await statusOf(ben), await statusOf(ann, "/", "POST")]).toEqual([200, 403, 403])
    // Neither lets pass what the other does not.
    expect(await statusOf(ann, "/secret")).toBe(403)

    fs.writeFileSync(file, 'permit(principal in Group::"readers", action, resource);')
    await until(async () => (await statusOf(ben)) === 200)
    expect([await statusOf(ann), await statusOf(ben, "/", "POST")]).toEqual([403, 200])

    // A file that cannot be used changes nothing.
    fs.writeFileSync(file, "permit(principal, action")
    await until(() => /Failed to reload/.test(one.out))
    expect([await statusOf(ann), await statusOf(ben)]).toEqual([403, 200])
  })
})

it("connections: both the rules and the policies must let them stay", async () => {
  const upstream = await rawUpstream((connection) => connection.write("welcome\n"))
  closing.push(upstream.close)
  const start = (policies: string, rules = "") =>
    gatewayOf(`
frontendPolicies:
  networkAuthorization: {${rules} cedar: {policies: '${policies}', context: {address: source.address}}}
binds:
- port: 1
  listeners:
  - protocol: TCP
    tcpRoutes: [{backends: [{host: "127.0.0.1:${upstream.port}"}]}]
`)
  const said = async (gateway: Awaited<ReturnType<typeof start>>) => {
    const client = await connect(gateway.port)
    const text = await client.take("\n").catch(() => "")
    client.close()
    return text
  }
  const local =
    'permit(principal is Anonymous, action == Action::"connect", resource is Port) when { context.address == "127.0.0.1" };'
  expect(await said(await start(local))).toBe("welcome\n")
  expect(await said(await start(local.replace("127.0.0.1", "10.0.0.1")))).toBe("")
  const denied = await start(local, `rules: [{deny: 'source.address == "127.0.0.1"'}],`)
  expect(await said(denied)).toBe("")
  expect(denied.told.rejected.map(({ stage }) => stage)).toEqual(["networkAuthorization"])
  // The entity is the port that was called.
  const elsewhere = 'permit(principal, action, resource == Port::"1");'
  expect(await said(await start(elsewhere))).toBe("")
})

it("tools of MCP servers: what a caller may not use does not exist for it", async () => {
  const server = await scripted(
    modern((turn) => {
      switch (turn.message.method) {
        case "tools/list":
          return turn.result({
            resultType: "complete",
            tools: ["read", "write"].map((name) => ({ name, inputSchema: { type: "object" } })),
            ttlMs: 0,
            cacheScope: "public",
          })
        case "tools/call":
          return turn.result({ resultType: "complete", content: [{ type: "text", text: "done" }] })
        default:
          return turn.error(-32_601, "Method not found", undefined, 404)
      }
    }),
  )
  closing.push(server.close)
  const gateway = await gatewayOf(`
gateways: {default: {port: 1}}
routes:
- policies:
    ${authenticated}
    mcpAuthorization:
      cedar:
        policies: |
          permit(principal, action == Action::"tool", resource == Tool::"files/read");
          permit(principal in Group::"editors", action, resource in Target::"files");
  backends:
  - mcp: {targets: [{name: files, mcp: {host: "${server.url}"}}]}
`)
  const url = `http://127.0.0.1:${gateway.port}/mcp`
  const tools = async (headers: Record<string, string>) => {
    const { result } = answerOf(await askServer(url, "tools/list", {}, { headers }))
    return ((result?.["tools"] ?? []) as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)
  }
  expect([await tools(ann), await tools(ben)]).toEqual([["read", "write"], ["read"]])
  const write = async (headers: Record<string, string>) =>
    answerOf(await askServer(url, "tools/call", { name: "write", arguments: {} }, { headers }))
  expect((await write(ann)).result).toBeDefined()
  expect((await write(ben)).error).toMatchObject({ code: -32_602 })
  expect(server.calls("tools/call").length).toBe(1)
})

describe("models", () => {
  const provider = async () => {
    const upstream = await httpUpstream((_request, response) => {
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices: [] }))
    })
    closing.push(upstream.close)
    return upstream.port
  }
  const chat = async (port: number, model: string, headers: object, url = "/v1/chat/completions") =>
    (
      await ask(`http://127.0.0.1:${port}${url}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
      })
    ).status

  it("each may have its own policies", async () => {
    const upstream = await provider()
    const one = (name: string, policies: string) => `
  - name: ${name}
    provider: openAI
    params: {baseUrl: "http://127.0.0.1:${upstream}/v1", apiKey: k}
    authorization: {cedar: {policies: '${policies}'}}`
    const gateway = await gatewayOf(`
llm:
  port: 1
  policies: {${authenticated}}
  models:${one("small", 'permit(principal, action == Action::"call", resource == Model::"small");')}${one("large", 'permit(principal in Group::"editors", action, resource);')}
`)
    const statuses = async (headers: object) => [
      await chat(gateway.port, "small", headers),
      await chat(gateway.port, "large", headers),
    ]
    expect([await statuses(ann), await statuses(ben)]).toEqual([
      [200, 200],
      [200, 403],
    ])
  })

  it("of one backend are told apart by what is asked for", async () => {
    const upstream = await provider()
    const gateway = await gatewayOf(`
gateways: {default: {port: 1}}
routes:
- policies: {${authenticated}}
  backends:
  - ai: {name: m, provider: {openAI: {}}, hostOverride: "127.0.0.1:${upstream}"}
    policies:
      backendAuth: {key: k}
      authorization:
        rules: ['llm.requestModel != "forbidden"']
        cedar:
          policies: 'permit(principal in Group::"editors", action, resource == Model::"large"); permit(principal, action, resource in Kind::"small");'
          resource: {type: Model, id: llm.requestModel, parents: 'llm.requestModel.startsWith("small") ? ["Kind::\\"small\\""] : []'}
`)
    const statuses = async (headers: object) => {
      const all: Array<number> = []
      for (const model of ["large", "small-1", "forbidden"]) all.push(await chat(gateway.port, model, headers))
      return all
    }
    expect([await statuses(ann), await statuses(ben)]).toEqual([
      [200, 200, 403],
      [403, 200, 403],
    ])
  })
})

it("agents: by the skill that is asked for, and by the operation", async () => {
  let calls = 0
  const agent = await httpUpstream((request, response) => {
    request.resume()
    calls++
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: {} }))
  })
  closing.push(agent.close)
  const gateway = await gatewayOf(`
gateways: {default: {port: 1}}
routes:
- policies: {${authenticated}}
  backends:
  - host: "127.0.0.1:${agent.port}"
    policies:
      a2a: {}
      authorization:
        rules: [{deny: 'a2a.operation == "DeleteTaskPushNotificationConfig"'}]
        cedar:
          policies: 'permit(principal in Group::"editors", action, resource); permit(principal, action == Action::"SendMessage", resource == Skill::"translate");'
          action: a2a.operation
          resource: {type: Skill, id: 'default(a2a.skill, "none")'}
`)
  const send = async (headers: object, method: string, skill: string | undefined) =>
    (
      await ask(`http://127.0.0.1:${gateway.port}/`, {
        method: "POST",
        headers: { "content-type": "application/json", "a2a-version": "1.0", ...headers },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method,
          params:
            method === "SendMessage"
              ? {
                  message: { messageId: "m", role: "ROLE_USER", parts: [{ text: "hi" }] },
                  metadata: skill === undefined ? {} : { skill },
                }
              : { id: "t", taskId: "t" },
        }),
      })
    ).status
  expect([await send(ann, "SendMessage", undefined), await send(ben, "SendMessage", undefined)]).toEqual([200, 403])
  expect([await send(ann, "CancelTask", undefined), await send(ben, "CancelTask", undefined)]).toEqual([200, 403])
  expect(await send(ben, "SendMessage", "translate")).toBe(200)
  expect(await send(ben, "SendMessage", "delete")).toBe(403)
  expect(await send(ann, "DeleteTaskPushNotificationConfig", undefined)).toBe(403)
  expect(calls).toBe(3)
})
