/**
 * A call for a client that is asked by results, at a server that asks by requests: once the server asks, the call is kept
 * while the client is sent its questions, and goes on when it comes back with the answers.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { askToModern } from "../../../../protocols/mcp/convert.ts"
import { isLogLevel, isWanted, type LogLevel } from "../../../../protocols/mcp/methods.ts"
import type { Exchange } from "../../../Exchange.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { McpState } from "../McpState.ts"
import type { Answer, Ask, CallEvents, Outcome, TargetFailure } from "../target/McpTarget.ts"
import type { Delivery } from "./Delivery.ts"

/** Who gets what comes of a call at the moment. */
export interface Listener {
  readonly delivery: Delivery
  readonly progressToken: Json | undefined
  /** Absent: it wants no log messages. */
  readonly logLevel: LogLevel | undefined
  readonly finish: (ended: Ended) => void
}

export type Ended =
  | { readonly _tag: "Outcome"; readonly outcome: Outcome }
  | { readonly _tag: "Failure"; readonly failure: TargetFailure }
  /** A result that asks. */
  | { readonly _tag: "Asked"; readonly result: Json }

interface Question {
  readonly ask: Ask
  readonly resume: (answer: Answer) => void
}

export interface ParkedState {
  readonly call: string
  readonly round: number
  readonly principal: string
  readonly digest: string
  readonly expires: number
  readonly worker: string
}

export const purpose = "mcp-parked"

export class ParkedCall implements CallEvents {
  private name: string | undefined = undefined
  readonly principal: string
  /** Of everything that a retry has to repeat; asked for only once there may be one. */
  private readonly digest: (() => string) | undefined
  readonly showsTarget: boolean
  /** What it was called by, and with. */
  readonly place: { readonly endpoint: McpEndpoint; readonly exchange: Exchange }
  round = 0
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  private readonly state: McpState
  private readonly parkedMillis: number
  private listener: Listener | undefined
  private readonly questions = new Map<string, Question>()
  private ended: Ended | undefined = undefined
  private lastKey = 0
  private lastProgress = -Infinity
  private missedProgress: Fields | undefined = undefined
  private gathering: (() => void) | undefined = undefined
  private expiring: (() => void) | undefined = undefined
  private readonly notified: Array<() => void> = []

  constructor(
    place: { readonly endpoint: McpEndpoint; readonly exchange: Exchange },
    principal: string,
    digest: (() => string) | undefined,
    listener: Listener,
    showsTarget: boolean,
  ) {
    this.place = place
    this.state = place.endpoint.state
    this.principal = principal
    this.digest = digest
    this.listener = listener
    this.showsTarget = showsTarget
    this.parkedMillis = place.endpoint.parkedMillis
  }

  get id(): string {
    return (this.name ??= this.state.runtime.sealer.secret())
  }

  get isParked(): boolean {
    return this.listener === undefined && this.ended === undefined
  }

  readonly progress = (params: Fields): void => {
    const value = Number(params.get("progress"))
    if (!(value > this.lastProgress)) return
    const { listener } = this
    if (listener === undefined) {
      this.missedProgress = params
      return
    }
    if (listener.progressToken === undefined) return
    this.lastProgress = value
    listener.delivery.push(
      JsonRpc.encodeNotification(
        "notifications/progress",
        params.with("progressToken", listener.progressToken).toJson(),
      ),
    )
  }

  /** Servers may say more than they were asked to. */
  readonly log = (params: Fields): void => {
    const { listener } = this
    const level = params.string("level")
    if (listener?.logLevel === undefined || (isLogLevel(level) && !isWanted(level, listener.logLevel))) return
    listener.delivery.push(JsonRpc.encodeNotification("notifications/message", params.toJson()))
  }

  readonly notify = (method: string, params: Json | undefined): void => {
    if (method === "notifications/elicitation/complete") {
      for (const wake of this.notified.splice(0)) wake()
      return
    }
    this.listener?.delivery.push(JsonRpc.encodeNotification(method, params))
  }

  /** Completes when the server says that what was to be done elsewhere is done, or after a while. */
  readonly completion: Effect.Effect<void> = Effect.callback((resume) => {
    const disarm = this.state.runtime.clock.after(20_000, () => resume(Effect.void))
    this.notified.push(() => {
      disarm()
      resume(Effect.void)
    })
    return Effect.sync(disarm)
  })

