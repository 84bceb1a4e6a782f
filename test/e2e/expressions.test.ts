/** Policies that compute, through the real gateway: configuration as text, requests on real sockets. */
import * as Effect from "effect/Effect"
import * as http from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { formatAll } from "../../src/config/ConfigIssue.ts"
import { load } from "../../src/config/local/load.ts"
import { nodeIo } from "../../src/config/local/nodeIo.ts"
import { gatewayOptions } from "../../src/gatewayOptions.ts"
import {
  connect,
  connectTls,
  httpUpstream,
  type HttpUpstream,
  pem,
  rawUpstream,
  type Started,
  startGateway,
} from "./harness.ts"
import { freePort } from "../freePort.ts"

const open: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const keep = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  open.push(one)
  return one
}

/** Port 0 in the text stands for one that is free. */
const start = async (written: string): Promise<Started> => {
  const text = written.replace("default: {port: 0", `default: {port: ${await freePort()}`)
  const loaded = await Effect.runPromise(
    Effect.match(load(text, { file: "test", env: {}, io: nodeIo, cpus: 1 }), {
      onFailure: (issues) => new Error(formatAll(issues, "test")),
      onSuccess: (one) => one,
    }),
  )
  if (loaded instanceof Error) throw loaded
  return keep(await startGateway(loaded.snapshot, gatewayOptions(loaded.static)))
}

const upstream = async (listener?: http.RequestListener): Promise<HttpUpstream> => keep(await httpUpstream(listener))

