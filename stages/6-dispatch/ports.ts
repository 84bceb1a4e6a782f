/** What dispatch takes from around it. */
import type { Agents } from "./a2a/Agents.ts"
import type { Clock } from "../ports/Timer.ts"
import type { EndpointSpec } from "../ports/Upstream.ts"
import type { Endpoints } from "./Endpoints.ts"
import type { LlmState } from "./llm/LlmState.ts"
import type { McpState } from "./mcp/McpState.ts"
import type { Mirrors } from "./Mirrors.ts"
import type { Journal } from "../ports/Journal.ts"
import type { Whereabouts } from "./Whereabouts.ts"

export interface DispatchPorts {
  readonly endpoints: Endpoints
  readonly clock: Clock
  readonly defaults: Pick<EndpointSpec, "connectTimeoutMillis" | "poolIdleMillis" | "poolSizeMax" | "keepAlive">
  /** Absent: MCP backends cannot be reached. */
  readonly mcp?: McpState
  /** Absent: nothing is mirrored, and every copy counts as dropped. */
  readonly mirrors?: Mirrors
  /** What is remembered of agents; absent: nothing, so their cards are not asked for. */
  readonly agents?: Agents
  /** Where this gateway stands; absent: unknown. */
  readonly whereabouts?: Whereabouts
  /** Absent: nothing is known of model providers beyond one plan. */
  readonly llm?: LlmState
  /** Told of every call beside those of clients; absent: nobody counts them. */
  readonly called?: Journal["Service"]["called"]
}
