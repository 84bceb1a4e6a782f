/** An expression that fails decides nothing by accident: for every use its effect is the one that is documented, and it is counted. */
import * as fs from "node:fs"
import { afterEach, describe, expect, it } from "vitest"
import { type Use, uses } from "../../ir/cel/uses.ts"
import { grpc, grpcServer, serviceOf } from "../peers/grpc.ts"
import { httpUpstream, startGateway, until } from "./harness.ts"
import { ask, type Asked, type Closing, type Got, snapshotOf, start } from "./services/place.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** No client sends it, so reading it fails. */
const text = `request.headers["none"]`
const truth = `${text} == "x"`
const number = `int(${text})`

interface Case {
  readonly use: Use
  readonly what: string
  readonly policies: string
  /** Where a service is asked: what it was told. */
  readonly service?: "authz" | "limit" | "processor"
  readonly options?: Parameters<typeof start>[2]
  readonly asked?: Asked
  readonly expected: (got: Got, told: ReadonlyArray<Record<string, unknown>>) => unknown
  readonly is: unknown
  /** How often it fails; once unless said. */
  readonly times?: number
}

const seen = ({ body }: Got) =>
  JSON.parse(body) as { readonly headers: Record<string, string>; readonly url: string; readonly body: string }
const status = (got: Got) => got.status

