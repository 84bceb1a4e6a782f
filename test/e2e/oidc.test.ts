/** Logging in through a whole gateway, with a provider and a browser on real sockets. */
import { afterEach, describe, expect, it } from "vitest"
import { loadedOf } from "../config/memoryIo.ts"
import type { Asked } from "../node/credentials/local.ts"
import { Browser, client, type Misbehaviour, openIdProvider, type Provider } from "../oidc/provider.ts"
import { ec, hmac, signed, unsigned } from "../stages/5-policy/tokens.ts"
import { type HttpUpstream, httpUpstream, type Started, startGateway } from "./harness.ts"
import { freePort } from "../freePort.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const closed = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(() => one.close())
  return one
}

interface Place {
  readonly provider: Provider
  readonly backend: HttpUpstream
  readonly gateway: Started
  readonly browser: Browser
  readonly login: (path?: string, browser?: Browser, user?: string) => ReturnType<Browser["get"]>
}

const start = async (does: Misbehaviour = {}, more = "", logout = ""): Promise<Place> => {
  const provider = closed(await openIdProvider(does))
  const backend = closed(await httpUpstream())
  const { snapshot } = await loadedOf(
    `
gateways: {default: {port: 1}}
routes:
- name: app
  policies:
    oidc:
      issuer: ${provider.issuer}
      clientId: ${client.id}
      clientSecret: ${JSON.stringify(client.secret)}
      redirectURI: http://127.0.0.1/callback
      scopes: [openid, email]
      cookieSecret: ${"0f".repeat(32)}
      logout: {path: /logout, redirectURI: "http://127.0.0.1/bye"${logout === "" ? "" : `, ${logout}`}}
      ${more}
  backends: [{host: "127.0.0.1:${backend.port}", policies: {backendAuth: {passthrough: {}}}}]
- name: open
  matches: [{path: {pathPrefix: /open}}]
  backends: [{host: "127.0.0.1:${backend.port}"}]
`,
    {},
  )
  const binds = [...snapshot.binds].map(
    ([key, bind]) => [key, { ...bind, address: { _tag: "Ip", host: "127.0.0.1", port: 0 } as const }] as const,
  )
  const gateway = closed(await startGateway({ ...snapshot, binds: new Map(binds) }))
  const browser = new Browser(gateway.port)
  const login: Place["login"] = async (path = "/a?x=1", by = browser, user) => {
    const sent = await by.get(path)
    expect(sent.status).toBe(302)
    const back = new URL(provider.authorize(sent.location, user))
    return by.get(`${back.pathname}${back.search}`)
  }
  return { provider, backend, gateway, browser, login }
}

/** Without a nonce: were the signature believed, that would be complained of, with another status. */
const forgedFor = ({ headers }: Asked) => ({
  iss: `http://${headers["host"]}`,
  aud: client.id,
  sub: "root",
  exp: Math.floor(Date.now() / 1000) + 600,
})

const reached = ({ body }: { readonly body: string }) =>
  JSON.parse(body) as { readonly url: string; readonly headers: Record<string, string> }

