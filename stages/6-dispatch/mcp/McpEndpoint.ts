/** One MCP backend at one place of the configuration: what stands behind it, and what holds for its callers. */
import type { Hop } from "../Hop.ts"
import type { Federation } from "./federation/Federation.ts"
import type { McpState } from "./McpState.ts"
import type { Pages } from "./oauth/Pages.ts"

export interface McpEndpoint {
  /** Of the backend: sessions belong to it. */
  readonly key: string
  /** What is asked of its targets passes it. */
  readonly hop: Hop
  readonly federation: Federation
  readonly state: McpState
  readonly isStateful: boolean
  readonly rebinding: {
    /** Absent: where the gateway is reached over the loopback interface. */
    readonly isOn: boolean | undefined
    readonly hosts: ReadonlySet<string>
    readonly origins: ReadonlySet<string>
  }
  /** Absent: there is nothing that people could connect. */
  readonly pages: Pages | undefined
  readonly parkedMillis: number
  readonly askMillis: number
  readonly sessionIdleMillis: number
}
