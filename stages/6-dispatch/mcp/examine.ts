/** Asks a server what it is, in the words of whichever revision it speaks: `server/discover`, or `initialize`. */
import * as Effect from "effect/Effect"
import { Fields } from "../../../protocols/mcp/json.ts"
import { type Examination, type Found, unwell, well } from "../Examination.ts"
import type { McpState } from "./McpState.ts"
import type { Caller, Discovery, TargetFailure } from "./target/McpTarget.ts"

const why = (failure: TargetFailure): string => {
  switch (failure._tag) {
    case "Unauthorized":
      return `it does not take the credential (${failure.status})`
    case "Busy":
      return `it is busy (${failure.status})`
    case "Unreachable":
      return failure.status === undefined ? failure.message : `${failure.message} (${failure.status})`
    default:
      return failure.message
  }
}

const introduced = ({ capabilities, era, serverInfo }: Discovery): Found => {
  const info = Fields.parse(serverInfo)
  const name = info?.string("name") ?? "without a name"
  const version = info?.string("version")
  const can = Object.keys((JSON.parse(capabilities) as object | null) ?? {})
  const offers = can.length === 0 ? "offers nothing" : `offers ${can.join(", ")}`
  return well(`is the ${era} server ${name}${version === undefined ? "" : ` ${version}`}, and ${offers}`)
}

export const examinations = (state: McpState): ReadonlyArray<Examination> =>
  Array.from(state.known(), ({ backend, member }): Examination => ({
    target: `${backend}/${member.name}`,
    kind: "mcp",
    ask: (exchange) => {
      const caller: Caller = {
        principal: "sluice-probe",
        session: undefined,
        revision: "2025-11-25",
        capabilities: "{}",
        clientInfo: undefined,
        exchange,
      }
      // The target itself is asked, not what was kept of its answers, and a breaker that is open keeps nobody away.
      return Effect.match(member.target.discover(caller), {
        onFailure: (failure) => unwell(why(failure)),
        onSuccess: introduced,
      })
    },
  }))