describe("a browser", () => {
  it("is sent to log in, comes back to where it was going, and is known from then on", async () => {
    const { backend, browser, gateway, login, provider } = await start()
    const back = await login("/a?x=1")
    expect([back.status, back.location]).toEqual([302, "/a?x=1"])
    for (const cookie of back.cookies) expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
    const got = await browser.get(back.location, {
      cookie: [...browser.jar, ["mine", "1"]].map((pair) => pair.join("=")).join("; "),
    })
    expect(got.status).toBe(200)
    expect(reached(got).url).toBe("/a?x=1")
    expect(reached(got).headers["cookie"]).toBe("mine=1")
    expect(reached(got).headers["authorization"]).toMatch(/^Bearer ey/)
    expect(gateway.told.exchanges.at(-1)?.exchange.identity?.jwt).toMatchObject({ sub: "ann", iss: provider.issuer })
    expect(backend.requests.length).toBe(1)
    expect([...browser.jar.keys()].every((name) => name.startsWith("agw_oidc_s_"))).toBe(true)
    const jar = JSON.stringify([...browser.jar])
    for (const part of reached(got).headers["authorization"]?.slice("Bearer ".length).split(".") ?? []) {
      expect(jar).not.toContain(part)
    }
  })

  it("shows nothing of its session to other routes of the host", async () => {
    const { browser, login } = await start()
    await login()
    expect(reached(await browser.get("/open")).headers["cookie"]).toBe(undefined)
  })

  it("keeps a session of tokens longer than a cookie may be, and is told when it is too long for any", async () => {
    const does: Misbehaviour = {
      claims: (claims) => ({ ...claims, groups: Array.from({ length: 400 }, (_, i) => `group-${i}`) }),
    }
    const { browser, gateway, login, provider } = await start(does)
    await login()
    expect(browser.jar.size).toBeGreaterThan(1)
    expect((await browser.get("/a")).status).toBe(200)
    const other = new Browser(gateway.port)
    delete provider.does.claims
    await login("/a", other)
    // A shorter session leaves no part of the longer one behind.
    await browser.get("/logout")
    expect(browser.jar.size).toBe(0)
    provider.does.claims = (claims) => ({ ...claims, much: "x".repeat(16_000) })
    const refused = await login("/a", new Browser(gateway.port))
    expect([refused.status, refused.body]).toEqual([500, "oidc failure: the session is too large for cookies"])
  })

  it("may begin several logins at once, and finish each", async () => {
    const { browser, provider } = await start()
    const places = ["/1", "/2", "/3"]
    const sent: Array<string> = []
    for (const place of places) sent.push((await browser.get(place)).location)
    const ends: Array<string> = []
    for (const location of sent) {
      const back = new URL(provider.authorize(location))
      ends.push((await browser.get(`${back.pathname}${back.search}`)).location)
    }
    expect(ends).toEqual(places)
    for (let i = 0; i < 12; i++)
      await browser.get(`/n${i}`, {
        cookie: [...browser.jar]
          .filter(([name]) => name.includes("_t_"))
          .map((pair) => pair.join("="))
          .join("; "),
      })
    expect([...browser.jar.keys()].filter((name) => name.includes("_t_")).length).toBeLessThanOrEqual(4)
  })

  it("is logged out here and at the provider", async () => {
    const { browser, login, provider } = await start()
    await login()
    expect((await browser.get("/logout", { "sec-fetch-site": "cross-site" })).status).toBe(403)
    const out = await browser.get("/logout")
    const location = new URL(out.location)
    expect([out.status, `${location.origin}${location.pathname}`]).toEqual([302, `${provider.issuer}/logout`])
    expect(location.searchParams.get("post_logout_redirect_uri")).toBe("http://127.0.0.1/bye")
    expect(location.searchParams.get("id_token_hint")).toMatch(/^ey/)
    expect(browser.jar.size).toBe(0)
    expect((await browser.get("/a")).status).toBe(302)
  })

  it("is logged out by the provider itself, one session or all of somebody's", async () => {
    const now = Math.floor(Date.now() / 1000)
    let sid = "s1"
    const does: Misbehaviour = { claims: (claims) => ({ ...claims, sid, iat: now - 20 }) }
    const { browser, gateway, login, provider } = await start(does, "", "backChannelPath: /ended")
    const other = new Browser(gateway.port)
    await login()
    sid = "s2"
    await login("/", other)
    const isIn = async (one: Browser) => (await one.get("/a")).status === 200
    expect([await isIn(browser), await isIn(other)]).toEqual([true, true])

    const event = { "http://schemas.openid.net/event/backchannel-logout": {} }
    const usual = { iss: provider.issuer, aud: client.id, iat: now, exp: now + 100, jti: "j", events: event }
    const end = async (token: string) => {
      const reply = await fetch(`http://127.0.0.1:${gateway.port}/ended`, {
        method: "POST",
        body: new URLSearchParams({ logout_token: token }),
      })
      return [reply.status, reply.headers.get("cache-control"), await reply.text()]
    }
    const refused = [400, "no-store", '{"error":"invalid_request"}']
    const stranger = ec("op-1")
    for (const token of [
      "nonsense",
      signed(stranger, "ES256", { ...usual, sid: "s1" }),
      provider.sign({ ...usual, sid: "s1", nonce: "n" }),
      provider.sign({ ...usual, sid: "s1", aud: "somebody else" }),
      provider.sign({ ...usual, sid: "s1", iss: "https://evil.example" }),
      provider.sign({ ...usual, sid: "s1", events: {} }),
      provider.sign({ ...usual, sid: "s1", jti: undefined }),
      provider.sign({ ...usual, sid: "s1", iat: now - 3600 }),
      provider.sign({ ...usual, sid: "s1", exp: now - 3600 }),
      provider.sign({ ...usual, sid: "s1", nbf: now + 3600 }),
      provider.sign({ ...usual, sid: "s1" }).slice(0, -5),
      unsigned({ alg: "none", kid: "op-1" }, { ...usual, sid: "s1" }, "AA"),
      hmac("public", { alg: "HS256", kid: "op-1" }, { ...usual, sid: "s1" }),
      "\u0442oken.\u0442oken.\u0442oken",
      "a".repeat(50_000),
      provider.sign(usual),
    ]) {
      expect(await end(token)).toEqual(refused)
    }
    expect(await isIn(browser)).toBe(true)

    expect(await end(provider.sign({ ...usual, sid: "s1", sub: "ann" }))).toEqual([200, "no-store", ""])
    expect([await isIn(browser), await isIn(other)]).toEqual([false, true])
    // A login after that is a new session, and the word of before says nothing about it.
    sid = "s3"
    await login()
    expect(await isIn(browser)).toBe(true)
    expect((await end(provider.sign({ ...usual, sub: "ann", iat: now - 10 })))[0]).toBe(200)
    expect([await isIn(browser), await isIn(other)]).toEqual([false, false])
    does.claims = (claims) => ({ ...claims, sid: "s4", iat: now })
    await login()
    expect(await isIn(browser)).toBe(true)
  })

  it.each([
    "//evil.example",
    "/\\evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%252fevil.example",
    `/${"a".repeat(3000)}`,
  ])("that was going to %s is brought back to this host", async (path) => {
    const { browser, provider } = await start()
    const sent = await browser.get(path)
    // What is not even a path is refused before.
    if (sent.status === 400) return
    const back = new URL(provider.authorize(sent.location))
    expect((await browser.get(`${back.pathname}${back.search}`)).location).toBe("/")
  })
})

