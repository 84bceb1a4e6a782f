/**
 * A server over HTTP of which it is not known what it speaks: asked once, remembered for a while, and asked again when it
 * contradicts what was found. A server that is not to be had says nothing about what it speaks.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes } from "../../../../protocols/mcp/jsonrpc.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"

export type Kind = "modern" | "legacy" | "sse"

export interface HttpTargetSettings {
  readonly name: string
  readonly runtime: McpRuntime
  readonly make: (kind: Kind) => McpTarget
}

interface Verdict {
  readonly kind: Kind
  readonly target: McpTarget
  readonly atMillis: number
}

const modernCodes: ReadonlySet<number | undefined> = new Set([
  codes.headerMismatch,
  codes.missingCapability,
  codes.unsupportedVersion,
])

/** What a server answers that does not know what it was asked for. */
const foreign: ReadonlySet<number | undefined> = new Set([400, 404, 405, 406, 415])

/** How often one call may be told that the server speaks another way after all. */
const contradictionsMax = 3

type Unreachable = Extract<TargetFailure, { readonly _tag: "Unreachable" }>

/** Whether the server is there, but does not speak like that. */
const isForeign = (failure: TargetFailure): failure is Unreachable =>
  failure._tag === "Unreachable" && (foreign.has(failure.status) || failure.code !== undefined)

const isModern = (failure: TargetFailure): boolean => failure._tag === "Unreachable" && modernCodes.has(failure.code)

export class HttpTarget implements McpTarget {
  readonly name: string
  private readonly settings: HttpTargetSettings
  private readonly made = new Map<Kind, McpTarget>()
  private verdict: Verdict | undefined = undefined
  private probing: Deferred.Deferred<Verdict, TargetFailure> | undefined = undefined
  private probedFor: string | undefined = undefined

  constructor(settings: HttpTargetSettings) {
    this.name = settings.name
    this.settings = settings
  }

  private of(kind: Kind): McpTarget {
    let target = this.made.get(kind)
    if (target === undefined) this.made.set(kind, (target = this.settings.make(kind)))
    return target
  }

  private decide(kind: Kind): Verdict {
    const verdict = { kind, target: this.of(kind), atMillis: this.settings.runtime.clock.nowMillis() }
    this.verdict = verdict
    return verdict
  }

  private probe(caller: Caller): Effect.Effect<Verdict, TargetFailure> {
    const decided = (kind: Kind) => Effect.sync(() => this.decide(kind))
    return Effect.matchEffect(bounded(this.name, this.of("modern").discover(caller)), {
      onSuccess: () => decided("modern"),
      onFailure: (failure) => {
        if (isModern(failure)) return decided("modern")
        if (!isForeign(failure)) return Effect.fail(failure)
        return Effect.matchEffect(bounded(this.name, this.of("legacy").discover(caller)), {
          onSuccess: () => decided("legacy"),
          onFailure: (second) => {
            if (isModern(second)) return decided("modern")
            if (!isForeign(second) || second.code !== undefined) return Effect.fail(second)
            return Effect.matchEffect(bounded(this.name, this.of("sse").discover(caller)), {
              onSuccess: () => decided("sse"),
              // What the main endpoint said is the better explanation.
              onFailure: () => Effect.fail<TargetFailure>(second),
            })
          },
        })
      },
    })
  }

  /** Goes on even if whoever asked first has left: others may wait for it by then. */
  private find(caller: Caller): Effect.Effect<Verdict, TargetFailure> {
    return Effect.suspend(() => {
      const { runtime } = this.settings
      const known = this.verdict
      if (known !== undefined) {
        const isOld = known.kind !== "modern" && runtime.clock.nowMillis() - known.atMillis > limits.legacyVerdictMillis
        // A server that has become modern still answers the old way, so nothing but a new question would tell.
        if (isOld && this.probing === undefined) this.start(caller)
        return Effect.succeed(known)
      }
      const { probedFor, probing } = this
      if (probing === undefined || probedFor === caller.principal) return Deferred.await(probing ?? this.start(caller))
      return Effect.catch(Deferred.await(probing), (failure) =>
        // Somebody else may not go in; that says nothing of this caller.
        failure._tag === "Unauthorized" ? this.find(caller) : Effect.fail(failure),
      )
    })
  }

  private start(caller: Caller): Deferred.Deferred<Verdict, TargetFailure> {
    const probing = Deferred.makeUnsafe<Verdict, TargetFailure>()
    this.probing = probing
    this.probedFor = caller.principal
    this.settings.runtime.run(
      Effect.onExit(this.probe(caller), (exit) =>
        Effect.sync(() => {
          this.probing = undefined
          const why: TargetFailure = { _tag: "Unreachable", target: this.name, message: "closed", began: false }
          Deferred.doneUnsafe(probing, Exit.isFailure(exit) && Exit.hasInterrupts(exit) ? Exit.fail(why) : exit)
        }),
      ),
    )
    return probing
  }

  /** Endpoints of one server may differ while it is replaced, so a contradiction may come more than once. */
  private with<A>(
    caller: Caller,
    run: (target: McpTarget) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    const attempt = (verdict: Verdict, left: number): Effect.Effect<A, TargetFailure> =>
      Effect.catch(run(verdict.target), (failure) => {
        if (left === 0 || !isForeign(failure) || failure.began) return Effect.fail(failure)
        if (this.verdict === verdict) this.verdict = undefined
        return Effect.flatMap(this.find(caller), (next) =>
          // The same as before: then it was one endpoint of many, or nothing of the kind.
          attempt(next, next.kind === verdict.kind ? 0 : left - 1),
        )
      })
    return Effect.flatMap(this.find(caller), (verdict) => attempt(verdict, contradictionsMax))
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.with(caller, (target) => target.discover(caller))
  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> =>
    this.with(call.caller, (target) => target.call(call))
  readonly notify = (caller: Caller, method: string, params: Fields | undefined): Effect.Effect<void, TargetFailure> =>
    this.with(caller, (target) => target.notify(caller, method, params))
  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.with(caller, (target) => target.listen(caller, interest, events))

  readonly held = (session: string): Json | undefined => {
    const { verdict } = this
    const held = verdict?.target.held(session)
    return verdict === undefined || held === undefined
      ? undefined
      : Fields.of({ kind: JSON.stringify(verdict.kind), held }).toJson()
  }

  readonly restore = (caller: Caller, text: Json): void => {
    const fields = Fields.parse(text)
    const held = fields?.get("held")
    if (held === undefined || fields?.string("kind") !== "legacy") return
    if (this.verdict === undefined) this.decide("legacy")
    this.of("legacy").restore(caller, held)
  }

  readonly release = (caller: Caller): Effect.Effect<void> =>
    Effect.forEach([...this.made.values()], (target) => target.release(caller), { discard: true })

  readonly close = (): void => {
    for (const target of this.made.values()) target.close()
  }
}

const bounded = <A>(target: string, effect: Effect.Effect<A, TargetFailure>): Effect.Effect<A, TargetFailure> =>
  Effect.timeoutOrElse(effect, {
    duration: limits.probeMillis,
    orElse: () => Effect.fail<TargetFailure>({ _tag: "TimedOut", target, message: "no reply in time" }),
  })
