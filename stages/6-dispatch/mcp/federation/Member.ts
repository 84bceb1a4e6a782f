/**
 * One target among others: how long it may take, when it is left alone for a while, and what it listed last. Nothing that
 * goes wrong with it costs the others more than its own deadline.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Defaults from "../../../../ir/defaults.ts"
import type { McpTarget as Described } from "../../../../ir/backend/Mcp.ts"
import { oauthOfTarget } from "../../../../ir/backend/mcpTargets.ts"
import { asNumber, asString, Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes } from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { contextOf } from "../callers.ts"
import { isLocal } from "../oauth/users.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Changed } from "../target/makeTarget.ts"
import type { Call, Caller, Discovery, McpTarget, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { pageCall } from "../target/pageCall.ts"
import { isCallable, joined, type Listed, type Listing, type Page } from "./Listing.ts"
import { bounded } from "./bounded.ts"
import { Flights } from "./Flights.ts"
import { type Ended, problemOf, type Question, watched, within } from "./watched.ts"

const listingsMax = 4_096

const kinds: Readonly<Record<string, Parameters<Changed>[0]>> = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resources",
}

/** Where what is called was listed. */
const listOf: Readonly<Record<string, string>> = { "tools/call": "tools/list", "prompts/get": "prompts/list" }

/** With these a server may say that it has no such thing, or has it otherwise by now. */
const doubting: ReadonlySet<number> = new Set([codes.invalidParams, codes.headerMismatch])

export class Member {
  readonly name: string
  readonly described: Described
  readonly target: McpTarget
  private readonly runtime: McpRuntime
  private readonly listings = new Map<string, Listing>()
  /** Lists that are being read, by the names they may be kept under. */
  private readonly flights: Flights<Listing, TargetFailure, Caller>
  /** How often what was listed has become doubtful, for each list. */
  private readonly doubts = new Map<string, number>()
  private readonly discoveries = new Map<string, { readonly discovery: Discovery; readonly atMillis: number }>()
  private failures = 0
  private suspendedUntil = 0
  /** Whether its server shows people what they were granted. */
  private readonly isGranted: boolean
  /** Whoever keeps something that depends on what is listed. */
  private readonly watchers = new Set<Changed>()
  /** What was told a moment ago; true: and has changed once more since. */
  private readonly recently = new Map<Parameters<Changed>[0], boolean>()

  constructor(described: Described, runtime: McpRuntime, make: (changed: Changed) => McpTarget) {
    this.name = described.name
    this.described = described
    this.runtime = runtime
    this.flights = new Flights(runtime)
    this.isGranted = oauthOfTarget(described) !== undefined
    this.target = make((what) => this.changed(what))
  }

  get listMillis(): number {
    return this.described.deadlines.listMillis ?? Defaults.defaults.mcpListTimeoutMillis
  }

  private get callMillis(): number {
    return this.described.deadlines.callMillis ?? Defaults.defaults.mcpCallTimeoutMillis
  }

  watch(watcher: Changed): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  private changed(what: Parameters<Changed>[0]): void {
    this.doubt(...Object.keys(kinds).filter((method) => kinds[method] === what))
    this.tell(what)
  }

  /** At once, and then no more often than anybody could make use of, however many sessions say the same. */
  private tell(what: Parameters<Changed>[0]): void {
    if (this.watchers.size === 0) return
    const isPending = this.recently.get(what)
    this.recently.set(what, isPending !== undefined)
    if (isPending !== undefined) return
    for (const watcher of this.watchers) watcher(what)
    this.runtime.clock.after(limits.debounceMillis, () => {
      const again = this.recently.get(what) === true
      this.recently.delete(what)
      if (again) this.tell(what)
    })
  }

  /** For so long nobody asks it; 0 while it takes part. */
  get suspendedMillis(): number {
    return Math.max(0, this.suspendedUntil - this.runtime.clock.nowMillis())
  }

  /** How often in a row it failed. */
  get failuresInRow(): number {
    return this.failures
  }

  /** Forgets what went wrong, and what it said before: whoever asks next asks it anew. */
  reconsider(): void {
    this.failures = 0
    this.suspendedUntil = 0
    this.forget()
  }

  /** What it said before is asked for anew. */
  forget(): void {
    this.outdate(Object.keys(kinds))
    this.listings.clear()
    this.discoveries.clear()
  }

  /** What is kept of its answers. */
  get kept(): number {
    return this.listings.size + this.discoveries.size
  }

