/** Asks the providers of a backend one after the other until one answers. */
import * as Effect from "effect/Effect"
import type { Eviction } from "../../../ir/policy/Health.ts"
import { retryHintMillis } from "../../../protocols/http/retryAfter.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import { choose, chooseFor, type EndpointSet, makeSet, type Member } from "../balance.ts"
import type { Judgement, Vitals } from "../health.ts"
import type { Try } from "../Target.ts"
import type { Account } from "./Account.ts"
import type { Asked } from "./Asked.ts"
import { begun } from "./firstByte.ts"
import type { Answer, Called, Provider } from "./Provider.ts"
import { errorReply } from "./told.ts"
import { clientFormats } from "./kinds.ts"

export interface Candidate {
  readonly provider: Provider
  /** The model it is asked for, where that is not the client's own word. */
  readonly pinned: string | undefined
  readonly group: number
  readonly vitals: Vitals
  readonly id: string
}

export interface Candidates {
  readonly set: EndpointSet
  readonly byMember: ReadonlyMap<Member, Candidate>
  /** The same for the same providers and models. */
  readonly name: string
}

const nowhere = { _tag: "Unix", path: "-" } as const

export const candidates = (all: ReadonlyArray<Candidate>): Candidates => {
  const byMember = new Map<Member, Candidate>()
  const buckets: Array<Array<Member>> = []
  for (const candidate of all) {
    const member: Member = { id: candidate.id, target: nowhere, weight: 1, vitals: candidate.vitals }
    byMember.set(member, candidate)
    while (buckets.length <= candidate.group) buckets.push([])
    buckets[candidate.group]?.push(member)
  }
  const name = all.map(({ group, id, pinned }) => `${group} ${id} ${pinned ?? ""}`).join("\n")
  return { set: makeSet(buckets), byMember, name }
}

export interface FailoverSettings {
  readonly clock: Clock
  /** What keeps a client with one provider. */
  readonly affinityOf: ((attempt: Try) => string | undefined) | undefined
  readonly judge: ((attempt: Try, reply: Reply) => Judgement) | undefined
  readonly backoffMillis: number | undefined
}

/** Where nothing is configured, one failure may be chance; three in a row are not. */
const usualEviction: Eviction = { consecutiveFailures: 3 }
/** Whoever says how long to stay away is taken at its word at once. */
const onRequest: Eviction = {}

/** Another provider may do better; a client error is the same everywhere. */
const isRetriable = (status: number): boolean => status === 429 || (status >= 500 && status !== 501)

const passes: ReadonlySet<Refusal["_tag"]> = new Set([
  "UpstreamFailed",
  "UpstreamTimeout",
  "ResolutionFailed",
  "NoHealthyBackends",
  "ProcessingFailed",
  "UpgradeFailed",
])

const noHealthyBackends: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "NoHealthyBackends" })

class Round {
  private readonly settings: FailoverSettings
  private readonly all: Candidates
  private readonly attempt: Try
  private readonly asked: Asked
  private readonly account: Account
  private readonly tried: Array<Member> = []

  constructor(settings: FailoverSettings, all: Candidates, attempt: Try, asked: Asked, account: Account) {
    this.settings = settings
    this.all = all
    this.attempt = attempt
    this.asked = asked
    this.account = account
  }

  private get hasMore(): boolean {
    const { attempt, settings } = this
    return this.tried.length < this.all.byMember.size && attempt.exchange.deadlineMillis > settings.clock.nowMillis()
  }

  readonly next = (): Effect.Effect<Reply, Refusal> => {
    const { affinityOf, clock } = this.settings
    const { set } = this.all
    const now = clock.nowMillis()
    const key = this.tried.length === 0 ? affinityOf?.(this.attempt) : undefined
    const member =
      (key === undefined ? undefined : chooseFor(key, set, now)) ??
      choose(set, now, clock.random, this.tried.length === 0 ? undefined : this.tried)
    const candidate = member === undefined ? undefined : this.all.byMember.get(member)
    if (member === undefined || candidate === undefined) return noHealthyBackends
    // All others are put aside: one of those that failed is the best there is, but once is enough.
    if (this.tried.includes(member)) return this.untried()
    return this.ask(member, candidate)
  }

