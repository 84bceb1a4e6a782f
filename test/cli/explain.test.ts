import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { type AskedRequest, parseRequest, type Verdict, verdicts } from "../../src/cli/explain.ts"
import { load } from "../../src/config/local/load.ts"
import { mapped } from "../config/mapped.ts"
import { memoryIo } from "../config/memoryIo.ts"

const text = `
gateways:
  web:
    port: 8080
    listeners:
      - {name: shop, hostname: shop.example.com}
      - {name: rest, hostname: "*.example.com"}
  raw: {port: 9000, protocol: TCP}
  through: {port: 9443, protocol: TLS}
routes:
  - name: cart
    gateways: web/shop
    matches:
      - path: {pathPrefix: /cart}
        method: POST
        headers: [{name: x-kind, value: {exact: blue}}]
        query: [{name: v, value: {exact: "2"}}]
    policies:
      timeout: {requestTimeout: 5s}
      requestHeaderModifier: {add: {x-a: b}}
      cors: {allowOrigins: ["*"]}
    backends:
      - {host: "a.internal:80", weight: 3, policies: {requestHeaderModifier: {add: {x-b: c}}}}
      - {host: "b.internal:80", weight: 1}
      - {host: "c.internal:80", weight: 0}
  - name: teams
    gateways: web/shop
    matches: [{path: {pathPrefix: /team}}]
    policies: {timeout: {requestTimeout: 1s}}
    backends: [{routeGroup: team}]
  - name: lost
    gateways: web/shop
    matches: [{path: {pathPrefix: /lost}}]
    backends: [{routeGroup: team}]
  - name: teapot
    gateways: web/shop
    matches: [{path: {exact: /cart/teapot}}]
    policies: {directResponse: {status: 418}}
  - name: moved
    gateways: web/shop
    matches: [{path: {exact: /moved}}]
    policies: {requestRedirect: {path: {full: /here}}}
  - name: perhaps
    gateways: web/shop
    matches: [{path: {exact: /perhaps}}]
    policies: {directResponse: {conditional: [{condition: 'request.method == "PUT"', status: 200}]}}
    backends: [{host: "a.internal:80"}]
  - name: empty
    gateways: web/shop
    matches: [{path: {exact: /empty}}]
    backends: [{host: "a.internal:80", weight: 0}]
routeGroups:
  - name: team
    routes:
      - name: blue
        matches: [{path: {pathPrefix: /team/blue}}]
        policies: {retry: {attempts: 2, codes: [503]}}
        backends: [{host: "blue.internal:80"}]
tcpRoutes:
  - {gateways: raw, backends: [{host: "db.internal:5432"}]}
  - {gateways: through, backends: [{host: "tls.internal:443"}]}
`

const { snapshot } = await Effect.runPromise(load(text, { file: "explained.yaml", env: {}, io: memoryIo() }))

const asked = (request: string, ...headers: ReadonlyArray<string>): AskedRequest => {
  const parsed = parseRequest(request, headers)
  if (typeof parsed === "string") throw new Error(parsed)
  return parsed
}

const explained = (request: string, ...headers: ReadonlyArray<string>): Verdict => {
  const found = verdicts(snapshot, asked(request, ...headers))
  expect(found).toHaveLength(1)
  return found[0] as Verdict
}

const why = ({ others }: Verdict, name: string): string =>
  others
    .find((line) => line.includes(`/${name} `) || line.includes(`/${name}:`))
    ?.split(": ")
    .at(-1) ?? "not mentioned"

