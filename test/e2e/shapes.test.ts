/** What configurations of unusual shapes do: requests are sent, and what came of them is looked at. */
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { httpUpstream, startGateway } from "./harness.ts"
import { localServer } from "../node/credentials/local.ts"
import { ask, type Closing, snapshotOf, start } from "./services/place.ts"
import { until } from "./standalone.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const serve = async (text: string): Promise<string> => {
  const gateway = await startGateway(await snapshotOf(text))
  closing.push(gateway.close)
  return `http://127.0.0.1:${gateway.port}`
}

const upstream = async (listener?: http.RequestListener) => {
  const made = await httpUpstream(listener)
  closing.push(made.close)
  return made
}

/** What the upstream of `httpUpstream` says it was asked. */
const headersOf = ({ body }: { readonly body: string }): Record<string, string> =>
  (JSON.parse(body) as { headers: Record<string, string> }).headers

describe("times", () => {
  it("may be longer than the timers of Node can hold", async () => {
    const warnings: Array<string> = []
    const onWarning = ({ message }: Error): void => void warnings.push(message)
    process.on("warning", onWarning)
    closing.push(() => void process.off("warning", onWarning))
    const { port } = await upstream((_request, reply) => void setTimeout(() => reply.end("late"), 50))
    const ages = "9999999h"
    const url = await serve(`
gateways: {default: {port: 1}}
frontendPolicies:
  http: {http1IdleTimeout: ${ages}, maxConnectionDuration: ${ages}}
  tcp: {keepalives: {time: ${ages}, interval: ${ages}, retries: 1000}}
routes:
- policies: {timeout: {requestTimeout: ${ages}, backendRequestTimeout: ${ages}, idleTimeout: ${ages}}}
  backends:
  - host: 127.0.0.1:${port}
    policies:
      http: {requestTimeout: ${ages}}
      tcp: {connectTimeout: ${ages}, keepalives: {time: ${ages}}}`)
    expect(await ask(url)).toMatchObject({ status: 200, body: "late" })
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
  })
})

