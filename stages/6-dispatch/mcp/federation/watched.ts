/** One question to one target as others see it: a span of its own, a line of the story, and how long it took. */
import * as Effect from "effect/Effect"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { withMeta } from "../../../../protocols/mcp/envelope.ts"
import { Fields } from "../../../../protocols/mcp/json.ts"
import { codeOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { spanned } from "../../../spanned.ts"
import type { Attribute } from "../../../Trace.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Call, Caller, Outcome, TargetFailure } from "../target/McpTarget.ts"

export interface Question<A> {
  readonly caller: Caller
  readonly method: string
  readonly params?: Fields | undefined
  /** `traceparent`: what the server is told as its parent; absent where nobody traces. */
  readonly run: (caller: Caller, traceparent: string | undefined) => Effect.Effect<A, TargetFailure>
  /** What kind of error an answer is, where it is one. */
  readonly problemIn?: (value: A) => string | undefined
}

/** The call on behalf of a caller that is seen from within a span; the server hears of it in `_meta`. */
export const within = (call: Call, caller: Caller, traceparent: string | undefined): Call =>
  traceparent === undefined
    ? call
    : {
        ...call,
        caller,
        params: withMeta(call.params ?? Fields.empty, { traceparent: JSON.stringify(traceparent) }),
      }

/** A tool that fails says so inside a result. */
export const problemOf = (outcome: Outcome): string | undefined =>
  outcome._tag === "Error"
    ? String(codeOf(outcome.error) ?? "error")
    : outcome.result.includes('"isError"') && Fields.parse(outcome.result)?.get("isError") === "true"
      ? "tool_error"
      : undefined

const attributesOf = <A>(
  target: string,
  { caller, method, params }: Question<A>,
  name: string | undefined,
): Array<Attribute> => {
  const attributes: Array<Attribute> = [
    ["mcp.method.name", method],
    ["mcp.target", target],
    ["mcp.protocol.version", caller.revision],
    ["agentgateway.outbound.kind", "Primary"],
    ["agentgateway.outbound.subtype", "Mcp"],
  ]
  if (method === "tools/call") attributes.push(["gen_ai.operation.name", "execute_tool"])
  if (name !== undefined) {
    if (method === "tools/call") attributes.push(["gen_ai.tool.name", name])
    else if (method === "prompts/get") attributes.push(["gen_ai.prompt.name", name])
    else if (params?.string("uri") === name) attributes.push(["mcp.resource.uri", name])
  }
  return attributes
}

const reasonOf = <A>(exit: Exit.Exit<A, unknown>): TargetFailure | undefined =>
  Exit.isSuccess(exit)
    ? undefined
    : (Option.getOrUndefined(Cause.findErrorOption(exit.cause)) as TargetFailure | undefined)

/** Told how a question ended, by whoever runs it. */
export type Ended<A> = (exit: Exit.Exit<A, TargetFailure>) => void

export const watched = <A>(
  { asked, clock }: McpRuntime,
  target: string,
  question: Question<A>,
  run: (
    caller: Caller,
    traceparent: string | undefined,
    ended: Ended<A> | undefined,
  ) => Effect.Effect<A, TargetFailure>,
): Effect.Effect<A, TargetFailure> =>
  Effect.suspend(() => {
    const { caller, method, params, problemIn } = question
    const { exchange } = caller
    const { inquiry, trace } = exchange
    const startedMillis = clock.nowMillis()
    const tell: Ended<A> = (exit) => {
      const millis = clock.nowMillis() - startedMillis
      asked?.(exchange, { target, method, millis })
      if (inquiry === undefined) return
      const failure = reasonOf(exit)
      const problem = Exit.isSuccess(exit) ? problemIn?.(exit.value) : undefined
      inquiry.note({
        stage: "target",
        decision:
          failure !== undefined
            ? `${target} failed: ${failure._tag}`
            : !Exit.isSuccess(exit)
              ? `${target} was given up`
              : problem === undefined
                ? `${target} answered`
                : `${target} answered with an error: ${problem}`,
        ...(failure !== undefined && "message" in failure ? { detail: failure.message } : {}),
      })
    }
    if (trace === undefined && inquiry === undefined) {
      return run(caller, undefined, asked === undefined ? undefined : tell)
    }
    const named = methods.get(method)?.named
    const name = named === undefined ? undefined : params?.string(named)
    inquiry?.note({ stage: "target", decision: `asks ${target} for ${method}${name === undefined ? "" : ` ${name}`}` })
    if (trace === undefined) return run(caller, undefined, tell)
    const told = name !== undefined && method !== "resources/read" ? `${method} ${name}` : `${method} ${target}`
    return spanned<A, TargetFailure, typeof exchange>(exchange, clock, {
      name: told,
      kind: "client",
      attributes: attributesOf(target, question, name),
      run: (inside, span) =>
        run({ ...caller, exchange: inside }, span === undefined ? undefined : trace.header(span), tell),
      ended: (span, exit) => {
        const failure = reasonOf(exit)
        const problem = failure?._tag ?? (Exit.isSuccess(exit) ? problemIn?.(exit.value) : undefined)
        if (problem === undefined) return undefined
        span.set("error.type", problem)
        return failure !== undefined && "message" in failure ? failure.message : problem
      },
    })
  })
