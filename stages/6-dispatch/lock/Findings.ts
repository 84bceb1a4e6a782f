import * as Effect from "effect/Effect"
import { difference, rendered } from "../../../protocols/lock/difference.ts"
import type { Item } from "../../../protocols/lock/Item.ts"
import type { Finding, ServerPlace } from "../../ports/Locks.ts"
import { deed, samePlace } from "./decisions.ts"
import type { LockParts } from "./LockParts.ts"

const foundMax = 10_000
const differenceCharsMax = 4_000

export interface Found extends Pick<Finding, "grade" | "action" | "reasons"> {
  readonly item: Item
  readonly before: Item | undefined
  readonly isGone?: boolean
}

const keyOf = ({ kind, name }: Pick<Item, "kind" | "name">): string => `${kind} ${name}`
const markOf = ({ action, hash }: Pick<Finding, "action" | "hash">): string => `${hash} ${action}`

/** What people are told of a server: each thing once, until the server says again what was approved. */
export class Findings {
  private readonly place: ServerPlace
  private readonly parts: LockParts
  /** What was told, and of which hash. */
  private readonly told = new Map<string, string>()

  constructor(place: ServerPlace, parts: LockParts) {
    this.place = place
    this.parts = parts
  }

  /** What was told before this gateway was started is not told again, and can be settled. */
  remember(): void {
    const { locks, run } = this.parts
    run(
      Effect.map(locks.findings, (all) => {
        for (const one of all) {
          const key = keyOf(one)
          if (samePlace(one, this.place) && !this.told.has(key)) this.told.set(key, markOf(one))
        }
      }),
    )
  }

  tell({ action, before, grade, isGone = false, item, reasons }: Found): void {
    const { alarm, clock, locks, run } = this.parts
    const key = keyOf(item)
    const mark = markOf({ action, hash: item.hash })
    if (this.told.get(key) === mark) return
    if (this.told.size >= foundMax) this.told.clear()
    this.told.set(key, mark)
    const now = clock.wallMillis()
    const finding: Finding = {
      ...this.place,
      kind: item.kind,
      name: item.name,
      hash: item.hash,
      text: item.text,
      grade,
      action,
      reasons,
      firstMillis: now,
      lastMillis: now,
    }
    const beside = (): string =>
      rendered(difference(before?.canonicalText, isGone ? undefined : item.canonicalText)).slice(0, differenceCharsMax)
    run(
      Effect.flatMap(locks.report(finding), (isFirst) => {
        if (!isFirst) return Effect.void
        alarm?.({ ...finding, difference: beside() })
        return locks.audit(
          deed("gateway", now, finding, {
            action: isGone ? "gone" : "found",
            before: before?.hash ?? "",
            after: item.hash,
            detail: `${grade}, ${action}: ${reasons.join("; ")}`,
          }),
        )
      }),
    )
  }

  /** It says again what was approved. */
  settle(item: Item): void {
    if (!this.told.delete(keyOf(item))) return
    const { locks, run } = this.parts
    run(Effect.ignore(locks.settle(this.place, { kind: item.kind, name: item.name })))
  }
}
