/** A connection to Redis that nobody waits for long: who asks in vain is told soon, and then not even asked for a while. */
import * as Effect from "effect/Effect"
import type { RedisClientType } from "redis"

/** Nothing that Redis is asked for is worth waiting longer for. */
export const REDIS_MILLIS_MAX = 250
/** After a failure nobody waits for this long. */
const REST_MILLIS = 1_000

export interface RedisConnection {
  /** Loads the library and connects, unless that has been done. */
  readonly connect: () => Promise<RedisClientType>
  readonly ask: <A>(question: (redis: RedisClientType) => Promise<A>) => Effect.Effect<A, string>
  readonly close: () => void
}

export const make = (url: string, nowMillis: () => number, millisMax = REDIS_MILLIS_MAX): RedisConnection => {
  let client: Promise<RedisClientType> | undefined
  let opened: RedisClientType | undefined
  let restUntilMillis = -Infinity
  const connect = (): Promise<RedisClientType> =>
    (client ??= import("redis").then(async ({ createClient }) => {
      const made: RedisClientType = createClient({
        url,
        disableOfflineQueue: true,
        socket: { connectTimeout: millisMax, reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 2_000) },
      })
      // Whoever asks is told; a connection that breaks while nobody asks is made again by the library.
      made.on("error", () => {})
      opened = made
      await made.connect()
      return made
    }))
  return {
    connect,
    ask: (question) =>
      Effect.suspend(() => {
        if (nowMillis() < restUntilMillis) return Effect.fail("Redis has failed just now")
        return Effect.tryPromise({ try: async () => question(await connect()), catch: String }).pipe(
          Effect.timeoutOrElse({
            duration: millisMax,
            orElse: () => Effect.fail(`no answer from Redis within ${millisMax} ms`),
          }),
          Effect.tapError(() =>
            Effect.sync(() => {
              restUntilMillis = nowMillis() + REST_MILLIS
            }),
          ),
        )
      }),
    close: () => {
      client?.catch(() => {})
      client = undefined
      opened?.destroy()
    },
  }
}
