/** A target that wants an account beside others, and what clients of every kind are told of it. */
import { afterEach, describe, expect, it } from "vitest"
import { localServer } from "../../../node/credentials/local.ts"
import { ec, jwks, signed } from "../../../stages/5-policy/tokens.ts"
import { answerOf, ask, begin, type Json, mcpGateway, modern, scripted } from "../harness.ts"
import { authorizationServer } from "./authorizationServer.ts"
import { Browser } from "./browser.ts"
import { browserOf, linkIn, places, textOf } from "./place.ts"
import { resourceServer } from "./resource.ts"

const { closeAll, closed, start } = places()
afterEach(closeAll)

const soon = { timeout: 20_000, interval: 50 }
const drain = { minMillis: 0, maxMillis: 200 }

const open = async () =>
  closed(
    await scripted(
      modern(({ message, result }) =>
        message.method === "tools/list"
          ? result({ resultType: "complete", tools: [{ name: "clock", inputSchema: { type: "object" } }] })
          : result({ resultType: "complete", content: [{ type: "text", text: "noon" }] }),
      ),
    ),
  )

const namesIn = (result: Json = {}): ReadonlyArray<string> =>
  (result["tools"] as ReadonlyArray<{ name: string }>).map(({ name }) => name)

describe("beside targets that want nothing", () => {
  it("it costs them nothing, and says what is missing and where to go", async () => {
    const auth = closed(await authorizationServer())
    const server = closed(await resourceServer(auth, { era: "legacy" }))
    const other = await open()
    const gateway = closed(
      await mcpGateway(
        `{failureMode: failClosed, targets: [{name: notes, mcp: {host: "${server.url}"}, oauth: {}}, {name: time, mcp: {host: "${other.url}"}}]}`,
        { options: { drain } },
      ),
    )
    const { result: listed = {} } = answerOf(await ask(gateway.url, "tools/list"))
    expect(namesIn(listed)).toEqual(["notes_connect", "time_clock"])
    expect(listed["ttlMs"]).toBe(0)
    const [missing] = (listed["_meta"] as Json)["dev.sluice/missing"] as ReadonlyArray<Json>
    expect(missing).toMatchObject({ target: "notes", stale: false, reason: "consent_required" })
    expect(textOf(await ask(gateway.url, "tools/call", { name: "time_clock", arguments: {} }))).toBe("noon")
    // Far more often than a target may fail: being unwelcome is no failure of the server.
    for (let i = 0; i < 12; i++) await ask(gateway.url, "tools/list")
    const browser = new Browser()
    browser.set(auth.url, "as_user", "ann")
    expect((await browser.agree(missing?.["url"] as string)).status).toBe(200)
    expect(namesIn(answerOf(await ask(gateway.url, "tools/list")).result)).toEqual([
      "notes_whoami",
      "notes_admin",
      "time_clock",
    ])
    expect(textOf(await ask(gateway.url, "tools/call", { name: "notes_whoami", arguments: {} }))).toBe("you are ann")
  })
})

describe("a client with a session", () => {
  it("is told that lists have changed once the account is connected", async () => {
    const place = await start()
    const session = await begin(place.gateway.url)
    expect(session.introduction).toMatchObject({ capabilities: { tools: { listChanged: true } } })
    const stream = await session.listen()
    const listed = answerOf(await session.request("tools/list", {}))
    expect(namesIn(listed.result)).toEqual(["connect"])
    const told = await session.request("tools/call", { name: "connect", arguments: {} })
    await browserOf(place, "ann").agree(linkIn(told))
    await expect
      .poll(() => stream.events.map(({ data }) => data?.["method"]), soon)
      .toContain("notifications/tools/list_changed")
    expect(namesIn(answerOf(await session.request("tools/list", {})).result)).toEqual(["whoami", "admin"])
    stream.close()
  })

  it("that will not go there now is told where to go before it calls again", async () => {
    const place = await start()
    const session = await begin(place.gateway.url, { capabilities: { elicitation: { url: {} } } })
    const stream = await session.listen()
    let answered: Json | undefined
    const asked = await fetch(place.gateway.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-session-id": session.id,
        "mcp-protocol-version": "2025-11-25",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: "own",
        method: "tools/call",
        params: { name: "whoami", arguments: {} },
      }),
    })
    const decoder = new TextDecoder()
    let text = ""
    for await (const chunk of asked.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true })
      for (const line of text.split("\n").filter((one) => one.startsWith("data: {"))) {
        if (!line.endsWith("}")) continue
        const message = JSON.parse(line.slice(6)) as Json
        if (message["method"] === "elicitation/create" && answered === undefined) {
          answered = message["params"] as Json
          await session.send({ id: message["id"], result: { action: "decline" } })
        }
        if (message["id"] === "own") answered = { ...answered, error: message["error"] }
      }
    }
    expect(answered).toMatchObject({ mode: "url", error: { code: -32_042, data: { elicitations: [{ mode: "url" }] } } })
    expect(typeof answered?.["elicitationId"]).toBe("string")
    stream.close()
  })
})

describe("without consent", () => {
  it("each caller's token may be traded for one at a target", async () => {
    const granted: Array<string> = []
    const exchange = closed(
      await localServer(({ body }) => {
        const form = new URLSearchParams(body.toString())
        granted.push(`${form.get("grant_type")?.split(":").at(-1)} ${form.get("subject_token") ?? ""}`)
        return {
          body: {
            access_token: `for-${form.get("subject_token") ?? "gateway"}`,
            token_type: "Bearer",
            expires_in: 600,
            issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
          },
        }
      }),
    )
    const server = closed(
      await scripted(
        modern(({ headers, result }) =>
          result({
            resultType: "complete",
            tools: [],
            content: [{ type: "text", text: String(headers.authorization) }],
          }),
        ),
      ),
    )
    const target = (name: string, auth: string) =>
      `{name: ${name}, mcp: {host: "${server.url}"}, policies: {backendAuth: {${auth}: {host: "127.0.0.1:${exchange.port}", path: /token, clientAuth: {clientId: g, clientSecret: s}}}}}`
    const key = ec("k1")
    const gateway = closed(
      await mcpGateway(
        `{targets: [${target("traded", "oauthTokenExchange")}, ${target("own", "oauthClientCredentials")}]}`,
        {
          policies: `{jwtAuth: {mode: strict, issuer: "https://sso.example", jwks: ${JSON.stringify(jwks(key))}}}`,
          options: { drain },
        },
      ),
    )
    const tokenOf = (sub: string): string =>
      signed(key, "ES256", { iss: "https://sso.example", sub, exp: Math.floor(Date.now() / 1000) + 600 })
    const as = async (name: string, token: string) =>
      textOf(
        await ask(
          gateway.url,
          "tools/call",
          { name, arguments: {} },
          { headers: { authorization: `Bearer ${token}` } },
        ),
      )
    const [ann, bob] = [tokenOf("ann"), tokenOf("bob")]
    for (let i = 0; i < 2; i++) {
      expect(await as("traded_x", ann)).toBe(`Bearer for-${ann}`)
      expect(await as("traded_x", bob)).toBe(`Bearer for-${bob}`)
      expect(await as("own_x", bob)).toBe("Bearer for-gateway")
    }
    expect(new Set(granted).size).toBe(3)
    expect(granted.length).toBe(3)
  })
})
