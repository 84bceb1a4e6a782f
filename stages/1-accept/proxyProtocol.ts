/** The PROXY header of a load balancer in front of us: it names the real ends of the connection. */
import * as Effect from "effect/Effect"
import type { Accepted } from "../Connection.ts"
import { rejected, type Rejected } from "../Rejected.ts"

export const readProxyHeader = (
  _accepted: Accepted,
  _policy: { readonly version: "v1" | "v2" | "all"; readonly mode: "strict" | "optional" },
): Effect.Effect<Accepted, Rejected> => Effect.fail(rejected("accept", "not built yet"))
