/** Everything a plan sends to that speaks a protocol above HTTP, to be asked in that protocol how it is. */
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { Examination } from "./Examination.ts"
import type { DispatchPorts } from "./ports.ts"
import { type Place, resolve, type Resolved } from "./resolve.ts"

type Everywhere = Place & { readonly snapshot: Pick<Snapshot, "routes"> }

export const examinations = (place: Everywhere, dispatch: DispatchPorts, ports: PolicyPorts): Iterable<Examination> => {
  const { a2a, llm, mcp } = dispatch.protocols ?? {}
  const found = new Map<string, Examination>()
  const add = (one: Examination): void => {
    const key = `${one.kind} ${one.target}`
    if (!found.has(key)) found.set(key, one)
  }
  const look = (resolved: Resolved, name?: string): void => {
    const { policies, where } = resolved
    if (where._tag === "Llm") {
      for (const one of llm?.examinations(dispatch, ports, where) ?? []) add(one)
    } else if (where._tag === "Agents") {
      for (const member of where.members) look(member.backend, member.name)
    } else if (policies.A2a !== undefined && a2a !== undefined && where._tag !== "Mcp") {
      add(a2a.examination(dispatch, ports, resolved, name))
    }
  }
  for (const route of place.snapshot.routes.values()) {
    for (const { backend, policies } of route.backends) look(resolve(place, [], backend, policies))
  }
  if (mcp !== undefined && dispatch.mcp !== undefined) for (const one of mcp.examinations(dispatch.mcp)) add(one)
  return found.values()
}