const cases: ReadonlyArray<Case> = [
  {
    use: "authorization",
    what: "deny",
    policies: `authorization: {rules: [{deny: '${truth}'}]}`,
    expected: status,
    is: 403,
  },
  {
    use: "authorization",
    what: "require",
    policies: `authorization: {rules: [{require: '${truth}'}]}`,
    expected: status,
    is: 403,
  },
  { use: "authorization", what: "allow", policies: `authorization: {rules: ['${truth}']}`, expected: status, is: 403 },
  {
    use: "authorization",
    what: "an allow beside one that holds",
    policies: `authorization: {rules: ['${truth}', 'true']}`,
    expected: status,
    is: 200,
  },
  {
    use: "cedar",
    what: "an attribute that its policies look at",
    policies: `authorization:
  cedar:
    policies: 'permit (principal, action, resource) when { context.who == "x" };'
    context: {who: '${text}'}`,
    expected: status,
    is: 403,
  },
  {
    use: "condition",
    what: "of a policy",
    policies: `directResponse: {conditional: [{condition: '${truth}', status: 418}]}`,
    expected: status,
    is: 200,
  },
  {
    use: "credential",
    what: "where a key is",
    policies: `apiKey: {mode: strict, keys: [{key: k}], location: {expression: '${text}'}}`,
    expected: ({ body, status }) => [status, body],
    is: [401, "api key authentication failure: no API Key found"],
  },
  {
    use: "header",
    what: "that is set",
    policies: `transformations: {request: {set: {x-user: '${text}'}}}`,
    asked: { headers: { "x-user": "mallory" } },
    expected: (got) => seen(got).headers["x-user"],
    is: undefined,
  },
  {
    use: "header",
    what: "a part of the request line",
    policies: `transformations: {request: {set: {":path": '${text}'}}}`,
    expected: (got) => seen(got).url,
    is: "/",
  },
  {
    use: "status",
    what: "of a reply",
    policies: `transformations: {response: {set: {":status": '${number}'}}}`,
    expected: status,
    is: 200,
  },
  {
    use: "headers",
    what: "replaced",
    policies: `transformations: {request: {replace: '{"x": ${text}}'}}`,
    asked: { headers: { "x-kept": "1" } },
    expected: (got) => seen(got).headers["x-kept"],
    is: "1",
  },
  {
    use: "body",
    what: "of a transformation",
    policies: `transformations: {request: {body: '${text}'}}`,
    asked: { method: "POST", body: "of the client" },
    expected: (got) => seen(got).body,
    is: "",
  },
  {
    use: "metadata",
    what: "of a transformation",
    policies: `transformations: {request: {metadata: {m: '${text}'}, set: {x-has: 'string(has(metadata.m))'}}}`,
    expected: (got) => seen(got).headers["x-has"],
    is: "false",
  },
  {
    use: "directResponse",
    what: "its body",
    policies: `directResponse: {status: 200, bodyExpression: '${text}'}`,
    expected: status,
    is: 500,
  },
  {
    use: "header",
    what: "of a direct response",
    policies: `directResponse: {status: 200, headers: {x-a: '${text}', x-b: '"b"'}}`,
    expected: ({ headers, status }) => [status, headers["x-a"], headers["x-b"]],
    is: [200, undefined, "b"],
  },
  { use: "delay", what: "none", policies: `delay: {duration: '${number}'}`, expected: status, is: 200 },
  {
    use: "retry",
    what: "its condition",
    policies: `retry: {attempts: 3, codes: [503], condition: '${truth}'}`,
    options: { upstream: (_request, response) => void response.writeHead(500).end() },
    expected: status,
    is: 500,
  },
  {
    use: "retry",
    what: "its precondition",
    policies: `retry: {attempts: 3, codes: [503], precondition: '${truth}'}`,
    options: { upstream: (_request, response) => void response.writeHead(503).end() },
    expected: status,
    is: 503,
  },
  {
    use: "key",
    what: "of a rate limit: those without one are one",
    policies: `localRateLimit: [{maxTokens: 1, tokensPerFill: 0, fillInterval: 1h, key: '${text}'}]`,
    expected: ({ headers }) => headers["x-ratelimit-remaining"],
    is: "0",
  },
  {
    use: "key",
    what: "of a limit of concurrency",
    policies: `concurrencyLimit: [{maxConcurrent: 0, key: '${text}'}]`,
    expected: status,
    is: 503,
  },
  {
    use: "extAuthz",
    what: "its path",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", failureMode: allow, protocol: {http: {path: '${text}'}}}`,
    expected: (got, told) => [got.status, told.length],
    is: [403, 0],
  },
  {
    use: "extAuthz",
    what: "its body",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", failureMode: allow, protocol: {http: {body: '${text}'}}}`,
    expected: (got, told) => [got.status, told.length],
    is: [403, 0],
  },
  {
    use: "header",
    what: "added for an authorization service",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", protocol: {http: {addRequestHeaders: {authorization: '${text}'}}}}`,
    asked: { headers: { authorization: "Bearer of the client" } },
    expected: (got, told) => [got.status, told[0]?.["authorization"]],
    is: [200, undefined],
  },
  {
    use: "metadata",
    what: "of an authorization service",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", protocol: {http: {metadata: {m: 'response.headers["none"]'}}}}
transformations: {request: {set: {x-has: 'string(has(extauthz.m))'}}}`,
    expected: (got) => seen(got).headers["x-has"],
    is: "false",
  },
  {
    use: "extAuthz",
    what: "how long an answer is kept: not at all",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", protocol: {http: {}}, cache: {key: [request.path], ttl: '${number}'}}`,
    expected: status,
    is: 200,
  },
  {
    use: "key",
    what: "of kept answers: nothing is kept",
    service: "authz",
    policies: `extAuthz: {host: "127.0.0.1:PORT", protocol: {http: {}}, cache: {key: ['${text}'], ttl: 1h}}`,
    expected: status,
    is: 200,
  },
  {
    use: "extProc",
    what: "an attribute",
    service: "processor",
    policies: `extProc:
  host: 127.0.0.1:PORT
  processingOptions: {requestBodyMode: none, responseBodyMode: none, responseHeaderMode: skip}
  requestAttributes: {bad: '${text}', good: request.path}`,
    expected: (got, told) => [got.status, told[0]],
    is: [200, { good: "/" }],
  },
  ...(
    [
      ["descriptor", `{entries: [{key: a, value: '${text}'}]}`],
      ["cost", `{entries: [{key: a, value: '"a"'}], cost: '${number}'}`],
      ["limit", `{entries: [{key: a, value: '"a"'}], limitOverride: '${text}'}`],
    ] as const
  ).map(([use, descriptor]): Case => ({
    use,
    what: "of a descriptor, which then counts for nothing",
    service: "limit",
    policies: `remoteRateLimit: {host: "127.0.0.1:PORT", domain: d, descriptors: [${descriptor}]}`,
    expected: (got, told) => [got.status, told.length],
    is: [200, 0],
  })),
  {
    use: "parameter",
    what: "of a token exchange",
    service: "authz",
    policies: `backendAuth:
  oauthTokenExchange:
    host: 127.0.0.1:PORT
    additionalParams: {tenant: '${text}'}`,
    asked: { headers: { authorization: "Bearer of-the-client" } },
    expected: status,
    is: 400,
  },
  {
    use: "awsTag",
    what: "the name of a session",
    policies: `backendAuth:
  aws:
    accessKeyId: a
    secretAccessKey: s
    region: eu-west-1
    assumeRole: {roleArn: "arn:aws:iam::123456789012:role/r", sessionName: {expression: '${text}'}}`,
    expected: status,
    is: 500,
  },
]