describe("backends", () => {
  it("are found by their names, with a slash in front or without", async () => {
    const { port } = await upstream()
    const url = await serve(`
gateways: {default: {port: 1}}
backends: [{name: one, host: '127.0.0.1:${port}'}]
routes:
- {matches: [{path: {exact: /a}}], backends: [{backend: one}]}
- {matches: [{path: {exact: /b}}], backends: [{backend: /one}]}`)
    expect([(await ask(`${url}/a`)).status, (await ask(`${url}/b`)).status]).toEqual([200, 200])
  })

  it("that are host names are called as a policy says, whichever it was and wherever it stood", async () => {
    const { port } = await upstream()
    const service = await localServer(() => ({ body: {}, headers: { host: "authorized.test" } }))
    closing.push(service.close)
    const url = await serve(`
config: {dns: {lookupFamily: V4Only}}
gateways: {default: {port: 1}}
policies:
- name: {name: all, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  phase: gateway
  policy:
    transformations: {conditional: [{condition: 'request.path == "/gateway"', request: {set: {host: '"gateway.test"'}}}]}
routes:
- matches: [{path: {exact: /own}}, {path: {exact: /gateway}}]
  backends: [{host: 'localhost:${port}'}]
- matches: [{path: {exact: /computed}}]
  policies: {transformations: {request: {set: {':authority': '"computed.test"'}}}}
  backends: [{host: 'localhost:${port}'}]
- matches: [{path: {exact: /conditional}}, {path: {exact: /other}}]
  policies:
    transformations: {conditional: [{condition: 'request.path == "/conditional"', request: {set: {host: '"conditional.test"'}}}]}
  backends: [{host: 'localhost:${port}'}]
- matches: [{path: {exact: /authorized}}]
  policies: {extAuthz: {host: '127.0.0.1:${service.port}', protocol: {http: {includeResponseHeaders: [host]}}}}
  backends: [{host: 'localhost:${port}'}]
- matches: [{path: {exact: /retried}}]
  policies: {retry: {attempts: 1, codes: [200]}}
  backends: [{host: 'localhost:${port}', policies: {transformations: {request: {set: {host: '"retried.test"'}}}}}]
`)
    const paths = ["own", "gateway", "computed", "conditional", "other", "authorized", "retried"]
    const heard = await Promise.all(paths.map(async (path) => headersOf(await ask(`${url}/${path}`))["host"]))
    const own = `localhost:${port}`
    expect(heard).toEqual([
      own,
      "gateway.test",
      "computed.test",
      "conditional.test",
      own,
      "authorized.test",
      "retried.test",
    ])
  })

  it("are shown several headers", async () => {
    const { reached } = await start(closing, "{}", {
      target: "backendAuth: {key: {value: main}, headers: [{name: x-auth-token, prefix: 'Token ', value: two}]}",
    })
    const { headers } = await reached("/", { headers: { "x-auth-token": "from the client" } })
    expect([headers["authorization"], headers["x-auth-token"]]).toEqual(["Bearer main", "Token two"])
  })

  it("are shown a token that was traded at an endpoint in a field of its own", async () => {
    const forms: Array<Record<string, string>> = []
    const server = await localServer(({ body, url }) => {
      forms.push({ url: url ?? "", ...Object.fromEntries(new URLSearchParams(body.toString())) })
      return { body: { access_token: "new", token_type: "Bearer", expires_in: 3600 } }
    })
    closing.push(server.close)
    const { port } = await upstream()
    const url = await serve(`
gateways: {default: {port: 1}}
backends: [{name: issuer, host: '127.0.0.1:${server.port}'}]
routes:
- backends:
  - host: 127.0.0.1:${port}
    policies:
      backendAuth:
        oauth:
          tokenEndpoint: {backend: issuer}
          tokenEndpointPath: /oauth2/token
          grantType: jwtBearer
          scopes: [offline_access]
          clientAuth: {clientId: a, clientSecret: b, method: clientSecretPost}
          additionalParams: {requested_token_use: '"on_behalf_of"'}`)
    const got = await ask(url, { headers: { authorization: "Bearer old" } })
    expect(headersOf(got)["authorization"]).toBe("Bearer new")
    expect(forms).toMatchObject([
      {
        url: "/oauth2/token",
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: "old",
        scope: "offline_access",
        client_id: "a",
        client_secret: "b",
        requested_token_use: "on_behalf_of",
      },
    ])
  })

  it("are shown a token of another domain that an assertion was traded for", async () => {
    const grants: Array<string> = []
    const server = await localServer(({ body }) => {
      const form = new URLSearchParams(body.toString())
      grants.push(form.get("grant_type") ?? "")
      const isFirst = form.get("subject_token") !== null
      return {
        body: isFirst
          ? {
              access_token: "assertion",
              issued_token_type: "urn:ietf:params:oauth:token-type:id-jag",
              token_type: "N_A",
              expires_in: 60,
            }
          : { access_token: `for ${form.get("assertion")}`.replace(" ", "-"), token_type: "Bearer", expires_in: 60 },
      }
    })
    closing.push(server.close)
    const at = `{host: '127.0.0.1:${server.port}', tokenEndpointPath: /token, clientAuth: {clientId: a, clientSecret: b}}`
    const { reached } = await start(
      closing,
      `backendAuth: {xaa: {idp: ${at}, resourceAs: ${at}, audience: 'https://as.test/'}}`,
    )
    const { headers } = await reached("/", { headers: { authorization: "Bearer id" } })
    expect(headers["authorization"]).toBe("Bearer for-assertion")
    expect(grants).toEqual([
      "urn:ietf:params:oauth:grant-type:token-exchange",
      "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ])
  })
})

describe("who may pass", () => {
  it("is asked of a service whose protocol is a word, with its settings beside it", async () => {
    const service = await localServer(({ headers, url }) =>
      headers["authorization"] === "ann"
        ? { headers: { "x-auth-request-user": "ann" }, body: {} }
        : { status: 401, body: { asked: url } },
    )
    closing.push(service.close)
    const { reached, send } = await start(
      closing,
      `extAuthz: {host: '127.0.0.1:${service.port}', protocol: http, redirect: '"/oauth2/start?rd=/"', includeResponseHeaders: [x-auth-request-user]}`,
    )
    const away = await send("/")
    expect([away.status, away.headers["location"]]).toEqual([302, "/oauth2/start?rd=/"])
    const { headers } = await reached("/", { headers: { authorization: "ann", "x-auth-request-user": "mallory" } })
    expect(headers["x-auth-request-user"]).toBe("ann")
  })

  it("is nobody where there are no keys to check tokens with", async () => {
    const { send } = await start(closing, "jwtAuth: {mode: strict, issuer: i, audiences: [a], jwks: '{\"keys\":[]}'}")
    const token = ["eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ", "eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6NDEwMjQ0NDgwMH0", "c2ln"]
    expect((await send("/")).status).toBe(401)
    expect((await send("/", { headers: { authorization: `Bearer ${token.join(".")}` } })).status).toBe(401)
  })

  it("is told by addresses, those of proxies in front included", async () => {
    const { port } = await upstream()
    const url = await serve(`
binds:
- port: 1
  listeners:
  - policies: {ipAccessControl: {deny: [198.51.100.0/24], xffNumTrustedHops: 1}}
    routes:
    - matches: [{path: {pathPrefix: /partners}}]
      policies: {ipAccessControl: {allow: [203.0.113.0/24, '2001:db8::/32'], xffNumTrustedHops: 1}}
      backends: [{host: '127.0.0.1:${port}'}]
    - matches: [{path: {pathPrefix: /chain}}]
      policies: {ipAccessControl: {allow: [203.0.113.0/24], enforceFullChain: true, skipPrivateIps: true, maxXffLength: 3}}
      backends: [{host: '127.0.0.1:${port}'}]
    - backends: [{host: '127.0.0.1:${port}'}]`)
    const from = async (path: string, chain?: string) =>
      (await ask(`${url}${path}`, chain === undefined ? {} : { headers: { "x-forwarded-for": chain } })).status
    expect(await from("/")).toBe(200)
    expect(await from("/", "198.51.100.9")).toBe(403)
    // Only what the proxy wrote counts, and that is the last.
    expect(await from("/", "198.51.100.9, 192.0.2.1")).toBe(200)
    expect(await from("/partners")).toBe(403)
    expect(await from("/partners", "203.0.113.9")).toBe(200)
    expect(await from("/partners", "203.0.113.9:4711")).toBe(200)
    expect(await from("/partners", "[2001:db8::1]:443")).toBe(200)
    expect(await from("/partners", "203.0.113.9, 192.0.2.1")).toBe(403)
    expect(await from("/partners", "unknown")).toBe(403)
    expect(await from("/chain", "203.0.113.9, 10.0.0.1")).toBe(200)
    expect(await from("/chain", "192.0.2.1, 203.0.113.9")).toBe(403)
    expect(await from("/chain", "10.0.0.1, 10.0.0.1, 10.0.0.1, 10.0.0.1")).toBe(403)
  })
})

describe("limits", () => {
  it("of exchanges under way are those of the first condition that holds", async () => {
    const waiting: Array<http.ServerResponse> = []
    const { send } = await start(
      closing,
      `concurrencyLimit: {conditional: [{condition: 'request.headers["x-tier"] == "gold"', maxConcurrent: 2}, {maxConcurrent: 1}]}`,
      { upstream: (request, response) => void (request.resume(), waiting.push(response)) },
    )
    const by = (tier: string) => send("/", { headers: { "x-tier": tier } })
    const inside = [by("gold"), by("gold"), by("tin")]
    await until(() => waiting.length === 3)
    expect([(await by("gold")).status, (await by("tin")).status]).toEqual([503, 503])
    for (const response of waiting) response.end("ok")
    expect((await Promise.all(inside)).map(({ status }) => status)).toEqual([200, 200, 200])
  })
})

describe("an address of MCP", () => {
  it("may go without its scheme", async () => {
    const seen: Array<string> = []
    const { port } = await upstream((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      request.resume()
      response.writeHead(404).end()
    })
    const url = await serve(`mcp: {port: 1, targets: [{name: a, mcp: {host: '127.0.0.1:${port}'}}]}`)
    await ask(`${url}/mcp`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "c", version: "1" } },
      }),
    })
    expect(seen).toContain("POST /mcp")
  })
})
