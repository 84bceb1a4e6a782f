/**
 * A document at a URL, as fresh as its server asks for. It is fetched when somebody needs it: nobody waits while there
 * is one that may still be used, a failed fetch leaves the last good one in place, and all who wait share one fetch.
 */
import * as Effect from "effect/Effect"
import { locate } from "../../protocols/http/locate.ts"
import { attributesOf } from "./ask.ts"
import type { Exchange } from "../Exchange.ts"
import { spanned } from "../spanned.ts"
import type { Clock } from "../ports/Timer.ts"

/** However little its server thinks of caches. */
export const FRESH_MILLIS_MIN = 60_000
/** However much. */
export const FRESH_MILLIS_MAX = 86_400_000
/** Where its server says nothing. */
export const FRESH_MILLIS = 900_000
/** From a failure to the next try. */
export const RETRY_MILLIS = 15_000
/** How soon it is fetched again because something is missing from it; anybody can ask for what never was there. */
export const AGAIN_MILLIS = 30_000

export interface Fetched {
  readonly text: string
  /** For how long its server calls it fresh. */
  readonly freshMillis: number | undefined
}

export interface DocumentPorts {
  readonly clock: Clock
  /** Fails with a reason in words; takes no longer than it should. */
  readonly fetch: (url: string, publicOnly?: boolean) => Effect.Effect<Fetched, string>
  /** Runs something that belongs to nobody who waits for it. */
  readonly run: (effect: Effect.Effect<void>) => unknown
}

const clamped = (millis: number): number => Math.min(FRESH_MILLIS_MAX, Math.max(FRESH_MILLIS_MIN, millis))

export class RemoteDocument<A> {
  readonly url: string
  /** The last good one. */
  value: A | undefined
  /** Why the last try to fetch it failed; undefined where it did not. */
  problem: string | undefined
  /** Grows with every change of the value. */
  version = 0
  private text: string | undefined
  private readonly ports: DocumentPorts
  private readonly decode: (text: string) => A | string
  private readonly waiting = new Set<() => void>()
  private isFetching = false
  private startedMillis = -Infinity
  private nextMillis = -Infinity
  /** From then on it is too old to be used without having asked. */
  private staleMillis = -Infinity

  private readonly publicOnly: boolean

  /** `decode` answers with a text where the document is of no use. */
  constructor(url: string, decode: (text: string) => A | string, ports: DocumentPorts, publicOnly = false) {
    this.publicOnly = publicOnly
    this.url = url
    this.decode = decode
    this.ports = ports
  }

  /** Sees to it that it is fresh. An effect is to be waited for, if there is time until then; for the exchange, if any. */
  touch(deadlineMillis: number, exchange?: Exchange): Effect.Effect<void> | undefined {
    const now = this.ports.clock.nowMillis()
    if (now < this.nextMillis) return undefined
    if (!this.isFetching) this.start(now)
    return this.isFetching && (this.value === undefined || now >= this.staleMillis)
      ? this.waited(deadlineMillis, exchange)
      : undefined
  }

  /** Asks for a newer one; undefined when that was done just now. */
  again(deadlineMillis: number, exchange?: Exchange): Effect.Effect<void> | undefined {
    const now = this.ports.clock.nowMillis()
    if (!this.isFetching && now < this.startedMillis + AGAIN_MILLIS) return undefined
    if (!this.isFetching) this.start(now)
    return this.isFetching ? this.waited(deadlineMillis, exchange) : Effect.void
  }

  /** Asks for it that often, whatever its server thinks; an effect is to be waited for: the last time is too long ago. */
  renew(millis: number, deadlineMillis: number): Effect.Effect<void> | undefined {
    const now = this.ports.clock.nowMillis()
    const agoMillis = now - this.startedMillis
    if (this.isFetching || agoMillis < millis) return undefined
    this.start(now)
    return this.isFetching && agoMillis >= 2 * millis ? this.waited(deadlineMillis, undefined) : undefined
  }

  /** One fetch is for all who wait: what the trace of each has of it is its own wait. */
  private waited(deadlineMillis: number, exchange: Exchange | undefined): Effect.Effect<void> {
    const settled = this.settled(deadlineMillis)
    if (exchange === undefined) return settled
    const { clock } = this.ports
    return Effect.suspend(() => {
      const startedMillis = clock.nowMillis()
      const at = exchange.trace === undefined ? undefined : locate(this.url)
      const seen =
        at === undefined
          ? settled
          : spanned(exchange, clock, {
              name: `GET ${at.host}`,
              kind: "client",
              attributes: attributesOf("GET", at),
              run: () => settled,
              ended: () => (this.value === undefined ? (this.problem ?? "it did not come in time") : undefined),
            })
      return Effect.ensuring(
        seen,
        Effect.sync(() => (exchange.trail.waitedMillis += clock.nowMillis() - startedMillis)),
      )
    })
  }

  private settled(deadlineMillis: number): Effect.Effect<void> {
    const { clock } = this.ports
    return Effect.callback<void>((resume) => {
      const done = (): void => {
        cancelTimer?.()
        this.waiting.delete(done)
        resume(Effect.void)
      }
      const leftMillis = deadlineMillis - clock.nowMillis()
      const cancelTimer = leftMillis < Infinity ? clock.after(Math.max(leftMillis, 0), done) : undefined
      if (this.isFetching) this.waiting.add(done)
      else done()
      return Effect.sync(() => {
        cancelTimer?.()
        this.waiting.delete(done)
      })
    })
  }

  private start(now: number): void {
    this.isFetching = true
    this.startedMillis = now
    const fetching = Effect.matchEffect(this.ports.fetch(this.url, this.publicOnly), {
      onFailure: (why) => this.fail(why),
      onSuccess: (fetched) => this.take(fetched),
    })
    this.ports.run(
      Effect.onExit(fetching, (exit) => {
        this.isFetching = false
        // A defect must not be tried again at once either.
        if (exit._tag === "Failure") this.nextMillis = this.ports.clock.nowMillis() + RETRY_MILLIS
        for (const done of this.waiting) done()
        return Effect.void
      }),
    )
  }

  private fail(why: string): Effect.Effect<void> {
    this.problem = why
    this.nextMillis = this.ports.clock.nowMillis() + RETRY_MILLIS
    const until = this.value === undefined ? "there is none yet" : "the last good one stays in use"
    return Effect.logWarning(`${this.url} cannot be fetched: ${why}; ${until}`)
  }

  private take({ freshMillis, text }: Fetched): Effect.Effect<void> {
    if (text !== this.text) {
      const value = this.decode(text)
      if (typeof value === "string") return this.fail(value)
      this.text = text
      this.value = value
      this.version++
    }
    this.problem = undefined
    const millis = clamped(freshMillis ?? FRESH_MILLIS)
    this.nextMillis = this.ports.clock.nowMillis() + millis
    this.staleMillis = this.nextMillis + millis
    return Effect.void
  }
}
