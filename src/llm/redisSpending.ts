/**
 * The spending of budgets in Redis, for all gateways that share it. Booking and settling are one round trip each and
 * atomic there; the clock of bookings is that of the server, so gateways need not agree about the time.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Account, Booked, Spending, SpendingFailure } from "../../stages/ports/Spending.ts"
import { make as makeConnection, type RedisConnection } from "../node/redisConnection.ts"
import { scriptOf } from "../node/redisScript.ts"
import { parseJson } from "../../protocols/llm/Json.ts"
import { latestFirst, type Spent } from "./Spent.ts"
import { Unsettled } from "./Unsettled.ts"
import { untilWritten } from "./untilWritten.ts"

/** Whoever may not be let in unasked waits longer for an answer than whoever may. */
const ASK_MILLIS_MAX = 2_000
/** What is settled after its window, or by a gateway whose clock is behind, still finds its page. */
const AFTER_WINDOW_MILLIS = 2 * 60 * 60_000
/** For so long a settlement is known to have been made, should its answer have been lost and it be told again. */
const MADE_MILLIS = 10 * 60_000

const PREFIX = "sluice:budget:"

/**
 * The page of an account is a hash: `s` spent, `b` booked, and `a…` the amount of each booking; beside it a sorted set
 * says when each booking runs out. What ran out is taken off by the next who books.
 */
const book = scriptOf(`
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local page, open = KEYS[1], KEYS[2]
local id, amount, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local expires, keep = tonumber(ARGV[4]), tonumber(ARGV[5])
while true do
  local late = redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, 500)
  if #late == 0 then break end
  for _, one in ipairs(late) do
    local was = redis.call('HGET', page, 'a' .. one)
    if was then redis.call('HINCRBYFLOAT', page, 'b', '-' .. was) end
    redis.call('HDEL', page, 'a' .. one)
    redis.call('ZREM', open, one)
  end
end
-- Sums of fractions drift; where nothing is booked nothing is left of it.
if redis.call('ZCARD', open) == 0 then redis.call('HDEL', page, 'b') end
local kept = redis.call('HMGET', page, 's', 'b')
local taken = tonumber(kept[1] or '0') + tonumber(kept[2] or '0')
local room = limit == '' or (taken < tonumber(limit) and taken + amount <= tonumber(limit))
if room then
  redis.call('HSET', page, 'a' .. id, ARGV[2])
  redis.call('HINCRBYFLOAT', page, 'b', ARGV[2])
  redis.call('ZADD', open, now + expires, id)
  redis.call('PEXPIRE', page, keep)
  redis.call('PEXPIRE', open, keep)
end
return { room and 1 or 0, string.format('%.17g', taken) }
`)

const settle = scriptOf(`
local page, open, made = KEYS[1], KEYS[2], KEYS[3]
local id, amount = ARGV[1], ARGV[2]
if not redis.call('SET', made, '1', 'NX', 'PX', ARGV[4]) then return 0 end
local was = redis.call('HGET', page, 'a' .. id)
if was then
  redis.call('HDEL', page, 'a' .. id)
  redis.call('HINCRBYFLOAT', page, 'b', '-' .. was)
  redis.call('ZREM', open, id)
end
if tonumber(amount) > 0 then redis.call('HINCRBYFLOAT', page, 's', amount) end
redis.call('PEXPIRE', page, ARGV[3])
return 1
`)

/** Redis takes no exponents from everybody; no price has more digits. */
const decimal = (amount: number): string => amount.toFixed(12).replace(/\.?0+$/, "")

const failed = (message: string): SpendingFailure => ({ _tag: "SpendingFailure", message })

export interface RedisSpendingParts {
  readonly url: string
  readonly clock: { readonly nowMillis: () => number; readonly wallMillis: () => number }
  readonly run: (effect: Effect.Effect<void>) => void
}

