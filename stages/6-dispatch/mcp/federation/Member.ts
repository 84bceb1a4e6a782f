/**
 * One target among others: how long it may take, when it is left alone for a while, and what it listed last. Nothing that
 * goes wrong with it costs the others more than its own deadline.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Defaults from "../../../../ir/defaults.ts"
import type { McpTarget as Described } from "../../../../ir/backend/Mcp.ts"
import { asNumber, asString, Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes } from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { paramHeadersOf } from "../../../../protocols/mcp/paramHeaders.ts"
import type { Era } from "../../../../protocols/mcp/revision.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Changed } from "../target/makeTarget.ts"
import type { Call, Caller, Discovery, McpTarget, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { silent } from "../target/silent.ts"
import { problemOf, type Question, watched, within } from "./watched.ts"

export interface Listing {
  /** In the target's own words. */
  readonly items: ReadonlyArray<Json>
  readonly era: Era
  readonly atMillis: number
  /** How long it was good for when it came. */
  readonly ttlMillis: number
  readonly isPublic: boolean
}

export type Listed =
  | { readonly _tag: "Fresh"; readonly listing: Listing }
  /** What it said before; `failure` is what it says now. */
  | { readonly _tag: "Stale"; readonly listing: Listing; readonly failure: TargetFailure }
  | { readonly _tag: "Missing"; readonly failure: TargetFailure }

const listingsMax = 4_096

const kinds: Readonly<Record<string, Parameters<Changed>[0]>> = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resources",
}

export class Member {
  readonly name: string
  readonly described: Described
  readonly target: McpTarget
  private readonly runtime: McpRuntime
  private readonly listings = new Map<string, Listing>()
  private readonly discoveries = new Map<string, { readonly discovery: Discovery; readonly atMillis: number }>()
  private failures = 0
  private suspendedUntil = 0
  /** Whoever keeps something that depends on what is listed. */
  private readonly watchers = new Set<Changed>()

  constructor(described: Described, runtime: McpRuntime, make: (changed: Changed) => McpTarget) {
    this.name = described.name
    this.described = described
    this.runtime = runtime
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
    for (const [key, listing] of this.listings) {
      // What was listed is no longer true, but better than nothing if the target is gone just now.
      if (kinds[key.split(" ")[0] as string] === what) this.listings.set(key, { ...listing, ttlMillis: 0 })
    }
    for (const watcher of this.watchers) watcher(what)
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
    this.listings.clear()
    this.discoveries.clear()
  }

  /** What is kept of its answers. */
  get kept(): number {
    return this.listings.size + this.discoveries.size
  }

  /** A question to the target as traces, stories and metrics see it, which counts what goes wrong in a row. */
  private asking<A>(question: Question<A>): Effect.Effect<A, TargetFailure> {
    return watched(this.runtime, this.name, question, (caller, traceparent) =>
      this.guarded(question.run(caller, traceparent)),
    )
  }

