/** One person with tokens of more and of less power: what the one began is for the other only as far as that may go itself. */
import { generateKeyPairSync, sign } from "node:crypto"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  post,
  readStream,
  type Said,
  type Script,
  type Scripted,
  scripted,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const jwks = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "ES256" }] })

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")
const token = (scope: string, more: Json = {}): { readonly authorization: string } => {
  const signed = `${part({ alg: "ES256", kid: "k" })}.${part({ iss: "i", sub: "ann", exp: 4e9, scope, ...more })}`
  const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" })
  return { authorization: `Bearer ${signed}.${signature.toString("base64url")}` }
}

const much = token("read admin")
const little = token("read")
const most = token("admin write read")

/** Everybody may use one tool and one resource, and who administers the others; all may ask after tasks. */
const rules = [
  "mcp.tool.name == 'plain'",
  "mcp.resource.name == 'a://plain'",
  "has(mcp.task)",
  "jwt.scope.contains('admin') && (mcp.tool.name == 'secret' || mcp.resource.name == 'a://secret')",
]

const behind = async (
  script: Script,
  capabilities: Json,
  authorization = `, mcpAuthorization: {rules: ${JSON.stringify(rules)}}`,
): Promise<{ readonly server: Scripted; readonly gateway: McpGateway }> => {
  const server = await scripted(legacy(script, capabilities))
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, {
    policies: `{jwtAuth: {mode: strict, issuer: i, jwks: '${jwks}'}${authorization}}`,
  })
  open.push(gateway)
  return { server, gateway }
}

const toolList = (turn: Parameters<Script>[0]): unknown =>
  turn.result({ tools: ["plain", "secret"].map((name) => ({ name, inputSchema: { type: "object" } })) })

/** The same session, for whoever comes with another token. */
const within = ({ url }: McpGateway, session: string, headers: Record<string, string>) => {
  const own = { ...headers, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }
  return {
    request: (method: string, params: Json = {}): Promise<Said> =>
      post(url, { jsonrpc: "2.0", id: `${method} of another`, method, params }, own),
    resume: (lastEventId?: string) =>
      readStream(url, {
        headers: {
          accept: "text/event-stream",
          ...own,
          ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
        },
      }),
  }
}

