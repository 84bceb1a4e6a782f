/** Limits that gateways share, with a real Redis where one is installed. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach, describe, expect, it } from "vitest"
import { make } from "../../../src/node/redisLedger.ts"
import { linesOf } from "../../config/memoryIo.ts"
import { isRedisThere, Redis } from "../../peers/redis.ts"
import { httpUpstream, sleep, startGateway } from "../harness.ts"
import { ask, type Closing, snapshotOf } from "./place.ts"
import { freePort } from "../../freePort.ts"

if (!isRedisThere) console.warn("redis-server is not installed: limits shared through Redis are NOT TESTED")

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const started = async (): Promise<Redis> => {
  const redis = new Redis(await freePort())
  closing.push(() => redis.stop())
  await redis.start()
  return redis
}

const gateway = async (redis: Redis, limit: string) => {
  const backend = await httpUpstream()
  closing.push(backend.close)
  const snapshot = await snapshotOf(`
config: {redis: {url: "${redis.url}"}}
gateways: {default: {port: 1}}
routes:
- name: shop
  policies:
    localRateLimit:
    - ${limit}
  backends: [{host: "127.0.0.1:${backend.port}"}]
`)
  const clients = async () => (await redis.command("CLIENT", "LIST")).split("\n").length
  const before = await clients()
  const made = await startGateway(snapshot, { redisUrl: Redacted.make(redis.url) })
  closing.push(made.close)
  while ((await clients()) <= before) await sleep(10)
  const send = async (user: string) => {
    const { headers, status } = await ask(`http://127.0.0.1:${made.port}/`, { headers: { "x-user": user } })
    return [status, headers["x-ratelimit-remaining"]]
  }
  return { ...made, told: made.told, send }
}

/** No turn of the interval falls into a test. */
const byUser = `{maxTokens: 3, tokensPerFill: 1, fillInterval: 10000h, shared: true, key: 'request.headers["x-user"]'}`

it("a limit cannot be shared where no Redis is named", async () => {
  expect(
    await linesOf(
      `gateways: {default: {port: 1}}\nroutes: [{policies: {localRateLimit: [{maxTokens: 1, tokensPerFill: 1, fillInterval: 1s, shared: true}]}, backends: [{host: 'a:1'}]}]`,
    ),
  ).toEqual(["2:98 routes[0].policies.localRateLimit[0].shared: no Redis is configured"])
})

describe.skipIf(!isRedisThere)("limits kept in Redis", () => {
  it("hold for several gateways together, each key by itself, at one round trip a request", async () => {
    const redis = await started()
    const [a, b] = [await gateway(redis, byUser), await gateway(redis, byUser)]
    // The first one teaches the script to the server.
    expect(await a.send("warm")).toEqual([200, "2"])
    await redis.command("CONFIG", "RESETSTAT")
    expect(await a.send("ann")).toEqual([200, "2"])
    expect(await b.send("ann")).toEqual([200, "1"])
    expect(await a.send("ann")).toEqual([200, "0"])
    expect(await b.send("ann")).toEqual([429, "0"])
    expect(await b.send("bob")).toEqual([200, "2"])
    const stats = await redis.command("INFO", "commandstats")
    const calls = new Map(
      Array.from(stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g), ([, name, n]) => [name, Number(n)]),
    )
    expect(calls.get("evalsha")).toBe(5)
    // What the script does itself, what the test asks, and nothing else.
    const within = ["evalsha", "time", "hmget", "hset", "pexpire", "config|resetstat", "info"]
    const greetings = ["hello", "client|setinfo", "ping"]
    expect([...calls.keys()].filter((name) => ![...within, ...greetings].includes(String(name)))).toEqual([])
  })

  it("survive a server that has forgotten the script", async () => {
    const redis = await started()
    const { send } = await gateway(redis, byUser)
    await send("ann")
    await redis.command("SCRIPT", "FLUSH")
    expect(await send("ann")).toEqual([200, "1"])
  })

  it("are kept by each gateway for itself while the server is away", async () => {
    const redis = await started()
    const { send } = await gateway(redis, byUser)
    await send("ann")
    await redis.stop()
    const said = [await send("ann"), await send("ann"), await send("ann"), await send("ann")]
    expect(said.map(([status]) => status)).toEqual([200, 200, 200, 429])
    await redis.start()
    // A server that comes back knows nothing of what was counted without it.
    for (let users = 0; (await redis.command("DBSIZE")) === "0"; users++) {
      await send(`user ${users}`)
      await sleep(50)
    }
  })

  it("on tokens are charged in the end what models consumed", async () => {
    const redis = await started()
    const ledger = make(redis.url, () => performance.now())
    closing.push(ledger.close)
    // So long that no turn of it falls into the test.
    const fillIntervalMillis = 10_000 * 3_600_000
    const shape = { maxTokens: 100, tokensPerFill: 10, fillIntervalMillis }
    const account = (what: "take" | "look" | "settle", ...tokens: ReadonlyArray<number>) =>
      Effect.runPromise(
        Effect.map(
          ledger.account(
            what,
            tokens.map((tokens, i) => ({ key: `k{t}:${i}`, shape, tokens })),
          ),
          ({ lacking, remaining }) => [lacking, ...remaining],
        ),
      )
    // Until it is connected, nobody is kept waiting.
    const isAnswered = () =>
      account("look", 1, 1).then(
        () => true,
        () => false,
      )
    while (!(await isAnswered())) await sleep(50)
    expect(await account("take", 30, 60)).toEqual([-1, 70, 40])
    expect(await account("take", 30, 60)).toEqual([1, 70, 40])
    expect(await account("look", 1, 1)).toEqual([-1, 70, 40])
    expect(await account("settle", 20, -25)).toEqual([-1, 50, 65])
    expect(await account("settle", 500, -500)).toEqual([-1, 0, 100])
    expect(await account("look", 1, 1)).toEqual([0, 0, 100])
    // A bucket that is full takes no room; another is gone when it would be full.
    expect(await redis.command("DBSIZE")).toBe("1")
    expect(Number(await redis.command("PTTL", "k{t}:0"))).toBeGreaterThan(9 * fillIntervalMillis)
  })
})
