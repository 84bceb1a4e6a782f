/** Token buckets in Redis. The library is loaded, and a connection begun, at once, so that nobody has to wait for them. */
import type { RedisClientType } from "redis"
import type { Account, Claim, Ledger } from "../../stages/ports/Ledger.ts"
import { make as makeConnection } from "./redisConnection.ts"
import { scriptOf } from "./redisScript.ts"

/**
 * One round trip, atomic. A bucket is a hash of what was spent and up to which turn of the interval it was filled; it is
 * gone when it is full again. The clock is that of the server, so gateways need not agree about the time.
 */
const script = scriptOf(`
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local what, spent, lacking = ARGV[1], {}, -1
for i = 1, #KEYS do
  local max, fill = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local turn = math.floor(now / tonumber(ARGV[4 * i]))
  local kept = redis.call('HMGET', KEYS[i], 's', 't')
  local was = tonumber(kept[1] or '0')
  local last = tonumber(kept[2] or turn)
  if turn > last then was = math.max(0, was - (turn - last) * fill) end
  spent[i] = was
  if what ~= 'settle' and lacking < 0 and was + tonumber(ARGV[4 * i + 1]) > max then lacking = i - 1 end
end
if what ~= 'look' and lacking < 0 then
  for i = 1, #KEYS do
    local max, fill, interval = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
    spent[i] = math.min(max, math.max(0, spent[i] + tonumber(ARGV[4 * i + 1])))
    if spent[i] == 0 then
      redis.call('DEL', KEYS[i])
    else
      redis.call('HSET', KEYS[i], 's', spent[i], 't', math.floor(now / interval))
      if fill > 0 then redis.call('PEXPIRE', KEYS[i], math.ceil(math.ceil(spent[i] / fill) * interval) + 1) end
    end
  end
end
local reply = { lacking, now }
for i = 1, #KEYS do reply[i + 2] = math.max(0, math.floor(tonumber(ARGV[4 * i - 2]) - spent[i])) end
return reply
`)

const accountOf = (reply: unknown): Account => {
  if (!Array.isArray(reply)) throw new Error("Redis answered something else than was asked")
  const [lacking = -1, wallMillis = 0, ...remaining] = reply.map(Number)
  return { lacking, wallMillis, remaining }
}

export interface RedisLedger extends Ledger {
  readonly close: () => void
}

export const make = (url: string, nowMillis: () => number): RedisLedger => {
  const connection = makeConnection(url, nowMillis)
  connection.connect().catch(() => {})
  const ask = async (redis: RedisClientType, what: string, claims: ReadonlyArray<Claim>): Promise<Account> => {
    const words = {
      keys: claims.map(({ key }) => key),
      arguments: [
        what,
        ...claims.flatMap(({ shape, tokens }) =>
          [shape.maxTokens, shape.tokensPerFill, shape.fillIntervalMillis, tokens].map(String),
        ),
      ],
    }
    return accountOf(await script(redis, words))
  }
  return {
    account: (what, claims) => connection.ask((redis) => ask(redis, what, claims)),
    close: connection.close,
  }
}
