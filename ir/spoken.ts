/** Which protocols above HTTP a configuration speaks. What it only relays is none of them. */
import type { Snapshot } from "./Snapshot.ts"

export type Protocol = "llm" | "mcp" | "a2a"

const isAgent = ({ _tag }: { readonly _tag: string }): boolean => _tag === "A2a"

/** Whole tables are looked at, so a part that holds what has changed is enough for a change. */
export const spokenIn = ({
  attachments,
  backends,
  listeners,
  routes,
}: Pick<Snapshot, "attachments" | "backends" | "listeners" | "routes">): ReadonlySet<Protocol> => {
  const spoken = new Set<Protocol>()
  for (const backend of backends.values()) {
    if (backend._tag === "Llm" || backend._tag === "Models") spoken.add("llm")
    else if (backend._tag === "Mcp") {
      spoken.add("mcp")
      if (backend.targets.some(isAgent)) spoken.add("a2a")
    }
    if (isAgent(backend) || backend.policies.some(isAgent)) spoken.add("a2a")
  }
  for (const { backendProtocol } of listeners.values()) if (backendProtocol === "a2a") spoken.add("a2a")
  for (const { policy } of attachments.values()) {
    if (policy._tag === "Backend" && isAgent(policy.policy)) spoken.add("a2a")
  }
  for (const route of routes.values()) {
    if (spoken.has("a2a")) break
    if (route.backends.some(({ policies }) => policies.some(isAgent))) spoken.add("a2a")
  }
  return spoken
}
