/** `connectionLimit`: how many connections may be open at once. */
import * as Schema from "effect/Schema"
import type { ConnectionLimit as IrConnectionLimit } from "../../../../ir/policy/ConnectionLimit.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Count, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

export const ConnectionLimit = Schema.Struct({
  maxConnections: opt(Count, "Open at once, in all."),
  maxConnectionsPerAddress: opt(Count, "Open at once from one address; of IPv6 the first 64 bits count."),
}).annotate({ identifier: "ConnectionLimit" })
export type ConnectionLimit = typeof ConnectionLimit.Type

export const connectionLimit = (policy: ConnectionLimit, path: Path, to: Mapping): IrConnectionLimit => {
  if ((policy.maxConnections ?? policy.maxConnectionsPerAddress) === undefined) {
    to.warn(path, "nothing is limited", "Set `maxConnections` or `maxConnectionsPerAddress`.")
  }
  return {
    _tag: "ConnectionLimit",
    // The file says it once, for the whole gateway.
    id: "frontend",
    ...present({
      connectionsMax: policy.maxConnections,
      connectionsPerAddressMax: policy.maxConnectionsPerAddress,
    }),
  }
}
