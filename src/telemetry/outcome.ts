/** How an exchange ended, in the words of logs and metrics. */
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import { message, reason } from "../../stages/Refusal.ts"

/** Why an exchange ended as it did; absent where an upstream simply answered. */
export const outcomeOf = (
  exchange: Exchange,
  ending: Ending,
): { readonly reason: string; readonly error: string | undefined } => {
  const { refusal } = exchange.trail
  if (refusal !== undefined) return { reason: reason(refusal), error: message(refusal) }
  switch (ending.outcome) {
    case "answered":
      return ending.reply?.origin === "gateway" ? direct : fromUpstream
    case "upstreamFailed":
      return {
        reason: "UpstreamFailure",
        error: ending.delivered?.failure?.message ?? "the upstream broke off its reply",
      }
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

const fromUpstream = { reason: "Upstream", error: undefined }
const direct = { reason: "DirectResponse", error: undefined }
const drained = { reason: "Drained", error: "the gateway shut down before the end of the reply" }
const interrupted = { reason: "ClientGone", error: "the client left before there was a reply" }