export const make = ({ clock, run, url }: RedisSpendingParts): Spending & { readonly close: () => void } => {
  const connection = makeConnection(url, clock.nowMillis, ASK_MILLIS_MAX)
  const keysOf = ({ budget, subject, windowMillis }: Account): [page: string, open: string] => {
    // What stands in braces decides where a cluster keeps it: all of one account in one place.
    const page = `${PREFIX}{${JSON.stringify([budget, subject, windowMillis])}}`
    return [page, `${page}:open`]
  }
  const keepMillis = ({ endMillis }: Account): string =>
    String(Math.ceil(Math.max(0, endMillis - clock.wallMillis()) + AFTER_WINDOW_MILLIS))
  const settleOf: Spending["settle"] = (account, id, amount) => {
    const [page, open] = keysOf(account)
    const keys = [page, open, `${page}:made:${randomUUID()}`]
    const written = Effect.suspend(() => {
      const words = [id ?? "", decimal(amount), keepMillis(account), String(MADE_MILLIS)]
      return connection.ask((redis) => settle(redis, { keys, arguments: words }))
    })
    run(untilWritten(Effect.asVoid(Effect.mapError(written, failed)), account, amount))
  }
  return {
    book: ({ account, amount, expiresMillis, limit }) => {
      const id = randomUUID()
      const words = [
        id,
        decimal(amount),
        limit === undefined ? "" : decimal(limit),
        String(Math.max(0, Math.ceil(expiresMillis - clock.wallMillis()))),
        keepMillis(account),
      ]
      let isSent = false
      const asked = connection.ask((redis) => {
        isSent = true
        return book(redis, { keys: keysOf(account), arguments: words })
      })
      return Effect.matchEffect(asked, {
        // It may have been booked all the same, and nobody else knows its name.
        onFailure: (message) => {
          if (isSent) settleOf(account, id, 0)
          return Effect.fail(failed(message))
        },
        onSuccess: (reply) => {
          const [room, taken] = Array.isArray(reply) ? reply : []
          const spent = Number(taken)
          return Number.isFinite(spent) && (room === 0 || room === 1)
            ? Effect.succeed<Booked>({ id: room === 1 ? id : undefined, spent })
            : Effect.fail(failed("Redis answered something else than was asked"))
        },
      })
    },
    settle: settleOf,
    ready: () => void connection.connect().catch(() => {}),
    close: connection.close,
  }
}

/** So many pages are looked at; those of windows that are over go by themselves. */
const PAGES_MAX = 10_000

/** Undefined: no page, but what stands beside one. */
const accountOf = (key: string): readonly [budget: string, subject: string, windowMillis: number] | undefined => {
  if (!key.startsWith(`${PREFIX}{`) || !key.endsWith("}")) return undefined
  const value = parseJson(key.slice(PREFIX.length + 1, -1))
  if (!Array.isArray(value)) return undefined
  const [budget, subject, windowMillis] = value as ReadonlyArray<unknown>
  return typeof budget === "string" && typeof subject === "string" && Number.isFinite(windowMillis)
    ? [budget, subject, windowMillis as number]
    : undefined
}

/** What was spent, the latest windows first. */
export const list = (connection: RedisConnection, max: number): Effect.Effect<ReadonlyArray<Spent>, string> =>
  connection.ask(async (redis) => {
    const spent: Array<Spent> = []
    let seen = 0
    for await (const keys of redis.scanIterator({ MATCH: `${PREFIX}{*}`, COUNT: 500 })) {
      for (const key of keys) {
        const account = accountOf(key)
        const amount = account === undefined ? null : await redis.hGet(key, "s")
        if (account === undefined || amount === null) continue
        const [budget, subject, windowMillis] = account
        spent.push({ budget, subject, windowStart: new Date(windowMillis).toISOString(), amount: Number(amount) })
      }
      seen += keys.length
      if (seen >= PAGES_MAX) break
    }
    return spent.toSorted(latestFirst).slice(0, max)
  })

/** For as long as the scope is open. */
export const scoped = Effect.fnUntraced(function* (url: string, clock: RedisSpendingParts["clock"]) {
  const unsettled = new Unsettled(yield* Effect.context<never>())
  const spending = make({ url, clock, run: unsettled.run })
  yield* Effect.addFinalizer(() => Effect.ensuring(unsettled.settled, Effect.sync(spending.close)))
  return unsettled.of(spending)
})