describe("a script", () => {
  it.each([
    ["that says so", { "sec-fetch-mode": "cors" }, "GET"],
    ["of an older browser", { "sec-fetch-mode": "navigate", "x-requested-with": "XMLHttpRequest" }, "GET"],
    ["that sends something", {}, "POST"],
  ])("%s is told that a login is needed, and not sent to one", async (_, headers, method) => {
    const { backend, browser } = await start()
    const got = await browser.get("/a", headers as Record<string, string>, method)
    expect([got.status, got.body, got.location]).toEqual([401, "oidc failure: login is needed", ""])
    expect(backend.requests.length).toBe(0)
  })
  it("before its request may ask whether it may", async () => {
    const { browser } = await start()
    const got = await browser.get("/a", { origin: "https://x", "access-control-request-method": "PUT" }, "OPTIONS")
    expect(got.status).toBe(200)
  })
})

describe("a login that comes back", () => {
  const begun = async (does: Misbehaviour = {}) => {
    const place = await start(does)
    const sent = await place.browser.get("/a")
    return { ...place, back: new URL(place.provider.authorize(sent.location)) }
  }
  const pathOf = (url: URL) => `${url.pathname}${url.search}`

  it("to a browser that began none is refused", async () => {
    const { back, gateway } = await begun()
    const got = await new Browser(gateway.port).get(pathOf(back))
    expect([got.status, got.body]).toEqual([400, "oidc failure: missing transaction"])
  })
  it("with another state is refused", async () => {
    const { back, browser, provider } = await begun()
    back.searchParams.set("state", `${back.searchParams.get("state")?.split(".")[0]}.AAAAAAAAAAAAAAAAAAAAAA`)
    const got = await browser.get(pathOf(back))
    expect([got.status, got.body]).toEqual([400, "oidc failure: the state is another"])
    expect(provider.tokenForms.length).toBe(0)
  })
  it("with the code of another login is refused by PKCE", async () => {
    const { back, browser, gateway, provider } = await begun()
    const victim = new Browser(gateway.port)
    const other = new URL(provider.authorize((await victim.get("/b")).location, "eve"))
    back.searchParams.set("code", other.searchParams.get("code") ?? "")
    const got = await browser.get(pathOf(back))
    expect([got.status, got.body]).toEqual([400, "oidc failure: the code cannot be exchanged: refused"])
  })
  it("a second time is refused", async () => {
    const { back, browser } = await begun()
    expect((await browser.get(pathOf(back))).status).toBe(302)
    expect((await browser.get(pathOf(back))).status).toBe(400)
  })
  it("with an error says which, and no more", async () => {
    const { back, browser } = await begun()
    back.searchParams.delete("code")
    back.searchParams.set("error", "access_denied\r\n<script>")
    const got = await browser.get(pathOf(back))
    expect([got.status, got.body]).toEqual([
      400,
      "oidc failure: oidc provider returned callback error 'access_denied??<script>'",
    ])
  })
  it("from another issuer is refused", async () => {
    const { back, browser } = await begun()
    back.searchParams.set("iss", "https://evil.example")
    expect((await browser.get(pathOf(back))).body).toBe("oidc failure: the issuer is another")
  })

  it.each([
    ["another nonce", { claims: (c) => ({ ...c, nonce: "other" }) }, 400],
    ["no nonce", { claims: (c) => ({ ...c, nonce: undefined }) }, 400],
    ["another audience", { claims: (c) => ({ ...c, aud: "other" }) }, 500],
    [
      "an audience among others, issued to another",
      { claims: (c) => ({ ...c, aud: [client.id, "other"], azp: "other" }) },
      400,
    ],
    ["another issuer", { claims: (c) => ({ ...c, iss: "https://evil.example" }) }, 500],
    ["an end in the past", { claims: (c) => ({ ...c, exp: 1 }) }, 500],
    ["no end", { claims: (c) => ({ ...c, exp: undefined }) }, 500],
    ["no subject", { claims: (c) => ({ ...c, sub: undefined }) }, 500],
    ["a stranger's signature", { signer: ec("op-1") }, 500],
    ["no signature", { token: (asked) => ({ body: { id_token: unsigned({ alg: "none" }, forgedFor(asked)) } }) }, 500],
    [
      "a signature made with the public key",
      { token: (asked) => ({ body: { id_token: hmac("public", { alg: "HS256", kid: "op-1" }, forgedFor(asked)) } }) },
      500,
    ],
    ["a beginning in the future", { claims: (c) => ({ ...c, nbf: Math.floor(Date.now() / 1000) + 3600 }) }, 500],
    ["a mebibyte of text", { token: () => ({ body: { id_token: "A".repeat(1 << 20) } }) }, 500],
    ["nothing", { token: () => ({ body: { access_token: "x", token_type: "Bearer" } }) }, 500],
    ["no JSON", { token: () => ({ text: "<html>" }) }, 500],
    ["too much", { token: () => ({ text: " ".repeat(100_000) }) }, 500],
    ["a redirect", { token: () => ({ status: 302, body: {}, headers: { location: "http://127.0.0.1:1/" } }) }, 500],
  ] satisfies ReadonlyArray<readonly [string, Misbehaviour, number]>)(
    "to a token with %s is refused",
    async (_, does, status) => {
      const { backend, browser, login } = await start(does)
      expect((await login()).status).toBe(status)
      expect([...browser.jar.keys()]).toEqual([])
      expect(backend.requests.length).toBe(0)
    },
  )
})

