/** People connect their accounts at servers behind the gateway: real clients, a real authorization server, a browser. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, ask, begin, type McpGateway, mcpGateway } from "../harness.ts"
import { type AuthOptions, type AuthServer, authorizationServer } from "./authorizationServer.ts"
import { Browser } from "./browser.ts"
import { type Resource, type ResourceOptions, resourceServer } from "./resource.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

interface Place {
  readonly auth: AuthServer
  readonly server: Resource
  readonly gateway: McpGateway
}

const start = async (
  resource: Partial<ResourceOptions> = {},
  auth: AuthOptions = {},
  { more = "", policies = "" } = {},
): Promise<Place> => {
  const as = closed(await authorizationServer(auth))
  const server = closed(await resourceServer(as, { era: "modern", ...resource }))
  const gateway = closed(
    await mcpGateway(`{targets: [{name: notes, mcp: {host: "${server.url}"}, oauth: {${more}}}]}`, {
      policies,
      options: { drain: { minMillis: 0, maxMillis: 200 } },
    }),
  )
  return { auth: as, server, gateway }
}

const textOf = (result: unknown): string =>
  ((result as { content: ReadonlyArray<{ text: string }> }).content[0] as { text: string }).text

const clients = {
  "a client of results": async (url: string, browser: Browser) => {
    const client = new ModernClient(
      { name: "tester", version: "1" },
      { capabilities: { elicitation: { url: {} } }, versionNegotiation: { mode: { pin: "2026-07-28" } } },
    )
    client.setRequestHandler("elicitation/create", async ({ params }) => {
      await browser.agree((params as { url: string }).url)
      return { action: "accept" }
    })
    await client.connect(new ModernTransport(new URL(url)))
    return client
  },
  "a client with a session": async (url: string, browser: Browser) => {
    const client = new Client({ name: "tester", version: "1" }, { capabilities: { elicitation: { url: {} } } })
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      await browser.agree((params as { url: string }).url)
      return { action: "accept" as const }
    })
    await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport)
    return client
  },
}

describe.each(Object.entries(clients))("%s", (_, connect) => {
  it.each(["legacy", "modern"] as const)("is led to the login of a %s server, and its call goes on", async (era) => {
    const { auth, gateway, server } = await start({ era })
    const browser = new Browser()
    browser.set(auth.url, "as_user", "ann")
    const client = await connect(gateway.url, browser)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["connect"])
    expect(textOf(await client.callTool({ name: "whoami", arguments: {} }))).toBe("you are ann")
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["whoami", "admin"])
    // The token is for that server, and no other.
    expect(server.served.every(({ token }) => auth.tokens.get(token)?.resource === server.url)).toBe(true)
    const [authorization] = auth.authorizations
    expect(authorization?.get("resource")).toBe(server.url)
    expect(authorization?.get("code_challenge_method")).toBe("S256")
    expect([...auth.registered.values()]).toMatchObject([
      { redirect_uris: [`${gateway.url}/connections/callback`], application_type: "native" },
    ])
    await client.close()
  })
})

describe("without being asked, a client", () => {
  it("is told in words where to go", async () => {
    const { auth, gateway } = await start()
    const said = answerOf(await ask(gateway.url, "tools/call", { name: "connect", arguments: {} }))
    expect(said.result).toMatchObject({ isError: true })
    const link = /http\S+/.exec(textOf(said.result))?.[0] ?? ""
    const browser = new Browser()
    browser.set(auth.url, "as_user", "bea")
    expect(await browser.agree(link)).toMatchObject({ status: 200 })
    expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "whoami", arguments: {} })).result)).toBe(
      "you are bea",
    )
    const session = await begin(gateway.url)
    expect(textOf(answerOf(await session.request("tools/call", { name: "whoami", arguments: {} })).result)).toBe(
      "you are bea",
    )
  })
})
