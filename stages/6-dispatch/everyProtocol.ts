/** All protocols at once, for worlds in which nothing may be waited for. */
import * as a2a from "./a2a/protocol.ts"
import * as llm from "./llm/protocol.ts"
import * as mcp from "./mcp/protocol.ts"
import type { Protocols } from "./ports.ts"

export const everyProtocol: Required<Protocols> = { a2a, llm, mcp }