  /** Whoever left before the end says nothing about the target. */
  private guarded<A>(effect: Effect.Effect<A, TargetFailure>): Effect.Effect<A, TargetFailure> {
    return Effect.suspend(() => {
      const { clock } = this.runtime
      if (clock.nowMillis() < this.suspendedUntil) {
        return Effect.fail<TargetFailure>({ _tag: "Suspended", target: this.name, message: "left alone" })
      }
      return Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) {
            this.failures = 0
            return
          }
          if (Exit.hasInterrupts(exit)) return
          if (++this.failures >= limits.failuresMax) {
            // From now on one failure is enough, until it works again.
            this.failures = limits.failuresMax - 1
            this.suspendedUntil = clock.nowMillis() + limits.suspendedMillis
          }
        }),
      )
    })
  }

  private within<A>(millis: number, effect: Effect.Effect<A, TargetFailure>): Effect.Effect<A, TargetFailure> {
    return Effect.timeoutOrElse(effect, {
      duration: millis,
      orElse: () => Effect.fail<TargetFailure>({ _tag: "TimedOut", target: this.name, message: "no reply in time" }),
    })
  }

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> =>
    this.asking({
      caller: call.caller,
      method: call.method,
      params: call.params,
      problemIn: problemOf,
      run: (caller, traceparent) =>
        bounded(this.runtime, this.name, this.callMillis, this.target.call(within(call, caller, traceparent))),
    })

  private keyOf(caller: Caller): string {
    return `${caller.principal} ${capabilitiesOf(caller.capabilities).fingerprint}`
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    Effect.suspend(() => {
      const { clock } = this.runtime
      const known = this.discoveries.get("public") ?? this.discoveries.get(this.keyOf(caller))
      if (known !== undefined && clock.nowMillis() - known.atMillis < known.discovery.ttlMillis) {
        return Effect.succeed(known.discovery)
      }
      return Effect.catch(
        Effect.tap(
          this.asking({
            caller,
            method: "server/discover",
            run: (seen) => this.within(this.listMillis, this.target.discover(seen)),
          }),
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

  /** Everything there is, page after page. */
  readonly list = (method: string, caller: Caller): Effect.Effect<Listed> =>
    Effect.suspend(() => {
      const { clock } = this.runtime
      const known = this.known(method, caller)
      if (known !== undefined && clock.nowMillis() - known.atMillis < known.ttlMillis) {
        return Effect.succeed<Listed>({ _tag: "Fresh", listing: known })
      }
      const asked = this.asking({
        caller,
        method,
        run: (seen, traceparent) => this.within(this.listMillis, this.drain(method, seen, traceparent)),
      })
      return Effect.match(asked, {
        onFailure: (failure): Listed =>
          known !== undefined && clock.nowMillis() - known.atMillis < limits.staleMillis
            ? { _tag: "Stale", listing: known, failure }
            : { _tag: "Missing", failure },
        onSuccess: (listing): Listed => {
          this.keep(method, caller, listing)
          return { _tag: "Fresh", listing }
        },
      })
    })

  keep(method: string, caller: Caller, listing: Listing): void {
    if (this.listings.size >= listingsMax) this.listings.clear()
    this.listings.set(`${method} ${listing.isPublic ? "public" : this.keyOf(caller)}`, listing)
  }

  private drain(
    method: string,
    caller: Caller,
    traceparent: string | undefined,
  ): Effect.Effect<Listing, TargetFailure> {
    const member = methods.get(method)?.lists ?? ""
    const items: Array<Json> = []
    const page = (cursor: Json | undefined, pages: number): Effect.Effect<Listing, TargetFailure> =>
      Effect.flatMap(
        this.target.call(
          within(
            {
              caller,
              method,
              params: cursor === undefined ? undefined : Fields.of({ cursor }),
              wantsProgress: false,
              logLevel: undefined,
              paramHeaders: [],
              events: silent,
            },
            caller,
            traceparent,
          ),
        ),
        (outcome) => {
          const listing = this.listingOf(method, outcome)
          if (outcome._tag === "Error") {
            // A server without such a thing lists nothing of it.
            return codeOf(outcome.error) === codes.methodNotFound
              ? Effect.succeed({ ...listing, ttlMillis: 0 })
              : Effect.fail<TargetFailure>({
                  _tag: "Unreachable",
                  target: this.name,
                  message: Fields.parse(outcome.error)?.string("message") ?? "an error",
                  began: true,
                })
          }
          items.push(...listing.items)
          const next = Fields.parse(outcome.result)?.get("nextCursor")
          return next === undefined || next === "null" || pages >= limits.pagesMax || items.length >= limits.itemsMax
            ? Effect.succeed({ ...listing, items: items.slice(0, limits.itemsMax) })
            : page(next, pages + 1)
        },
      )
    return Effect.suspend(() => (member === "" ? Effect.never : page(undefined, 1)))
  }

  /** One page as a listing. */
  listingOf(method: string, outcome: Outcome): Listing {
    const fields = outcome._tag === "Result" ? Fields.parse(outcome.result) : undefined
    const items = itemsOf(fields?.get(methods.get(method)?.lists ?? "")) ?? []
    return {
      // A tool whose schema asks for headers that cannot be made cannot be called.
      items: method === "tools/list" && outcome.era === "modern" ? items.filter(isCallable) : items,
      era: outcome.era,
      atMillis: this.runtime.clock.nowMillis(),
      ttlMillis: Math.min(asNumber(fields?.get("ttlMs")) ?? 0, 24 * 3_600_000),
      isPublic: asString(fields?.get("cacheScope")) === "public",
    }
  }

  close(): void {
    this.watchers.clear()
    this.target.close()
  }
}

const isCallable = (tool: Json): boolean =>
  !tool.includes("x-mcp-header") || paramHeadersOf(Fields.parse(tool)?.get("inputSchema")) !== undefined

/** A timer of our own costs less than a race, and every call has one. */
const bounded = <A>(
  { clock, run }: McpRuntime,
  target: string,
  millis: number,
  effect: Effect.Effect<A, TargetFailure>,
): Effect.Effect<A, TargetFailure> =>
  Effect.callback<A, TargetFailure>((resume) => {
    let disarm: (() => void) | undefined
    let isDone = false
    const fiber = run(
      Effect.onExit(effect, (exit) =>
        Effect.sync(() => {
          isDone = true
          disarm?.()
          resume(exit)
        }),
      ),
    )
    if (isDone) return
    disarm = clock.after(millis, () => {
      resume(Effect.fail<TargetFailure>({ _tag: "TimedOut", target, message: "no end in time" }))
      fiber.interruptUnsafe()
    })
    return Effect.sync(() => {
      disarm?.()
      fiber.interruptUnsafe()
    })
  })
