/**
 * Tokens that the gateway was given, each until it expires. Whoever asks while one is good gets it at once; shortly
 * before its end it is renewed without anybody waiting; where there is none, all who ask share one request for it, and
 * that request belongs to none of them.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"

/** One that ends sooner is not handed out: the request that carries it takes its time too. */
export const MARGIN_MILLIS = 15_000
/** How long before its end a token is renewed. */
export const AHEAD_MILLIS = 60_000
/** From a failure to the next try: whoever asks in between is told of the failure. */
export const RETRY_MILLIS = 1_000

export interface Expiring {
  /** By the wall clock. */
  readonly expiresMillis: number
}

export interface TokensPorts {
  readonly clock: Clock
  /** Runs something that belongs to nobody who waits for it. */
  readonly run: (effect: Effect.Effect<void>) => unknown
}

export interface Asking<A> {
  readonly fetch: () => Effect.Effect<A, Refusal>
  /** How long a fetch may take. */
  readonly timeoutMillis: number
  /** What a fetch that took longer comes to. */
  readonly late: Refusal
  /** How many entries are kept along with this one. */
  readonly entriesMax: number
  /** It can be fetched once only: it is good until its very end, and never renewed. */
  readonly isOneTime?: boolean
}

type Outcome<A> = { readonly _tag: "Got"; readonly token: A } | { readonly _tag: "Refused"; readonly refusal: Refusal }

class Entry<A> {
  token: A | undefined = undefined
  /** These are monotonic: a clock that is set must not make a token good again. */
  untilMillis = -Infinity
  renewMillis = -Infinity
  refusal: Refusal | undefined = undefined
  retryMillis = -Infinity
  isFetching = false
  readonly waiting = new Set<(outcome: Outcome<A>) => void>()
}

export class Tokens<A extends Expiring> {
  private readonly ports: TokensPorts
  private readonly entries = new Map<string, Entry<A>>()

  constructor(ports: TokensPorts) {
    this.ports = ports
  }

  get size(): number {
    return this.entries.size
  }

  /** The token at hand; undefined where somebody would have to wait for it. */
  peek(key: string): A | undefined {
    const entry = this.entries.get(key)
    return entry !== undefined && this.ports.clock.nowMillis() < entry.untilMillis ? entry.token : undefined
  }

  get(key: string, asking: Asking<A>): Effect.Effect<A, Refusal> {
    const entry = this.entry(key, asking.entriesMax)
    const now = this.ports.clock.nowMillis()
    if (entry.token !== undefined && now < entry.untilMillis) {
      if (now >= entry.renewMillis && now >= entry.retryMillis && !entry.isFetching) this.start(entry, asking)
      return Effect.succeed(entry.token)
    }
    if (!entry.isFetching) {
      if (entry.refusal !== undefined && now < entry.retryMillis) return Effect.fail(entry.refusal)
      return Effect.suspend(() => {
        const waits = this.wait(entry)
        if (!entry.isFetching) this.start(entry, asking)
        return waits
      })
    }
    return this.wait(entry)
  }

  /** The one used longest ago goes first. */
  private entry(key: string, entriesMax: number): Entry<A> {
    let entry = this.entries.get(key)
    if (entry === undefined) {
      entry = new Entry()
      for (const oldest of this.entries.keys()) {
        if (this.entries.size < entriesMax) break
        this.entries.delete(oldest)
      }
      if (entriesMax > 0) this.entries.set(key, entry)
    } else if (this.entries.size > 1) {
      this.entries.delete(key)
      this.entries.set(key, entry)
    }
    return entry
  }

  private wait(entry: Entry<A>): Effect.Effect<A, Refusal> {
    let outcome: Outcome<A> | undefined
    let told: ((outcome: Outcome<A>) => void) | undefined
    const listen = (one: Outcome<A>): void => {
      outcome = one
      told?.(one)
    }
    entry.waiting.add(listen)
    return Effect.callback<A, Refusal>((resume) => {
      told = (one) => resume(one._tag === "Got" ? Effect.succeed(one.token) : Effect.fail(one.refusal))
      if (outcome !== undefined) told(outcome)
      return Effect.sync(() => void entry.waiting.delete(listen))
    })
  }

  private start(entry: Entry<A>, { fetch, isOneTime, late, timeoutMillis }: Asking<A>): void {
    entry.isFetching = true
    const fetched = Effect.suspend(fetch).pipe(
      Effect.timeoutOrElse({ duration: timeoutMillis, orElse: () => Effect.fail(late) }),
      Effect.matchEffect({
        onFailure: (refusal) => Effect.sync((): Outcome<A> => this.fail(entry, refusal)),
        onSuccess: (token) => Effect.sync((): Outcome<A> => this.take(entry, token, isOneTime === true)),
      }),
    )
    this.ports.run(
      Effect.onExit(
        Effect.flatMap(fetched, (outcome) => this.tell(entry, outcome)),
        (exit) =>
          exit._tag === "Success"
            ? Effect.void
            : Effect.suspend(() => this.tell(entry, this.fail(entry, { _tag: "Defect" }))),
      ),
    )
  }

  private tell(entry: Entry<A>, outcome: Outcome<A>): Effect.Effect<void> {
    return Effect.sync(() => {
      entry.isFetching = false
      for (const listen of entry.waiting) listen(outcome)
      entry.waiting.clear()
    })
  }

  private fail(entry: Entry<A>, refusal: Refusal): Outcome<A> {
    entry.refusal = refusal
    entry.retryMillis = this.ports.clock.nowMillis() + RETRY_MILLIS
    return { _tag: "Refused", refusal }
  }

  private take(entry: Entry<A>, token: A, isOneTime: boolean): Outcome<A> {
    const { clock } = this.ports
    const now = clock.nowMillis()
    const leftMillis = token.expiresMillis - clock.wallMillis()
    entry.token = token
    entry.refusal = undefined
    entry.untilMillis = now + leftMillis - (isOneTime ? 0 : MARGIN_MILLIS)
    entry.renewMillis = isOneTime ? Infinity : now + Math.max(leftMillis - AHEAD_MILLIS, leftMillis / 2)
    return { _tag: "Got", token }
  }
}
