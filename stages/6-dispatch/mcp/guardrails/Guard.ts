/**
 * Services that look at calls on their way to a target and at results on their way back, one after the other: each may
 * let pass, change, or reject. What cannot be asked rejects or lets pass, as it is configured.
 */
import * as Effect from "effect/Effect"
import { type CelValue, isError } from "../../../../ir/cel/CelValue.ts"
import { toJson } from "../../../../ir/cel/toJson.ts"
import { defaults } from "../../../../ir/defaults.ts"
import type { McpGuardrails, McpProcessor } from "../../../../ir/policy/McpGuardrails.ts"
import { Fields, isJson, isObject, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { type Phase, phaseOf } from "../../../../protocols/mcp/phase.ts"
import type { Expression } from "../../../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts, type Surroundings } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Exchange } from "../../../Exchange.ts"
import { withResult } from "../target/withResult.ts"
import type { Call, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { make as expressionGuard } from "./expressions.ts"

/** What is shown to a service, beside the message itself. */
export interface Shown {
  readonly exchange: Exchange
  /** The targets that are meant, by their own names. */
  readonly services: ReadonlyArray<string>
  readonly method: string
  readonly context: Readonly<Record<string, unknown>>
  /** Name and value in turn. */
  readonly headers: ReadonlyArray<string>
}

/** What a service decided. */
export type Decision =
  | { readonly _tag: "Pass" }
  | { readonly _tag: "Mutated"; readonly message: Json }
  | { readonly _tag: "Rejected"; readonly error: Json }

export interface RequestDecision {
  readonly decision: Decision
  readonly headers: {
    /** Name and value in turn. */
    readonly set: ReadonlyArray<string>
    readonly remove: ReadonlyArray<string>
  }
  readonly notes: Readonly<Record<string, CelValue>>
}

/** How a service is asked; fails with a reason in words. */
export interface Asking {
  readonly request: (shown: Shown, params: Json | undefined) => Effect.Effect<RequestDecision, string>
  readonly response: (shown: Shown, result: Json) => Effect.Effect<Decision, string>
}

interface Processor {
  readonly phase: (method: string) => Phase
  readonly asking: Effect.Effect<Asking>
  readonly failOpen: boolean
  readonly metadata: ReadonlyArray<{ readonly name: string; readonly expression: Expression }>
  readonly headers: { readonly allowed: ReadonlySet<string>; readonly disallowed: ReadonlySet<string> }
}

/** Secrets are shown to nobody who was not chosen to see them. */
const secret: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "cookie"])

const memoized = (methods: Readonly<Record<string, Phase>>): ((method: string) => Phase) => {
  const known = new Map<string, Phase>()
  return (method) => {
    const before = known.get(method)
    if (before !== undefined) return before
    const phase = phaseOf(methods, method)
    // Clients make up methods at will.
    if (known.size < 256) known.set(method, phase)
    return phase
  }
}

const unavailable: Json = errorOf(codes.internal, "a guardrail could not be asked", { reason: "guardrail_unavailable" })
const unusable: Json = errorOf(codes.internal, "a guardrail answered what cannot be used", {
  reason: "guardrail_unavailable",
})

const rejected = (error: Json): Outcome => ({ _tag: "Error", error, era: "modern" })

export class Guard {
  private readonly processors: ReadonlyArray<Processor>
  private readonly around: Surroundings

  constructor(processors: ReadonlyArray<Processor>, around: Surroundings) {
    this.processors = processors
    this.around = around
  }

  /** Whether anybody wants to look at a method. */
  looksAt(method: string): boolean {
    return this.processors.some(({ phase }) => phase(method) !== "off")
  }

  /** A call to one target, in its own words. */
  readonly call = (
    services: ReadonlyArray<string>,
    call: Call,
    run: (call: Call) => Effect.Effect<Outcome, TargetFailure>,
  ): Effect.Effect<Outcome, TargetFailure> =>
    Effect.flatMap(this.before(services, call, call.params), (checked) =>
      "error" in checked
        ? Effect.succeed(rejected(checked.error))
        : Effect.flatMap(run({ ...call, params: checked.params }), (outcome) => this.after(services, call, outcome)),
    )

  /** What is asked of several: nothing of it can be changed on the way there, but what they answer together can. */
  readonly all = (
    services: ReadonlyArray<string>,
    call: Call,
    run: Effect.Effect<Outcome, TargetFailure>,
  ): Effect.Effect<Outcome, TargetFailure> =>
    Effect.flatMap(this.before(services, call, undefined), (checked) =>
      "error" in checked
        ? Effect.succeed(rejected(checked.error))
        : Effect.flatMap(run, (outcome) => this.after(services, call, outcome)),
    )

