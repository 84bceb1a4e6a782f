/** Calls of what stands behind an agent that the gateway plays: in the client's name, and for longer than it stays. */
import * as Effect from "effect/Effect"
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import { type Exchange, type Reply, Request } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"
import { shadowOf } from "../../shadow.ts"
import { type Attempting, Try } from "../../Target.ts"

export interface Inner {
  readonly attempt: Attempting
  readonly clock: Clock
}

/** Fields that say something of the client's own body, or are words of its protocol. */
const ofTheClient = (name: string): boolean =>
  /^(?:accept|content-|x-?a2a-|a2a-|mcp-|grpc-)/.test(name) ||
  name === "transfer-encoding" ||
  name === "te" ||
  name === "if-none-match" ||
  name === "last-event-id"

export const call = (
  { attempt, clock }: Inner,
  exchange: Exchange,
  from: Request,
  path: string,
  fields: ReadonlyArray<string>,
  body: string,
): Effect.Effect<Reply, Refusal> =>
  Effect.suspend(() => {
    const flat: Array<string> = []
    for (const [name, value] of from.headers) if (!ofTheClient(name)) flat.push(name, value)
    flat.push(...fields, "content-type", "application/json", "accept-encoding", "identity")
    const request = new Request(
      "POST",
      from.scheme,
      from.authority,
      from.host,
      path,
      undefined,
      "1.1",
      new Headers(flat),
      Body.text(body),
      undefined,
    )
    const shadow = shadowOf(exchange, request, clock.nowMillis(), Number.POSITIVE_INFINITY, "Primary")
    shadow.identity = exchange.identity
    shadow.meters = exchange.meters
    shadow.keepsPayload = exchange.keepsPayload
    const { notes } = exchange
    shadow.notes = { ...notes }
    return Effect.tap(attempt(new Try(shadow, request)), () =>
      Effect.sync(() => {
        // What was asked of a model is what the client is said to have asked for.
        const { llm } = shadow.notes ?? {}
        if (llm !== undefined && notes !== undefined) notes.llm = llm
      }),
    )
  })
