/** The gateway as an OAuth resource server for MCP clients, on real sockets, with the SDK's own discovery as one of them. */
import {
  discoverOAuthProtectedResourceMetadata,
  discoverAuthorizationServerMetadata,
  extractWWWAuthenticateParams,
  registerClient,
} from "@modelcontextprotocol/sdk/client/auth.js"
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import { type LocalServer, localServer, type Said } from "../node/credentials/local.ts"
import { ec, hmac, jwks, signed, unsigned } from "../stages/5-policy/tokens.ts"
import { type HttpUpstream, httpUpstream, type Started, startGateway } from "./harness.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

const key = ec("k1")
const stranger = ec("k1")

interface Place {
  readonly gateway: Started
  readonly backend: HttpUpstream
  readonly server: LocalServer
  readonly url: string
  readonly token: (claims?: Record<string, unknown>) => string
}

const start = async (more = "", answer?: (path: string) => Said | undefined, provider = ""): Promise<Place> => {
  const server: LocalServer = closed(
    await localServer(({ url }) => {
      const own = answer?.(url)
      if (own !== undefined) return own
      if (url.includes("jwks") || url.endsWith("/certs")) return { text: jwks(key), type: "application/json" }
      if (url.includes(".well-known")) {
        return {
          body: {
            issuer: server.url,
            authorization_endpoint: `${server.url}/authorize`,
            token_endpoint: `${server.url}/token`,
            registration_endpoint: `${server.url}/register`,
            response_types_supported: ["code"],
            code_challenge_methods_supported: ["S256"],
          },
        }
      }
      return { status: 404, body: {} }
    }),
  )
  const backend = closed(await httpUpstream())
  const { snapshot } = await loadedOf(
    `
gateways: {default: {port: 1}}
routes:
- policies:
    mcpAuthentication:
      issuer: ${server.url}
      audiences: [gw]
      ${provider === "" ? "" : `provider: {${provider}: {}}`}
      resourceMetadata: {resourceName: Tools, scopesSupported: [extra]}
      ${more}
  backends: [{host: "127.0.0.1:${backend.port}"}]
`,
    {},
  )
  const binds = [...snapshot.binds].map(
    ([name, bind]) => [name, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  const gateway = closed(await startGateway({ ...snapshot, binds: new Map(binds) }))
  const token: Place["token"] = (claims = {}) =>
    signed(key, "ES256", {
      iss: server.url,
      aud: "gw",
      sub: "ann",
      exp: Math.floor(Date.now() / 1000) + 600,
      ...claims,
    })
  return { gateway, backend, server, token, url: `http://127.0.0.1:${gateway.port}` }
}

const claimsOf = (token: string): unknown => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

describe("a client without a token", () => {
  it("is told where the gateway describes itself, and finds the authorization server from there", async () => {
    const { backend, server, url } = await start()
    const refused = await fetch(`${url}/mcp`, { method: "POST", body: "{}" })
    expect([refused.status, refused.headers.get("content-type"), await refused.text()]).toEqual([
      401,
      "application/json",
      '{"error":"unauthorized","error_description":"JWT token required"}',
    ])
    expect(refused.headers.get("www-authenticate")).toBe(
      `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`,
    )
    const { resourceMetadataUrl } = extractWWWAuthenticateParams(refused)
    const resource = await discoverOAuthProtectedResourceMetadata(`${url}/mcp`, {
      resourceMetadataUrl: resourceMetadataUrl as URL,
    })
    expect(resource).toMatchObject({
      resource: `${url}/mcp`,
      authorization_servers: [server.url],
      resource_name: "Tools",
      scopes_supported: ["extra"],
    })
    const found = await discoverAuthorizationServerMetadata(resource.authorization_servers?.[0] ?? "")
    expect(found?.token_endpoint).toBe(`${server.url}/token`)
    expect(backend.requests.length).toBe(0)
  })

  it("is one that shows it by DPoP, which nobody here checks the proof of", async () => {
    const { backend, token, url } = await start()
    const headers = { authorization: `DPoP ${token()}`, dpop: token() }
    const refused = await fetch(`${url}/mcp`, { method: "POST", body: "{}", headers })
    const without = await fetch(`${url}/mcp`, { method: "POST", body: "{}" })
    expect([refused.status, await refused.text()]).toEqual([401, await without.text()])
    expect(refused.headers.get("www-authenticate")).toBe(without.headers.get("www-authenticate"))
    expect(backend.requests.length).toBe(0)
    const optional = await start("mode: optional")
    const passed = await fetch(`${optional.url}/mcp`, { headers })
    const { headers: seen } = (await passed.json()) as { headers: Record<string, string> }
    expect([passed.status, seen["authorization"]]).toEqual([200, undefined])
    expect(optional.gateway.told.exchanges[0]?.exchange.identity).toBe(undefined)
  })

  it("in a browser may read the descriptions", async () => {
    const { url } = await start()
    const asked = await fetch(`${url}/.well-known/oauth-protected-resource`, {
      method: "OPTIONS",
      headers: { origin: "https://x" },
    })
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([204, "*"])
    const got = await fetch(`${url}/.well-known/oauth-protected-resource`)
    expect(((await got.json()) as { resource: string }).resource).toBe(url)
    expect((await fetch(`${url}/.well-known/oauth-protected-resource`, { method: "DELETE" })).status).toBe(405)
  })

  it("sees the gateway as it is known outside", async () => {
    const { url } = await start()
    const headers = { "x-forwarded-proto": "https", "x-forwarded-for": "1.1.1.1" }
    const refused = await fetch(`${url}/mcp`, { headers })
    expect(refused.headers.get("www-authenticate")).toContain(`resource_metadata="https://127.0.0.1:`)
    const configured = await start("", undefined, "")
    expect((await fetch(`${configured.url}/mcp`)).status).toBe(401)
  })

  it("passes where tokens are optional", async () => {
    const { url, token } = await start("mode: optional")
    expect((await fetch(`${url}/mcp`)).status).toBe(200)
    expect((await fetch(`${url}/mcp`, bearer("x"))).status).toBe(401)
    expect((await fetch(`${url}/mcp`, bearer(token()))).status).toBe(200)
  })
})

describe("a token", () => {
  it("that is good is known, and goes no further", async () => {
    const { gateway, token, url } = await start()
    const got = await fetch(`${url}/mcp`, bearer(token()))
    const { headers } = (await got.json()) as { headers: Record<string, string> }
    expect([got.status, headers["authorization"]]).toEqual([200, undefined])
    expect(gateway.told.exchanges[0]?.exchange.identity?.jwt?.["sub"]).toBe("ann")
  })

  it.each([
    ["for another audience", (t: Place["token"]) => t({ aud: "other" })],
    ["without an audience", (t: Place["token"]) => t({ aud: undefined })],
    ["of another issuer", (t: Place["token"]) => t({ iss: "https://evil.example" })],
    ["that has ended", (t: Place["token"]) => t({ exp: 1 })],
    ["that begins later", (t: Place["token"]) => t({ nbf: Math.floor(Date.now() / 1000) + 3600 })],
    ["without a signature", (t: Place["token"]) => unsigned({ alg: "none" }, claimsOf(t()))],
    [
      "signed with the public key",
      (t: Place["token"]) => hmac(JSON.stringify(key.jwk), { alg: "HS256", kid: "k1" }, claimsOf(t())),
    ],
    ["cut short", (t: Place["token"]) => t().slice(0, -5)],
    ["of a stranger's key", (t: Place["token"]) => signed(ec("k1"), "ES256", claimsOf(t()))],
    ["of nine thousand characters", () => "a".repeat(9000)],
    // As the bytes of UTF-8, since no client sends characters.
    ["in another script", () => Buffer.from("тoken.тoken.тoken").toString("latin1")],
    [
      "whose letters only look like those of a good one",
      (t: Place["token"]) => Buffer.from(t().replace(/^e/, "е")).toString("latin1"),
    ],
    ["with a character that takes no room", (t: Place["token"]) => `${t()}${Buffer.from("\u200b").toString("latin1")}`],
    ["that is nothing", () => ""],
    ["of thirty thousand characters", (t: Place["token"]) => `${t()}${"A".repeat(30_000)}`],
    ["that names a key nobody has", (t: Place["token"]) => signed({ ...key, kid: "../k1" }, "ES256", claimsOf(t()))],
    [
      "that names a member of every object",
      (t: Place["token"]) => signed({ ...key, kid: "__proto__" }, "ES256", claimsOf(t())),
    ],
    [
      "that brings its own key along",
      (t: Place["token"]) => signed(stranger, "ES256", claimsOf(t()), { kid: "k1", jwk: stranger.jwk }),
    ],
    ["that names another algorithm", (t: Place["token"]) => signed(key, "ES256", claimsOf(t()), { alg: "ES384" })],
    ["whose end is in words", (t: Place["token"]) => t({ exp: "never" })],
    ["without an end", (t: Place["token"]) => t({ exp: undefined })],
    ["of several issuers", (t: Place["token"]) => t({ iss: ["https://evil.example"] })],
    [
      "whose claims were changed",
      (t: Place["token"]) => {
        const [head, , signature] = t().split(".")
        const claims = Buffer.from(JSON.stringify({ ...(claimsOf(t()) as object), sub: "root" })).toString("base64url")
        return `${head}.${claims}.${signature}`
      },
    ],
    ["that stands behind a bad one", (t: Place["token"]) => `x.y.z, Bearer ${t()}`],
  ])("%s is refused, and nothing is sent", async (_, make) => {
    const { backend, token, url } = await start()
    const got = await fetch(`${url}/mcp`, bearer(make(token)))
    expect(got.status).toBe(401)
    expect(got.headers.get("www-authenticate")).toMatch(/^Bearer (error="invalid_token", )?resource_metadata=/)
    expect(backend.requests.length).toBe(0)
  })

  it("of a mebibyte is no request, and costs nobody else anything", async () => {
    const { backend, gateway, token, url } = await start()
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token()}${"A".repeat(1 << 20)}` }
      const request = http.request(`${url}/mcp`, { agent: false, headers }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      // What is left of so long a head meets a connection that has ended.
      request.on("error", (error: NodeJS.ErrnoException) =>
        ["EPIPE", "ECONNRESET"].includes(error.code ?? "") ? resolve(431) : reject(error),
      )
      request.end()
    })
    expect(status).toBe(431)
    expect(gateway.told.exchanges).toEqual([])
    expect(backend.requests.length).toBe(0)
    expect((await fetch(`${url}/mcp`, bearer(token()))).status).toBe(200)
  })

  it("that is bad passes only where nobody is refused, unknown, and goes no further there either", async () => {
    const { gateway, url } = await start("mode: permissive")
    const got = await fetch(`${url}/mcp`, bearer("x.y.z"))
    const { headers } = (await got.json()) as { headers: Record<string, string> }
    expect([got.status, headers["authorization"]]).toEqual([200, undefined])
    expect(gateway.told.exchanges[0]?.exchange.identity).toBe(undefined)
  })

  it("of which there are two is judged by the first, and neither goes further", async () => {
    const { backend, gateway, token } = await start()
    const send = (...values: ReadonlyArray<string>) =>
      new Promise<number | undefined>((resolve, reject) => {
        const flat = values.flatMap((value) => ["authorization", `Bearer ${value}`])
        const request = http.get(
          { port: gateway.port, host: "127.0.0.1", path: "/mcp", headers: ["host", "a.test", ...flat], agent: false },
          (response) => {
            response.resume()
            resolve(response.statusCode)
          },
        )
        request.on("error", reject)
      })
    expect([await send("x.y.z", token()), await send(token(), "x.y.z")]).toEqual([401, 200])
    expect(backend.requests.map(({ headers }) => headers["authorization"])).toEqual([undefined])
  })

  it("is held against a good key that stands beside those nobody here can use", async () => {
    const odd = [
      { kty: "oct", kid: "s", k: "AAAA" },
      { kty: "AKP", alg: "ML-DSA-65", kid: "pq", pub: "AAAA" },
      { kty: "EC", crv: "secp256k1", kid: "k", x: "AA", y: "AA" },
      "no key",
    ]
    const { token, url } = await start("", (path) =>
      path.includes("jwks")
        ? { text: JSON.stringify({ keys: [...odd, key.jwk] }), type: "application/json" }
        : undefined,
    )
    expect((await fetch(`${url}/mcp`, bearer(token()))).status).toBe(200)
  })

  it("stays good while the server of its keys is down later on", async () => {
    const { server, token, url } = await start()
    expect((await fetch(`${url}/mcp`, bearer(token()))).status).toBe(200)
    await server.close()
    // Another token: it was not verified before, and is held against the keys that were fetched.
    expect((await fetch(`${url}/mcp`, bearer(token({ sub: "ben" })))).status).toBe(200)
  })

  it("cannot be judged while the keys are not to be had", async () => {
    const { backend, token, url } = await start("", (path) =>
      path.includes("jwks") ? { status: 500, body: {} } : undefined,
    )
    expect((await fetch(`${url}/mcp`, bearer(token()))).status).toBe(503)
    expect(backend.requests.length).toBe(0)
  })
})

describe("scopes", () => {
  const scoped = `scopes: [mcp]\n      stepUp: [{condition: "request.headers['mcp-method'] == 'tools/call'", scopes: [tools]}, {condition: "json(request.body).params.name == 'delete'", scopes: [danger]}]`
  const call = (url: string, token: string, method: string, name = "read") =>
    fetch(`${url}/mcp`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "mcp-method": method, "content-type": "application/json" },
      body: JSON.stringify({ params: { name } }),
    })

  it("that are missing are named, all that this call needs", async () => {
    const { backend, token, url } = await start(scoped)
    const got = await call(url, token({ scope: "other" }), "tools/call", "delete")
    expect(got.status).toBe(403)
    expect(got.headers.get("www-authenticate")).toBe(
      `Bearer error="insufficient_scope", resource_metadata="${url}/.well-known/oauth-protected-resource/mcp", scope="mcp tools danger"`,
    )
    const { scope } = extractWWWAuthenticateParams(got)
    expect(scope).toBe("mcp tools danger")
    expect((await call(url, token({ scope: "mcp tools" }), "tools/call", "delete")).status).toBe(403)
    expect((await call(url, token(), "ping")).status).toBe(403)
    expect(backend.requests.length).toBe(0)
  })
  it("that are there let a call pass", async () => {
    const { token, url } = await start(scoped)
    expect((await call(url, token({ scope: "mcp tools danger" }), "tools/call", "delete")).status).toBe(200)
    expect((await call(url, token({ scp: ["mcp", "tools"] }), "tools/call")).status).toBe(200)
    expect((await call(url, token({ scope: "mcp" }), "tools/list")).status).toBe(200)
  })
  it("are asked for from the beginning, and described", async () => {
    const { url } = await start(`resourceMetadata: {}\n      ${scoped}`.replace("resourceMetadata: {}\n      ", ""))
    expect((await fetch(`${url}/mcp`)).headers.get("www-authenticate")).toContain('scope="mcp"')
  })
  it("whose condition cannot be told may well be needed", async () => {
    const { token, url } = await start(scoped)
    const got = await fetch(`${url}/mcp`, {
      method: "POST",
      headers: { authorization: `Bearer ${token({ scope: "mcp" })}`, "mcp-method": "ping" },
      body: "no json",
    })
    expect(got.status).toBe(403)
  })
})

describe("a stand-in for an authorization server", () => {
  it("of Keycloak has clients registered through the gateway", async () => {
    const { server, url } = await start(
      "",
      (path) =>
        path === "/clients-registrations/openid-connect"
          ? { status: 201, body: { client_id: "made", redirect_uris: ["http://127.0.0.1/cb"] } }
          : undefined,
      "keycloak",
    )
    const resource = await discoverOAuthProtectedResourceMetadata(`${url}/mcp`)
    expect(resource.authorization_servers).toEqual([`${url}/mcp`])
    const metadata = await discoverAuthorizationServerMetadata(`${url}/mcp`)
    expect(metadata).toMatchObject({
      issuer: `${url}/mcp`,
      token_endpoint: `${server.url}/token`,
      registration_endpoint: `${url}/.well-known/oauth-authorization-server/mcp/client-registration`,
    })
    const client = await registerClient(`${url}/mcp`, {
      metadata: metadata as never,
      clientMetadata: { redirect_uris: ["http://127.0.0.1/cb"] },
    })
    expect(client.client_id).toBe("made")
    expect(JSON.parse(server.requests.at(-1)?.body.toString() ?? "")).toEqual({
      redirect_uris: ["http://127.0.0.1/cb"],
    })
  })

  it("with a client of its own registers nobody", async () => {
    const { server, url } = await start("clientId: fixed", undefined, "okta")
    const got = await fetch(`${url}/.well-known/oauth-authorization-server/mcp/client-registration`, {
      method: "POST",
      body: JSON.stringify({ redirect_uris: ["http://a/", 1] }),
    })
    expect([got.status, await got.json()]).toEqual([
      201,
      {
        client_id: "fixed",
        client_id_issued_at: 0,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code"],
        response_types: ["code"],
        redirect_uris: ["http://a/"],
      },
    ])
    expect(server.requests.filter(({ method }) => method === "POST").length).toBe(0)
  })

  it.each([
    ["no JSON", "x"],
    ["too much", `{"a":"${"x".repeat(70_000)}"}`],
    ["a list", "[]"],
  ])("refuses a registration that is %s", async (_, body) => {
    const { url } = await start("", undefined, "keycloak")
    const got = await fetch(`${url}/.well-known/oauth-authorization-server/client-registration`, {
      method: "POST",
      body,
    })
    expect(got.status).toBe(400)
  })

  it("does not register on any path that only looks so", async () => {
    const { url } = await start("", undefined, "keycloak")
    expect((await fetch(`${url}/mcp/client-registration`, { method: "POST", body: "{}" })).status).toBe(401)
  })

  it("that cannot be reached says so", async () => {
    const { url } = await start(
      "",
      (path) => (path.includes("openid-configuration") ? { status: 500, body: {} } : undefined),
      "keycloak",
    )
    expect((await fetch(`${url}/.well-known/oauth-authorization-server/mcp`)).status).toBe(503)
  })
})

describe("a stand-in for Keycloak with a client of its own", () => {
  const key = "cd".repeat(32)
  const place = (more: string) =>
    start(
      `clientId: app\n      ${more}`,
      (path) => (path === "/protocol/openid-connect/token" ? { body: { access_token: "a" } } : undefined),
      "keycloak",
    )
  const prefix = "/.well-known/oauth-authorization-server/mcp"

  it("leads logins through itself, and shows the server one address and its own secret", async () => {
    const { server, url } = await place(`clientSecret: s3cret\n      relaySigningKey: ${key}`)
    const metadata = (await (await fetch(`${url}${prefix}`)).json()) as Record<string, unknown>
    expect(metadata).toMatchObject({
      issuer: `${url}/mcp`,
      authorization_endpoint: `${url}${prefix}/authorize`,
      token_endpoint: `${url}${prefix}/token`,
    })
    const query = { client_id: "app", redirect_uri: "http://127.0.0.1:33418/cb", state: "theirs", resource: "r" }
    const out = await fetch(`${url}${prefix}/authorize?${new URLSearchParams(query)}`, { redirect: "manual" })
    const location = new URL(out.headers.get("location") ?? "")
    expect(location.href.startsWith(`${server.url}/protocol/openid-connect/auth?`)).toBe(true)
    expect(location.searchParams.get("redirect_uri")).toBe(`${url}${prefix}/callback`)
    expect(location.searchParams.get("resource")).toBe("r")
    const state = location.searchParams.get("state") ?? ""
    const back = await fetch(`${url}${prefix}/callback?${new URLSearchParams({ code: "c", state })}`, {
      redirect: "manual",
    })
    expect(back.headers.get("location")).toBe("http://127.0.0.1:33418/cb?code=c&state=theirs")
    const token = await fetch(`${url}${prefix}/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ ...query, grant_type: "authorization_code", code: "c" }),
    })
    expect(await token.json()).toMatchObject({ access_token: "a" })
    const form = new URLSearchParams(server.requests.at(-1)?.body.toString())
    expect(server.requests.at(-1)?.url).toBe("/protocol/openid-connect/token")
    expect([form.get("redirect_uri"), form.get("client_secret")]).toEqual([`${url}${prefix}/callback`, "s3cret"])
  })

  it("leads them to the server itself where clients are public and need no relay", async () => {
    const { server, url } = await place("")
    const metadata = (await (await fetch(`${url}${prefix}`)).json()) as Record<string, unknown>
    expect(metadata).toMatchObject({ authorization_endpoint: `${server.url}/authorize` })
    expect((await fetch(`${url}${prefix}/token`, { method: "POST" })).status).toBe(405)
  })
})