  /** A question to the target as traces, stories and metrics see it, which counts what goes wrong in a row. */
  private asking<A>(question: Question<A>, late: string, millis: number): Effect.Effect<A, TargetFailure> {
    return watched(this.runtime, this.name, question, (caller, traceparent, ended) =>
      this.guarded(question.run(caller, traceparent), late, millis, ended),
    )
  }

  private guarded<A>(
    effect: Effect.Effect<A, TargetFailure>,
    late: string,
    millis: number,
    ended: Ended<A> | undefined,
  ): Effect.Effect<A, TargetFailure> {
    return Effect.suspend(() => {
      if (this.runtime.clock.nowMillis() < this.suspendedUntil) {
        const exit = Exit.fail<TargetFailure>({ _tag: "Suspended", target: this.name, message: "left alone" })
        ended?.(exit)
        return exit
      }
      return bounded(this.runtime, millis, effect, { _tag: "TimedOut", target: this.name, message: late }, (exit) => {
        this.count(exit)
        ended?.(exit)
      })
    })
  }

  /** Whoever left before the end says nothing about the target. */
  private count(exit: Exit.Exit<unknown, TargetFailure>): void {
    if (Exit.isSuccess(exit)) {
      this.failures = 0
      return
    }
    if (Exit.hasInterrupts(exit) || isUnwelcome(exit)) return
    if (++this.failures >= limits.failuresMax) {
      // From now on one failure is enough, until it works again.
      this.failures = limits.failuresMax - 1
      this.suspendedUntil = this.runtime.clock.nowMillis() + limits.suspendedMillis
    }
  }

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const asked = this.asking(
      {
        caller: call.caller,
        method: call.method,
        params: call.params,
        problemIn: problemOf,
        run: (caller, traceparent) => this.target.call(within(call, caller, traceparent)),
      },
      "no end in time",
      this.callMillis,
    )
    const list = listOf[call.method]
    return list === undefined || this.listings.size === 0
      ? asked
      : Effect.tap(asked, (outcome) =>
          Effect.sync(() => {
            if (outcome._tag === "Error" && doubting.has(codeOf(outcome.error))) this.doubt(list)
          }),
        )
  }

  /** What was listed may not be true any more, but is better than nothing if the target is gone just now. */
  private doubt(...methods: ReadonlyArray<string>): void {
    this.outdate(methods)
    for (const [key, listing] of this.listings) {
      if (methods.includes(key.split(" ")[0] as string)) this.listings.set(key, { ...listing, ttlMillis: 0 })
    }
  }

  /** What is being read may have been written before that. */
  private outdate(methods: ReadonlyArray<string>): void {
    for (const method of methods) this.doubts.set(method, this.doubtsOf(method) + 1)
    this.flights.detach((key) => methods.includes(key.split(" ")[0] as string))
  }

  /** Changes whenever what is being read of a list by then is not good any more once it is here. */
  doubtsOf(method: string): number {
    return this.doubts.get(method) ?? 0
  }

  private keyOf(caller: Caller): string {
    const context = contextOf(caller)
    // What is granted to whoever sits at this machine is nothing for others who prove nothing.
    return this.isGranted && caller.principal === "anonymous" && isLocal(caller.exchange) ? `${context} here` : context
  }

  /** What the server said of itself last, to such a caller. */
  introduced(caller: Caller): Discovery | undefined {
    return (this.discoveries.get("public") ?? this.discoveries.get(this.keyOf(caller)))?.discovery
  }

  /** Nobody but its own callers waits for the only target, which may have to be started first. */
  readonly discover = (caller: Caller, isOnly = false): Effect.Effect<Discovery, TargetFailure> =>
    Effect.suspend(() => {
      const { clock } = this.runtime
      const known = this.discoveries.get("public") ?? this.discoveries.get(this.keyOf(caller))
      const millis = isOnly ? Math.max(this.listMillis, limits.introductionMillis) : this.listMillis
      if (known !== undefined && clock.nowMillis() - known.atMillis < known.discovery.ttlMillis) {
        return Effect.succeed(known.discovery)
      }
      return Effect.catch(
        Effect.tap(
          this.asking(
            { caller, method: "server/discover", run: (seen) => this.target.discover(seen) },
            "no reply in time",
            millis,
          ),
          (discovery) =>
            Effect.sync(() => {
              if (this.discoveries.size >= listingsMax) this.discoveries.clear()
              this.discoveries.set(discovery.isPublic ? "public" : this.keyOf(caller), {
                discovery,
                atMillis: clock.nowMillis(),
              })
            }),
        ),
        (failure) =>
          known !== undefined && clock.nowMillis() - known.atMillis < limits.staleMillis
            ? Effect.succeed(known.discovery)
            : Effect.fail(failure),
      )
    })

  /** What was listed last, for this caller; undefined: nothing yet. */
  known(method: string, caller: Caller): Listing | undefined {
    return this.listings.get(`${method} public`) ?? this.listings.get(`${method} ${this.keyOf(caller)}`)
  }

  /** Tools that it listed to anybody. */
  *toolNames(): Generator<string> {
    for (const [key, { items }] of this.listings) {
      if (!key.startsWith("tools/list ")) continue
      for (const item of items) {
        const name = Fields.parse(item)?.string("name")
        if (name !== undefined) yield name
      }
    }
  }

  /** What was listed last, as long as it is good; undefined: the server has to be asked. */
  fresh(method: string, caller: Caller, nowMillis: number): Listed | undefined {
    const known = this.known(method, caller)
    if (known === undefined || nowMillis - known.atMillis >= known.ttlMillis) return undefined
    return { _tag: "Fresh", listing: known }
  }

  /** Everything there is, page after page; read once for all who may be shown what is kept of it. */
  readonly list = (method: string, caller: Caller): Effect.Effect<Listed> =>
    Effect.suspend(() => {
      const { clock } = this.runtime
      const fresh = this.fresh(method, caller, clock.nowMillis())
      if (fresh !== undefined) return Effect.succeed(fresh)
      const known = this.known(method, caller)
      const read = this.isKept(known, caller) ? this.readTogether(method, caller, known) : this.read(method, caller)
      return Effect.match(read, {
        onFailure: (failure): Listed =>
          known !== undefined && clock.nowMillis() - known.atMillis < limits.staleMillis
            ? { _tag: "Stale", listing: known, failure }
            : { _tag: "Missing", failure },
        onSuccess: (listing): Listed => ({ _tag: "Fresh", listing }),
      })
    })

  /** Whether what the server lists is good for more than one, as far as anybody knows. */
  private isKept(known: Listing | undefined, caller: Caller): boolean {
    return known === undefined ? this.introduced(caller)?.era !== "legacy" : known.offeredMillis > 0
  }

  private read(method: string, caller: Caller): Effect.Effect<Listing, TargetFailure> {
    return Effect.suspend(() => {
      const doubts = this.doubtsOf(method)
      const asked = this.asking(
        { caller, method, run: (seen, traceparent) => this.drain(method, seen, traceparent) },
        "no reply in time",
        this.listMillis,
      )
      return Effect.map(asked, (listing) => this.keep(method, caller, listing, doubts))
    })
  }

  private readTogether(
    method: string,
    caller: Caller,
    known: Listing | undefined,
  ): Effect.Effect<Listing, TargetFailure> {
    const own = this.keyOf(caller)
    const key = `${method} ${known?.isPublic === true ? "public" : own}`
    const { inquiry } = caller.exchange
    if (inquiry !== undefined && this.flights.has(key)) {
      inquiry.note({ stage: "target", decision: `${this.name} is being asked for ${method} already` })
    }
    return Effect.flatMap(this.flights.join(key, caller, this.read(method, caller)), ({ asker, exit }) => {
      if (asker === caller) return exit
      const isSame = this.keyOf(asker) === own
      const isShared = Exit.isSuccess(exit)
        ? exit.value.offeredMillis > 0 && (exit.value.isPublic || isSame)
        : (isSame && asker.session === caller.session) || !isAboutAsker(exit)
      return isShared ? exit : this.read(method, caller)
    })
  }

  /** `doubts`: how often the list had become doubtful when it was asked for. Returns how it may be shown. */
  keep(method: string, caller: Caller, listing: Listing, doubts: number): Listing {
    const isDoubtful = doubts !== this.doubtsOf(method)
    // What was read since is better.
    if (isDoubtful && (this.known(method, caller)?.ttlMillis ?? 0) > 0) return { ...listing, ttlMillis: 0 }
    const kept = isDoubtful ? { ...listing, ttlMillis: 0 } : listing
    if (this.listings.size >= listingsMax) this.listings.clear()
    this.listings.set(`${method} ${listing.isPublic ? "public" : this.keyOf(caller)}`, kept)
    // A server that has become discreet is not to be hidden behind what it told everybody before.
    if (!listing.isPublic && listing.consent === undefined) this.listings.delete(`${method} public`)
    return kept
  }

  private drain(
    method: string,
    caller: Caller,
    traceparent: string | undefined,
  ): Effect.Effect<Listing, TargetFailure> {
    const found: Array<Listing> = []
    const from = (cursor: Json | undefined): Effect.Effect<Listing, TargetFailure> =>
      Effect.flatMap(this.onePage(method, caller, cursor, traceparent), ({ listing, next }) => {
        found.push(listing)
        const count = found.reduce((sum, { items }) => sum + items.length, 0)
        return next === undefined || found.length >= limits.pagesMax || count >= limits.itemsMax
          ? Effect.succeed(joined(found))
          : from(next)
      })
    return from(undefined)
  }

  private onePage(
    method: string,
    caller: Caller,
    cursor: Json | undefined,
    traceparent: string | undefined,
  ): Effect.Effect<Extract<Page, { readonly _tag: "Page" }>, TargetFailure> {
    const call = pageCall(method, caller, cursor)
    return Effect.flatMap(this.target.call(within(call, caller, traceparent)), (outcome) => {
      const listing = this.listingOf(method, outcome, cursor === undefined ? this.known(method, caller) : undefined)
      if (outcome._tag === "Result") return Effect.succeed({ _tag: "Page", listing, next: listing.next })
      const code = codeOf(outcome.error)
      // A server without such a thing lists nothing of it.
      if (code === codes.methodNotFound) {
        return Effect.succeed({ _tag: "Page", listing: { ...listing, ttlMillis: 0 }, next: undefined })
      }
      return Effect.fail<TargetFailure>({
        _tag: "Unreachable",
        target: this.name,
        message: Fields.parse(outcome.error)?.string("message") ?? "an error",
        began: true,
        code,
      })
    })
  }

  /** One page, for whoever goes on from it himself. */
  readonly page = (method: string, caller: Caller, cursor: Json | undefined): Effect.Effect<Page> => {
    const asked = this.asking(
      { caller, method, run: (seen, traceparent) => this.onePage(method, seen, cursor, traceparent) },
      "no reply in time",
      this.listMillis,
    )
    return Effect.match(asked, {
      onFailure: (failure): Page => {
        const isRefused = cursor !== undefined && failure._tag === "Unreachable" && failure.code === codes.invalidParams
        return { _tag: isRefused ? "Refused" : "Missing", failure }
      },
      onSuccess: (page): Page => page,
    })
  }

  /** One page as a listing. What is the same as before need not be looked at again. */
  listingOf(method: string, outcome: Outcome, before?: Listing): Listing {
    const page = outcome._tag === "Result" ? outcome.result : undefined
    const consent = outcome._tag === "Result" ? outcome.consent : undefined
    const atMillis = this.runtime.clock.nowMillis()
    if (before !== undefined && page !== undefined && before.page === page && before.era === outcome.era) {
      return { ...before, ttlMillis: before.offeredMillis, atMillis, consent }
    }
    const fields = Fields.parse(page)
    const next = fields?.get("nextCursor")
    const offeredMillis = Math.min(asNumber(fields?.get("ttlMs")) ?? 0, 24 * 3_600_000)
    const items = itemsOf(fields?.get(methods.get(method)?.lists ?? "")) ?? []
    return {
      // A tool whose schema asks for headers that cannot be made cannot be called.
      items: method === "tools/list" && outcome.era === "modern" ? items.filter(isCallable) : items,
      era: outcome.era,
      atMillis,
      ttlMillis: offeredMillis,
      offeredMillis,
      isPublic: asString(fields?.get("cacheScope")) === "public",
      page,
      next: next === "null" ? undefined : next,
      consent,
    }
  }

  close(): void {
    this.watchers.clear()
    this.target.close()
  }
}

/** Who may not go in says nothing of whether the server works. */
const isUnwelcome = (exit: Exit.Failure<unknown, TargetFailure>): boolean => {
  const failure = Cause.findErrorOption(exit.cause)
  return failure._tag === "Some" && failure.value._tag === "Unauthorized"
}

/** Whether a failure may be due to who asked: the server answered, or those who vouch for the caller did. */
const isAboutAsker = (exit: Exit.Failure<unknown, TargetFailure>): boolean => {
  const failure = Cause.findErrorOption(exit.cause)
  if (failure._tag === "None") return false
  const { value } = failure
  switch (value._tag) {
    case "TimedOut":
    case "Suspended":
      return false
    case "Unreachable":
      return value.code !== undefined || value.status !== undefined
    default:
      return true
  }
}
