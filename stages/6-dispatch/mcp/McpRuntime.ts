/** What everything of MCP takes from around it; one for a whole gateway. */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Keepsakes } from "../../ports/Keepsakes.ts"
import type { Journal } from "../../ports/Journal.ts"
import type { Sealer } from "../../ports/Sealer.ts"
import type { Processes } from "../../ports/Processes.ts"
import type { Siblings } from "../../ports/Siblings.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { DocumentPorts } from "../../5-policy/RemoteDocument.ts"
import type { Expressions } from "../../5-policy/expression/Expressions.ts"
import type { LockParts } from "../lock/LockParts.ts"
import type { Connections } from "./oauth/Connections.ts"

export interface McpRuntime {
  readonly clock: Clock
  /** Begins at once what outlives the exchange that caused it; it ends with the gateway at the latest. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  readonly sealer: Sealer
  /** Tells the threads of this gateway, and other gateways, apart. */
  readonly worker: string
  /** Absent: there are no other workers. */
  readonly siblings?: Siblings
  /** What outlives this worker; absent: nothing does. */
  readonly keepsakes?: Keepsakes
  /** How the gateway names itself to servers and clients. */
  readonly version: string
  /** Absent: targets that need it cannot be had. */
  readonly processes?: Processes
  readonly documents?: Documents
  /** Absent: targets whose servers want tokens of people cannot be had. */
  readonly connections?: Connections
  /** Absent: targets under a tool lock cannot be had. */
  readonly lock?: LockParts
  /** Absent: tools are shown as their servers list them. */
  readonly expressions?: Expressions
  /** Told of every question to a target; absent: nobody counts them. */
  readonly asked?: Journal["Service"]["target"]
}

/** Where the documents of APIs come from, as JSON whatever they are written in. */
export type Documents = Pick<DocumentPorts, "fetch">