describe("a session that was begun with a token of more power", () => {
  it("lists and calls what the token of the request may", async () => {
    const { gateway } = await behind(
      (turn) => (turn.message.method === "tools/list" ? toolList(turn) : turn.result({ content: [] })),
      { tools: {} },
    )
    const client = await begin(gateway.url, { headers: much })
    const namesIn = (said: Said): unknown =>
      ((answerOf(said).result?.["tools"] ?? []) as ReadonlyArray<Json>).map(({ name }) => name)
    expect(namesIn(await client.request("tools/list"))).toEqual(["plain", "secret"])
    const other = within(gateway, client.id, little)
    expect(namesIn(await other.request("tools/list"))).toEqual(["plain"])
    expect(answerOf(await other.request("tools/call", { name: "plain" })).result).toBeDefined()
    expect(answerOf(await other.request("tools/call", { name: "secret" })).error).toMatchObject({ code: -32_602 })
  })

  const telling: Script = (turn) => {
    if (turn.message.method === "tools/list") return toolList(turn)
    const stream = turn.stream()
    stream.send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "begun" } })
    stream.send({
      jsonrpc: "2.0",
      id: turn.message.id,
      result: { content: [{ type: "text", text: `of ${String(turn.message.params?.["name"])}` }] },
    })
    return stream.end()
  }

  /** What a token is told of a call that was made with the one of more power. */
  const resumed = async (
    name: string,
    headers: Record<string, string>,
    authorization?: string,
  ): Promise<ReadonlyArray<Json | undefined>> => {
    const { gateway } = await behind(telling, { tools: {}, logging: {} }, authorization)
    const client = await begin(gateway.url, { headers: much })
    const called = await readStream(gateway.url, {
      method: "POST",
      headers: {
        ...much,
        "content-type": "application/json",
        accept: "text/event-stream",
        "mcp-session-id": client.id,
        "mcp-protocol-version": "2025-11-25",
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }),
    })
    await called.closed
    expect(JSON.stringify(called.events)).toContain(`of ${name}`)
    const first = called.events[0]?.id
    const again = await within(gateway, client.id, headers).resume(first)
    await Promise.race([again.closed, until("the first event", () => again.events.length > 0)])
    const told = again.events.map(({ data }) => data)
    again.close()
    return told.filter((data) => data?.["result"] !== undefined)
  }

  it.each([
    ["the same power", much, 1],
    ["more power", most, 1],
    ["less power", little, 0],
  ])("gives the answer to a call back to a token of %s: %#", async (_which, headers, answers) => {
    expect(await resumed("secret", headers)).toHaveLength(answers)
  })

  it("gives no answer back to a token of less power where only the server has rules", async () => {
    expect(await resumed("secret", little, "")).toHaveLength(0)
    expect(await resumed("secret", most, "")).toHaveLength(1)
  })

  it("gives no answer back where other claims than scopes decide", async () => {
    const byRole = `, mcpAuthorization: {rules: ["mcp.tool.name == 'plain'", "jwt.role == 'admin'"]}`
    const { gateway } = await behind(telling, { tools: {}, logging: {} }, byRole)
    const admin = token("read", { role: "admin" })
    const user = token("read", { role: "user" })
    const client = await begin(gateway.url, { headers: admin })
    const eventIds: Record<string, string | undefined> = {}
    for (const name of ["plain", "secret"]) {
      const called = await readStream(gateway.url, {
        method: "POST",
        headers: {
          ...admin,
          "content-type": "application/json",
          accept: "text/event-stream",
          "mcp-session-id": client.id,
          "mcp-protocol-version": "2025-11-25",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: name, method: "tools/call", params: { name } }),
      })
      await called.closed
      eventIds[name] = called.events[0]?.id
    }
    for (const [name, answers] of [
      ["plain", 1],
      ["secret", 0],
    ] as const) {
      const again = await within(gateway, client.id, user).resume(eventIds[name])
      await Promise.race([again.closed, until("the first event", () => again.events.length > 0)])
      again.close()
      expect(
        again.events.filter(({ data }) => data?.["result"] !== undefined),
        name,
      ).toHaveLength(answers)
    }
  })

  it("tells no token of less power of resources that it may not read", async () => {
    const { gateway, server } = await behind((turn) => turn.result({}), { resources: { subscribe: true } })
    const client = await begin(gateway.url, { headers: much })
    const stream = await client.listen()
    await until("the server is listened to", () => server.streams.size > 0)
    for (const uri of ["a://plain", "a://secret"]) await client.request("resources/subscribe", { uri })
    stream.close()
    const other = await within(gateway, client.id, little).resume()
    await until("the server is listened to", () => server.streams.size > 0)
    const news = (uri: string) => ({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } })
    await until("news of what it may read", () => {
      server.push(news("a://secret"))
      server.push(news("a://plain"))
      return other.events.some(({ data }) => JSON.stringify(data ?? "").includes("a://plain"))
    })
    expect(JSON.stringify(other.events)).not.toContain("a://secret")
    other.close()
  })
})

