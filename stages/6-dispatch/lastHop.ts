/**
 * Questions about the way to a server may say how far they go (RFC 9110 §7.6.2): whoever passes one on counts down, and
 * where there is nothing left to count it is answered.
 */
import * as Effect from "effect/Effect"
import { Headers } from "../../protocols/http/headers.ts"
import { discard, empty } from "../Body.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"

const refused: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "MethodNotAllowed" })

/** What becomes of a request that ends here; undefined where it goes on, then with one less to go. */
export const lastHop = (request: Request): Effect.Effect<Reply, Refusal> | undefined => {
  const { headers, method } = request
  if (method !== "OPTIONS" && method !== "TRACE") return undefined
  const left = headers.get("max-forwards")
  if (left === undefined || !/^\d{1,9}$/.test(left)) return undefined
  if (Number(left) > 0) {
    headers.set("max-forwards", String(Number(left) - 1))
    return undefined
  }
  discard(request.body)
  // A TRACE that was reflected would show its sender what others added to it on the way.
  if (method === "TRACE") return refused
  return Effect.succeed({ status: 200, headers: new Headers([]), body: empty, origin: "gateway" })
}
