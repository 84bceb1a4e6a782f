import * as Effect from "effect/Effect"
import type { ToolLock } from "../../../ir/backend/ToolLock.ts"
import type { Kind } from "../../../protocols/lock/hash.ts"
import { type Item, itemOf } from "../../../protocols/lock/Item.ts"
import {
  blank,
  isApproved,
  type LocksFailure,
  locksFailure,
  type Page,
  type Pin,
  type ServerPlace,
} from "../../ports/Locks.ts"
import type { LockParts } from "./LockParts.ts"

/** From then on the book is looked into again before it is relied upon. */
const freshMillis = 1_000
/** With the book out of reach, what was known goes on for this long. */
const staleMillis = 60_000

export interface Ready {
  readonly page: Page
  /** What was approved, by kind and name. */
  readonly approved: ReadonlyMap<Kind, ReadonlyMap<string, Item>>
}

/** What was approved of one server, as fresh as it has to be. Where it cannot tell what was, nothing is. */
export class Approvals {
  private readonly place: ServerPlace
  private readonly mode: ToolLock["mode"]
  private readonly parts: LockParts
  private readonly onTaken: (isFirst: boolean) => void
  private ready: Ready | undefined
  private readMillis = -Infinity

  /** `onTaken` is told when the book is read first, and whenever it says something else than before. */
  constructor(place: ServerPlace, mode: ToolLock["mode"], parts: LockParts, onTaken: (isFirst: boolean) => void) {
    this.place = place
    this.mode = mode
    this.parts = parts
    this.onTaken = onTaken
  }

  /** As of a moment ago. */
  readonly current: Effect.Effect<Ready, LocksFailure> = Effect.suspend(() => {
    const { clock } = this.parts
    if (this.ready !== undefined && clock.nowMillis() - this.readMillis < freshMillis) return Effect.succeed(this.ready)
    return this.refresh
  })

  private readonly refresh: Effect.Effect<Ready, LocksFailure> = Effect.suspend(() =>
    Effect.catch(
      Effect.flatMap(this.parts.locks.read(this.place), (page) => this.take(page)),
      (failure): Effect.Effect<Ready, LocksFailure> => {
        const isRecent = this.parts.clock.nowMillis() - this.readMillis < staleMillis
        if (failure.reason === "unavailable" && isRecent && this.ready !== undefined) return Effect.succeed(this.ready)
        // Whoever only watches keeps nothing from anybody.
        return this.mode === "observe" ? Effect.succeed({ page: blank, approved: new Map() }) : Effect.fail(failure)
      },
    ),
  )

  /** What the book says now. */
  take(page: Page): Effect.Effect<Ready, LocksFailure> {
    return Effect.suspend(() => {
      this.readMillis = this.parts.clock.nowMillis()
      const before = this.ready
      if (before !== undefined && before.page.revision === page.revision) {
        // Passes end without anybody writing anything.
        if (before.page.passes.length === page.passes.length) return Effect.succeed(before)
        const ready = (this.ready = { ...before, page })
        this.onTaken(false)
        return Effect.succeed(ready)
      }
      const approved = new Map<Kind, Map<string, Item>>()
      for (const pin of page.pins) {
        if (this.mode !== "observe" && !isApproved(pin)) continue
        const item = this.pinned(pin)
        if (item === undefined) {
          return Effect.fail(
            locksFailure(
              "unusable",
              `the lock of ${this.place.server} is broken: ${pin.kind} ${pin.name} is not what its hash says`,
            ),
          )
        }
        const ofKind = approved.get(pin.kind) ?? new Map<string, Item>()
        if (!approved.has(pin.kind)) approved.set(pin.kind, ofKind)
        ofKind.set(pin.name, item)
      }
      const ready = (this.ready = { page, approved })
      this.onTaken(before === undefined)
      return Effect.succeed(ready)
    })
  }

  /** Undefined: the text is not the one that was approved. */
  private pinned({ hash, kind, name, text }: Pin): Item | undefined {
    const item = itemOf(kind, text, this.parts.digest)
    return item === undefined || item.hash !== hash || item.name !== name ? undefined : item
  }
}
