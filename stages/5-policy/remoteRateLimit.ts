/**
 * Asks a service that a whole fleet shares whether a request is within its limits. What is counted are descriptors, lists
 * of names and values computed from the request; requests count when they come in, tokens of models when the model is
 * asked and once more when it is known how many there were.
 */
import * as Effect from "effect/Effect"
import { type CelValue, Uint } from "../../ir/cel/CelValue.ts"
import { toDescriptor, toJson } from "../../ir/cel/toJson.ts"
import { defaults } from "../../ir/defaults.ts"
import type { RateLimitDescriptor, RemoteRateLimit } from "../../ir/policy/RemoteRateLimit.ts"
import { shadowOf } from "../6-dispatch/shadow.ts"
import type { Exchange, Reply, Subject } from "../Exchange.ts"
import { describe, throughCallee } from "../grpc/Transport.ts"
import { lazily } from "../lazily.ts"
import type { Refusal } from "../Refusal.ts"
import type { Descriptor, Unit, Verdict as Said } from "./external/limitGrpc.ts"
import { changeReply, changeRequest, type Mutation } from "./external/mutation.ts"
import { timeoutOf } from "./extAuthz.ts"
import { type Expression, type Expressions, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { type Layer, slot } from "./order.ts"
import { pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { putMeter, type TokenMeter } from "./TokenMeter.ts"

const grpcModule = lazily(() => import("./external/limitGrpc.ts"))

interface Compiled {
  readonly type: RateLimitDescriptor["type"]
  readonly entries: ReadonlyArray<{ readonly key: string; readonly value: Expression }>
  readonly cost: Expression | undefined
  readonly override: Expression | undefined
}

const unitNames: ReadonlySet<string> = new Set(["second", "minute", "hour", "day", "month", "year"])

/** A count from an expression: whole, and not below nothing. */
export const toCount = (value: CelValue): number | undefined => {
  const number = value instanceof Uint ? Number(value.value) : typeof value === "bigint" ? Number(value) : value
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

/** `{unit, requestsPerUnit}`. */
export const toOverride = (value: CelValue): Descriptor["override"] => {
  const json = toJson(value)
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined
  const { requestsPerUnit, unit } = json as { readonly [name: string]: unknown }
  if (typeof unit !== "string" || !unitNames.has(unit.toLowerCase())) return undefined
  if (typeof requestsPerUnit !== "number" || !Number.isSafeInteger(requestsPerUnit) || requestsPerUnit < 0) {
    return undefined
  }
  return { unit: unit.toLowerCase() as Unit, requestsPerUnit }
}

const compileDescriptor = (one: RateLimitDescriptor, expressions: Expressions, layer: Layer): Compiled => ({
  type: one.type,
  entries: one.entries.map(({ expression, name }) => ({
    key: name,
    value: expressions.compile(expression, layer, "descriptor"),
  })),
  cost:
    one.cost === undefined
      ? undefined
      : expressions.compile(one.cost, one.type === "tokens" ? "tokenCost" : layer, "cost"),
  override: one.limitOverride === undefined ? undefined : expressions.compile(one.limitOverride, layer, "limit"),
})

/** Undefined: something about it cannot be computed, so it counts for nothing. */
const described = (
  { entries, override }: Compiled,
  facts: Facts,
): Pick<Descriptor, "entries" | "override"> | undefined => {
  if (entries.length === 0) return undefined
  const values: Array<Descriptor["entries"][number]> = []
  for (const { key, value } of entries) {
    const text = value.as(facts, toDescriptor)
    if (text === undefined) return undefined
    values.push({ key, value: text })
  }
  if (override === undefined) return { entries: values, override: undefined }
  const limit = override.as(facts, toOverride)
  return limit === undefined ? undefined : { entries: values, override: limit }
}

/** What the reply will say of what the service said. */
class Statement {
  private tightest: Said["tightest"]
  private readonly changes: Array<Mutation> = []
  private isOver = false

  add({ isOver, reply, tightest }: Said): void {
    this.changes.push(reply)
    if (isOver) this.isOver = true
    if (tightest === undefined) return
    if (isOver || this.tightest === undefined || tightest.remaining < this.tightest.remaining) this.tightest = tightest
  }

  readonly edit = (reply: Reply): undefined => {
    const { headers } = reply
    if (this.tightest !== undefined) {
      const { limit, remaining, resetSeconds } = this.tightest
      headers.set("x-ratelimit-limit", String(limit))
      headers.set("x-ratelimit-remaining", String(remaining))
      // What anybody else said of another limit does not belong beside this one.
      if (resetSeconds === undefined) headers.remove("x-ratelimit-reset")
      else headers.set("x-ratelimit-reset", String(resetSeconds))
      if (this.isOver && resetSeconds !== undefined) headers.set("retry-after", String(resetSeconds))
    }
    for (const change of this.changes) changeReply(reply, change)
  }
}

const utf8 = new TextDecoder()
const failed: Effect.Effect<never, Refusal> = Effect.fail({ _tag: "RateLimitFailed" })

type Ask = (exchange: Exchange, descriptors: ReadonlyArray<Descriptor>) => Effect.Effect<Said, string>

interface Metering {
  readonly ask: Ask
  readonly follow: (said: Said | undefined, subject: Subject, statement: Statement) => Effect.Effect<void, Refusal>
  readonly run: (effect: Effect.Effect<void>) => void
  readonly clock: PolicyPorts["clock"]
  readonly around: Expressions["around"]
}

/** The part of a policy that waits for a model to be asked. */
class Meter implements TokenMeter {
  private readonly compiled: ReadonlyArray<Compiled>
  private readonly metering: Metering
  private readonly statement: Statement
  /** `hits`: what the service was told of so far. */
  private asked: ReadonlyArray<{ readonly of: Compiled; readonly descriptor: Descriptor; hits: number }> | undefined
  private exchange: Exchange | undefined

  constructor(compiled: ReadonlyArray<Compiled>, metering: Metering, statement: Statement) {
    this.compiled = compiled
    this.metering = metering
    this.statement = statement
  }

  admit(subject: Subject, counted: number | undefined): Effect.Effect<void, Refusal> {
    if (this.asked !== undefined) return Effect.void
    const facts = Facts.of(this.metering.around, subject)
    const asked: Array<{ readonly of: Compiled; readonly descriptor: Descriptor; hits: number }> = []
    for (const of of this.compiled) {
      const found = described(of, facts)
      // What a computed cost will be is known in the end only.
      if (found !== undefined) {
        const hits = of.cost === undefined ? (counted ?? 0) : 0
        asked.push({ of, descriptor: { ...found, hits }, hits })
      }
    }
    this.asked = asked
    this.exchange = subject.exchange
    if (asked.length === 0) return Effect.void
    const { ask, follow } = this.metering
    return Effect.flatMap(
      answered(
        ask(
          subject.exchange,
          asked.map(({ descriptor }) => descriptor),
        ),
      ),
      (said) => follow(said, subject, this.statement),
    )
  }

  charge(consumed: number, reply: Reply | undefined): void {
    const { asked, exchange } = this
    if (asked === undefined || exchange === undefined) return
    const { ask, around, clock, run } = this.metering
    const facts = Facts.replied(around, exchange, reply)
    const rest = asked.flatMap((one): ReadonlyArray<Descriptor> => {
      const { cost } = one.of
      const all = cost === undefined ? consumed : cost.as(facts, toCount)
      const hits = all === undefined ? 0 : all - one.hits
      // The service can count up only.
      if (hits <= 0) return []
      one.hits += hits
      return [{ ...one.descriptor, hits }]
    })
    if (rest.length === 0) return
    // The exchange may be over, and its deadline with it.
    const after = shadowOf(exchange, exchange.request, clock.nowMillis(), Infinity, "Policy")
    run(Effect.ignore(ask(after, rest)))
  }
}

/** Undefined: it gave no answer. */
const answered = (asked: Effect.Effect<Said, string>): Effect.Effect<Said | undefined> =>
  Effect.catch(asked, (reason) =>
    Effect.as(Effect.logDebug("the rate limit service gave no answer", reason), undefined),
  )

export const compile = (policy: RemoteRateLimit, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const { callee, descriptors, domain, failureMode } = policy
  const { clock, gate } = ports
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const compiled = descriptors.map((one) => compileDescriptor(one, expressions, layer))
  const onRequests = compiled.filter(({ type }) => type === "requests")
  const onTokens = compiled.filter(({ type }) => type === "tokens")
  if (compiled.length === 0) return undefined
  const own = slot("RemoteRateLimit", layer)
  const timeoutMillis = timeoutOf(callee, defaults.remoteRateLimitTimeoutMillis)

  const ask: Ask = (exchange, wanted) =>
    Effect.flatMap(grpcModule, ({ ask }) => {
      const transport = throughCallee(exchange.plan.callees.to(callee, "RateLimit"), exchange)
      return Effect.mapError(ask(transport, domain, wanted, clock, timeoutMillis), describe)
    })

  const follow: Metering["follow"] = (said, { request }, statement) => {
    if (said === undefined) return failureMode === "failOpen" ? Effect.void : failed
    statement.add(said)
    if (said.isOver) return Effect.fail({ _tag: "OverLimit", text: utf8.decode(said.body) })
    changeRequest(request, said.request)
    return Effect.void
  }
  const metering: Metering = { ask, follow, clock, around, run: (effect) => void gate?.background(effect) }

  return {
    kind: "RemoteRateLimit",
    readsBody: compiled.some(({ cost, entries, override }) =>
      [cost, override, ...entries.map(({ value }) => value)].some(readsRequestBody),
    ),
    run: (subject): Effect.Effect<Verdict, Refusal> => {
      const { exchange } = subject
      const statement = new Statement()
      if (onTokens.length > 0) {
        putMeter(exchange, new Meter(onTokens, metering, statement))
        promise(exchange, own, statement.edit)
      }
      const facts = Facts.of(around, subject)
      const wanted: Array<Descriptor> = []
      for (const one of onRequests) {
        const found = described(one, facts)
        const hits = one.cost?.as(facts, toCount)
        if (found !== undefined && (one.cost === undefined || hits !== undefined)) wanted.push({ ...found, hits })
      }
      if (wanted.length === 0) return pass
      promise(exchange, own, statement.edit)
      return Effect.flatMap(answered(ask(exchange, wanted)), (said) =>
        Effect.andThen(follow(said, subject, statement), pass),
      )
    },
  }
}