  readonly ask = (ask: Ask): Effect.Effect<Answer> =>
    Effect.callback((resume) => {
      const key = `ask-${++this.lastKey}`
      this.questions.set(key, { ask, resume: (answer) => resume(Effect.succeed(answer)) })
      this.gather()
      return Effect.sync(() => {
        this.questions.delete(key)
      })
    })

  /** Servers ask several things at once, one request each. */
  private gather(): void {
    if (this.listener === undefined) return
    this.gathering?.()
    this.gathering = this.state.runtime.clock.after(limits.gatherMillis, () => {
      this.gathering = undefined
      if (this.questions.size > 0) this.park()
    })
  }

  private park(): void {
    const { listener, state } = this
    if (listener === undefined) return
    if (
      !state.parked.has(this.id) &&
      (state.parked.size >= limits.parkedMax || state.parkedBy(this.principal) >= limits.parkedPerPrincipalMax)
    ) {
      this.abandon("too many calls wait for answers")
      return
    }
    this.listener = undefined
    state.parked.set(this.id, this)
    this.expiring?.()
    this.expiring = state.runtime.clock.after(this.parkedMillis, () => this.expire())
    listener.finish({ _tag: "Asked", result: this.asked() })
  }

  /** The result that asks; the state in it is good for one retry. */
  private asked(): Json {
    const { clock, sealer } = this.state.runtime
    this.round++
    const state: ParkedState = {
      call: this.id,
      round: this.round,
      principal: this.principal,
      digest: this.digest?.() ?? "",
      expires: clock.wallMillis() + this.parkedMillis,
      worker: this.state.runtime.worker,
    }
    let requests = Fields.empty
    for (const [key, { ask }] of this.questions) {
      const params = askToModern(ask.method, ask.params, this.showsTarget ? ask.target : undefined)
      requests = requests.with(key, Fields.of({ method: JSON.stringify(ask.method), params }).toJson())
    }
    return Fields.of({
      resultType: '"input_required"',
      inputRequests: requests.toJson(),
      requestState: JSON.stringify(sealer.seal(JSON.stringify(state), purpose)),
    }).toJson()
  }

  /** The client is back. Questions it left open are asked again; what it says beside them is not looked at. */
  resume(answers: Fields, listener: Listener): void {
    this.expiring?.()
    const answered: Array<() => void> = []
    for (const [key, question] of this.questions) {
      const answer = answers.get(key)
      if (answer === undefined) continue
      this.questions.delete(key)
      answered.push(() => question.resume({ _tag: "Result", result: answer }))
    }
    this.listener = listener
    if (this.ended !== undefined) return this.finish(this.ended)
    for (const answer of answered) answer()
    if (this.questions.size > 0) return this.park()
    this.state.parked.delete(this.id)
    const missed = this.missedProgress
    this.missedProgress = undefined
    if (missed !== undefined) this.progress(missed)
  }

  finish(ended: Ended): void {
    this.gathering?.()
    const { listener } = this
    if (listener === undefined) {
      // Whoever comes back with answers finds the end.
      this.ended = ended
      return
    }
    this.expiring?.()
    if (this.name !== undefined) this.state.parked.delete(this.name)
    this.listener = undefined
    this.ended = ended
    listener.finish(ended)
  }

  /** Nobody waits any more, unless for the answers of a person. */
  left(): void {
    if (this.listener === undefined) return
    this.listener = undefined
    this.gathering?.()
    this.fiber?.interruptUnsafe()
  }

  private abandon(why: string): void {
    const error = JsonRpc.errorOf(JsonRpc.codes.internal, why)
    this.finish({ _tag: "Outcome", outcome: { _tag: "Error", error, era: "modern" } })
    this.fiber?.interruptUnsafe()
  }

  /** The answers did not come: the server hears of it as it would from any client. */
  expire(): void {
    this.expiring?.()
    this.state.parked.delete(this.id)
    if (this.ended === undefined) {
      const error = JsonRpc.errorOf(JsonRpc.codes.internal, "nobody answered in time")
      this.ended = { _tag: "Outcome", outcome: { _tag: "Error", error, era: "modern" } }
    }
    for (const { ask, resume } of this.questions.values()) {
      resume(
        ask.method === "elicitation/create"
          ? { _tag: "Result", result: '{"action":"cancel"}' }
          : { _tag: "Error", error: JsonRpc.errorOf(JsonRpc.codes.internal, "nobody answered in time") },
      )
    }
    this.questions.clear()
    this.state.runtime.clock.after(limits.gatherMillis, () => this.fiber?.interruptUnsafe())
  }
}
