/** Everybody who wants a token that was not meant for them. */
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { Browser } from "./browser.ts"
import { basic, browserOf, call, linkIn, people, type Place, places, textOf, type Words } from "./place.ts"

const { closeAll, start } = places()
afterEach(closeAll)

/** Somebody follows a link to its end. */
const attempt = async (words: Words): Promise<Place & { readonly status: number; readonly text: string }> => {
  const place = await start(words)
  const { status, text } = await browserOf(place, "ann").agree(linkIn(await call(place, "whoami")))
  return { ...place, status, text }
}

describe("an answer that is not from the server that was asked", () => {
  it.each([
    ["names another", { iss: "https://evil.example" }],
    ["names it with a slash", { iss: "normalized" }],
  ])("is not believed when it %s", async (_, { iss }) => {
    const place = await start({ auth: { iss } })
    if (iss === "normalized") place.auth.options = { iss: `${place.auth.url}/` }
    const { status } = await browserOf(place, "ann").agree(linkIn(await call(place, "whoami")))
    expect(status).toBe(502)
    expect(place.auth.tokenRequests).toEqual([])
  })

  it("is not believed when it does not say, though it should", async () => {
    const metadata = (plain: Record<string, unknown>) => ({
      ...plain,
      authorization_response_iss_parameter_supported: true,
    })
    const { auth, status } = await attempt({ auth: { iss: null, metadata } })
    expect(status).toBe(502)
    expect(auth.tokenRequests).toEqual([])
  })

  it("is refused when access was, and nothing is kept", async () => {
    const { gateway, status, text } = await attempt({ auth: { denies: true } })
    expect(status).toBe(400)
    expect(text).toContain("Access was not granted")
    expect(textOf(await call({ gateway }, "whoami"))).toContain("connect your account")
  })
})

describe("a server that lies", () => {
  it.each([
    [
      "about who it is",
      { metadata: () => ({ resource: "https://evil.example/mcp", authorization_servers: ["https://evil.example"] }) },
      "which it is not",
    ],
    [
      "with an address of the cloud",
      { metadata: (url: string) => ({ resource: url, authorization_servers: ["http://169.254.169.254"] }) },
      "is not asked",
    ],
    [
      "with an address of a private network",
      { metadata: (url: string) => ({ resource: url, authorization_servers: ["https://10.0.0.1"] }) },
      "not a public one",
    ],
    [
      "with an address that is none",
      { metadata: (url: string) => ({ resource: url, authorization_servers: ["file:///etc/passwd"] }) },
      "cannot be connected",
    ],
    [
      "in its challenge",
      { challenge: () => 'resource_metadata="http://169.254.169.254/latest/meta-data"' },
      "is not asked",
    ],
  ] satisfies ReadonlyArray<readonly [string, Words["resource"], string]>)(
    "%s is not followed, and says why",
    async (_, resource, why) => {
      const place = await start({ resource: resource ?? {} })
      const told = textOf(await call(place, "whoami"))
      expect(told).toContain(why)
      expect(told).not.toContain("/connections/start")
      expect(place.auth.asked).toEqual([])
    },
  )

  it.each([
    ["calls itself otherwise", { issuer: "https://evil.example" }],
    ["checks no S256", { code_challenge_methods_supported: ["plain"] }],
    ["has no token endpoint", { token_endpoint: undefined }],
    ["takes tokens by ftp", { token_endpoint: "ftp://a/token" }],
    ["sends people to a script", { authorization_endpoint: "javascript:alert(1)" }],
  ])("is not asked for tokens where its authorization server %s", async (_, lie) => {
    const place = await start({ auth: { metadata: (plain) => ({ ...plain, ...lie }) } })
    expect(textOf(await call(place, "whoami"))).toContain("cannot be connected")
    expect(place.auth.authorizations).toEqual([])
  })
})

