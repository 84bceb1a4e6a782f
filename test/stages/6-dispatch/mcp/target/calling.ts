/** Callers and a runtime for tests of single targets, without a gateway around them. */
import * as Effect from "effect/Effect"
import { Headers } from "../../../../../protocols/http/headers.ts"
import { Fields } from "../../../../../protocols/mcp/json.ts"
import type { Exchange } from "../../../../../stages/Exchange.ts"
import type { McpRuntime } from "../../../../../stages/6-dispatch/mcp/McpRuntime.ts"
import type { Call, CallEvents, Caller, Outcome } from "../../../../../stages/6-dispatch/mcp/target/McpTarget.ts"
import { silent } from "../../../../../stages/6-dispatch/mcp/target/silent.ts"
import type { Clock } from "../../../../../stages/ports/Timer.ts"

export const runtimeOf = (clock: Clock): McpRuntime => ({
  clock,
  run: (effect) => Effect.runFork(effect),
  worker: "this",
  sealer: { mark: "", seal: (text) => text, open: (text) => text, secret: () => "secret", digest: (text) => text },
  version: "0.0.0",
})

/** Pipes have no use for it, and keep it all the same. */
const nobodys = { request: { headers: new Headers([]) } } as unknown as Exchange

export const callerOf = (more: Partial<Caller> = {}): Caller => ({
  principal: "somebody",
  session: undefined,
  revision: "2026-07-28",
  capabilities: "{}",
  clientInfo: undefined,
  exchange: nobodys,
  ...more,
})

export const callOf = (
  method: string,
  params: Record<string, unknown> | undefined,
  more: Partial<Omit<Call, "events">> & { readonly events?: Partial<CallEvents> } = {},
): Call => ({
  caller: callerOf(),
  method,
  params: params === undefined ? undefined : (Fields.parse(JSON.stringify(params)) ?? Fields.empty),
  wantsProgress: false,
  logLevel: undefined,
  paramHeaders: [],
  ...more,
  events: { ...silent, ...more.events },
})

/** The text of the first piece of content. */
export const said = (outcome: Outcome): unknown => {
  if (outcome._tag === "Error") return JSON.parse(outcome.error)
  const result = JSON.parse(outcome.result) as { readonly content?: ReadonlyArray<{ readonly text?: string }> }
  return result.content?.[0]?.text ?? result
}
