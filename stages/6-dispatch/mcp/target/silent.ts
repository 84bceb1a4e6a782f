/** The events of a call that nobody follows. */
import * as Effect from "effect/Effect"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import type { CallEvents } from "./McpTarget.ts"

export const silent: CallEvents = {
  progress: () => {},
  log: () => {},
  notify: () => {},
  ask: () =>
    Effect.succeed({
      _tag: "Error",
      error: errorOf(codes.methodNotFound, "nobody is there to answer this now"),
    }),
}