  private shown({ headers, metadata }: Processor, services: ReadonlyArray<string>, { caller, method }: Call): Shown {
    const { exchange } = caller
    const facts = Facts.of(this.around, { request: exchange.request, exchange })
    const context: Record<string, unknown> = {}
    for (const { expression, name } of metadata) {
      const value = expression.evaluate(facts)
      if (!isError(value)) context[name] = toJson(value)
    }
    const flat = exchange.request.headers.flat
    const seen: Array<string> = []
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string
      const isShown =
        headers.allowed.size > 0 ? headers.allowed.has(name) : !secret.has(name) && !headers.disallowed.has(name)
      if (isShown) seen.push(name, flat[i + 1] as string)
    }
    return { exchange, services, method, context, headers: seen }
  }

  private before(
    services: ReadonlyArray<string>,
    call: Call,
    given: Fields | undefined,
  ): Effect.Effect<{ readonly params: Fields | undefined } | { readonly error: Json }> {
    const from = (
      index: number,
      params: Fields | undefined,
    ): Effect.Effect<{ readonly params: Fields | undefined } | { readonly error: Json }> => {
      const processor = this.processors[index]
      if (processor === undefined) return Effect.succeed({ params })
      const phase = processor.phase(call.method)
      if (phase !== "request" && phase !== "full") return from(index + 1, params)
      const { exchange } = call.caller
      const asked = Effect.flatMap(processor.asking, (asking) =>
        asking.request(this.shown(processor, services, call), params?.toJson()),
      )
      return Effect.matchEffect(asked, {
        onFailure: (why) =>
          Effect.andThen(
            Effect.logWarning(`a guardrail of MCP could not be asked: ${why}`),
            processor.failOpen ? from(index + 1, params) : Effect.succeed({ error: unavailable }),
          ),
        onSuccess: ({ decision, headers, notes }) => {
          if (decision._tag === "Rejected") return Effect.succeed({ error: decision.error })
          if (Object.keys(notes).length > 0) {
            exchange.notes ??= {}
            exchange.notes.mcpGuardrails = { ...exchange.notes.mcpGuardrails, ...notes }
          }
          for (const name of headers.remove) exchange.request.headers.remove(name)
          for (let i = 0; i < headers.set.length; i += 2) {
            exchange.request.headers.set(headers.set[i] as string, headers.set[i + 1] as string)
          }
          // Where several targets are meant there is nothing that could be changed.
          if (decision._tag === "Pass" || given === undefined) return from(index + 1, params)
          const changed =
            isObject(decision.message) && isJson(decision.message) ? Fields.parse(decision.message) : undefined
          return changed === undefined
            ? processor.failOpen
              ? from(index + 1, params)
              : Effect.succeed({ error: unusable })
            : from(index + 1, changed)
        },
      })
    }
    return Effect.suspend(() => from(0, given))
  }

  private after(services: ReadonlyArray<string>, call: Call, outcome: Outcome): Effect.Effect<Outcome> {
    const from = (index: number, current: Outcome): Effect.Effect<Outcome> => {
      const processor = this.processors[index]
      if (processor === undefined || current._tag === "Error") return Effect.succeed(current)
      const phase = processor.phase(call.method)
      if (phase !== "response" && phase !== "full") return from(index + 1, current)
      const asked = Effect.flatMap(processor.asking, (asking) =>
        asking.response(this.shown(processor, services, call), current.result),
      )
      return Effect.matchEffect(asked, {
        onFailure: (why) =>
          Effect.andThen(
            Effect.logWarning(`a guardrail of MCP could not be asked: ${why}`),
            processor.failOpen ? from(index + 1, current) : Effect.succeed(rejected(unavailable)),
          ),
        onSuccess: (decision) => {
          switch (decision._tag) {
            case "Pass":
              return from(index + 1, current)
            case "Rejected":
              return Effect.succeed(rejected(decision.error))
            case "Mutated":
              if (isObject(decision.message) && isJson(decision.message)) {
                return from(index + 1, withResult(current, decision.message))
              }
              return processor.failOpen ? from(index + 1, current) : Effect.succeed(rejected(unusable))
          }
        },
      })
    }
    return outcome._tag === "Error" ? Effect.succeed(outcome) : from(0, outcome)
  }
}

const compileProcessor = (one: McpProcessor, ports: PolicyPorts): Processor => {
  const { failureMode, methods } = one
  if (one._tag === "Expressions") {
    return {
      phase: memoized(methods),
      asking: Effect.succeed(expressionGuard(one, ports)),
      failOpen: failureMode === "failOpen",
      metadata: [],
      headers: { allowed: new Set(), disallowed: new Set() },
    }
  }
  const expressions = expressionsOf(ports)
  const { callee, metadata, requestHeaders } = one
  let loaded: Effect.Effect<Asking> | undefined
  // Who is never asked need not be able to speak that protocol.
  const load = Effect.map(
    Effect.promise(() => import("./extMcp.ts")),
    ({ make }) => {
      const asking = make(callee, ports.clock, timeoutOf(callee))
      loaded = Effect.succeed(asking)
      return asking
    },
  )
  return {
    phase: memoized(methods),
    asking: Effect.suspend(() => loaded ?? load),
    failOpen: failureMode === "failOpen",
    metadata: metadata.map(({ expression, name }) => ({
      name,
      expression: expressions.compile(expression, "backend", "metadata"),
    })),
    headers: { allowed: new Set(requestHeaders.allowed), disallowed: new Set(requestHeaders.disallowed) },
  }
}

const timeoutOf = ({ policies }: Extract<McpProcessor, { readonly _tag: "Remote" }>["callee"]): number => {
  for (const policy of policies) {
    const millis = policy._tag === "BackendHttp" ? policy.requestTimeoutMillis : undefined
    if (millis !== undefined && millis > 0) return millis
  }
  return defaults.guardrailTimeoutMillis
}

export const compile = (policy: McpGuardrails | undefined, ports: PolicyPorts): Guard | undefined =>
  policy === undefined || policy.processors.length === 0
    ? undefined
    : new Guard(
        policy.processors.map((one) => compileProcessor(one, ports)),
        expressionsOf(ports).around,
      )