describe("where a request would go", () => {
  it("route, policies in the order they act, backends with their shares", () => {
    const verdict = explained("POST http://shop.example.com:8080/cart/1?v=2", "X-Kind: blue")
    expect(verdict).toMatchObject({
      listener: "gateway/web/shop (shop.example.com, HTTP)",
      outcome: "goes to one of the backends",
    })
    expect(verdict.routes).toMatchObject([{ key: "gateway/web/shop/default/cart" }])
    expect(verdict.policies.map(({ policy }) => policy)).toEqual(["timeout", "cors", "requestHeaderModifier"])
    expect(verdict.backends.map(({ policies, target, weight }) => [target, weight, policies.length])).toEqual([
      ["a.internal:80", 0.75, 1],
      ["b.internal:80", 0.25, 0],
      ["c.internal:80", 0, 0],
    ])
  })

  it("a chain of delegation, with what all of its routes say", () => {
    const verdict = explained("http://shop.example.com:8080/team/blue/1")
    expect(verdict.routes.map(({ key }) => key)).toEqual([
      "gateway/web/shop/default/teams",
      "routegroup/team/default/blue",
    ])
    expect(verdict.policies.map(({ policy }) => policy)).toEqual(expect.arrayContaining(["timeout", "retry"]))
    expect(verdict.backends.map(({ target }) => target)).toEqual(["blue.internal:80"])
  })

  it("an answer of the gateway's own, or none at all", () => {
    const outcome = (path: string): string => explained(`http://shop.example.com:8080${path}`).outcome
    expect(outcome("/cart/teapot")).toBe("answered by directResponse, before any backend")
    expect(outcome("/moved")).toBe("answered by requestRedirect, before any backend")
    expect(outcome("/empty")).toBe("500 no valid backends")
    expect(outcome("/perhaps")).toBe("goes to one of the backends")
    expect(explained("http://shop.example.com:8080/perhaps").policies).toEqual([
      { layer: "route", policy: "directResponse", conditional: true },
    ])
    expect(outcome("/nothing")).toBe("404 route not found")
    expect(outcome("/lost")).toBe("404 route not found")
  })

  it("a connection that passes through unread, by its server name", () => {
    const { snapshot } = mapped(`
gateways: {pass: {port: 9443, protocol: TLS}, raw: {port: 9000, protocol: TCP}}
tcpRoutes:
- {name: db, gateways: pass, hostnames: [db.example], backends: [{host: "db.internal:5432", weight: 3}, {host: "b:1"}]}
- {name: off, gateways: pass, hostnames: [off.example], backends: [{host: "b:1", weight: 0}]}
- {name: raw, gateways: raw, backends: [{host: "raw.internal:1"}]}`)
    const of = (url: string): Verdict => verdicts(snapshot, asked(url))[0] as Verdict
    const db = of("https://db.example:9443/")
    expect(db.outcome).toBe("the connection goes to one of the backends; its requests are not looked at")
    expect(db.routes).toEqual([{ key: "gateway/pass/default/db", match: "server name db.example" }])
    expect(db.backends.map(({ target, weight }) => [target, weight])).toEqual([
      ["db.internal:5432", 0.75],
      ["b:1", 0.25],
    ])
    expect(of("https://other.example:9443/").outcome).toBe("the connection is closed: no TCP route matches")
    expect(of("https://off.example:9443/").outcome).toBe("the connection is closed: no valid backends")
    expect(of("http://any.example:9000/")).toMatchObject({
      listener: "gateway/raw (TCP)",
      routes: [{ key: "gateway/raw/default/raw", match: "any connection" }],
      backends: [{ target: "raw.internal:1", weight: 1 }],
    })
  })
})

describe("why the others were not taken", () => {
  it("each route names the first condition that failed", () => {
    const path = explained("POST http://shop.example.com:8080/other?v=2", "x-kind: blue")
    expect(why(path, "cart")).toBe("the path does not match")
    expect(why(explained("GET http://shop.example.com:8080/cart?v=2", "x-kind: blue"), "cart")).toBe(
      "the method is another",
    )
    expect(why(explained("POST http://shop.example.com:8080/cart?v=2", "x-kind: red"), "cart")).toBe(
      "header x-kind does not match",
    )
    expect(why(explained("POST http://shop.example.com:8080/cart?v=3", "x-kind: blue"), "cart")).toBe(
      "query parameter v does not match",
    )
  })

  it("listeners are told apart by host and by scheme", () => {
    const shop = explained("http://shop.example.com:8080/")
    expect(why(shop, "rest")).toBe("gateway/web/shop names the host more closely")
    const nobody = explained("http://example.org:8080/")
    expect(nobody).toMatchObject({ listener: undefined, outcome: "404 listener not found" })
    expect(why(nobody, "shop")).toBe("its hostname shop.example.com is not example.org")
    expect(why(explained("https://shop.example.com:8080/"), "shop")).toBe("it speaks HTTP, the request is https")
  })

  it("a port that nothing listens on has no verdict; no port means every bind of HTTP", () => {
    expect(verdicts(snapshot, asked("http://shop.example.com:1/"))).toEqual([])
    expect(verdicts(snapshot, asked("http://shop.example.com/")).map(({ bind }) => bind)).toEqual([
      "bind/8080 (*:8080, http)",
      "bind/9443 (*:9443, tls)",
    ])
  })
})

describe("the request", () => {
  it("has no fragment: no client sends one", () => {
    expect(parseRequest("http://h/a#b", [])).toContain("has a fragment")
  })

  it("is a method, which may be left out, and a URL; a host header says more than the URL", () => {
    expect(asked("http://h.example/a?b=c")).toMatchObject({
      method: "GET",
      host: "h.example",
      path: "/a",
      query: "b=c",
    })
    expect(asked("HEAD https://h.example")).toMatchObject({ method: "HEAD", scheme: "https", path: "/" })
    expect(asked("http://127.0.0.1:8080/", "Host: Other.Example:99")).toMatchObject({
      host: "other.example",
      port: 8080,
    })
    expect(asked("http://[::1]:80/")).toMatchObject({ host: "[::1]", port: 80 })
    expect(asked("http://a/", "Connection: Upgrade", "Upgrade: websocket")).toMatchObject({ upgrade: "websocket" })
    expect(asked("http://a/", "Upgrade: websocket").upgrade).toBeUndefined()
  })

  it("anything else is refused with what is wrong", () => {
    expect(parseRequest("GET /path", [])).toContain("is not an http or https URL")
    expect(parseRequest("GET http://a b", [])).toContain("expected 'METHOD http://host/path'")
    expect(parseRequest("http://a:b/", [])).toContain("is not a host with an optional port")
    expect(parseRequest("http://a/", ["nonsense"])).toContain("is not a header")
    expect(parseRequest("http://a/", ["host: a", "host: b"])).toContain("duplicate host")
    expect(parseRequest(`http://a/${"x".repeat(70_000)}`, [])).toContain("too long")
  })
})