/** A server that tells what it was asked. */
const mirror = () =>
  upstream((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () =>
      response.end(
        JSON.stringify({
          method: request.method,
          url: request.url,
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      ),
    )
  })

const route = (port: number, policies: string, more = "") => `
gateways: {default: {port: 0}}
routes:
- backends: [{host: '127.0.0.1:${port}'}]
  policies:
${policies.replaceAll(/^(?=.)/gm, "    ")}
${more}`

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const ask = async ({ port }: Started, path = "/", asked: Asked = {}) => {
  const reply = await fetch(`http://127.0.0.1:${port}${path}`, asked)
  return { status: reply.status, headers: reply.headers, text: await reply.text() }
}

describe("authorization", () => {
  it("lets pass, and refuses with 403 what the upstream then never sees", async () => {
    const server = await mirror()
    const gateway = await start(
      route(
        server.port,
        `authorization:
  rules:
  - request.method == "GET"
  - deny: request.path.startsWith("/admin")
  - require: request.headers["x-team"] in ["a", "b"]`,
      ),
    )
    const headers = { "x-team": "a" }
    expect((await ask(gateway, "/", { headers })).status).toBe(200)
    for (const [path, asked] of [
      ["/", {}],
      ["/admin/x", { headers }],
      ["/", { headers, method: "PUT" }],
      ["/", { headers: { "x-team": "c" } }],
    ] as const) {
      const refused = await ask(gateway, path, asked)
      expect([refused.status, refused.text]).toEqual([403, "authorization failed"])
    }
    expect(server.requests.length).toBe(1)
    expect(gateway.gateway.expressionFailures()).toEqual({ authorization: 1 })
  })

  it("adds up over the levels: gateway, route and backend", async () => {
    const server = await mirror()
    const gateway = await start(
      `
gateways: {default: {port: 0}}
policies:
- name: {name: all, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  phase: gateway
  policy: {authorization: {rules: [{deny: 'request.headers["x-deny"] == "gateway"'}]}}
- name: {name: routes, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  policy: {authorization: {rules: [{deny: 'default(request.headers["x-deny"], "") == "above"'}]}}
routes:
- backends:
  - host: '127.0.0.1:${server.port}'
    policies: {authorization: {rules: [{deny: 'request.headers["x-deny"] == "backend"'}]}}
  policies: {authorization: {rules: [{deny: 'request.headers["x-deny"] == "route"'}]}}
`,
    )
    for (const level of ["gateway", "above", "route", "backend"]) {
      expect((await ask(gateway, "/", { headers: { "x-deny": level } })).status).toBe(403)
    }
    expect((await ask(gateway, "/", { headers: { "x-deny": "nobody" } })).status).toBe(200)
  })

  it("reads bodies only as far as it may, and sends them on whole", async () => {
    const server = await mirror()
    const gateway = await start(
      route(
        server.port,
        `authorization: {rules: ['json(request.body).model.startsWith("small-")']}`,
        "frontendPolicies: {http: {maxBufferSize: 64}}",
      ),
    )
    const post = (body: string) => ask(gateway, "/", { method: "POST", body })
    const small = JSON.stringify({ model: "small-1" })
    const allowed = await post(small)
    expect(JSON.parse(allowed.text)).toMatchObject({ body: small })
    expect((await post(JSON.stringify({ model: "large" }))).status).toBe(403)
    expect((await post(JSON.stringify({ model: "small-1", more: "x".repeat(100) }))).status).toBe(403)
  })
})

describe("network authorization", () => {
  it("closes a connection without a byte", async () => {
    const server = await mirror()
    const rule = (source: string) =>
      start(
        route(
          server.port,
          "timeout: {requestTimeout: 5s}",
          `frontendPolicies: {networkAuthorization: {rules: ['${source}']}}`,
        ),
      )
    const allowed = await rule('cidr("127.0.0.0/8").containsIP(source.address)')
    expect((await ask(allowed)).status).toBe(200)
    const denied = await rule('cidr("10.0.0.0/8").containsIP(source.address)')
    const client = await connect(denied.port)
    await client.gone()
    expect(client.text).toBe("")
    expect(denied.told.rejected).toEqual([
      { bind: expect.any(String), stage: "networkAuthorization", reason: "network authorization failed" },
    ])
    expect(server.requests.length).toBe(1)
  })

  it("holds for raw connections", async () => {
    const raw = keep(await rawUpstream())
    const gateway = await start(`
binds: [{port: 0, listeners: [{protocol: TCP, tcpRoutes: [{backends: [{host: '127.0.0.1:${raw.port}'}]}]}]}]
frontendPolicies: {networkAuthorization: {rules: [{deny: 'true'}]}}`)
    const client = await connect(gateway.port)
    await client.gone()
    expect(client.text).toBe("")
    expect(raw.connections.length).toBe(0)
  })

  it("that asks who the client is waits for the handshake", async () => {
    const server = await mirror()
    const here = new URL("certificates/", import.meta.url).pathname
    const gateway = await start(`
gateways: {default: {port: 0, protocol: HTTPS, tls: {cert: '${here}server.pem', key: '${here}server.key', root: '${here}ca.pem'}}}
routes: [{backends: [{host: '127.0.0.1:${server.port}'}]}]
frontendPolicies: {networkAuthorization: {rules: ['source.subjectCn == "somebody else"']}}`)
    const client = await connectTls(gateway.port, {
      cert: pem("client.pem"),
      key: pem("client.key"),
      ca: pem("ca.pem"),
    })
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    await client.gone()
    expect(client.text).toBe("")
    expect(gateway.told.rejected.map(({ stage }) => stage)).toEqual(["networkAuthorization"])
    expect(server.requests.length).toBe(0)
  })
})

describe("transformations", () => {
  it("change what the upstream is sent and what the client gets", async () => {
    const server = await mirror()
    const gateway = await start(
      route(
        server.port,
        `transformations:
  request:
    metadata: {who: 'default(request.headers["x-user"], "nobody")'}
    set:
      x-user: '"user:" + metadata.who'
      x-secret: request.headers["x-not-there"]
      ":path": '"/v2" + request.path'
    remove: [x-drop]
    body: '{"wrapped": string(request.body)}'
  response:
    set:
      x-was: string(response.code) + " " + metadata.who
      ":status": "response.code + 1"
    body: '{"upstream": json(response.body).url}'`,
      ),
    )
    const reply = await ask(gateway, "/a?b=c", {
      method: "POST",
      body: "hello",
      headers: { "x-user": "ann", "x-secret": "forged", "x-drop": "1" },
    })
    expect([reply.status, reply.headers.get("x-was")]).toEqual([201, "200 ann"])
    expect(JSON.parse(reply.text)).toEqual({ upstream: "/v2/a" })
    const [seen] = server.requests
    expect(seen?.headers).toMatchObject({ "x-user": "user:ann", "content-length": "19" })
    expect(seen?.headers).not.toHaveProperty("x-secret")
    expect(seen?.headers).not.toHaveProperty("x-drop")
  })

  it("hold for what the gateway refuses itself", async () => {
    const gateway = await start(
      route(
        1,
        `authorization: {rules: [{deny: "true"}]}
responseHeaderModifier: {set: {x-first: "1"}}`,
        `policies:
- name: {name: errors, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  phase: gateway
  policy: {transformations: {response: {body: '{"code": response.code}'}}}`,
      ),
    )
    const refused = await ask(gateway)
    expect([refused.status, refused.text, refused.headers.get("x-first")]).toEqual([403, '{"code":403}', "1"])
  })

  it("by condition: one choice for the request and its reply", async () => {
    const server = await mirror()
    const gateway = await start(
      route(
        server.port,
        `transformations:
  conditional:
  - condition: request.method == "PUT"
    request: {set: {":method": '"POST"'}}
    response: {set: {x-entry: '"put"'}}
  - response: {set: {x-entry: '"other"'}}`,
      ),
    )
    const put = await ask(gateway, "/", { method: "PUT" })
    expect([put.headers.get("x-entry"), JSON.parse(put.text).method]).toEqual(["put", "POST"])
    expect((await ask(gateway)).headers.get("x-entry")).toBe("other")
  })
})

describe("what else is computed", () => {
  it("a direct response, its headers and its delay", async () => {
    const gateway = await start(
      route(
        1,
        `delay: {duration: 'request.path == "/slow" ? duration("60ms") : duration("0s")'}
directResponse: {status: 200, bodyExpression: '"hello " + request.path', headers: {x-method: request.method}}`,
      ),
    )
    const began = performance.now()
    const reply = await ask(gateway, "/slow")
    expect([reply.status, reply.text, reply.headers.get("x-method")]).toEqual([200, "hello /slow", "GET"])
    expect(performance.now() - began).toBeGreaterThanOrEqual(55)
  })

  it("which replies are tried again, and for which requests", async () => {
    let calls = 0
    const server = await upstream((_, response) => {
      calls++
      response.setHeader("x-retry-me", calls % 2 === 1 ? "yes" : "no")
      response.end(`answer ${calls}`)
    })
    const gateway = await start(
      route(
        server.port,
        `retry:
  attempts: 2
  codes: [599]
  precondition: request.path != "/once"
  condition: response.headers["x-retry-me"] == "yes" && string(response.body).startsWith("answer")`,
      ),
    )
    expect((await ask(gateway)).text).toBe("answer 2")
    expect((await ask(gateway, "/once")).text).toBe("answer 3")
    expect(calls).toBe(3)
  })

  it("where a request goes", async () => {
    const servers = [await mirror(), await mirror()] as const
    const gateway = await start(`
gateways: {default: {port: 0}}
routes:
- backends: [{dynamic: {target: '"127.0.0.1:" + (request.path == "/a" ? "${servers[0].port}" : request.headers["x-port"])'}}]`)
    expect((await ask(gateway, "/a")).status).toBe(200)
    expect((await ask(gateway, "/b", { headers: { "x-port": String(servers[1].port) } })).status).toBe(200)
    expect(servers.map(({ requests }) => requests.length)).toEqual([1, 1])
    expect((await ask(gateway, "/b")).status).toBe(500)
  })

  it("functions of the configuration", async () => {
    const server = await mirror()
    const gateway = await start(
      `config: {customFunctions: 'isSafe(m) { m in ["GET", "HEAD"] }'}\n${route(server.port, `authorization: {rules: ['isSafe(request.method)']}`)}`,
    )
    expect((await ask(gateway)).status).toBe(200)
    expect((await ask(gateway, "/", { method: "PUT" })).status).toBe(403)
  })
})