describe("a session", () => {
  it("that was changed, cut or made for another policy counts for nothing", async () => {
    const { browser, login } = await start()
    await login()
    const [[name, value]] = [...browser.jar] as [[string, string]]
    const other = await start()
    await other.login()
    const flipped = `${value.slice(0, 20)}${value[20] === "A" ? "B" : "A"}${value.slice(21)}`
    const endless = `1.${"A".repeat(30_000)}`
    for (const forged of [
      flipped,
      value.slice(0, -4),
      `2.${value.slice(2)}`,
      "1.",
      "9.x",
      "x",
      endless,
      "1.%F0%9F%A6%A5",
    ]) {
      expect((await browser.get("/a", { cookie: `${name}=${forged}` })).status, forged).toBe(302)
    }
    expect((await browser.get("/a", { cookie: `${name}=${value}` })).status).toBe(200)
    // Of two the first counts, so nobody gets in by putting a good one behind a bad one.
    expect((await browser.get("/a", { cookie: `${name}=${flipped}; ${name}=${value}` })).status).toBe(302)
  })

  it("ends with its token", async () => {
    const { browser, login } = await start({ lifetimeSeconds: -50 })
    // Within the leeway of clocks the token is still good at the login.
    expect((await login()).status).toBe(302)
    expect((await browser.get("/a")).status).toBe(302)
  })

  it("is renewed in time, once for all requests that carry it", async () => {
    const { browser, gateway, login, provider } = await start({ lifetimeSeconds: 20, refresh: true })
    await login()
    expect(provider.tokenForms.length).toBe(1)
    provider.does.lifetimeSeconds = 3600
    const before = [...browser.jar].map((pair) => pair.join("=")).join("; ")
    const all = await Promise.all(Array.from({ length: 6 }, () => browser.get("/a", { cookie: before })))
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    expect(provider.tokenForms.map((form) => form["grant_type"])).toEqual(["authorization_code", "refresh_token"])
    expect(gateway.told.exchanges.at(-1)?.exchange.identity?.jwt?.["sub"]).toBe("ann")
    expect(all.every(({ cookies }) => cookies.length > 0)).toBe(true)
    expect((await browser.get("/a")).cookies).toEqual([])
  })

  it("that cannot be renewed leads to a login, and one of somebody else's is not taken", async () => {
    const { browser, login, provider } = await start({ lifetimeSeconds: 20, refresh: true })
    await login()
    provider.does.claims = (claims) => ({ ...claims, sub: "eve", exp: Math.floor(Date.now() / 1000) + 3600 })
    // The old token is good for some seconds still, and stays in use for them.
    const got = await browser.get("/a")
    expect([got.status, got.cookies]).toEqual([200, []])
  })
})

