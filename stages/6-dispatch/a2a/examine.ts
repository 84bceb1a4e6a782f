/** Asks an agent for its card. */
import * as Effect from "effect/Effect"
import { cardPaths } from "../../../protocols/a2a/detect.ts"
import { textOf } from "../../../protocols/a2a/Fields.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import { Request } from "../../Exchange.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import { message } from "../../Refusal.ts"
import { type Examination, type Found, unwell, well } from "../Examination.ts"
import { makeTarget } from "../makeTarget.ts"
import type { DispatchPorts } from "../ports.ts"
import { nameOf } from "../ownName.ts"
import type { Resolved } from "../resolve.ts"
import { shadowOf } from "../shadow.ts"
import { Try } from "../Target.ts"
import { decodeCard } from "./Agents.ts"
import { CARD_BYTES_MAX, CARD_MILLIS_MAX } from "./fetchCard.ts"

const utf8 = new TextDecoder()

const read = (text: string): Found => {
  const card = decodeCard(text)
  if (typeof card === "string") return unwell(`its card is none: ${card}`)
  const { length } = Array.isArray(card["skills"]) ? card["skills"] : []
  return well(
    `is the agent ${textOf(card["name"]) ?? "without a name"}, with ${length} skill${length === 1 ? "" : "s"}`,
  )
}

export const examination = (
  dispatch: DispatchPorts,
  ports: PolicyPorts,
  resolved: Resolved,
  name = resolved.name,
): Examination => {
  const { A2a, ...policies } = resolved.policies
  const ask: Examination["ask"] = (exchange) => {
    if (A2a?.publish !== undefined) return Effect.succeed(well("is played by the gateway"))
    // It is asked as it is, and not as the gateway would show it.
    const target = makeTarget(dispatch, ports, { ...resolved, policies, mirrors: [] }, {})
    const { authority = "", host = "" } = nameOf(resolved) ?? {}
    const from = (path: string, isLast: boolean): Effect.Effect<Found> => {
      const headers = new Headers(["accept", "application/json", "accept-encoding", "identity", "a2a-version", "1.0"])
      const now = dispatch.clock.nowMillis()
      const request = new Request(
        "GET",
        "http",
        authority,
        host,
        path,
        undefined,
        "1.1",
        headers,
        Body.empty,
        undefined,
      )
      const own = shadowOf(exchange, request, now, now + CARD_MILLIS_MAX, "Policy")
      own.subtype = "A2a"
      return Effect.matchEffect(target.attempt(new Try(own, request)), {
        onFailure: (refusal) => Effect.succeed(unwell(message(refusal))),
        onSuccess: ({ body, status }): Effect.Effect<Found> => {
          if (status !== 200) {
            Body.discard(body)
            return status === 404 && !isLast
              ? from(cardPaths[1], true)
              : Effect.succeed(unwell(`it answers ${status} where its card should be`))
          }
          return Effect.match(Body.collect(body, CARD_BYTES_MAX), {
            onFailure: ({ message: why }): Found => unwell(why),
            onSuccess: (collected): Found => {
              if (collected._tag === "Whole") return read(utf8.decode(collected.bytes))
              Body.discard(collected.body)
              return unwell(`its card is larger than ${CARD_BYTES_MAX} bytes`)
            },
          })
        },
      })
    }
    return from(cardPaths[0], false)
  }
  return { target: name, kind: "a2a", ask }
}
