/** Configuration from a file: read at the start, and again whenever it or something it refers to changes. */
import * as Effect from "effect/Effect"
import { unseal } from "../../ir/transfer.ts"
import { type ConfigIssue, format } from "./ConfigIssue.ts"
import { begin, type Job, type Loading, type Outcome } from "./loading.ts"
import type { Loaded } from "./local/load.ts"
import type { Source, Told, Unusable } from "./Source.ts"
import { pollMillis, watch } from "./watch.ts"

export interface FileOptions extends Job {
  /** Told of every load after the first that succeeded. */
  readonly onLoaded?: (loaded: Loaded) => void
  /** Told what has everything read again, whether or not it changed. */
  readonly onFollowed?: (readAgain: () => void) => void
}

/** A load, with what has to be looked at to learn when it is out of date. */
export interface Read {
  readonly loaded: Loaded
  readonly seen: ReadonlyMap<string, string>
}

const ask = (loading: () => Loading, { env, file, text }: Job): Effect.Effect<Outcome> =>
  Effect.callback((resume) => {
    const { cancel, load, outcome } = loading()
    load({ file, env, ...(text === undefined ? {} : { text }) })
    void outcome.then((value) => resume(Effect.succeed(value)))
    return Effect.sync(cancel)
  })

const readOf = ({ loaded, seen }: Extract<Outcome, { _tag: "Loaded" }>): Read => ({ loaded: unseal(loaded), seen })

/** What a reader that was started ahead of time makes of its job. */
export const finish = (outcome: Promise<Outcome>): Effect.Effect<Read, ReadonlyArray<ConfigIssue>> =>
  Effect.flatMap(
    Effect.promise(() => outcome),
    (value) => (value._tag === "Loaded" ? Effect.succeed(readOf(value)) : Effect.fail(value.issues)),
  )

/** One complete load, with every problem at once. */
export const read = (options: FileOptions): Effect.Effect<Read, ReadonlyArray<ConfigIssue>> =>
  Effect.flatMap(ask(begin, options), (value) =>
    value._tag === "Loaded" ? Effect.succeed(readOf(value)) : Effect.fail(value.issues),
  )

/** Begins with what was loaded already and goes on with every change. */
export const source = (options: FileOptions, first: Read): Source => ({
  name: options.file,
  follow: (take) =>
    Effect.suspend(() => {
      let { seen } = first
      const again = (look: () => void, later: () => void) =>
        Effect.map(ask(begin, options), (outcome): Told | Unusable => {
          // Nothing that is watched changes when what was in the way is gone.
          if (outcome._tag === "Refused" && outcome.isUnread === true) later()
          // What could not be used may become usable by a change of what it refers to, or by a return to what served.
          seen = outcome._tag === "Loaded" ? outcome.seen : new Map([...seen, ...outcome.seen])
          look()
          if (outcome._tag === "Refused") {
            const errors = outcome.issues.filter(({ severity }) => severity === "error")
            return { _tag: "Unusable", problems: errors.map((issue) => format(issue, options.file)) }
          }
          const { loaded } = readOf(outcome)
          options.onLoaded?.(loaded)
          return { _tag: "Told", snapshot: loaded.snapshot }
        })
      const changes = Effect.acquireUseRelease(
        Effect.sync(() => {
          const bell = new Bell()
          options.onFollowed?.(bell.ring)
          return { bell, watching: watch(() => seen, bell.ring) }
        }),
        ({ bell, watching: { look } }) =>
          Effect.forever(Effect.flatMap(Effect.andThen(bell.rung, again(look, bell.ringLater)), take)),
        ({ bell, watching: { stop } }) =>
          Effect.sync(() => {
            bell.still()
            stop()
          }),
      )
      return Effect.andThen(take({ _tag: "Told", snapshot: first.loaded.snapshot }), changes)
    }),
})

/** A change while another is being loaded is read after it, however many there were. */
class Bell {
  private isRung = false
  private waiting: (() => void) | undefined
  private timer: NodeJS.Timeout | undefined

  readonly ring = (): void => {
    this.isRung = true
    this.waiting?.()
  }

  readonly ringLater = (): void => {
    clearTimeout(this.timer)
    this.timer = setTimeout(this.ring, pollMillis).unref()
  }

  readonly still = (): void => clearTimeout(this.timer)

  readonly rung = Effect.callback<void>((resume) => {
    this.waiting = () => {
      this.waiting = undefined
      this.isRung = false
      resume(Effect.void)
    }
    if (this.isRung) this.waiting()
    return Effect.sync(() => {
      this.waiting = undefined
    })
  })
}
