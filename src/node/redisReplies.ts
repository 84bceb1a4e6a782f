/** Replies of models in Redis, for all gateways that share it. A connection is made when the first reply is asked for. */
import * as Effect from "effect/Effect"
import type { RedisClientType } from "redis"
import type { KeptReply, Replies } from "../../stages/ports/Replies.ts"
import { make as makeConnection } from "./redisConnection.ts"

const PREFIX = "sluice:reply:"

/** Replies on their way to Redis; beyond, one is not kept, rather than memory filled. */
const WRITES_MAX = 256

const newline = 0x0a

/** One line that says what it is, and then the bytes of the reply. */
export const encode = ({ bytes, ...about }: KeptReply): Buffer =>
  Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), bytes])

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** Undefined: it is none of ours. */
export const decode = (stored: Buffer): KeptReply | undefined => {
  const end = stored.indexOf(newline)
  if (end < 0) return undefined
  try {
    const about: unknown = JSON.parse(stored.subarray(0, end).toString())
    if (typeof about !== "object" || about === null) return undefined
    const { contentType, model, pieces, provider, responseModel, storedMillis } = about as Record<string, unknown>
    if (typeof contentType !== "string" || typeof storedMillis !== "number" || !Array.isArray(pieces)) return undefined
    const isPiece = (one: unknown): one is [number, number] =>
      Array.isArray(one) && one.length === 2 && one.every((value) => Number.isFinite(value))
    return {
      contentType,
      provider: text(provider),
      model: text(model),
      responseModel: text(responseModel),
      storedMillis,
      pieces: pieces.filter(isPiece),
      bytes: stored.subarray(end + 1),
    }
  } catch {
    return undefined
  }
}

export interface RedisReplies extends Replies {
  readonly close: () => void
}

export const make = (
  url: string,
  nowMillis: () => number,
  run: (effect: Effect.Effect<void>) => unknown,
): RedisReplies => {
  const connection = makeConnection(url, nowMillis)
  const read = async (redis: RedisClientType, key: string): Promise<KeptReply | undefined> => {
    const { RESP_TYPES } = await import("redis")
    const stored: unknown = await redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(PREFIX + key)
    return Buffer.isBuffer(stored) ? decode(stored) : undefined
  }
  let writes = 0
  return {
    get: (key) =>
      Effect.orElseSucceed(
        connection.ask((redis) => read(redis, key)),
        () => undefined,
      ),
    put: (key, reply, ttlMillis) => {
      if (writes >= WRITES_MAX) return
      writes++
      const written = connection.ask((redis) =>
        redis.set(PREFIX + key, encode(reply), { expiration: { type: "PX", value: Math.ceil(ttlMillis) } }),
      )
      run(
        Effect.ensuring(
          Effect.ignore(written),
          Effect.sync(() => void writes--),
        ),
      )
    },
    close: connection.close,
  }
}
