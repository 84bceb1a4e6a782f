/** What dispatch takes from around it. */
import type { Agents } from "./a2a/Agents.ts"
import type * as A2a from "./a2a/protocol.ts"
import type { Clock } from "../ports/Timer.ts"
import type { EndpointSpec } from "../ports/Upstream.ts"
import { Hop, type HopKind, type Hops } from "./Hop.ts"
import type { Endpoints } from "./Endpoints.ts"
import type { LlmState } from "./llm/LlmState.ts"
import type * as Llm from "./llm/protocol.ts"
import type { McpState } from "./mcp/McpState.ts"
import type * as Mcp from "./mcp/protocol.ts"
import type { Mirrors } from "./Mirrors.ts"
import type { Journal } from "../ports/Journal.ts"
import type { Whereabouts } from "./Whereabouts.ts"

/** What speaks the protocols above HTTP. One is here before the first plan that needs it is compiled. */
export interface Protocols {
  readonly a2a?: typeof A2a
  readonly llm?: typeof Llm
  readonly mcp?: typeof Mcp
}

export interface DispatchPorts {
  /** Absent: everything is relayed, and what would have to be understood cannot be reached. */
  readonly protocols?: Protocols
  readonly endpoints: Endpoints
  readonly clock: Clock
  readonly defaults: Pick<EndpointSpec, "connectTimeoutMillis" | "poolIdleMillis" | "poolSizeMax" | "keepAlive">
  /** Absent: MCP backends cannot be reached. */
  readonly mcp?: McpState | undefined
  /** Absent: nothing is mirrored, and every copy counts as dropped. */
  readonly mirrors?: Mirrors
  /** What is remembered of agents; absent: nothing, so their cards are not asked for. */
  readonly agents?: Agents | undefined
  /** Names the places of this gateway; absent: questions that pass it are counted only. */
  readonly hops?: Hops
  /** Where this gateway stands; absent: unknown. */
  readonly whereabouts?: Whereabouts
  /** Absent: nothing is known of model providers beyond one plan. */
  readonly llm?: LlmState | undefined
  /** Told of every call beside those of clients; absent: nobody counts them. */
  readonly called?: Journal["Service"]["called"]
}

export const hopOf = ({ hops }: Pick<DispatchPorts, "hops">, kind: HopKind, name: string): Hop =>
  hops === undefined ? new Hop(undefined) : hops.at(kind, name)