describe("a task that was begun with a token of more power", () => {
  const taskIn = (said: Said): string => {
    const id = (answerOf(said).result?.["task"] as Json | undefined)?.["taskId"]
    if (typeof id !== "string") throw new Error(said.text)
    return id
  }

  /** What becomes of asking after a task of each tool. */
  const asked = async (gateway: McpGateway, headers: Record<string, string>, ids: Readonly<Record<string, string>>) => {
    const client = await begin(gateway.url, { headers })
    const listed = answerOf(await client.request("tasks/list")).result?.["tasks"] as ReadonlyArray<Json>
    const found: Record<string, unknown> = { listed: listed.length }
    for (const [name, taskId] of Object.entries(ids)) {
      const got = answerOf(await client.request("tasks/get", { taskId }))
      const result = answerOf(await client.request("tasks/result", { taskId }))
      found[name] = [got.error === undefined, JSON.stringify(result.result ?? "").includes(`of ${name}`)]
    }
    return found
  }

  const all = { listed: 2, plain: [true, true], secret: [true, true] }
  const some = { listed: 1, plain: [true, true], secret: [false, false] }
  /** A server may have told the one more than the other, and is not asked again. */
  const none = { listed: 0, plain: [false, false], secret: [false, false] }

  it.each([
    [
      "the gateway has the answer",
      none,
      { tools: {} },
      (turn: Parameters<Script>[0]) =>
        turn.message.method === "tools/list"
          ? toolList(turn)
          : turn.result({ content: [{ type: "text", text: `of ${String(turn.message.params?.["name"])}` }] }),
    ],
    [
      "the server has it",
      some,
      { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
      (turn: Parameters<Script>[0]) => {
        const { method, params = {} } = turn.message
        const shown = (taskId: unknown): Json => ({
          taskId,
          status: "completed",
          createdAt: "2026-01-01T00:00:00Z",
          lastUpdatedAt: "2026-01-01T00:00:00Z",
          ttl: 60_000,
          pollInterval: 50,
        })
        switch (method) {
          case "tools/list":
            return turn.result({
              tools: ["plain", "secret"].map((name) => ({
                name,
                inputSchema: { type: "object" },
                execution: { taskSupport: "optional" },
              })),
            })
          case "tools/call":
            return turn.result({ task: shown(`native-${String(params["name"])}`) })
          case "tasks/result":
            return turn.result({
              content: [{ type: "text", text: `of ${String(params["taskId"]).replace("native-", "")}` }],
            })
          default:
            return turn.result(shown(params["taskId"]))
        }
      },
    ],
  ])("is shown to whoever may use its tool, where %s", async (_where, shown, capabilities, script) => {
    const { gateway } = await behind(script, capabilities)
    const client = await begin(gateway.url, { headers: much })
    const ids: Record<string, string> = {}
    for (const name of ["plain", "secret"]) {
      ids[name] = taskIn(await client.request("tools/call", { name, arguments: {}, task: { ttl: 60_000 } }))
    }
    expect(await asked(gateway, much, ids)).toEqual(all)
    expect(await asked(gateway, most, ids)).toEqual(all)
    expect(await asked(gateway, little, ids)).toEqual(shown)
    const cancelled = await begin(gateway.url, { headers: little })
    expect(answerOf(await cancelled.request("tasks/cancel", { taskId: ids["secret"] })).error).toBeDefined()
    const modern = { headers: little, capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } } }
    expect(answerOf(await ask(gateway.url, "tasks/get", { taskId: ids["secret"] }, modern)).error).toBeDefined()
  })

  it("is not listed to another whose token names nobody either", async () => {
    const { gateway } = await behind(
      (turn) => (turn.message.method === "tools/list" ? toolList(turn) : turn.result({ content: [] })),
      { tools: {} },
      "",
    )
    const [one, other] = [
      token("read", { sub: undefined, name: "ann" }),
      token("read", { sub: undefined, name: "bob" }),
    ]
    const client = await begin(gateway.url, { headers: one })
    taskIn(await client.request("tools/call", { name: "plain", arguments: {}, task: { ttl: 60_000 } }))
    const listedTo = async (asking: typeof client): Promise<unknown> =>
      answerOf(await asking.request("tasks/list")).result?.["tasks"]
    expect(await listedTo(client)).toHaveLength(1)
    expect(await listedTo(await begin(gateway.url, { headers: other }))).toEqual([])
  })
})
