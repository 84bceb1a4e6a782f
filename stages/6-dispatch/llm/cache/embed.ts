/** Asks a model of embeddings what a question means. */
import * as Effect from "effect/Effect"
import type { SemanticCache } from "../../../../ir/policy/ResponseCache.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { at, parseJson } from "../../../../protocols/llm/Json.ts"
import * as Body from "../../../Body.ts"
import { Request } from "../../../Exchange.ts"
import type { Try } from "../../Target.ts"
import { normalized } from "./Similar.ts"

/** No vector is longer. */
const REPLY_BYTES_MAX = 1024 * 1024

const decoder = new TextDecoder()

/** Undefined: nobody knows, and the question is asked as any other. */
export const embed = (
  attempt: Try,
  { callee, model, path, timeoutMillis }: SemanticCache,
  text: string,
): Effect.Effect<Float32Array | undefined> => {
  const { exchange } = attempt
  const headers = new Headers(["content-type", "application/json", "accept", "application/json"])
  const body = Body.text(JSON.stringify({ model, input: text, encoding_format: "float" }))
  const request = new Request("POST", "http", "", "", path, undefined, "1.1", headers, body, undefined)
  const account = exchange.notes?.llm
  const answered = exchange.plan.callees.to(callee, "Llm")(exchange, request, timeoutMillis)
  const read = Effect.flatMap(answered, (reply) => {
    if (reply.status !== 200) {
      Body.discard(reply.body)
      return Effect.succeed(undefined)
    }
    return Effect.map(Body.collect(reply.body, REPLY_BYTES_MAX), (collected) => {
      if (collected._tag === "Whole") {
        const values = at(parseJson(decoder.decode(collected.bytes)), "data")
        const vector = at(Array.isArray(values) ? values[0] : undefined, "embedding")
        return Array.isArray(vector) ? normalized(vector) : undefined
      }
      Body.discard(collected.body)
      return undefined
    })
  })
  return Effect.onExit(
    Effect.timeoutOrElse(
      Effect.orElseSucceed(read, () => undefined),
      { duration: timeoutMillis, orElse: () => Effect.succeed(undefined) },
    ),
    () => {
      // Where the service is a model of this gateway, it has put down its own call.
      if (exchange.notes !== undefined && account !== undefined) exchange.notes.llm = account
      return Effect.void
    },
  )
}
