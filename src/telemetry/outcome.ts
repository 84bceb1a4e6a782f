/** How an exchange ended, in the words of logs and metrics. */
import type { FlowFailure } from "../../stages/Body.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import { message, reason } from "../../stages/Refusal.ts"

/** Why an exchange ended as it did; absent where an upstream simply answered. */
export const outcomeOf = (
  exchange: Exchange,
  ending: Ending,
): { readonly reason: string; readonly error: string | undefined } => {
  const { brokenOff, refusal } = exchange.trail
  if (refusal !== undefined) return { reason: reason(refusal), error: message(refusal) }
  switch (ending.outcome) {
    case "answered":
      if (brokenOff !== undefined) return broken(brokenOff)
      return ending.reply?.origin === "gateway" ? direct : fromUpstream
    case "upstreamFailed":
      return broken(ending.delivered?.failure)
    case "drained":
      return drained
    case "clientGone":
      return {
        reason: "ClientGone",
        error: ending.delivered?.failure?.message ?? "the client left in the middle of the reply",
      }
    case "interrupted":
      return interrupted
  }
}

/** A reply of which the rest did not come. */
const broken = (failure: FlowFailure | undefined): { readonly reason: string; readonly error: string } => ({
  reason: failure?.reason === "stalled" ? "Timeout" : "UpstreamFailure",
  error: failure?.message ?? "the upstream broke off its reply",
})

const fromUpstream = { reason: "Upstream", error: undefined }
const direct = { reason: "DirectResponse", error: undefined }
const drained = { reason: "Drained", error: "the gateway shut down before the end of the reply" }
const interrupted = { reason: "ClientGone", error: "the client left before there was a reply" }
