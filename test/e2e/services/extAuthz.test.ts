/** External authorization against servers that are not ours, honest and otherwise. */
import * as http from "node:http"
import * as http2 from "node:http2"
import { afterEach, describe, expect, it } from "vitest"
import { grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { httpUpstream, rawUpstream, until } from "../harness.ts"
import { type Closing, type Place, start } from "./place.ts"
import { freePort } from "../../freePort.ts"

const Authorization = serviceOf("envoy_auth.proto", "envoy.service.auth.v3.Authorization")

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

// The messages of another implementation, as plain objects.
type Check = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- what the peer's library makes of a message

interface Service {
  readonly port: number
  readonly checks: Array<Check>
}

/** A service over gRPC that answers as told; `undefined` leaves the question open. */
const service = async (answer: (check: Check) => object | undefined): Promise<Service> => {
  const checks: Array<Check> = []
  const server = await grpcServer([
    [
      Authorization,
      {
        Check: (call: grpc.ServerUnaryCall<Check, object>, done: grpc.sendUnaryData<object>) => {
          checks.push(call.request["attributes"] as Check)
          const said = answer(call.request["attributes"] as Check)
          if (said !== undefined) done(null, said)
        },
      },
    ],
  ])
  closing.push(server.close)
  return { port: server.port, checks }
}

const ok = (more: object = {}) => ({ status: { code: 0 }, okResponse: more, httpResponse: "okResponse" })
const no = (more: object = {}) => ({ status: { code: 7 }, deniedResponse: more, httpResponse: "deniedResponse" })
const header = (key: string, value: string, more: object = {}) => ({ header: { key, value }, ...more })

const over = (port: number, more = ""): string => `extAuthz:\n  host: 127.0.0.1:${port}\n${more}`

describe("external authorization over gRPC", () => {
  it("shows the service who asks for what", async () => {
    const { checks, port } = await service(() => ok())
    const place = await start(closing, over(port, "  protocol: {grpc: {context: {env: test}}}"))
    await place.reached("/a/b?c=d", {
      method: "PUT",
      headers: ["Host", "shop.test", "X-Many", "1", "X-Many", "2", "Cookie", "a=1", "X-Utf", "zu\u00c3\u00a9"],
      body: "",
    })
    const [check] = checks
    expect(check?.["request"].http).toMatchObject({
      method: "PUT",
      path: "/a/b?c=d",
      host: "shop.test",
      scheme: "http",
      protocol: "HTTP/1.1",
      headers: {
        ":method": "PUT",
        ":path": "/a/b?c=d",
        ":authority": "shop.test",
        ":scheme": "http",
        "x-many": "1, 2",
        "x-utf": "zué",
      },
    })
    expect(check?.["source"].address.socketAddress.address).toBe("127.0.0.1")
    expect(check?.["destination"].address.socketAddress.portValue).toBe(place.gateway.port)
    expect(check?.["contextExtensions"]).toEqual({ env: "test" })
    expect(Math.abs(check?.["request"].time.seconds - Date.now() / 1000)).toBeLessThan(60)
  })

  it("changes the request and the reply as the service says", async () => {
    const { port } = await service(() =>
      ok({
        headersToRemove: ["x-secret", "host", ":path"],
        headers: [
          header("x-user", "ann"),
          header("x-list", "b", { append: { value: true } }),
          header("x-new", "n", { appendAction: "ADD_IF_ABSENT" }),
          header("x-list2", "n", { appendAction: "ADD_IF_ABSENT" }),
          header("x-none", "n", { appendAction: "OVERWRITE_IF_EXISTS" }),
          header("content-length", "9999"),
          { header: { key: "x-raw", rawValue: Buffer.from([0xc3, 0xa9]) } },
        ],
        queryParametersToSet: [{ key: "tenant", value: "a b" }],
        queryParametersToRemove: ["token"],
        responseHeadersToAdd: [header("x-checked", "yes")],
      }),
    )
    const place = await start(closing, over(port))
    const answer = await place.send("/p?token=s&x=%20&tenant=mine", {
      headers: { "x-user": "mallory", "x-secret": "s", "x-list": "a", "x-list2": "old" },
    })
    const seen = JSON.parse(answer.body) as { url: string; headers: Record<string, string> }
    expect(seen.url).toBe("/p?x=%20&tenant=a%20b")
    expect(seen.headers).toMatchObject({
      "x-user": "ann",
      "x-list": "a, b",
      "x-new": "n",
      "x-list2": "old",
      "x-raw": "\u00c3\u00a9",
    })
    expect(seen.headers).not.toHaveProperty("x-secret")
    expect(seen.headers).not.toHaveProperty("x-none")
    expect(answer.headers["x-checked"]).toBe("yes")
  })

  it("gives the client the refusal in the service's words", async () => {
    const { port } = await service(({ request }) =>
      request.http.path === "/bare"
        ? { status: { code: 16 } }
        : no({
            status: { code: 401 },
            headers: [
              header("www-authenticate", "Bearer"),
              header("set-cookie", "a=1"),
              header("set-cookie", "b=2", { append: { value: true } }),
            ],
            body: "log in first",
          }),
    )
    const place = await start(closing, over(port))
    const answer = await place.send("/")
    expect(answer).toMatchObject({ status: 401, body: "log in first" })
    expect(answer.headers["www-authenticate"]).toBe("Bearer")
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"])
    expect(await place.send("/bare")).toMatchObject({ status: 403 })
    expect(place.backend.requests).toEqual([])
    await until("both are written down", () => place.gateway.told.exchanges.length === 2)
    expect(place.gateway.told.exchanges[0]?.exchange.trail.refusal).toEqual({ _tag: "ExternallyDenied", status: 401 })
  })

  it("tells a gRPC client in its own way", async () => {
    const { port } = await service(() => no({ status: { code: 401 }, body: "no entry" }))
    const place = await start(closing, over(port))
    const answer = await place.send("/", { method: "POST", headers: { "content-type": "application/grpc" } })
    expect(answer).toMatchObject({ status: 200, body: "" })
    expect(answer.headers).toMatchObject({ "grpc-status": "16", "grpc-message": "no entry" })
  })

  it("lets rules and changes see what the service said", async () => {
    const { port } = await service(() => ({
      ...ok(),
      dynamicMetadata: { fields: { tier: { stringValue: "gold", kind: "stringValue" } } },
    }))
    const policies = `${over(port)}
authorization: {rules: ['extauthz.tier == "gold"']}
transformations: {request: {set: {x-tier: extauthz.tier}}}`
    const place = await start(closing, policies)
    expect((await place.reached("/")).headers["x-tier"]).toBe("gold")
  })

  it("shows only the headers that are asked for, and what is computed", async () => {
    const { checks, port } = await service(() => ok())
    const place = await start(
      closing,
      over(
        port,
        `  includeRequestHeaders: [X-Tenant]
  protocol: {grpc: {metadata: {request.facts: '{"path": request.path}', single: request.method}}}`,
      ),
    )
    await place.reached("/x", { headers: { "x-tenant": "t", authorization: "secret" } })
    expect(checks[0]?.["request"].http.headers).toEqual({ "x-tenant": "t" })
    const fields = (name: string) => checks[0]?.["metadataContext"].filterMetadata[name].fields as Check
    expect(fields("request.facts")["path"].stringValue).toBe("/x")
    expect(fields("single")["value"].stringValue).toBe("GET")
  })

  it("shows as much of the body as it may, and the upstream gets all of it", async () => {
    const { checks, port } = await service(() => ok())
    const body = (more: string) => over(port, `  includeRequestBody: {maxRequestBytes: 10, ${more}}`)
    const strict = await start(closing, body("allowPartialMessage: false"))
    const partial = await start(closing, body("allowPartialMessage: true, packAsBytes: true"))
    const post = { method: "POST" }
    expect((await strict.reached("/", { ...post, body: "0123456789" })).body).toBe("0123456789")
    expect(checks[0]?.["request"].http).toMatchObject({ body: "0123456789", size: 10 })
    expect(await strict.send("/", { ...post, body: "0123456789x" })).toMatchObject({ status: 413 })
    const chunked = { ...post, headers: { "transfer-encoding": "chunked" }, body: "0123456789abc" }
    expect(await strict.send("/", chunked)).toMatchObject({ status: 413 })
    expect(checks.length).toBe(1)
    expect((await partial.reached("/", chunked)).body).toBe("0123456789abc")
    expect(checks[1]?.["request"].http.rawBody.toString()).toBe("0123456789")
    expect(checks[1]?.["request"].http.size).toBe(-1)
  })

  it("keeps a decision for those who are the same to it", async () => {
    const { checks, port } = await service(({ request }) =>
      request.http.headers["x-user"] === "bad"
        ? no({ body: "never" })
        : ok({ headers: [header("x-n", String(checks.length))] }),
    )
    const cache = `  cache: {key: ['request.headers["x-user"]'], ttl: 1h}`
    const place = await start(closing, over(port, cache))
    const as = (user: string | undefined) => ({ headers: user === undefined ? {} : { "x-user": user } })
    expect((await place.reached("/", as("a"))).headers["x-n"]).toBe("1")
    expect((await place.reached("/", as("a"))).headers["x-n"]).toBe("1")
    expect((await place.reached("/", as("b"))).headers["x-n"]).toBe("2")
    for (let i = 0; i < 2; i++) expect(await place.send("/", as("bad"))).toMatchObject({ status: 403, body: "never" })
    expect(checks.length).toBe(3)
    await place.reached("/", as(undefined))
    await place.reached("/", as(undefined))
    expect(checks.length).toBe(5)
  })

  it("stands at a gateway, on a condition, and before every attempt at a backend", async () => {
    const { checks, port } = await service(() => ok())
    const place = await start(
      closing,
      `extAuthz: {conditional: [{condition: 'request.path == "/asked"', host: "127.0.0.1:${port}"}]}`,
      {
        gateway: over(port, "  protocol: {grpc: {context: {at: gateway}}}"),
        target: over(port, "  protocol: {grpc: {context: {at: backend}}}"),
      },
    )
    await place.reached("/asked")
    await place.reached("/free")
    expect(checks.map((check) => check["contextExtensions"]?.["at"])).toEqual(
      "gateway,,backend,gateway,backend".split(",").map((at) => (at === "" ? undefined : at)),
    )
  })
})

/** Services that give no answer, and how the configuration then decides. */
const troubles: Record<string, () => Promise<number>> = {
  "nobody listens": freePort,
  "it does not answer": async () => (await service(() => undefined)).port,
  "it does not speak": async () => {
    const silent = await rawUpstream()
    closing.push(silent.close)
    return silent.port
  },
  "it resets the connection": async () => {
    const server = await rawUpstream(async (connection) => {
      await connection.take("PRI")
      connection.reset()
    })
    closing.push(server.close)
    return server.port
  },
  "it resets the call": async () => {
    const server = http2.createServer()
    server.on("stream", (stream: http2.ServerHttp2Stream) => {
      stream.on("error", () => {})
      stream.respond({ ":status": 200, "content-type": "application/grpc" })
      stream.write(Buffer.from([0, 0, 0, 0, 9, 1]), () => stream.session?.destroy())
    })
    return listening(server)
  },
  "it says an error": async () => {
    const server = await grpcServer([
      [Authorization, { Check: (_call: unknown, done: grpc.sendUnaryData<object>) => done({ code: 13 }) }],
    ])
    closing.push(server.close)
    return server.port
  },
  "it is no such service": async () => {
    const server = await httpUpstream()
    closing.push(server.close)
    return server.port
  },
  "it sets what no header can carry": async () =>
    (await service(() => ok({ headers: [header("x-a", "line\nbreak")] }))).port,
  "it sets what is no header": async () => (await service(() => ok({ headers: [header("x a", "b")] }))).port,
  "it allows and denies at once": async () =>
    (await service(() => ({ status: { code: 0 }, deniedResponse: {}, httpResponse: "deniedResponse" }))).port,
}

const listening = async (server: http.Server | http2.Http2Server): Promise<number> => {
  const sockets = new Set<{ destroy: () => void }>()
  server.on("connection", (socket: { destroy: () => void }) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

describe("where the service gives no answer", () => {
  it.each(Object.keys(troubles))("because %s, the configuration decides", async (why) => {
    const port = await troubles[why]?.()
    if (port === undefined) throw new Error(why)
    const impatient = (mode: string) =>
      over(port, `  policies: {http: {requestTimeout: 300ms}}\n  failureMode: ${mode}`)
    const places: ReadonlyArray<Place> = await Promise.all(
      ["deny", "{denyWithStatus: 503}", "allow"].map((mode) => start(closing, impatient(mode))),
    )
    const [deny, status, allow] = await Promise.all(
      places.map((place) => place.send("/", { headers: { "x-a": "mine" } })),
    )
    expect(deny).toMatchObject({ status: 403, body: "external authorization failed" })
    expect(status).toMatchObject({ status: 503, body: "external authorization failed" })
    expect(allow).toMatchObject({ status: 200 })
    // Nothing of a bad answer is carried out.
    expect((JSON.parse(allow?.body ?? "") as { headers: object }).headers).toMatchObject({ "x-a": "mine" })
  })

  it("a client that leaves takes its question along", async () => {
    let isCancelled = false
    const server = await grpcServer([
      [
        Authorization,
        { Check: (call: grpc.ServerUnaryCall<Check, object>) => void call.on("cancelled", () => (isCancelled = true)) },
      ],
    ])
    closing.push(server.close)
    const place = await start(closing, over(server.port, "  policies: {http: {requestTimeout: 1m}}"))
    const request = http.get(`http://127.0.0.1:${place.gateway.port}/`, { agent: false })
    request.on("error", () => {})
    await until("the question is asked", () => place.gateway.gateway.open().exchanges === 1)
    setTimeout(() => request.destroy(), 50)
    await until("the service heard of it", () => isCancelled)
  })
})

describe("external authorization over HTTP", () => {
  /** A service over HTTP; its answers are told by the request's path. */
  const checker = async (
    listener: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void,
  ) => {
    const server = await httpUpstream((request, response) => {
      let body = ""
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => listener(request, response, body))
    })
    closing.push(server.close)
    return server
  }
  const overHttp = (port: number, http: string, more = "") => over(port, `  protocol: {http: {${http}}}\n${more}`)

  it("asks with the request's own line and credential, and passes on what it was told to", async () => {
    const server = await checker((request, response) => {
      response.setHeader("x-user", request.headers["authorization"] === "Basic x" ? "ann" : "nobody")
      response.setHeader("x-other", "not asked for")
      response.end("ignored")
    })
    const place = await start(closing, overHttp(server.port, "includeResponseHeaders: [x-user, x-role]"))
    const seen = await place.reached("/a?b=c", {
      method: "DELETE",
      headers: { authorization: "Basic x", "x-user": "mallory", "x-role": "admin", "x-private": "1" },
    })
    expect(seen.headers["x-user"]).toBe("ann")
    // What the service did not say, a client must not say in its place.
    expect(seen.headers).not.toHaveProperty("x-role")
    expect(seen.headers).not.toHaveProperty("x-other")
    const [asked] = server.requests
    expect([asked?.method, asked?.url, asked?.headers["authorization"]]).toEqual(["DELETE", "/a?b=c", "Basic x"])
    expect(asked?.headers).not.toHaveProperty("x-private")
    expect(asked?.headers.host).toBe(`127.0.0.1:${server.port}`)
  })

  it("computes path, headers and body, and reads the answer for expressions", async () => {
    const server = await checker((_request, response, body) => {
      response.setHeader("x-said", body)
      response.end(JSON.stringify({ tier: "gold" }))
    })
    const place = await start(
      closing,
      `${overHttp(
        server.port,
        `path: '"/check" + request.path', body: '{"who": request.headers["x-user"]}', addRequestHeaders: {x-method: request.method, x-broken: 'request.headers["none"]'}, metadata: {tier: json(response.body).tier, said: 'response.headers["x-said"]'}`,
        "  includeRequestHeaders: [x-broken]",
      )}
transformations: {request: {set: {x-tier: extauthz.tier, x-said: extauthz.said}}}`,
    )
    const seen = await place.reached("/p", { headers: { "x-user": "ann", "x-broken": "from the client" } })
    expect(seen.headers).toMatchObject({ "x-tier": "gold", "x-said": '{"who":"ann"}' })
    const [asked] = server.requests
    expect([asked?.url, asked?.headers["x-method"]]).toEqual(["/check/p", "GET"])
    expect(asked?.headers).not.toHaveProperty("x-broken")
  })

  it("gives the client any other answer as it is, and sends it elsewhere where it should log in", async () => {
    const server = await checker((request, response) => {
      response.writeHead(Number(request.url?.slice(1)), { "x-why": "because", "content-type": "text/html" })
      response.end("<p>no")
    })
    const plain = await start(closing, overHttp(server.port, ""))
    const redirecting = await start(
      closing,
      overHttp(server.port, `redirect: '"https://login.test/?to=" + request.path'`),
    )
    for (const status of [401, 403, 302, 500]) {
      const answer = await plain.send(`/${status}`)
      expect(answer).toMatchObject({ status, body: "<p>no" })
      expect(answer.headers["x-why"]).toBe("because")
    }
    for (const status of [401, 403]) {
      const answer = await redirecting.send(`/${status}`)
      expect([answer.status, answer.headers.location]).toEqual([302, `https://login.test/?to=/${status}`])
    }
    expect(await redirecting.send("/500")).toMatchObject({ status: 500 })
  })

  it("refuses what cannot be asked properly, whatever the failure mode", async () => {
    const server = await checker((_request, response) => void response.end())
    for (const broken of [`path: 'request.headers["none"]'`, `body: 'request.headers["none"]'`, `path: '"no path"'`]) {
      const place = await start(closing, overHttp(server.port, broken, "  failureMode: allow"))
      expect(await place.send("/")).toMatchObject({ status: 403 })
    }
    expect(server.requests.length).toBe(0)
  })

  it("shows a body, and says whether it is all of it", async () => {
    const bodies: Array<unknown> = []
    const server = await checker((request, response, body) => {
      bodies.push([request.headers["x-envoy-auth-partial-body"], body])
      response.end()
    })
    const more = "  includeRequestBody: {maxRequestBytes: 4, allowPartialMessage: true}"
    const place = await start(closing, overHttp(server.port, "", more))
    expect((await place.reached("/", { method: "POST", body: "abcdef" })).body).toBe("abcdef")
    await place.reached("/", { method: "POST", body: "abcd" })
    await place.reached("/")
    expect(bodies).toEqual([
      ["true", "abcd"],
      ["false", "abcd"],
      ["false", ""],
    ])
  })

  it("keeps what was allowed and what was refused, and nothing else", async () => {
    const server = await checker((request, response) => {
      response.writeHead(Number(request.url?.slice(1)))
      response.end()
    })
    const cache = "  cache: {key: [request.path], ttl: 1h}"
    const place = await start(closing, overHttp(server.port, "", cache))
    for (const status of [200, 401, 403, 500]) {
      for (let i = 0; i < 3; i++) await place.send(`/${status}`)
    }
    expect(server.requests.length).toBe(1 + 1 + 1 + 3)
  })

  it("decides by the configuration where it cannot be asked, slow ones included", async () => {
    const slow = await checker(() => {})
    for (const port of [await freePort(), slow.port]) {
      const impatient = "  policies: {http: {requestTimeout: 200ms}}\n"
      const deny = await start(closing, overHttp(port, "", impatient))
      const allow = await start(closing, overHttp(port, "", `${impatient}  failureMode: allow`))
      expect(await deny.send("/")).toMatchObject({ status: 403 })
      expect(await allow.send("/")).toMatchObject({ status: 200 })
    }
  })
})