describe("a stand-in for Entra", () => {
  const entra = (more = "") => start(`clientId: app\n      clientSecret: s3cret\n      ${more}`, undefined, "entra")
  it("sends browsers on without the resource", async () => {
    const { server, url } = await entra()
    const got = await fetch(
      `${url}/.well-known/oauth-authorization-server/mcp/authorize?client_id=app&resource=x&state=s`,
      { redirect: "manual" },
    )
    expect([got.status, got.headers.get("location")]).toEqual([
      302,
      `${server.url}/common/oauth2/v2.0/authorize?client_id=app&state=s`,
    ])
  })
  describe("that relays codes", () => {
    const key = "ab".repeat(32)
    const relaying = (more = "") =>
      start(
        `clientId: app\n      clientSecret: s3cret\n      relaySigningKey: ${key}${more}`,
        (path) => (path === "/common/oauth2/v2.0/token" ? { body: { access_token: "a" } } : undefined),
        "entra",
      )
    const there = (url: string, query: Record<string, string>, name = "authorize") =>
      fetch(`${url}/.well-known/oauth-authorization-server/mcp/${name}?${new URLSearchParams(query)}`, {
        redirect: "manual",
      })
    const own = { client_id: "app", redirect_uri: "http://127.0.0.1:33418/cb?x=1", state: "theirs", resource: "r" }

    it("shows the server one address, and brings the code to the client's own", async () => {
      const { server, url } = await relaying()
      const location = new URL((await there(url, own)).headers.get("location") ?? "")
      const callback = `${url}/.well-known/oauth-authorization-server/mcp/callback`
      expect(location.searchParams.get("redirect_uri")).toBe(callback)
      expect(location.searchParams.has("resource")).toBe(false)
      const state = location.searchParams.get("state") ?? ""
      expect(state).not.toContain("theirs")
      const back = await there(url, { code: "c", state, iss: "https://login.example", session_state: "s" }, "callback")
      expect([back.status, back.headers.get("location")]).toEqual([
        302,
        "http://127.0.0.1:33418/cb?x=1&code=c&state=theirs",
      ])
      const refused = await there(url, { error: "access_denied", state }, "callback")
      expect(refused.headers.get("location")).toBe("http://127.0.0.1:33418/cb?x=1&error=access_denied&state=theirs")
      await fetch(`${url}/.well-known/oauth-authorization-server/mcp/token`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
          client_id: "app",
          grant_type: "authorization_code",
          code: "c",
          redirect_uri: own.redirect_uri,
        }),
      })
      const form = new URLSearchParams(server.requests.at(-1)?.body.toString())
      expect([form.get("redirect_uri"), form.get("client_secret")]).toEqual([callback, "s3cret"])
    })

    it("passes no code on to strangers, nor by a state that is not its own", async () => {
      const { url } = await relaying("\n      relayRedirectUris: [https://app.example/cb]")
      for (const redirect_uri of [
        "https://evil.example/cb",
        "https://app.example/cb2",
        "https://app.example/cb/",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost@evil.example/cb",
        "javascript:alert(1)",
        "",
      ]) {
        expect((await there(url, { ...own, redirect_uri })).status, redirect_uri).toBe(400)
      }
      expect((await there(url, { ...own, client_id: "other" })).status).toBe(400)
      const allowed = await there(url, { ...own, redirect_uri: "https://app.example/cb" })
      expect(allowed.status).toBe(302)
      const state = new URL(allowed.headers.get("location") ?? "").searchParams.get("state") ?? ""
      for (const forged of ["", "x", `${state}x`, state.slice(0, -2)]) {
        expect((await there(url, { code: "c", state: forged }, "callback")).status).toBe(400)
      }
      // Sealed for one place, it is good for no other.
      const elsewhere = await fetch(
        `${url}/.well-known/oauth-authorization-server/other/callback?${new URLSearchParams({ code: "c", state })}`,
        { redirect: "manual" },
      )
      expect(elsewhere.status).toBe(400)
    })
  })

  it("adds the secret for its own client only", async () => {
    const { server, url } = await start(
      "clientId: app\n      clientSecret: s3cret",
      (path) => (path === "/common/oauth2/v2.0/token" ? { body: { access_token: "a" } } : undefined),
      "entra",
    )
    const ask = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
      const got = await fetch(`${url}/.well-known/oauth-authorization-server/mcp/token`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body: new URLSearchParams(form),
      })
      expect(got.status).toBe(200)
      return Object.fromEntries(new URLSearchParams(server.requests.at(-1)?.body.toString()))
    }
    expect(await ask({ client_id: "app", grant_type: "authorization_code", code: "c", resource: "r" })).toEqual({
      client_id: "app",
      grant_type: "authorization_code",
      code: "c",
      client_secret: "s3cret",
    })
    expect(await ask({ client_id: "other", grant_type: "authorization_code" })).not.toHaveProperty("client_secret")
    expect(await ask({ client_id: "app", grant_type: "client_credentials" })).not.toHaveProperty("client_secret")
    expect(
      await ask({ client_id: "app", grant_type: "refresh_token" }, { authorization: "Basic x" }),
    ).not.toHaveProperty("client_secret")
    expect(await ask({ client_id: "app", grant_type: "refresh_token", client_secret: "mine" })).toHaveProperty(
      "client_secret",
      "mine",
    )
    const wrong = await fetch(`${url}/.well-known/oauth-authorization-server/mcp/token`)
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"])
  })
})
