import * as Effect from "effect/Effect"
import type { ToolLock } from "../../../ir/backend/ToolLock.ts"
import { foldName } from "../../../protocols/lock/fold.ts"
import type { Kind } from "../../../protocols/lock/hash.ts"
import { cuesOf, type Item } from "../../../protocols/lock/Item.ts"
import type { Names } from "../../../protocols/lock/Names.ts"
import { isApproved, type LocksFailure, observed, type Pin, type ServerPlace } from "../../ports/Locks.ts"
import type { Approvals, Ready } from "./Approvals.ts"
import { deed, rewrite } from "./decisions.ts"
import type { Definitions } from "./Definitions.ts"
import type { LockParts } from "./LockParts.ts"

export interface FirstContactParts {
  readonly place: ServerPlace
  readonly mode: ToolLock["mode"]
  readonly parts: LockParts
  readonly approvals: Approvals
  readonly definitions: Definitions
  readonly namesFor: (own: Iterable<string>) => Names
}

/** Whatever a server says first is approved as far as it looks harmless, or noted by who only watches. */
export class FirstContact {
  private readonly with: FirstContactParts
  /** Kinds of which it was written down what there is, by somebody who only watches. */
  private readonly watched = new Set<Kind>()

  constructor(parts: FirstContactParts) {
    this.with = parts
  }

  /** Whether it has still to be made. */
  isDue(ready: Ready, kind: Kind): boolean {
    const { mode } = this.with
    if (mode === "locked" || ready.page.met.includes(kind)) return false
    return mode === "tofu" || !(this.watched.has(kind) || ready.approved.has(kind))
  }

  make(ready: Ready, kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    // Whoever only watches keeps nothing from anybody.
    return this.with.mode === "observe"
      ? Effect.catch(this.watch(kind, texts), () => Effect.succeed(ready))
      : this.approve(kind, texts)
  }

  private read(kind: Kind, texts: ReadonlyArray<string>): ReadonlyArray<Item> {
    return texts.flatMap((text) => this.with.definitions.read(kind, text) ?? [])
  }

  /** Something to compare with later: that it was seen approves nothing. */
  private watch(kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    const { approvals, parts, place } = this.with
    return Effect.suspend(() => {
      this.watched.add(kind)
      const items = new Map(this.read(kind, texts).map((item) => [item.name, item]))
      const at = new Date(parts.clock.wallMillis()).toISOString()
      return Effect.flatMap(
        rewrite(parts.locks, place, ({ met, pins }) =>
          items.size === 0 || met.includes(kind) || pins.some((one) => one.kind === kind)
            ? undefined
            : { met, pins: [...pins, ...Array.from(items.values(), (item) => pinOf(item, observed, at))] },
        ),
        (page) => approvals.take(page),
      )
    })
  }

  private approve(kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    const { approvals, namesFor, parts, place } = this.with
    const { clock, locks } = parts
    return Effect.suspend(() => {
      const items = this.read(kind, texts)
      const trusted = harmless(items, namesFor(items.map(({ name }) => name)))
      const at = new Date(clock.wallMillis()).toISOString()
      let isFirst = false
      return Effect.tap(
        Effect.flatMap(
          rewrite(locks, place, ({ met, pins }) => {
            isFirst = !met.includes(kind)
            if (!isFirst) return undefined
            const kept = pins.filter((one) => one.kind !== kind || isApproved(one))
            const known = new Set(kept.filter((one) => one.kind === kind).map(({ name }) => name))
            const added = trusted.filter(({ name }) => !known.has(name))
            return { met: [...met, kind], pins: [...kept, ...added.map((item) => pinOf(item, "first contact", at))] }
          }),
          (page) => approvals.take(page),
        ),
        () =>
          isFirst
            ? Effect.ignore(
                locks.audit(
                  deed(
                    "gateway",
                    clock.wallMillis(),
                    { ...place, kind, name: "" },
                    {
                      action: "met",
                      before: "",
                      after: "",
                      detail: `${trusted.length} of ${items.length} taken on trust`,
                    },
                  ),
                ),
              )
            : Effect.void,
      )
    })
  }
}

/** Of several that look alike only the first. */
const harmless = (items: ReadonlyArray<Item>, names: Names): ReadonlyArray<Item> => {
  const taken = new Set<string>()
  const said = new Set<string>()
  return items.filter((item) => {
    const fold = foldName(item.name)
    const isTaken = said.has(item.name) || taken.has(fold)
    said.add(item.name)
    if (isTaken || cuesOf(item, names).strong.length > 0) return false
    taken.add(fold)
    return true
  })
}

const pinOf = ({ canonicalText, hash, kind, name }: Item, by: string, at: string): Pin => ({
  kind,
  name,
  hash,
  text: canonicalText,
  by,
  at,
})