describe("a login", () => {
  it("ends in the browser that began it, once", async () => {
    const place = await start()
    const browser = browserOf(place, "ann")
    const page = await browser.go(linkIn(await call(place, "whoami")))
    const form = Browser.formIn(page)
    const begun = await browser.fetch(form?.action ?? "", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form?.fields.toString() ?? "",
    })
    const login = begun.headers.get("location") ?? ""
    const back = (await browser.fetch(login)).headers.get("location") ?? ""
    // Somebody else's browser, with a code of theirs or this very one.
    expect((await new Browser().go(back)).status).toBe(400)
    const forged = new URL(back)
    forged.searchParams.set("state", `${forged.searchParams.get("state")}x`)
    expect((await browser.go(forged.href)).status).toBe(400)
    forged.searchParams.delete("state")
    expect((await browser.go(forged.href)).status).toBe(400)
    expect(place.auth.tokenRequests).toEqual([])
    expect((await browser.go(back)).status).toBe(200)
    expect((await browser.go(back)).status).toBe(400)
    expect(place.auth.tokenRequests.length).toBe(1)
  })

  it("is not begun by a page of another site, nor without the page of ours", async () => {
    const place = await start()
    const browser = browserOf(place, "ann")
    const page = await browser.go(linkIn(await call(place, "whoami")))
    const form = Browser.formIn(page)
    const post = (headers: Record<string, string>, fields: string) =>
      browser.fetch(form?.action ?? "", {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body: fields,
      })
    const fields = form?.fields.toString() ?? ""
    expect((await post({ origin: "http://localhost:1" }, fields)).status).toBe(403)
    expect((await post({ "sec-fetch-site": "cross-site" }, fields)).status).toBe(403)
    expect((await post({}, fields.replace(/proof=[^&]+/, "proof=x"))).status).toBe(400)
    expect(
      (
        await new Browser().go(form?.action ?? "", {
          method: "POST",
          body: fields,
          headers: { "content-type": "application/x-www-form-urlencoded" },
        })
      ).status,
    ).toBe(400)
    expect(place.auth.authorizations).toEqual([])
    expect(page.text).toContain("Go on only if you have just asked for this yourself")
  })

  it("leads back to the gateway, whatever the request says", async () => {
    const place = await start({ backend: 'connections: {url: "http://127.0.0.1:9/pages"}' })
    const link = linkIn(await call(place, "whoami", { "x-forwarded-host": "evil.example" }))
    expect(link.startsWith("http://127.0.0.1:9/pages/start?link=")).toBe(true)
    // There is no parameter by which a page could be made to send people elsewhere.
    const own = new URL(link)
    own.host = new URL(place.gateway.url).host
    const page = await new Browser().go(`${own.href}&redirect_uri=https://evil.example&return=https://evil.example`)
    expect(page.text).not.toContain("evil.example")
  })

  it("is not offered to strangers beyond this machine who proved nothing", async () => {
    const place = await start({ backend: "dnsRebindingProtection: false" })
    const { port } = new URL(place.gateway.url)
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } },
    })
    // A proxy on this machine passes the names on that its clients use.
    const asked = (
      path: string,
      method: string,
      content?: string,
    ): Promise<{ status: number; text: string; session: string }> =>
      new Promise((resolve, reject) => {
        const headers = {
          host: "tools.example",
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        }
        const request = http.request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
          let text = ""
          response.on("data", (chunk: Buffer) => (text += chunk.toString()))
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text, session: String(response.headers["mcp-session-id"]) }),
          )
        })
        request.on("error", reject)
        request.end(content)
      })
    expect((await asked("/mcp", "POST", body)).status).toBe(200)
    const modern = {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: {
        name: "whoami",
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": { elicitation: { url: {} } },
        },
      },
    }
    const told = await new Promise<string>((resolve, reject) => {
      const headers = {
        host: "tools.example",
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "whoami",
      }
      const request = http.request({ host: "127.0.0.1", port, path: "/mcp", method: "POST", headers }, (response) => {
        let text = ""
        response.on("data", (chunk: Buffer) => (text += chunk.toString()))
        response.on("end", () => resolve(text))
      })
      request.on("error", reject)
      request.end(JSON.stringify(modern))
    })
    expect(told).toContain("needs to know who you are")
    expect(told).not.toContain("http")
    // The pages are not there either.
    expect((await asked("/mcp/connections", "POST", "x=y")).status).not.toBe(200)
    expect(place.auth.asked).toEqual([])
  })
})

describe("two people", () => {
  it("never share a token, a link or a login", async () => {
    const place = await start({ policies: people })
    const [ann, bob] = [browserOf(place, "ann", true), browserOf(place, "bob", true)]
    const annsLink = linkIn(await call(place, "whoami", basic("ann")))
    // A link that was passed on would connect the account of whoever opens it.
    expect((await bob.agree(annsLink)).status).toBe(403)
    expect((await new Browser().agree(annsLink)).status).toBe(401)
    expect((await ann.agree(annsLink)).status).toBe(200)
    expect(textOf(await call(place, "whoami", basic("ann")))).toBe("you are ann")
    const told = textOf(await call(place, "whoami", basic("bob")))
    expect(told).toContain("connect your account")
    expect((await bob.agree(linkIn(await call(place, "whoami", basic("bob"))))).status).toBe(200)
    const both = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? "ann" : "bob")).map(async (name) => [
        name,
        textOf(await call(place, "whoami", basic(name))),
      ]),
    )
    // The server says for whom it was called last, which under ten calls at once may be the other; the tokens tell.
    for (const [, text] of both) expect(text).toMatch(/^you are (ann|bob)$/)
    const tokensOf = (name: string) =>
      new Set(place.server.served.filter(({ user }) => user === name).map(({ token }) => token))
    expect([...tokensOf("ann")].some((token) => tokensOf("bob").has(token))).toBe(false)
  })

  it("cannot end each other's logins", async () => {
    const place = await start({ policies: people })
    const ann = browserOf(place, "ann", true)
    const page = await ann.go(linkIn(await call(place, "whoami", basic("ann"))))
    const form = Browser.formIn(page)
    const begun = await ann.fetch(form?.action ?? "", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form?.fields.toString() ?? "",
    })
    const back = (await ann.fetch(begun.headers.get("location") ?? "")).headers.get("location") ?? ""
    // Even with the cookie of the browser that began it.
    ann.headers[new URL(place.gateway.url).host] = basic("bob")
    expect((await ann.go(back)).status).toBe(403)
    expect(place.auth.tokenRequests).toEqual([])
  })

  it("may see and undo their own connections only", async () => {
    const place = await start({ policies: people })
    const [ann, bob] = [browserOf(place, "ann", true), browserOf(place, "bob", true)]
    await ann.agree(linkIn(await call(place, "whoami", basic("ann"))))
    const pages = `${place.gateway.url}/connections`
    expect((await bob.go(pages)).text).toContain("not connected")
    const list = await ann.go(pages)
    expect(list.text).toContain("You are ann")
    expect(list.text).toContain("Disconnect")
    const forget = Browser.formIn({
      ...list,
      text: list.text.slice(list.text.lastIndexOf("<form", list.text.indexOf("/forget"))),
    })
    const done = await ann.go(forget?.action ?? "", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: forget?.fields.toString() ?? "",
    })
    expect(done.text).toContain("not connected")
    // Both tokens are given up at the server too.
    expect(place.auth.revoked.map((one) => one.slice(0, 2))).toEqual(["rt", "at"])
    expect(textOf(await call(place, "whoami", basic("ann")))).toContain("connect your account")
  })
})