interface Shown {
  readonly attributes: Readonly<
    Record<string, { readonly fields: Readonly<Record<string, { readonly stringValue: string }>> }>
  >
}

const services = {
  authz: async () => {
    const http = await import("node:http")
    const told: Array<Record<string, unknown>> = []
    const server = http.createServer((request, response) => {
      told.push(request.headers)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closing.push(() => server.close())
    return { port: (server.address() as { readonly port: number }).port, told }
  },
  limit: async () => {
    const told: Array<Record<string, unknown>> = []
    const server = await grpcServer([
      [
        serviceOf("envoy_rate_limit.proto", "envoy.service.ratelimit.v3.RateLimitService"),
        {
          ShouldRateLimit: (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
            told.push({ ...call.request })
            done(null, { overallCode: "OVER_LIMIT" })
          },
        },
      ],
    ])
    closing.push(server.close)
    return { port: server.port, told }
  },
  processor: async () => {
    const told: Array<Record<string, unknown>> = []
    const server = await grpcServer([
      [
        serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor"),
        {
          Process: (call: grpc.ServerDuplexStream<Shown, object>) => {
            call.on("error", () => {})
            call.on("data", ({ attributes }: Shown) => {
              const fields = attributes["envoy.filters.http.ext_proc"]?.fields ?? {}
              told.push(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.stringValue])))
              call.write({ requestHeaders: {} })
            })
            call.on("end", () => call.end())
          },
        },
      ],
    ])
    closing.push(server.close)
    return { port: server.port, told }
  },
} as const

