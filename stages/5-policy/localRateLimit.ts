/**
 * Lets only so many requests pass in a time, or so many tokens of models be consumed; says in every reply how many are
 * left. A limit is one for all, or one for each value of its key.
 */
import * as Effect from "effect/Effect"
import type { LocalRateLimit, TokenBucket } from "../../ir/policy/LocalRateLimit.ts"
import type { Exchange, Reply, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import type { Account, Claim, Ledger } from "../ports/Ledger.ts"
import { type Bucket, type BucketShape, type Level, takeFromAll, untilFill } from "./Buckets.ts"
import { type Expression, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import type { Surroundings } from "./expression/Facts.ts"
import type { Gate } from "./Gate.ts"
import { identityOf, Keyed, keyValue, ownerOf } from "./keyed.ts"
import { type Layer, slot } from "./order.ts"
import { broken, pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { putMeter, type TokenMeter } from "./TokenMeter.ts"

/** The buckets of so many keys are at hand in each thread; others are looked for anew. */
export const KEYS_AT_HAND_MAX = 4_096

const rateLimited: Refusal = { _tag: "RateLimited" }
const exceeded: Effect.Effect<Verdict, Refusal> = Effect.fail(rateLimited)
const exhausted: Effect.Effect<never, Refusal> = Effect.fail(rateLimited)

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

/** One limit of a policy. */
interface Limit {
  readonly shape: TokenBucket
  /** The bucket of this gateway that a request takes from. */
  readonly bucket: (subject: Subject, wallMillis: number) => Bucket
  /** What a request takes where others count along; undefined: they do not. */
  readonly claim: ((subject: Subject, tokens: number) => Claim) | undefined
}

const limitOf = (
  id: string,
  index: number,
  shape: TokenBucket,
  gate: Gate,
  key: Expression | undefined,
  around: Surroundings,
): Limit => {
  const table = gate.buckets()
  const { sha256 } = gate.cryptography
  const valueOf = (subject: Subject): string => keyValue(key, around, subject, gate.cryptography)
  // What is in braces decides where a store keeps a bucket: all of one policy in one place.
  const group = `sluice:{${sha256(id).slice(0, 16)}}`
  const claim =
    shape.shared === true && gate.ledger !== undefined
      ? (subject: Subject, tokens: number): Claim => ({
          key: `${group}:${sha256(JSON.stringify([index, shape, valueOf(subject)])).slice(0, 32)}`,
          shape,
          tokens,
        })
      : undefined
  if (key === undefined) {
    let bucket: Bucket | undefined
    const identity = identityOf(gate.cryptography, id, index, shape)
    return { shape, claim, bucket: (_, wallMillis) => (bucket ??= table.open(identity, shape, wallMillis)) }
  }
  const atHand = new Keyed<Bucket>(key, around, gate.cryptography, KEYS_AT_HAND_MAX)
  return {
    shape,
    claim,
    bucket: (subject, wallMillis) =>
      atHand.get(subject, (value) =>
        table.open(identityOf(gate.cryptography, id, index, shape, value), shape, wallMillis, false),
      ),
  }
}

/** What the reply will say: of all limits the one that leaves least. */
class Statement {
  private shape: BucketShape | undefined
  private level: Level | undefined
  private isExceeded = false

  /** Of several that leave the same, the first. */
  add(shape: BucketShape, level: Level): void {
    if (this.level !== undefined && level.remaining >= this.level.remaining) return
    this.shape = shape
    this.level = level
  }

  consider(buckets: ReadonlyArray<Bucket>, wallMillis: number): void {
    for (const bucket of buckets) this.add(bucket.shape, bucket.level(wallMillis))
  }

  exceed(shape: BucketShape, level: Level): void {
    this.shape = shape
    this.level = level
    this.isExceeded = true
  }

  readonly edit = (reply: Reply): undefined => {
    if (this.shape !== undefined && this.level !== undefined) {
      tell(reply, this.shape.maxTokens, this.level, this.isExceeded)
    }
  }
}

const levelIn = ({ remaining, wallMillis }: Account, index: number, shape: BucketShape): Level => ({
  remaining: remaining[index] ?? 0,
  untilFillMillis: untilFill(shape, wallMillis),
})

/** How limits are asked about: those of this gateway first, since they cost no call; all of them agree, or none is charged. */
class Counter {
  private readonly own: ReadonlyArray<Limit>
  private readonly others: ReadonlyArray<Limit>
  private readonly all: ReadonlyArray<Limit>
  /** The one there is, as there mostly is. */
  private readonly only: Limit | undefined
  private readonly ledger: Ledger | undefined
  private readonly clock: PolicyPorts["clock"]

  constructor(limits: ReadonlyArray<Limit>, ledger: Ledger | undefined, clock: PolicyPorts["clock"]) {
    this.all = limits
    this.only = limits.length === 1 ? limits[0] : undefined
    this.own = limits.filter(({ claim }) => claim === undefined)
    this.others = limits.filter(({ claim }) => claim !== undefined)
    this.ledger = ledger
    this.clock = clock
  }

  get isEmpty(): boolean {
    return this.all.length === 0
  }

  /** Undefined from `tokens`: only looks whether there is any. Answers with what was charged where. */
  ask(subject: Subject, tokens: number | undefined, statement: Statement): Effect.Effect<Charged, Refusal> {
    const { ledger, others } = this
    if (ledger === undefined || others.length === 0) return this.askOwn(this.all, subject, tokens, statement)
    return Effect.flatMap(this.askOwn(this.own, subject, tokens, statement), (charged) => {
      const claims = this.claims(subject, tokens ?? 1)
      return Effect.matchEffect(ledger.account(tokens === undefined ? "look" : "take", claims), {
        // A store that does not answer must neither stop nor unleash anybody: each gateway counts for itself.
        onFailure: (): Effect.Effect<Charged, Refusal> =>
          Effect.map(
            Effect.tapError(this.askOwn(others, subject, tokens, statement), () =>
              Effect.sync(() => this.giveBack(charged, tokens)),
            ),
            ({ buckets }) => ({ buckets: [...charged.buckets, ...buckets], claims: [] }),
          ),
        onSuccess: (account): Effect.Effect<Charged, Refusal> => {
          subject.exchange.inquiry?.note({
            stage: "LocalRateLimit",
            decision: account.lacking < 0 ? "taken" : "exceeded",
            detail: claims.map(({ shape }, i) => ({ of: shape.maxTokens, remaining: account.remaining[i] ?? 0 })),
          })
          const lacking = claims[account.lacking]
          if (lacking !== undefined) {
            this.giveBack(charged, tokens)
            statement.exceed(lacking.shape, levelIn(account, account.lacking, lacking.shape))
            return exhausted
          }
          for (const [i, { shape }] of claims.entries()) statement.add(shape, levelIn(account, i, shape))
          return Effect.succeed({ buckets: charged.buckets, claims })
        },
      })
    })
  }

  /** Whether nothing has to be waited for. */
  get isLocal(): boolean {
    return this.ledger === undefined || this.others.length === 0
  }

  /** As `ask` for those of this gateway; at once. */
  askOwn(
    limits: ReadonlyArray<Limit>,
    subject: Subject,
    tokens: number | undefined,
    statement: Statement,
  ): Effect.Effect<Charged, Refusal> {
    const charged = this.takeOwn(limits, subject, tokens, statement)
    return charged === undefined ? exhausted : Effect.succeed(charged)
  }

  takeOwn(
    limits: ReadonlyArray<Limit>,
    subject: Subject,
    tokens: number | undefined,
    statement: Statement,
  ): Charged | undefined {
    const now = this.clock.wallMillis()
    const buckets = limits.map(({ bucket }) => bucket(subject, now))
    const lacking =
      tokens === undefined
        ? buckets.find((bucket) => bucket.level(now).remaining < 1)
        : takeFromAll(buckets, tokens, now)
    subject.exchange.inquiry?.note({
      stage: "LocalRateLimit",
      decision: lacking === undefined ? "taken" : "exceeded",
      detail: buckets.map((bucket) => ({ of: bucket.shape.maxTokens, remaining: bucket.level(now).remaining })),
    })
    if (lacking !== undefined) {
      statement.exceed(lacking.shape, lacking.level(now))
      return undefined
    }
    statement.consider(buckets, now)
    return { buckets, claims: [] }
  }

  /** Takes one of each, or none: false. */
  takeAll(subject: Subject, statement: Statement): boolean {
    const { all, only } = this
    if (only === undefined || subject.exchange.inquiry !== undefined) {
      return this.takeOwn(all, subject, 1, statement) !== undefined
    }
    const now = this.clock.wallMillis()
    const bucket = only.bucket(subject, now)
    const isTaken = bucket.take(1, now)
    const level = bucket.level(now)
    if (isTaken) statement.add(bucket.shape, level)
    else statement.exceed(bucket.shape, level)
    return isTaken
  }

  private claims(subject: Subject, tokens: number): ReadonlyArray<Claim> {
    return this.others.flatMap(({ claim }) => (claim === undefined ? [] : [claim(subject, tokens)]))
  }

  private giveBack({ buckets }: Charged, tokens: number | undefined): void {
    if (tokens === undefined) return
    const now = this.clock.wallMillis()
    for (const bucket of buckets) bucket.give(tokens, now)
  }
}

interface Charged {
  readonly buckets: ReadonlyArray<Bucket>
  readonly claims: ReadonlyArray<Claim>
}

/** The part of a policy that waits for a model to be asked. */
class Meter implements TokenMeter {
  private readonly counter: Counter
  private readonly gate: Gate
  private readonly clock: PolicyPorts["clock"]
  private readonly statement: Statement
  private charged: Charged | undefined
  private taken = 0

  constructor(counter: Counter, gate: Gate, clock: PolicyPorts["clock"], statement: Statement) {
    this.counter = counter
    this.gate = gate
    this.clock = clock
    this.statement = statement
  }

  admit(subject: Subject, counted: number | undefined): Effect.Effect<void, Refusal> {
    if (this.charged !== undefined) return Effect.void
    const tokens = counted === undefined ? undefined : Math.max(1, counted)
    return Effect.map(this.counter.ask(subject, tokens, this.statement), (charged) => {
      this.taken = tokens ?? 0
      this.charged = charged
    })
  }

  charge(consumed: number): void {
    const { charged, taken } = this
    if (charged === undefined || consumed === taken) return
    // Whatever is told later is beyond what was told now.
    this.taken = consumed
    const now = this.clock.wallMillis()
    const more = consumed - taken
    for (const bucket of charged.buckets) {
      if (more > 0) bucket.spend(more, now)
      else bucket.give(-more, now)
    }
    const { ledger } = this.gate
    if (ledger === undefined || charged.claims.length === 0) return
    const claims = charged.claims.map((claim) => ({ ...claim, tokens: more }))
    this.gate.background(Effect.ignore(ledger.account("settle", claims)))
  }
}

const step = (policy: LocalRateLimit, gate: Gate, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { clock } = ports
  const id = ownerOf(policy.id)
  const expressions = expressionsOf(ports)
  const all = policy.limits.map((shape, i) => {
    const { key, type } = shape
    const compiled =
      key === undefined ? undefined : expressions.compile(key, type === "tokens" ? "backend" : layer, "key")
    return { type, compiled, limit: limitOf(id, i, shape, gate, compiled, expressions.around) }
  })
  const of = (wanted: TokenBucket["type"]) =>
    new Counter(
      all.filter(({ type }) => type === wanted).map(({ limit }) => limit),
      gate.ledger,
      clock,
    )
  const onRequests = of("requests")
  const onTokens = of("tokens")
  // Backends have none of their own; where a protocol asks it there, it speaks in its place.
  const own = slot("LocalRateLimit", layer === "backend" ? "route" : layer)
  const enter = (exchange: Exchange, subject: Subject): Effect.Effect<Verdict, Refusal> => {
    const statement = new Statement()
    promise(exchange, own, statement.edit)
    if (!onTokens.isEmpty) putMeter(exchange, new Meter(onTokens, gate, clock, statement))
    if (onRequests.isLocal) return onRequests.takeAll(subject, statement) ? pass : exceeded
    return Effect.andThen(onRequests.ask(subject, 1, statement), pass)
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
