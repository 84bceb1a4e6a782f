/** Budgets of a fleet: several gateways and one real Redis, where one is installed. */
import * as Redacted from "effect/Redacted"
import { afterEach, describe, expect, it } from "vitest"
import { loadedOf } from "../../config/memoryIo.ts"
import { isRedisThere, Redis } from "../../peers/redis.ts"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, sendJson, startProvider } from "./provider.ts"
import { freePort } from "../../freePort.ts"

if (!isRedisThere) console.warn("redis-server is not installed: budgets shared through Redis are NOT TESTED")

const closing: Array<() => Promise<unknown> | unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const started = async (): Promise<Redis> => {
  const redis = new Redis(await freePort())
  closing.push(() => redis.stop())
  await redis.start()
  return redis
}

interface Held extends Scripted {
  readonly release: Array<() => void>
}

/** Answers when it is told to; each answer is 17 tokens. */
const holding = async (): Promise<Held> => {
  const release: Array<() => void> = []
  const upstream = await startProvider((_call, response) => {
    release.push(() =>
      sendJson(response, 200, {
        model: "m",
        choices: [{ index: 0, message: { role: "assistant", content: "x" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
      }),
    )
  })
  closing.push(upstream.close)
  return Object.assign(upstream, { release })
}

const gateway = async (redis: Redis, { port }: Scripted, budget: string): Promise<Place> => {
  const text = `
config: {redis: {url: "${redis.url}"}}
llm:
  port: 1
  policies: {budgets: [{${budget}, window: 24h, store: redis}]}
  models:
  - name: "*"
    provider: {custom: {formats: [{type: completions}]}}
    params: {baseUrl: "http://127.0.0.1:${port}/v1"}
`
  const made = await startPlace(text, { redisUrl: Redacted.make(redis.url) })
  closing.push(made.close)
  return made
}

const ask = ({ url }: Place): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "m",
      max_tokens: 20,
      messages: [{ role: "user", content: "one two three four" }],
    }),
  })

/** A call whose answer is let go as soon as it is asked for. */
const statusOf = async (place: Place, upstream: Held): Promise<number> => {
  const reply = ask(place)
  let isOver = false
  void reply.finally(() => (isOver = true))
  await until("it was asked or refused", () => isOver || upstream.release.length > 0, 20_000)
  upstream.release.shift()?.()
  const { body, status } = await reply
  await body?.cancel()
  return status
}

/** Until the library and the connection are there, a budget cannot be looked up. */
const warm = async (place: Place, upstream: Held): Promise<void> => {
  for (let status = 503; status === 503;) status = await statusOf(place, upstream)
}

const spentIn = async (redis: Redis): Promise<number> =>
  Number(
    await redis.command(
      "EVAL",
      `local sum = 0
      for _, page in ipairs(redis.call('KEYS', 'sluice:budget:*}')) do
        sum = sum + tonumber(redis.call('HGET', page, 's') or '0')
      end
      return tostring(sum)`,
      "0",
    ),
  )

const eventually = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
  const endsAt = performance.now() + 40_000
  while (!(await isSo())) if (performance.now() > endsAt) throw new Error(`it never came to be that ${what}`)
}

it("a budget cannot be kept in a Redis that is not named", async () => {
  await expect(
    loadedOf(`llm: {port: 1, policies: {budgets: [{name: b, tokens: 1, window: 1h, store: redis}]}, models: []}`),
  ).rejects.toThrow("no Redis is configured")
})

describe.skipIf(!isRedisThere)("a budget in Redis", () => {
  it("is one for all gateways, however many calls come at once", { timeout: 90_000 }, async () => {
    const redis = await started()
    const upstream = await holding()
    const places = [
      await gateway(redis, upstream, "name: all, tokens: 100"),
      await gateway(redis, upstream, "name: all, tokens: 100"),
    ]
    for (const place of places) await warm(place, upstream)
    await eventually("what was spent is written down", async () => (await spentIn(redis)) === 34)
    await redis.command("FLUSHALL")
    const before = places.map((place) => place.gateway.told.exchanges.length)
    const told = (): number =>
      places.reduce((sum, place, i) => sum + place.gateway.told.exchanges.length - (before[i] ?? 0), 0)
    // Each may come to 12 + 20, so no more than three can be under way.
    const replies = Promise.all(Array.from({ length: 12 }, (_, i) => ask(places[i % 2] as Place)))
    await until("the others were refused", () => told() === 9, 40_000)
    expect(upstream.release.length).toBe(3)
    for (const release of upstream.release.splice(0)) release()
    const statuses = (await replies).map(({ status }) => status).toSorted((a, b) => a - b)
    expect(statuses).toEqual([200, 200, 200, ...Array.from({ length: 9 }, () => 429)])
    // Settled, it is what was used rather than what might have been: 51 of 100.
    await eventually("what was spent is written down", async () => (await spentIn(redis)) === 51)
    expect(await statusOf(places[0] as Place, upstream)).toBe(200)
    await eventually("that too", async () => (await spentIn(redis)) === 68)
    // What is left does not suffice for what another may come to.
    expect(await redis.command("FLUSHALL")).toBe("OK")
    expect(await statusOf(places[1] as Place, upstream)).toBe(200)
  })

  it("outlives a gateway, one that was ended in the middle of a call included", { timeout: 90_000 }, async () => {
    const redis = await started()
    const upstream = await holding()
    const first = await gateway(redis, upstream, "name: kept, tokens: 60")
    await warm(first, upstream)
    await eventually("what was spent is written down", async () => (await spentIn(redis)) === 17)
    const broken = ask(first).catch(() => undefined)
    await until("it is under way", () => upstream.release.length > 0, 20_000)
    await first.close()
    await broken
    upstream.release.splice(0)
    const second = await gateway(redis, upstream, "name: kept, tokens: 60")
    await warm(second, upstream)
    // The call that was broken off gave back what was booked for it: 34 were spent, and another may come to 32.
    await eventually("that was spent", async () => (await spentIn(redis)) === 34)
    expect(await statusOf(second, upstream)).toBe(429)
  })

  it(
    "rejects or lets in, as it says, while Redis is gone, and forgets nothing meanwhile",
    { timeout: 90_000 },
    async () => {
      const redis = await started()
      const upstream = await holding()
      const hard = await gateway(redis, upstream, "name: hard, tokens: 1000")
      const soft = await gateway(redis, upstream, "name: soft, tokens: 1000, onExceeded: warn")
      await warm(hard, upstream)
      await warm(soft, upstream)
      const under = ask(hard)
      await until("it is under way", () => upstream.release.length > 0, 20_000)
      await redis.stop()
      upstream.release.shift()?.()
      expect((await under).status).toBe(200)
      expect(await statusOf(hard, upstream)).toBe(503)
      expect(await statusOf(soft, upstream)).toBe(200)
      await redis.start()
      // Redis kept nothing of before; both calls that ended while it was gone are told to the new one.
      await eventually("they are written down", async () => (await spentIn(redis)) === 34)
      await warm(hard, upstream)
    },
  )
})
