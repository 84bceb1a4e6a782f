/** The sections that stand for routes and backends which nobody has to write: `llm`, `mcp` and `ui`. */
import * as Draft from "./Draft.ts"
import type { LocalConfig } from "./Schema.ts"
import { attachedTo, implicit } from "./toRoutes.ts"

const llmPort = 4000
const mcpPort = 3000

/** Their ports and gateways are judged although what they stand for may not be built. */
export const shorthands = (draft: Draft.Draft, config: LocalConfig): void => {
  const { to } = draft
  if (config.llm !== undefined) {
    to.refused("sections", "llm", ["llm"])
    standalone(draft, "llm", config.llm, llmPort)
  }
  if (config.mcp !== undefined) {
    to.refused("sections", "mcp", ["mcp"])
    standalone(draft, "mcp", config.mcp, mcpPort)
  }
  if (config.ui !== undefined) {
    to.refused("sections", "ui", ["ui"])
    const gateways = config.ui.gateways ?? implicit(draft, "HTTP")
    if (gateways === undefined) to.fail(["ui"], "ui.gateways must be set")
    else attachedTo(draft, gateways, "HTTP", ["ui", "gateways"])
  }
}

const standalone = (
  draft: Draft.Draft,
  section: "llm" | "mcp",
  one: { readonly gateways?: string | ReadonlyArray<string>; readonly port?: number; readonly tls?: unknown },
  port: number,
): void => {
  if (one.gateways !== undefined) {
    for (const field of ["port", "tls"] as const) {
      if (one[field] !== undefined) draft.to.fail([section, field], `\`${field}\` cannot be set beside \`gateways\``)
    }
    attachedTo(draft, one.gateways, "HTTP", [section, "gateways"])
    return
  }
  if (one.port === undefined && one.tls === undefined && implicit(draft, "HTTP") !== undefined) return
  const own = one.port ?? port
  Draft.claim(draft, own, section, one.port === undefined ? [section] : [section, "port"])
}
