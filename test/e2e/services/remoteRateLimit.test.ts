/** Rate limits kept by another service: a real one, honest and otherwise. */
import * as Effect from "effect/Effect"
import { freePort } from "../../freePort.ts"
import { afterEach, describe, expect, it } from "vitest"
import { admitTokens, chargeTokens } from "../../../stages/5-policy/TokenMeter.ts"
import { grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { rawUpstream, until } from "../harness.ts"
import { type Closing, start } from "./place.ts"

const RateLimitService = serviceOf("envoy_rate_limit.proto", "envoy.service.ratelimit.v3.RateLimitService")

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Asked {
  readonly domain: string
  readonly descriptors: ReadonlyArray<{
    readonly entries: ReadonlyArray<{ readonly key: string; readonly value: string }>
    readonly hitsAddend: { readonly value: number } | null
    readonly limit: object | null
  }>
}

const service = async (answer: (asked: Asked) => object | undefined) => {
  const asked: Array<Asked> = []
  const server = await grpcServer([
    [
      RateLimitService,
      {
        ShouldRateLimit: (call: grpc.ServerUnaryCall<Asked, object>, done: grpc.sendUnaryData<object>) => {
          asked.push(call.request)
          const said = answer(call.request)
          if (said !== undefined) done(null, said)
        },
      },
    ],
  ])
  closing.push(server.close)
  return { port: server.port, asked }
}

/** A service that really counts: so many hits for each value of its descriptors. */
const counting = (limit: number) => {
  const spent = new Map<string, number>()
  return service(({ descriptors }) => {
    const statuses = descriptors.map(({ entries, hitsAddend }) => {
      const key = entries.map(({ key, value }) => `${key}=${value}`).join(",")
      const before = spent.get(key) ?? 0
      const after = before + (hitsAddend?.value ?? 1)
      spent.set(key, after)
      const isOver = hitsAddend?.value === 0 ? before >= limit : after > limit
      return {
        code: isOver ? "OVER_LIMIT" : "OK",
        currentLimit: { requestsPerUnit: limit, unit: "MINUTE" },
        limitRemaining: Math.max(0, limit - after),
        durationUntilReset: { seconds: 41, nanos: 5 },
      }
    })
    const isOver = statuses.some(({ code }) => code === "OVER_LIMIT")
    return { overallCode: isOver ? "OVER_LIMIT" : "OK", statuses }
  })
}

const over = (port: number, descriptors: string, more = ""): string =>
  `remoteRateLimit:\n  host: 127.0.0.1:${port}\n  domain: shop\n  descriptors: ${descriptors}\n${more}`

const byUser = `[{entries: [{key: user, value: 'request.headers["x-user"]'}]}]`
const as = (user: string) => ({ headers: { "x-user": user } })

describe("limits kept by a service", () => {
  it("count what the descriptors say, and every reply says what is left", async () => {
    const { asked, port } = await counting(2)
    const place = await start(closing, over(port, byUser))
    const limits = async (user: string) => {
      const { headers, status } = await place.send("/", as(user))
      return [status, ...["limit", "remaining", "reset"].map((name) => headers[`x-ratelimit-${name}`])]
    }
    expect(await limits("a")).toEqual([200, "2", "1", "42"])
    expect(await limits("a")).toEqual([200, "2", "0", "42"])
    expect(await limits("a")).toEqual([429, "2", "0", "42"])
    expect(await limits("b")).toEqual([200, "2", "1", "42"])
    expect(asked[0]).toMatchObject({
      domain: "shop",
      descriptors: [{ entries: [{ key: "user", value: "a" }], hitsAddend: null, limit: null }],
    })
  })

  it("are not asked where nothing can be computed to count", async () => {
    const { asked, port } = await counting(0)
    const place = await start(closing, over(port, byUser))
    expect(await place.send("/")).toMatchObject({ status: 200 })
    expect(asked).toEqual([])
  })

  it("count as much as a cost says, against a limit the request may bring along", async () => {
    const { asked, port } = await counting(100)
    const descriptors = `
  - entries: [{key: a, value: 'request.method'}, {key: n, value: '7'}, {key: b, value: 'true'}]
    cost: 'size(request.path)'
    limitOverride: '{"unit": "hour", "requestsPerUnit": 5}'
  - entries: [{key: dropped, value: 'request.headers["none"]'}]
  - entries: [{key: dropped, value: '"x"'}]
    cost: 'int(request.headers["none"])'
  - entries: [{key: dropped, value: '"x"'}]
    limitOverride: '{"unit": "fortnight", "requestsPerUnit": 5}'`
    const place = await start(closing, over(port, descriptors))
    await place.reached("/12345")
    expect(asked[0]?.descriptors).toMatchObject([
      {
        entries: [
          { key: "a", value: "GET" },
          { key: "n", value: "7" },
          { key: "b", value: "true" },
        ],
        hitsAddend: { value: 6 },
        limit: { requestsPerUnit: 5, unit: "HOUR" },
      },
    ])
  })

  it("may add to the request and to the reply, and refuse in words of their own", async () => {
    const { port } = await service(({ descriptors }) => {
      const isOver = descriptors[0]?.entries[0]?.value === "bad"
      return {
        overallCode: isOver ? "OVER_LIMIT" : "OK",
        requestHeadersToAdd: [{ key: "X-Plan", value: "free" }],
        responseHeadersToAdd: [
          { key: "X-Note", value: "slow down" },
          { key: "content-type", value: "application/json" },
        ],
        rawBody: isOver ? Buffer.from('{"error":"too much"}') : Buffer.alloc(0),
      }
    })
    const place = await start(closing, over(port, byUser))
    const passed = await place.send("/", as("good"))
    expect((JSON.parse(passed.body) as { headers: object }).headers).toMatchObject({ "x-plan": "free" })
    expect(passed.headers["x-note"]).toBe("slow down")
    const refused = await place.send("/", as("bad"))
    expect(refused).toMatchObject({ status: 429, body: '{"error":"too much"}' })
    expect(refused.headers).toMatchObject({ "x-note": "slow down", "content-type": "application/json" })
    expect(place.backend.requests.length).toBe(1)
  })

  it("hold under the condition that is written", async () => {
    const { asked, port } = await counting(10)
    const place = await start(
      closing,
      `remoteRateLimit: {conditional: [{condition: 'request.method == "POST"', host: "127.0.0.1:${port}", domain: d, descriptors: [{entries: [{key: k, value: '"v"'}]}]}]}`,
    )
    await place.reached("/")
    await place.reached("/", { method: "POST" })
    expect(asked.length).toBe(1)
  })
})

describe("limits on tokens kept by a service", () => {
  const byTokens = `[{entries: [{key: who, value: '"team"'}], type: tokens}]`

  it("are asked when a model is, and told in the end how many there were", async () => {
    const { asked, port } = await counting(100)
    // A limit of the whole gateway, whatever its routes lead to.
    const place = await start(closing, "timeout: {requestTimeout: 30s}", {
      gateway: over(port, byTokens),
      phase: "route",
    })
    await place.reached("/")
    // Nothing here asks a model, so nothing was asked about it; whoever does goes by the meter.
    expect(asked).toEqual([])
    await until("it is written down", () => place.gateway.told.exchanges.length === 1)
    const exchange = place.gateway.told.exchanges[0]?.exchange
    if (exchange === undefined) throw new Error("nothing was told")
    const hits = () => asked.map(({ descriptors }) => descriptors[0]?.hitsAddend?.value)
    await Effect.runPromise(admitTokens(exchange, 30))
    await Effect.runPromise(admitTokens(exchange, 30))
    expect(hits()).toEqual([30])
    chargeTokens(exchange, 110)
    chargeTokens(exchange, 110)
    await until("the rest is charged", () => asked.length === 2)
    expect(hits()).toEqual([30, 80])
    await place.reached("/")
    await until("it is written down", () => place.gateway.told.exchanges.length === 2)
    const second = place.gateway.told.exchanges[1]?.exchange
    if (second === undefined) throw new Error("nothing was told")
    const refused = await Effect.runPromise(Effect.flip(admitTokens(second, undefined)))
    expect(refused).toEqual({ _tag: "OverLimit", text: "" })
    expect(hits()).toEqual([30, 80, 0])
  })
})

const troubles: Record<string, () => Promise<number>> = {
  "nobody listens": freePort,
  "it does not answer": async () => (await service(() => undefined)).port,
  "it resets the connection": async () => {
    const server = await rawUpstream(async (connection) => {
      await connection.take("PRI")
      connection.reset()
    })
    closing.push(server.close)
    return server.port
  },
  "it says an error": async () => {
    const server = await grpcServer([
      [
        RateLimitService,
        { ShouldRateLimit: (_call: unknown, done: grpc.sendUnaryData<object>) => done({ code: 14, details: "later" }) },
      ],
    ])
    closing.push(server.close)
    return server.port
  },
  "it does not say whether": async () => (await service(() => ({ overallCode: "UNKNOWN" }))).port,
  "it adds what is no header": async () =>
    (await service(() => ({ overallCode: "OK", requestHeadersToAdd: [{ key: "a b", value: "c" }] }))).port,
}

describe("where the service gives no answer", () => {
  it.each(Object.keys(troubles))("because %s, the configuration decides", async (why) => {
    const port = await troubles[why]?.()
    if (port === undefined) throw new Error(why)
    const impatient = (mode: string) =>
      over(port, byUser, `  policies: {http: {requestTimeout: 300ms}}\n  failureMode: ${mode}`)
    const closed = await start(closing, impatient("failClosed"))
    const open = await start(closing, impatient("failOpen"))
    expect(await closed.send("/", as("a"))).toMatchObject({ status: 500, body: "rate limit failed" })
    expect(await open.send("/", as("a"))).toMatchObject({ status: 200 })
    // A request that the service has no say in is not held up by it.
    expect(await closed.send("/")).toMatchObject({ status: 200 })
  })
})
