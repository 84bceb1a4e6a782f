/** What all connections of one fixture have in common: who is connected, what was changed, who subscribed. */
import type { McpServer } from "@modelcontextprotocol/server"
import { InMemoryServerEventBus } from "@modelcontextprotocol/server"

/** Whether interactive tools ask by requests of their own, or by results, which the SDK turns into requests for old clients. */
export type Style = "push" | "write-once"

export class Fixture {
  readonly style: Style
  readonly bus = new InMemoryServerEventBus()
  /** Connections of clients of the legacy era. */
  readonly sessions = new Set<McpServer>()
  /** Added and taken away by the tools and prompts that trigger a change. */
  extraTool = false
  extraPrompt = false

  constructor(style: Style) {
    this.style = style
  }

  toolsChanged(): void {
    this.extraTool = !this.extraTool
    this.bus.publish({ kind: "tools_list_changed" })
    for (const session of this.sessions) session.sendToolListChanged()
  }

  promptsChanged(): void {
    this.extraPrompt = !this.extraPrompt
    this.bus.publish({ kind: "prompts_list_changed" })
    for (const session of this.sessions) session.sendPromptListChanged()
  }

  resourceUpdated(uri: string): void {
    this.bus.publish({ kind: "resource_updated", uri })
    for (const session of this.sessions) void session.server.sendResourceUpdated({ uri }).catch(() => undefined)
  }
}
