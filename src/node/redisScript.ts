/** A script that Redis keeps by its hash: the text itself is sent only to a server that does not know it yet. */
import { createHash } from "node:crypto"
import type { RedisClientType } from "redis"

export interface ScriptWords {
  readonly keys: Array<string>
  readonly arguments: Array<string>
}

export type Script = (redis: RedisClientType, words: ScriptWords) => Promise<unknown>

export const scriptOf = (text: string): Script => {
  const sha = createHash("sha1").update(text).digest("hex")
  return async (redis, words) => {
    try {
      return await redis.evalSha(sha, words)
    } catch (error) {
      // A server that has been started anew has forgotten it.
      if (error instanceof Error && error.message.startsWith("NOSCRIPT")) return redis.eval(text, words)
      throw error
    }
  }
}
