/** Calls of the gateway's own to URLs, and where those from strangers may not lead. */
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it } from "vitest"
import { defaults } from "../../ir/defaults.ts"
import * as upstream from "../../src/node/upstream.ts"
import { asking, type Question } from "../../stages/5-policy/ask.ts"
import { Endpoints } from "../../stages/6-dispatch/Endpoints.ts"
import { Upstream } from "../../stages/ports/Upstream.ts"
import { FakeClock } from "../stages/exchange.ts"
import { localServer } from "../node/credentials/local.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const told = async (question: Partial<Question> & { readonly url: string }): Promise<string> => {
  const { open } = await Effect.runPromise(Effect.provide(Upstream, upstream.layer))
  const endpoints = new Endpoints(open)
  closing.push(() => endpoints.close())
  const ask = asking({
    clock: new FakeClock(),
    endpoints,
    defaults: {
      connectTimeoutMillis: 2000,
      poolIdleMillis: defaults.poolIdleTimeoutMillis,
      poolSizeMax: undefined,
      keepAlive: { enabled: true, timeMillis: 1000 },
    },
  })
  const asked = ask({ method: "GET", headers: [], bytesMax: 100, timeoutMillis: 2000, ...question })
  return Effect.runPromise(
    Effect.match(asked, { onSuccess: ({ status, text }) => `${status} ${text}`, onFailure: (why) => why }),
  )
}

describe("a URL from a stranger", () => {
  it.each([
    "127.0.0.1",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "169.254.169.254",
    "[::ffff:127.0.0.1]",
    "127.1",
    "2130706433",
    "0x7f000001",
  ])("that leads to %s is not asked", async (host) => {
    const server = await localServer(() => ({ text: "secret" }))
    closing.push(server.close)
    const said = await told({ url: `http://${host}:${server.port}/`, publicOnly: true })
    expect(said).toMatch(/not a public one|cannot be resolved|not an address/)
    expect(server.requests.length).toBe(0)
  })
  it.each([
    "ftp://a.example/",
    "file:///etc/passwd",
    "http://u:p@a.example/",
    "http:///",
    "gopher://127.0.0.1/",
    "data:,x",
  ])("%s is not asked", async (url) => {
    expect(await told({ url })).toBe("it is not an address that can be asked")
  })
})

describe("an answer", () => {
  it("is read, and a redirect is not followed", async () => {
    const server = await localServer(({ url }) =>
      url === "/to" ? { text: "there" } : { status: 302, text: "", headers: { location: "/to" } },
    )
    closing.push(server.close)
    expect(await told({ url: `${server.url}/to` })).toBe("200 there")
    expect(await told({ url: `${server.url}/from` })).toBe("302 ")
    expect(server.requests.map(({ url }) => url)).toEqual(["/to", "/from"])
  })
  it("that is too large, coded or no text is none", async () => {
    const server = await localServer(({ url }) =>
      url === "/large" ? { text: "x".repeat(101) } : { text: "x", headers: { "content-encoding": "br" } },
    )
    closing.push(server.close)
    expect(await told({ url: `${server.url}/large` })).toBe("it is larger than 100 bytes")
    expect(await told({ url: `${server.url}/coded` })).toBe("the reply is coded as br")
  })
  it("is waited for only so long", async () => {
    const server = await localServer(() => new Promise(() => {}))
    closing.push(server.close)
    expect(await told({ url: server.url, timeoutMillis: 50 })).toMatch(/too long|within 50 ms/)
  })
})
