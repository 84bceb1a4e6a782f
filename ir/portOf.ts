import type { Bind } from "./Bind.ts"

/** Where a bind listens; undefined for a unix socket, and inside the gateway where every port is meant. */
export const portOf = (bind: Bind | undefined): number | undefined =>
  bind === undefined || bind.address._tag === "Unix" ? undefined : bind.address.port