describe("a provider", () => {
  it.each([
    ["that calls itself something else", { metadata: (m) => ({ ...m, issuer: "https://evil.example" }) }, 503],
    ["without a token endpoint", { metadata: (m) => ({ ...m, token_endpoint: undefined }) }, 500],
    [
      "that takes no secret",
      { metadata: (m) => ({ ...m, token_endpoint_auth_methods_supported: ["private_key_jwt"] }) },
      500,
    ],
    [
      "whose endpoint is no address",
      { metadata: (m) => ({ ...m, authorization_endpoint: "javascript:alert(1)" }) },
      503,
    ],
  ] satisfies ReadonlyArray<readonly [string, Misbehaviour, number]>)("%s lets nobody in", async (_, does, status) => {
    const { backend, browser } = await start(does)
    expect((await browser.get("/a")).status).toBe(status)
    expect(backend.requests.length).toBe(0)
  })
  it("that leads to a private address by another name is not followed", async () => {
    const { browser, login, provider } = await start({
      metadata: (m) => ({ ...m, token_endpoint: String(m["token_endpoint"]).replace("127.0.0.1", "localhost") }),
    })
    expect((await login()).status).toBe(500)
    expect(provider.tokenForms.length).toBe(0)
    expect(browser.jar.size).toBe(0)
  })
  it("whose keys stand beside those nobody here can use lets in whom it signs for", async () => {
    const odd = [
      { kty: "oct", kid: "s", k: "AAAA", use: "sig" },
      { kty: "AKP", alg: "ML-DSA-65", kid: "pq", pub: "AAAA" },
      { kty: "EC", crv: "secp256k1", kid: "k", x: "AA", y: "AA" },
    ]
    const { browser, login } = await start({ keys: (keys) => ({ body: { keys: [...odd, ...keys] } }) })
    expect((await login()).status).toBe(302)
    expect((await browser.get("/a")).status).toBe(200)
  })
  it("whose keys are not to be had lets nobody in, and that is no fault of theirs", async () => {
    const { backend, browser, login } = await start({ keys: () => ({ status: 500, body: {} }) })
    expect((await login()).status).toBe(503)
    expect(browser.jar.size).toBe(0)
    expect(backend.requests.length).toBe(0)
  })
  it("that goes away later leaves those inside who are", async () => {
    const { browser, login, provider } = await start()
    await login()
    await provider.close()
    expect((await browser.get("/a")).status).toBe(200)
  })
  it("that was never reached lets nobody in, and says so", async () => {
    const { backend, browser } = await start({}, `discovery: {url: "http://127.0.0.1:${await freePort()}/"}`)
    const got = await browser.get("/a")
    expect([got.status, got.body]).toEqual([503, "oidc failure: the provider cannot be reached"])
    expect(got.retryAfter).toBe("15")
    expect(backend.requests.length).toBe(0)
  })
  it("that is known and goes down is where browsers are sent still, and takes nobody in", async () => {
    const { backend, browser, gateway, provider } = await start()
    const sent = await browser.get("/a")
    expect(sent.status).toBe(302)
    const back = new URL(provider.authorize(sent.location))
    await provider.close()
    const other = await new Browser(gateway.port).get("/a")
    expect([other.status, other.location.split("?")[0]]).toEqual([302, `${provider.issuer}/authorize`])
    const got = await browser.get(`${back.pathname}${back.search}`)
    expect([got.status, got.body]).toEqual([503, "oidc failure: the code cannot be exchanged now"])
    expect(got.retryAfter).toBe("15")
    expect([...browser.jar.keys()].some((name) => name.startsWith("agw_oidc_s_"))).toBe(false)
    expect(backend.requests.length).toBe(0)
  })
  it("that has a bad moment at the end of a login takes the browser in when it comes again", async () => {
    const { browser, provider } = await start({ token: () => ({ status: 502, text: "bad gateway" }) })
    const back = new URL(provider.authorize((await browser.get("/a")).location))
    expect((await browser.get(`${back.pathname}${back.search}`)).status).toBe(503)
    delete provider.does.token
    expect((await browser.get(`${back.pathname}${back.search}`)).location).toBe("/a")
    expect((await browser.get("/a")).status).toBe(200)
  })
  it("that is down when a session is to be renewed leaves it as it is, for later", async () => {
    const { backend, browser, login, provider } = await start({ lifetimeSeconds: -50, refresh: true })
    expect((await login()).status).toBe(302)
    const before = [...browser.jar]
    await provider.close()
    const got = await browser.get("/a")
    expect([got.status, got.body]).toEqual([503, "oidc failure: the session cannot be renewed now"])
    expect([...browser.jar]).toEqual(before)
    expect(backend.requests.length).toBe(0)
  })
})
