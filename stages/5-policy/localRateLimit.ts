/**
 * Lets only so many requests pass in a time, or so many tokens of models be consumed; says in every reply how many are
 * left. A limit is one for all, or one for each value of its key.
 */
import * as Effect from "effect/Effect"
import { toJsonText } from "../../ir/cel/toJson.ts"
import type { LocalRateLimit, TokenBucket } from "../../ir/policy/LocalRateLimit.ts"
import type { Exchange, Reply, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { type Bucket, type Level, takeFromAll } from "./Buckets.ts"
import { type Expression, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts, type Surroundings } from "./expression/Facts.ts"
import type { Gate } from "./Gate.ts"
import { type Layer, slot } from "./order.ts"
import { broken, pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { putMeter, type TokenMeter } from "./TokenMeter.ts"

/** The buckets of so many keys are at hand in each thread; others are looked for anew. */
export const KEYS_AT_HAND_MAX = 4_096

const rateLimited: Refusal = { _tag: "RateLimited" }
const exceeded: Effect.Effect<Verdict, Refusal> = Effect.fail(rateLimited)
const exhausted: Effect.Effect<void, Refusal> = Effect.fail(rateLimited)

const secondsOf = (millis: number): string => String(Math.ceil(millis / 1000))

/** Says what is left of a limit; `isExceeded` also when to come back. */
export const tell = (reply: Reply, maxTokens: number, level: Level, isExceeded: boolean): void => {
  const { headers } = reply
  headers.set("x-ratelimit-limit", String(maxTokens))
  headers.set("x-ratelimit-remaining", String(level.remaining))
  if (level.untilFillMillis === Infinity) {
    // What the upstream said of its own limit does not belong beside ours.
    headers.remove("x-ratelimit-reset")
    return
  }
  const seconds = secondsOf(level.untilFillMillis)
  headers.set("x-ratelimit-reset", seconds)
  if (isExceeded) headers.set("retry-after", seconds)
}

/** So that a limit is the same one in every thread and after every change that left it alone. */
const identityOf = (gate: Gate, ...parts: ReadonlyArray<unknown>): bigint =>
  BigInt(`0x${gate.cryptography.sha256(JSON.stringify(parts)).slice(0, 16)}`)

/** One limit of a policy: finds the bucket that a request takes from. */
type Limit = (subject: Subject, wallMillis: number) => Bucket

/** Everybody for whom no key can be computed is one. */
const keyless = "without a key"

/** Longer keys are known by their digest. */
const KEY_CHARS_MAX = 128

const limitOf = (
  id: string,
  index: number,
  shape: TokenBucket,
  gate: Gate,
  key: Expression | undefined,
  around: Surroundings,
): Limit => {
  const table = gate.buckets()
  if (key === undefined) {
    let bucket: Bucket | undefined
    const identity = identityOf(gate, id, index, shape)
    return (_, wallMillis) => (bucket ??= table.open(identity, shape, wallMillis))
  }
  const atHand = new Map<string, Bucket>()
  return (subject, wallMillis) => {
    const written = key.as<string>(Facts.of(around, subject), toJsonText) ?? keyless
    const value = written.length > KEY_CHARS_MAX ? gate.cryptography.sha256(written) : written
    let bucket = atHand.get(value)
    if (bucket === undefined) {
      bucket = table.open(identityOf(gate, id, index, shape, value), shape, wallMillis, false)
      if (atHand.size >= KEYS_AT_HAND_MAX) atHand.clear()
      atHand.set(value, bucket)
    }
    return bucket
  }
}

/** What the reply will say: of all limits the one that leaves least. */
class Statement {
  private shown: Bucket | undefined
  private level: Level | undefined
  private isExceeded = false

  /** Of several that leave the same, the first. */
  consider(buckets: ReadonlyArray<Bucket>, wallMillis: number): void {
    for (const bucket of buckets) {
      const level = bucket.level(wallMillis)
      if (this.level !== undefined && level.remaining >= this.level.remaining) continue
      this.shown = bucket
      this.level = level
    }
  }

  exceed(bucket: Bucket, wallMillis: number): void {
    this.shown = bucket
    this.level = bucket.level(wallMillis)
    this.isExceeded = true
  }

  readonly edit = (reply: Reply): undefined => {
    if (this.shown !== undefined && this.level !== undefined) {
      tell(reply, this.shown.shape.maxTokens, this.level, this.isExceeded)
    }
  }
}

/** The part of a policy that waits for a model to be asked. */
class Meter implements TokenMeter {
  private readonly limits: ReadonlyArray<Limit>
  private readonly clock: PolicyPorts["clock"]
  private readonly statement: Statement
  private buckets: ReadonlyArray<Bucket> | undefined
  private taken = 0

  constructor(limits: ReadonlyArray<Limit>, clock: PolicyPorts["clock"], statement: Statement) {
    this.limits = limits
    this.clock = clock
    this.statement = statement
  }

  admit(subject: Subject, counted: number | undefined): Effect.Effect<void, Refusal> {
    if (this.buckets !== undefined) return Effect.void
    const now = this.clock.wallMillis()
    const buckets = this.limits.map((limit) => limit(subject, now))
    const lacking =
      counted === undefined
        ? buckets.find((bucket) => bucket.level(now).remaining < 1)
        : takeFromAll(buckets, Math.max(1, counted), now)
    if (lacking !== undefined) {
      this.statement.exceed(lacking, now)
      return exhausted
    }
    this.taken = counted === undefined ? 0 : Math.max(1, counted)
    this.buckets = buckets
    this.statement.consider(buckets, now)
    return Effect.void
  }

  charge(consumed: number): void {
    const { buckets, taken } = this
    if (buckets === undefined) return
    // Whatever is told later is beyond what was told now.
    this.taken = consumed
    const now = this.clock.wallMillis()
    for (const bucket of buckets) {
      if (consumed > taken) bucket.spend(consumed - taken, now)
      else if (consumed < taken) bucket.give(taken - consumed, now)
    }
  }
}

let namelessCount = 0

const step = (policy: LocalRateLimit, gate: Gate, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { clock } = ports
  const id = policy.id ?? `nameless ${++namelessCount}`
  const expressions = expressionsOf(ports)
  const all = policy.limits.map((shape, i) => {
    const { key, type } = shape
    const compiled =
      key === undefined ? undefined : expressions.compile(key, type === "tokens" ? "backend" : layer, "key")
    return { type, compiled, limit: limitOf(id, i, shape, gate, compiled, expressions.around) }
  })
  const of = (wanted: TokenBucket["type"]) => all.filter(({ type }) => type === wanted).map(({ limit }) => limit)
  const onRequests = of("requests")
  const onTokens = of("tokens")
  const own = slot("LocalRateLimit", layer)
  const enter = (exchange: Exchange, subject: Subject): Effect.Effect<Verdict, Refusal> => {
    const now = clock.wallMillis()
    const statement = new Statement()
    promise(exchange, own, statement.edit)
    const buckets = onRequests.map((limit) => limit(subject, now))
    const lacking = takeFromAll(buckets, 1, now)
    exchange.inquiry?.note({
      stage: "LocalRateLimit",
      decision: lacking === undefined ? "taken" : "exceeded",
      detail: buckets.map((bucket) => ({ of: bucket.shape.maxTokens, remaining: bucket.level(now).remaining })),
    })
    if (lacking !== undefined) {
      statement.exceed(lacking, now)
      return exceeded
    }
    statement.consider(buckets, now)
    if (onTokens.length > 0) putMeter(exchange, new Meter(onTokens, clock, statement))
    return pass
  }
  return {
    kind: "LocalRateLimit",
    readsBody: all.some(({ compiled }) => readsRequestBody(compiled)),
    run: (subject) => enter(subject.exchange, subject),
  }
}

export const compile = (policy: LocalRateLimit, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const { gate } = ports
  if (policy.limits.length === 0) return undefined
  if (gate === undefined) return broken("LocalRateLimit", "nothing here counts requests")
  return gate.once(policy, () => step(policy, gate, ports, layer))
}
