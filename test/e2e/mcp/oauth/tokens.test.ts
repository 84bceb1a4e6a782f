/** Tokens over time: renewed before they end, by one of many; lost only when their server says so. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { inMemory } from "../../../../stages/ports/Grants.ts"
import { answerOf, ask, begin } from "../harness.ts"
import { basic, browserOf, call, linkIn, people, type Place, places, textOf } from "./place.ts"

const { closeAll, gatewayFor, start } = places()
afterEach(closeAll)

const connect = async (place: Place, name = "ann"): Promise<void> => {
  const { status, text } = await browserOf(place, name).agree(linkIn(await call(place, "whoami")))
  expect(status, text).toBe(200)
}

const grantsOf = ({ auth }: Place): ReadonlyArray<string | null> =>
  auth.tokenRequests.map((form) => form.get("grant_type"))
const soon = { timeout: 20_000, interval: 50 }
/** Shorter than what is still sent, so that every use renews it. */
const endsAtOnce = { lifetimeSeconds: 5 }

describe("a token", () => {
  it("is renewed before it ends, and the old one serves meanwhile", async () => {
    const place = await start({ auth: { lifetimeSeconds: 30 } })
    await connect(place)
    let release = (): void => {}
    place.auth.hold = new Promise<void>((resolve) => (release = resolve))
    // Nobody waits for the renewal.
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    release()
    await vi.waitFor(() => expect(grantsOf(place)).toEqual(["authorization_code", "refresh_token"]), soon)
    await vi.waitFor(async () => {
      await call(place, "whoami")
      expect(new Set(place.server.served.map(({ token }) => token)).size).toBeGreaterThan(1)
    }, soon)
  })

  it("is renewed once for all who wait, and a refresh token never sent twice", async () => {
    const place = await start({ auth: endsAtOnce })
    await connect(place)
    const said = await Promise.all(Array.from({ length: 20 }, () => call(place, "whoami")))
    expect(said.map(textOf)).toEqual(Array.from({ length: 20 }, () => "you are ann"))
    const sent = place.auth.tokenRequests.map((form) => form.get("refresh_token")).filter((one) => one !== null)
    expect(new Set(sent).size).toBe(sent.length)
  })

  it("is renewed by one of several gateways that share what is kept", async () => {
    const grants = inMemory({ nowMillis: () => performance.now() })
    const place = await start({ auth: endsAtOnce, options: { grants } })
    const others = await Promise.all([1, 2].map(() => gatewayFor(place.server, { options: { grants } })))
    await connect(place)
    for (let round = 0; round < 3; round++) {
      const all = [place.gateway, ...others].flatMap((gateway) => [gateway, gateway, gateway])
      const said = await Promise.all(all.map((gateway) => call({ gateway }, "whoami")))
      expect(said.map(textOf)).toEqual(said.map(() => "you are ann"))
    }
    const sent = place.auth.tokenRequests.map((form) => form.get("refresh_token")).filter((one) => one !== null)
    expect(new Set(sent).size).toBe(sent.length)
  })

  it("that its server took back is replaced unseen", async () => {
    const place = await start()
    await connect(place)
    const session = await begin(place.gateway.url)
    const own = async () => textOf(await session.request("tools/call", { name: "whoami", arguments: {} }))
    expect(await own()).toBe("you are ann")
    place.auth.tokens.clear()
    expect(await own()).toBe("you are ann")
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    expect(grantsOf(place)).toEqual(["authorization_code", "refresh_token"])
  })

  it("that cannot be renewed now is used to its end, and the grant outlives that", async () => {
    const place = await start({ auth: { lifetimeSeconds: 30 } })
    await connect(place)
    place.auth.down = true
    for (let i = 0; i < 5; i++) expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    // What was given is worth nothing any more, and nobody is there to give another one.
    place.auth.tokens.clear()
    const told = textOf(await call(place, "whoami"))
    expect(told).not.toContain("connect your account")
    expect(told).toContain("upstream")
    place.auth.down = false
    await vi.waitFor(async () => expect(textOf(await call(place, "whoami"))).toBe("you are ann"), soon)
    expect(place.auth.authorizations.length).toBe(1)
  })

  it("that will not be renewed has to be granted again", async () => {
    const place = await start({ auth: endsAtOnce })
    await connect(place)
    place.auth.refreshTokens.clear()
    const told = await call(place, "whoami")
    expect(textOf(told)).toContain("connect your account")
    await browserOf(place, "ann").agree(linkIn(told))
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    // Clients that are asked by results are asked, and go on, as if it were the first time.
    place.auth.refreshTokens.clear()
    const asked = answerOf(
      await ask(
        place.gateway.url,
        "tools/call",
        { name: "whoami", arguments: {} },
        { capabilities: { elicitation: { url: {} } } },
      ),
    ).result as { requestState: string; inputRequests: Record<string, { params: { mode: string; url: string } }> }
    const [[key, { params }] = ["", { params: { mode: "", url: "" } }]] = Object.entries(asked.inputRequests)
    expect(params.mode).toBe("url")
    await browserOf(place, "ann").agree(params.url)
    const done = await ask(
      place.gateway.url,
      "tools/call",
      {
        name: "whoami",
        arguments: {},
        requestState: asked.requestState,
        inputResponses: { [key]: { action: "accept" } },
      },
      { capabilities: { elicitation: { url: {} } } },
    )
    expect(textOf(done)).toBe("you are ann")
  })

  it("without another one for later is granted again when its server takes it back", async () => {
    const place = await start({ auth: { refresh: "none" } })
    await connect(place)
    place.auth.tokens.clear()
    expect(textOf(await call(place, "whoami"))).toContain("connect your account")
    await connect(place)
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
  })
})