  private untried(): Effect.Effect<Reply, Refusal> {
    for (const [member, candidate] of this.all.byMember) {
      if (!this.tried.includes(member)) return this.ask(member, candidate)
    }
    return noHealthyBackends
  }

  private ask(member: Member, { pinned, provider }: Candidate): Effect.Effect<Reply, Refusal> {
    const { account, asked, attempt, settings } = this
    const { vitals } = member
    this.tried.push(member)
    attempt.failure = undefined
    const startedMillis = settings.clock.nowMillis()
    vitals.pending++
    const answered = Effect.onExit(provider.ask(attempt, asked, account, pinned), () => {
      vitals.pending--
      return Effect.void
    })
    return Effect.matchEffect(answered, {
      onFailure: (refusal) => {
        const { failure } = attempt
        if (failure !== undefined && failure._tag !== "RequestAborted") this.failed(vitals, provider, undefined)
        const mayPass = failure === undefined ? passes.has(refusal._tag) : failure._tag !== "RequestAborted"
        return mayPass && this.hasMore ? this.next() : Effect.fail(refusal)
      },
      onSuccess: (answer) => this.answered(answer, member, provider, startedMillis),
    })
  }

  private answered(
    answer: Answer,
    { vitals }: Member,
    provider: Provider,
    startedMillis: number,
  ): Effect.Effect<Reply, Refusal> {
    if (answer._tag === "Stopped") return Effect.succeed(answer.reply)
    if (answer._tag === "Unfit") {
      if (this.hasMore) return this.next()
      return Effect.succeed(errorReply(clientFormats[this.asked.kind], answer.error))
    }
    const { called } = answer
    const { clock, judge } = this.settings
    const { reply } = called
    vitals.measured(clock.nowMillis() - startedMillis)
    const isLimited = reply.status === 429
    const judgement = judge?.(this.attempt, reply) ?? (isLimited || reply.status >= 500 ? "unhealthy" : "healthy")
    if (judgement === "unhealthy") {
      this.failed(vitals, provider, isLimited ? retryHintMillis(reply.headers, clock.wallMillis()) : undefined)
    } else vitals.succeeded()
    if (isRetriable(reply.status) && this.hasMore) {
      Body.discard(reply.body)
      return this.next()
    }
    return this.hasMore && reply.status < 400 ? this.whenBegun(called, vitals, provider) : called.deliver()
  }

  /** A reply that ends before its first byte is none. */
  private whenBegun(called: Called, vitals: Vitals, provider: Provider): Effect.Effect<Reply, Refusal> {
    const { reply } = called
    const { body } = reply
    reply.body = Body.empty
    return Effect.matchEffect(begun(body), {
      onFailure: () => {
        this.failed(vitals, provider, undefined)
        return this.next()
      },
      onSuccess: (held) => {
        reply.body = held
        return called.deliver()
      },
    })
  }

  private failed(vitals: Vitals, { part }: Provider, hintMillis: number | undefined): void {
    const { backoffMillis, clock } = this.settings
    const configured = part.policies.Health
    const eviction =
      configured?.eviction ??
      (hintMillis !== undefined ? onRequest : configured === undefined ? usualEviction : undefined)
    vitals.failed(eviction, { nowMillis: clock.nowMillis(), drawn: clock.random(), hintMillis, backoffMillis })
  }
}

export const ask = (
  settings: FailoverSettings,
  all: Candidates,
  attempt: Try,
  asked: Asked,
  account: Account,
): Effect.Effect<Reply, Refusal> => new Round(settings, all, attempt, asked, account).next()
