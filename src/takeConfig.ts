/** What is told is taken by all workers or by none, and what became of it is remembered. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { Changes } from "../ir/diff.ts"
import type { BindKey } from "../ir/Key.ts"
import type { Snapshot } from "../ir/Snapshot.ts"
import type { Address } from "../stages/Connection.ts"
import type { Clock } from "../stages/ports/Timer.ts"
import type * as Publish from "./config/publish.ts"
import type { Told, Unusable } from "./config/Source.ts"

export interface ConfigState {
  /** The configuration told last is the one that serves. */
  readonly synchronized: boolean
  /** How many were taken; 0 before the first. */
  readonly version: number
  /** By the wall clock; absent before the first. */
  readonly takenMillis: number | undefined
  /** Why the last one was refused, if it was. */
  readonly problems: ReadonlyArray<string>
}

export interface Peers {
  readonly prepare: (
    snapshot: Snapshot,
    changes: Changes,
    addresses: ReadonlyMap<BindKey, Address>,
  ) => Effect.Effect<Publish.Prepared, Unusable>
}

export type OnConfig = (result: { readonly version: number } | Unusable) => void

interface TakingParts {
  readonly publisher: ReturnType<typeof Publish.make>
  readonly clock: Clock
  readonly peers?: Peers
  readonly onConfig?: OnConfig
}

export const takeConfig = ({ clock, onConfig, peers, publisher }: TakingParts) => {
  let config: ConfigState = { synchronized: false, version: 0, takenMillis: undefined, problems: [] }
  const tell = (result: Parameters<OnConfig>[0]) =>
    Effect.sync(() => {
      config =
        "version" in result
          ? { synchronized: true, version: result.version, takenMillis: clock.wallMillis(), problems: [] }
          : { ...config, synchronized: false, problems: result.problems }
      onConfig?.(result)
    })
  /** The gateway's own part and every peer's, all or nothing. */
  const change = Effect.fnUntraced(function* (snapshot: Snapshot) {
    const own = yield* publisher.prepare(snapshot)
    const others =
      peers === undefined
        ? undefined
        : yield* Effect.tapError(peers.prepare(snapshot, own.changes, publisher.addresses()), () => own.abort)
    yield* own.commit
    if (others !== undefined) yield* others.commit
  }, Effect.uninterruptible)
  const take = (update: Told | Unusable): Effect.Effect<void, Unusable> =>
    (update._tag === "Unusable" ? Effect.fail(update) : change(update.snapshot)).pipe(
      // A defect of ours must not end the listening to what is told next.
      Effect.catchDefect((defect) =>
        Effect.andThen(
          Effect.logError("a change of the configuration failed", Cause.die(defect)),
          Effect.fail<Unusable>({ _tag: "Unusable", problems: [`internal error: ${String(defect)}`] }),
        ),
      ),
      Effect.matchEffect({
        onFailure: (unusable) => Effect.andThen(tell(unusable), Effect.fail(unusable)),
        onSuccess: () => tell({ version: config.version + 1 }),
      }),
    )

  return { state: (): ConfigState => config, take }
}