describe("a server that wants more", () => {
  const scopeFor = (_: string, name: string | undefined) => (name === "admin" ? "write" : "read")
  const challenge = (origin: string) =>
    `scope="read", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`

  it("is granted what is missing beside what was granted, when somebody needs it", async () => {
    const place = await start({ resource: { scopeFor, challenge } })
    await connect(place)
    expect(place.auth.authorizations.at(-1)?.get("scope")).toBe("read")
    const told = await call(place, "admin")
    const page = await browserOf(place, "ann").agree(linkIn(told))
    expect(page.status).toBe(200)
    expect(place.auth.authorizations.at(-1)?.get("scope")).toBe("read write")
    expect(textOf(await call(place, "admin"))).toBe("you are ann")
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
  })

  it("and is never content is not asked for ever", async () => {
    const place = await start({ resource: { scopeFor: (_, name) => (name === "admin" ? "never" : "read"), challenge } })
    await connect(place)
    place.auth.options = { metadata: (plain) => plain }
    for (let i = 0; i < 3; i++) expect(textOf(await call(place, "admin"))).toContain("connect your account")
    expect(textOf(await call(place, "admin"))).toContain("upstream_auth")
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
  })
})

describe("how the gateway is known", () => {
  it("is by a registration that all people share, made anew when it is forgotten", async () => {
    const place = await start({ policies: people })
    const agree = async (name: string) => {
      const link = linkIn(await call(place, "whoami", basic(name)))
      return (await browserOf(place, name, true).agree(link)).status
    }
    expect([await agree("ann"), await agree("bob")]).toEqual([200, 200])
    expect(place.auth.registered.size).toBe(1)
    place.auth.registered.clear()
    place.auth.tokens.clear()
    // The renewal is refused because nobody knows the client, so both the grant and the registration are gone.
    expect(await agree("ann")).toBe(200)
    expect(place.auth.registered.size).toBe(1)
  })

  it("is as it is configured, by a secret, at its own authorization server", async () => {
    const place = await start({
      auth: { registers: false, clients: { known: "s3cret" }, authMethods: ["client_secret_post"] },
      oauth: "clientId: known, clientSecret: s3cret",
    })
    await connect(place)
    expect(place.auth.tokenRequests[0]?.get("client_secret")).toBe("s3cret")
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
  })

  it("is by its document where the server reads such", async () => {
    const document = "https://tools.example/mcp/connections/client.json"
    const place = await start({
      backend: `connections: {url: "https://tools.example/mcp/connections", proof: link}`,
      auth: {
        clientDocuments: async () => ({
          client_id: document,
          redirect_uris: ["https://tools.example/mcp/connections/callback"],
        }),
      },
    })
    const told = await fetch(`${place.gateway.url}/connections/client.json`)
    expect(await told.json()).toMatchObject({
      client_id: document,
      redirect_uris: ["https://tools.example/mcp/connections/callback"],
      token_endpoint_auth_method: "none",
      client_name: "Sluice",
    })
    const link = new URL(linkIn(await call(place, "whoami")))
    expect(link.origin).toBe("https://tools.example")
    // As if the name led here.
    const here = (url: string): string =>
      `${place.gateway.url}/connections${new URL(url).pathname.split("connections")[1]}${new URL(url).search}`
    const browser = browserOf(place, "ann")
    const page = await browser.go(here(link.href))
    const form =
      /name="link" value="([^"]+)".*name="flow" value="([^"]+)".*name="proof" value="([^"]+)"/.exec(page.text) ?? []
    const cookie = [...browser.cookies(place.gateway.url)].map(([name, value]) => `${name}=${value}`).join("; ")
    expect(cookie).toMatch(/^__Host-sluice-connect\./)
    const begun = await fetch(here("https://x/connections/start"), {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/x-www-form-urlencoded", cookie },
      body: new URLSearchParams({ link: form[1] ?? "", flow: form[2] ?? "", proof: form[3] ?? "" }).toString(),
    })
    const location = new URL(begun.headers.get("location") ?? "")
    expect(location.searchParams.get("client_id")).toBe(document)
    const back = (await browser.fetch(location.href)).headers.get("location") ?? ""
    expect((await fetch(here(back), { headers: { cookie } })).status).toBe(200)
    expect(textOf(await call(place, "whoami"))).toBe("you are ann")
    expect(place.auth.registered.size).toBe(0)
  })

  it("is by itself where it has an account of its own", async () => {
    const place = await start({
      auth: { clients: { robot: "s3cret" }, lifetimeSeconds: 5 },
      oauth: "grant: gateway, clientId: robot, clientSecret: s3cret, scopes: [tools]",
    })
    for (let i = 0; i < 3; i++) expect(textOf(await call(place, "whoami"))).toBe("you are robot")
    expect(grantsOf(place).every((one) => one === "client_credentials")).toBe(true)
    expect(place.auth.tokenRequests[0]?.get("scope")).toBe("tools")
    place.auth.tokens.clear()
    expect(textOf(await call(place, "whoami"))).toBe("you are robot")
  })
})