describe("an expression that fails", () => {
  it.each(cases)("for $use: $what", async ({ asked, expected, is, options, policies, service, times = 1, use }) => {
    const other = service === undefined ? undefined : await services[service]()
    const place = await start(closing, policies.replaceAll("PORT", String(other?.port)), options)
    const got = await place.send("/", asked)
    expect(expected(got, other?.told ?? [])).toEqual(is)
    expect(place.gateway.gateway.expressionFailures()).toEqual({ [use]: times })
  })

  it.each([
    ["health: nobody is unhealthy", `health: {unhealthyExpression: '${truth}'}`, { health: 1 }],
    ["sessionAffinity: the ordinary choice", `sessionAffinity: {source: '${text}'}`, { sessionAffinity: 1 }],
  ])("for %s", async (_, policy, failures) => {
    const backend = await httpUpstream()
    closing.push(backend.close)
    const gateway = await startGateway(
      await snapshotOf(`
gateways: {default: {port: 1}}
services:
- {name: s, namespace: n, hostname: s.n, vips: [], ports: {80: ${backend.port}}}
workloads:
- {name: w, namespace: n, workloadIps: [127.0.0.1], services: {n/s.n: {}}}
routes:
- policies: {${policy}}
  backends: [{service: {name: n/s.n, port: 80}}]
`),
    )
    closing.push(gateway.close)
    expect((await ask(`http://127.0.0.1:${gateway.port}/`)).status).toBe(200)
    expect(gateway.gateway.expressionFailures()).toEqual(failures)
  })

  it("for target: 500", async () => {
    const gateway = await startGateway(
      await snapshotOf(`
gateways: {default: {port: 1}}
routes:
- backends: [{dynamic: {target: '${text}'}}]
`),
    )
    closing.push(gateway.close)
    expect((await ask(`http://127.0.0.1:${gateway.port}/`)).status).toBe(500)
    expect(gateway.gateway.expressionFailures()).toEqual({ target: 1 })
  })

  it("for llmField: the field is removed", async () => {
    let said: unknown
    const provider = await httpUpstream((request, response) => {
      let body = ""
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => {
        said = JSON.parse(body)
        response.setHeader("content-type", "application/json")
        response.end(JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices: [] }))
      })
    })
    closing.push(provider.close)
    const gateway = await startGateway(
      await snapshotOf(`
llm:
  port: 1
  models:
  - name: "*"
    provider: openAI
    params: {baseUrl: "http://127.0.0.1:${provider.port}/v1", apiKey: k}
    transformation: {user: '${text}'}
`),
    )
    closing.push(gateway.close)
    const { status } = await ask(`http://127.0.0.1:${gateway.port}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", user: "of the client", messages: [{ role: "user", content: "hi" }] }),
    })
    expect([status, said]).toEqual([200, { model: "m", messages: [{ role: "user", content: "hi" }] }])
    expect(gateway.gateway.expressionFailures()).toEqual({ llmField: 1 })
  })

  it("for mcpArgument: the tool is not called", async () => {
    let calls = 0
    const server = await httpUpstream((_request, response) => {
      calls++
      response.writeHead(500).end()
    })
    closing.push(server.close)
    const gateway = await startGateway(
      await snapshotOf(`
gateways: {default: {port: 1}}
routes:
- backends:
  - mcp:
      targets:
      - name: one
        mcp: {host: "http://127.0.0.1:${server.port}/mcp"}
        tools: {override: {create: {arguments: {owner: {expression: '${text}'}}}}}
`),
    )
    closing.push(gateway.close)
    const { body } = await ask(`http://127.0.0.1:${gateway.port}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "create",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "create",
          arguments: { owner: "of the client" },
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    })
    expect(body).toContain("owner")
    expect(calls).toBe(0)
    expect(gateway.gateway.expressionFailures()).toEqual({ mcpArgument: 1 })
  })

  it("for networkAuthorization: the connection is closed", async () => {
    const place = await start(closing, "directResponse: {status: 200}", {
      frontend: `networkAuthorization: {rules: [{deny: 'int(source.address) == 1'}]}`,
    })
    await expect(place.send("/")).rejects.toThrow()
    await until("it is counted", () => place.gateway.told.rejected.length === 1)
    expect(place.gateway.gateway.expressionFailures()).toEqual({ networkAuthorization: 1 })
  })
})

it("the documentation says for every use what a failure means", () => {
  const page = fs.readFileSync(new URL("../../docs/expressions.md", import.meta.url), "utf8")
  const table = page.slice(page.indexOf("## When it fails"), page.indexOf("## Functions of your own"))
  const named = new Set(
    Array.from(table.matchAll(/^\| .* \| .* \| ((?:`\w+`(?:, )?)+) \|$/gm), ([, labels = ""]) => labels)
      .join()
      .match(/\w+/g),
  )
  expect(Object.keys(uses).filter((use) => !named.has(use))).toEqual([])
})
