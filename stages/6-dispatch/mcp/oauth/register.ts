/** Connections as whoever runs the gateway sees them: all of them, without what they are worth. */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { Snapshot } from "../../../../ir/Snapshot.ts"
import type { Shown } from "../../../ports/Grants.ts"
import { type Connections, placeOf } from "./Connections.ts"

export interface Register {
  readonly list: Effect.Effect<ReadonlyArray<Shown>, string>
  /** Its server is told, where that is still configured; false: there is no such connection. */
  readonly forget: (id: string) => Effect.Effect<boolean, string>
}

const oauthAt = ({ backends }: Pick<Snapshot, "backends">, place: string): McpOauth | undefined => {
  for (const backend of backends.values()) {
    if (backend._tag !== "Mcp") continue
    for (const target of backend.targets) {
      const oauth = target._tag === "Http" || target._tag === "Sse" ? target.oauth : undefined
      if (oauth !== undefined && placeOf(oauth) === place) return oauth
    }
  }
  return undefined
}

export const registerOf = (connections: Connections, snapshot: () => Pick<Snapshot, "backends">): Register => ({
  list: connections.parts.grants.list(),
  forget: (id) =>
    Effect.flatMap(connections.parts.grants.list(), (all) => {
      const found = all.find((one) => one.id === id)
      return found === undefined ? Effect.succeed(false) : connections.forget(found, oauthAt(snapshot(), found.place))
    }),
})
