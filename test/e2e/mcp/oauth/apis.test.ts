/** Accounts at HTTP APIs that a document describes, and at services that are found by their labels. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, ask, type McpGateway, mcpGateway } from "../harness.ts"
import { type AuthServer, authorizationServer } from "./authorizationServer.ts"
import { basic, browserOf, call, linkIn, people, places, textOf } from "./place.ts"
import { resourceServer } from "./resource.ts"

const { closeAll, closed } = places()
afterEach(closeAll)

const document = {
  openapi: "3.1.0",
  servers: [{ url: "https://elsewhere.example/v1" }],
  paths: {
    "/me": { get: { operationId: "whoami", responses: {} } },
    "/notes": {
      post: {
        operationId: "write",
        requestBody: { content: { "application/json": { schema: { type: "object" } } } },
        responses: {},
      },
    },
    "/secret": { get: { operationId: "secret", responses: {} } },
    "/taken": { get: { operationId: "taken", responses: {} } },
  },
}

interface Seen {
  readonly path: string
  readonly user: string | undefined
}

/** An API that knows who asks by their token only. */
const api = async (auth: AuthServer) => {
  const seen: Array<Seen> = []
  const server = http.createServer((request, response) => {
    request.resume()
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
    const facts = token === undefined ? undefined : auth.tokens.get(token)
    if (request.url?.startsWith("/.well-known/") === true) return response.writeHead(404).end()
    seen.push({ path: request.url ?? "", user: facts?.user })
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
    if (facts === undefined) return answer(401, { error: "who?" })
    if (request.url === "/v1/secret" && !facts.scope.split(" ").includes("secrets")) {
      return answer(403, {}, { "www-authenticate": 'Bearer error="insufficient_scope", scope="secrets"' })
    }
    return request.url === "/v1/taken" ? answer(403, { error: "not yours" }) : answer(200, { user: facts.user })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return closed({
    url: `http://127.0.0.1:${port}`,
    seen,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

const drain = { minMillis: 0, maxMillis: 200 }

const start = async (oauth = "", policies = "") => {
  const auth = closed(await authorizationServer())
  const notes = await api(auth)
  const written = `issuer: "${auth.url}"${oauth === "" ? "" : `, ${oauth}`}`
  const gateway = closed(
    await mcpGateway(
      `{targets: [{name: notes, openapi: {host: "${notes.url}", schema: ${JSON.stringify(document)}}, oauth: {${written}}}]}`,
      { policies, options: { drain } },
    ),
  )
  return { auth, gateway, notes }
}

const toolNames = async ({ url }: McpGateway, headers: Record<string, string> = {}): Promise<ReadonlyArray<string>> => {
  const { result } = answerOf(await ask(url, "tools/list", {}, { headers }))
  const tools = (result?.["tools"] ?? []) as ReadonlyArray<{ name: string }>
  return tools.map(({ name }) => name).toSorted()
}

const names = ["secret", "taken", "whoami", "write"]

describe("an API that a document describes", () => {
  it("shows its tools to everybody, and is asked nothing before somebody has agreed", async () => {
    const place = await start()
    expect(await toolNames(place.gateway)).toEqual(names)
    const link = linkIn(await call(place, "write", {}, { arguments: { body: { text: "x" } } }))
    expect(place.notes.seen).toEqual([])
    expect(await browserOf(place, "ann").agree(link)).toMatchObject({ status: 200 })
    expect(answerOf(await call(place, "whoami")).result).toMatchObject({ structuredContent: { user: "ann" } })
    expect(place.notes.seen).toEqual([{ path: "/v1/me", user: "ann" }])
    expect(await toolNames(place.gateway)).toEqual(names)
    expect([...place.auth.tokens.values()]).toMatchObject([{ resource: place.notes.url }])
  })

  it("is called for everybody with what they granted, and by no one else's account", async () => {
    const place = await start("scopes: [notes]", people)
    const [ann, bob] = [basic("ann"), basic("bob")]
    const link = linkIn(await call(place, "whoami", ann))
    const browser = browserOf(place, "pen")
    browser.headers[new URL(place.gateway.url).host] = ann
    expect(await browser.agree(link)).toMatchObject({ status: 200 })
    expect(answerOf(await call(place, "whoami", ann)).result).toMatchObject({
      structuredContent: { user: "pen" },
    })
    expect(linkIn(await call(place, "whoami", bob))).not.toBe(link)
    expect(place.notes.seen.map(({ user }) => user)).toEqual(["pen"])
    expect(place.auth.authorizations.map((one) => one.get("scope"))).toEqual(["notes"])
  })

  it("that wants more of a person than was granted leads there again; any other refusal is for the model", async () => {
    const place = await start()
    await browserOf(place, "ann").agree(linkIn(await call(place, "whoami")))
    expect(answerOf(await call(place, "taken")).result).toMatchObject({ isError: true })
    expect(textOf(await call(place, "taken"))).toContain("not yours")
    await browserOf(place, "ann").agree(linkIn(await call(place, "secret")))
    expect(place.auth.authorizations.at(-1)?.get("scope")).toContain("secrets")
    expect(answerOf(await call(place, "secret")).result).toMatchObject({ structuredContent: { user: "ann" } })
  })

  it("that took a token back is called with the next one, unseen", async () => {
    const place = await start()
    await browserOf(place, "ann").agree(linkIn(await call(place, "whoami")))
    place.auth.tokens.clear()
    expect(answerOf(await call(place, "whoami")).result).toMatchObject({ structuredContent: { user: "ann" } })
    expect(place.auth.tokenRequests.map((form) => form.get("grant_type"))).toEqual([
      "authorization_code",
      "refresh_token",
    ])
    expect(place.notes.seen.map(({ user }) => user)).toEqual([undefined, "ann"])
  })
})

describe("services that are found by label", () => {
  it("are each called with an account of their own", async () => {
    const auth = closed(await authorizationServer())
    const servers = await Promise.all([1, 2].map(async () => closed(await resourceServer(auth, { era: "modern" }))))
    const beside = [
      `services: [${servers
        .map(({ url }, i) => {
          const { port } = new URL(url)
          return `{name: s${i}, namespace: x${i}, hostname: "127.0.0.1", labels: {mcp: "true"}, vips: [], ports: {"${port}": ${port}}}`
        })
        .join(", ")}]`,
      `workloads: [${servers
        .map(({ url }, i) => {
          const { port } = new URL(url)
          return `{name: w${i}, namespace: x${i}, workloadIps: ["127.0.0.1"], services: {"x${i}/127.0.0.1": {"${port}": ${port}}}}`
        })
        .join(", ")}]`,
    ].join("\n")
    const gateway = closed(
      await mcpGateway('{selectors: [{labels: {mcp: "true"}, oauth: {}}]}', { beside, options: { drain } }),
    )
    const place = { auth, gateway }
    expect(await toolNames(gateway)).toEqual(["s0-x0_connect", "s1-x1_connect"])
    const link = linkIn(await call(place, "s0-x0_whoami"))
    expect(await browserOf(place, "ann").agree(link)).toMatchObject({ status: 200 })
    expect(textOf(await call(place, "s0-x0_whoami"))).toBe("you are ann")
    expect(await toolNames(gateway)).toEqual(["s0-x0_admin", "s0-x0_whoami", "s1-x1_connect"])
    await browserOf(place, "bea").agree(linkIn(await call(place, "s1-x1_whoami")))
    expect(textOf(await call(place, "s1-x1_whoami"))).toBe("you are bea")
    expect(textOf(await call(place, "s0-x0_whoami"))).toBe("you are ann")
  })
})
