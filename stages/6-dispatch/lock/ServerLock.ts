/**
 * The lock of one server: what was approved of it, and what is made of what it says now. It knows nothing of how the
 * server is spoken to.
 */
import * as Effect from "effect/Effect"
import type { ToolLock } from "../../../ir/backend/ToolLock.ts"
import { legible } from "../../../protocols/lock/difference.ts"
import { foldName } from "../../../protocols/lock/fold.ts"
import type { Kind } from "../../../protocols/lock/hash.ts"
import type { Item } from "../../../protocols/lock/Item.ts"
import { gradeOf, judge, type Verdict } from "../../../protocols/lock/judge.ts"
import { Names } from "../../../protocols/lock/Names.ts"
import type { Finding, LocksFailure } from "../../ports/Locks.ts"
import { Approvals, type Ready } from "./Approvals.ts"
import { Definitions, itemsMax } from "./Definitions.ts"
import { Findings } from "./Findings.ts"
import { FirstContact } from "./FirstContact.ts"
import type { LockParts } from "./LockParts.ts"
import { reasonsOf } from "./reasons.ts"

/** Other servers beside this one, and what they offer. */
export interface Neighbours {
  readonly servers: ReadonlyArray<string>
  readonly tools: ReadonlyArray<string>
}

export interface ServerLockOptions {
  readonly server: string
  readonly lock: ToolLock
  readonly parts: LockParts
  readonly neighbours: () => Neighbours
  /** What was approved has changed. */
  readonly onChanged: () => void
}

/** A definition as clients get it. */
export interface Shown {
  readonly item: Item
  /** The very text to be sent on. */
  readonly text: string
}

export interface Judged {
  readonly shown: ReadonlyArray<Shown>
  /** Names of what does not exist for clients. */
  readonly hidden: ReadonlySet<string>
  /** Whether clients get all of it as it came. */
  readonly isWhole: boolean
}

const nothing: ReadonlyMap<string, Item> = new Map()

export class ServerLock {
  readonly mode: ToolLock["mode"]
  readonly recheckMillis: number
  /** What was approved, as of a moment ago. */
  readonly current: Effect.Effect<Ready, LocksFailure>
  private readonly options: ServerLockOptions
  private readonly firstContact: FirstContact
  private readonly definitions: Definitions
  private readonly findings: Findings
  /** By hash, for as long as the lock stays as it is. */
  private readonly verdicts = new Map<string, Verdict>()

  constructor(options: ServerLockOptions) {
    const { lock, parts, server } = options
    const { mode } = lock
    const place = { book: lock.book, server }
    this.options = options
    this.mode = mode
    this.recheckMillis = lock.recheckMillis
    this.definitions = new Definitions(parts.digest)
    this.findings = new Findings(place, parts)
    const approvals = new Approvals(place, mode, parts, (isFirst) => {
      this.verdicts.clear()
      if (isFirst) this.findings.remember()
      else options.onChanged()
    })
    this.current = approvals.current
    this.firstContact = new FirstContact({
      place,
      mode,
      parts,
      approvals,
      definitions: this.definitions,
      namesFor: (own) => this.namesFor(own),
    })
  }

  private namesFor(own: Iterable<string>): Names {
    const { servers, tools } = this.options.neighbours()
    return new Names({ own, servers, tools })
  }

  /** Whether a first contact has still to be made, and whatever is said first is approved. */
  meets(ready: Ready, kind: Kind): boolean {
    return this.firstContact.isDue(ready, kind)
  }

  /** Everything of a kind that the server says, for the first time: what looks harmless is approved as it is. */
  meet(ready: Ready, kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    return this.firstContact.make(ready, kind, texts)
  }

  /** What is approved once a first contact was made. */
  met(ready: Ready, kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    return this.meets(ready, kind) ? this.meet(ready, kind, texts) : Effect.succeed(ready)
  }

  /**
   * What clients get of what a server says. `isAll`: this is everything it says of that kind, so whatever else was
   * approved is gone.
   */
  judge(ready: Ready, kind: Kind, texts: ReadonlyArray<string>, isAll: boolean): Judged {
    const approved = ready.approved.get(kind) ?? nothing
    const items = texts.map((text) => this.definitions.read(kind, text))
    let names: Names | undefined
    const shown: Array<Shown> = []
    const hidden = new Set<string>()
    // What is hidden passes for nobody, unless it has the very same name: then nobody could tell which of them is used.
    const taken = new Map<string, string>()
    const said = new Set<string>()
    let isWhole = true
    for (const [i, item] of items.entries()) {
      const text = texts[i] as string
      if (item === undefined) {
        // What cannot be named cannot be approved.
        if (this.mode === "observe") continue
        isWhole = false
        continue
      }
      const pin = approved.get(item.name)
      const isSame = pin?.hash === item.hash && item.repeated.length === 0
      const verdict: Verdict = isSame
        ? { _tag: "Same" }
        : this.verdictOn(item, approved, () => (names ??= this.namesFor(items.flatMap((one) => one?.name ?? []))))
      const fold = foldName(item.name)
      const twin = said.has(item.name) ? item.name : taken.get(fold)
      const decided = twin === undefined ? this.decide(ready, item, verdict) : this.shadowed(item, twin)
      said.add(item.name)
      if (twin === undefined && decided !== undefined) taken.set(fold, item.name)
      if (decided === undefined) {
        isWhole = false
        if (twin !== item.name) hidden.add(item.name)
        continue
      }
      const sent = decided === item ? text : decided.text
      if (sent !== text) isWhole = false
      shown.push({ item: decided, text: sent })
    }
    if (isAll) this.missing(approved, items)
    return { shown, hidden, isWhole }
  }

  private verdictOn(item: Item, approved: ReadonlyMap<string, Item>, names: () => Names): Verdict {
    const key = `${item.hash} ${item.repeated.length}`
    const known = this.verdicts.get(key)
    if (known !== undefined) return known
    const verdict = judge(item, approved, names())
    if (this.verdicts.size >= itemsMax) this.verdicts.clear()
    this.verdicts.set(key, verdict)
    return verdict
  }

  /** The definition that clients get; undefined: none. */
  private decide(ready: Ready, item: Item, verdict: Verdict): Item | undefined {
    if (verdict._tag === "Same") {
      this.findings.settle(item)
      return item
    }
    const isPassed = ready.page.passes.some(
      ({ hash, kind, name }) => kind === item.kind && name === item.name && hash === item.hash,
    )
    const isShown = isPassed || this.mode === "observe" || verdict._tag === "Cosmetic"
    const before = ready.approved.get(item.kind)?.get(item.name)
    if (!isPassed) this.tell(item, verdict, isShown ? "passed" : "hidden", before)
    if (!isShown) return undefined
    // Other words are not worth showing where the approved ones are at hand.
    return !isPassed && this.mode === "locked" && before !== undefined ? before : item
  }

  private shadowed(item: Item, twin: string): Item | undefined {
    const isShown = this.mode === "observe"
    this.findings.tell({
      item,
      grade: "suspicious",
      action: isShown ? "passed" : "hidden",
      reasons: [twin === item.name ? "there are two of that name" : `it passes for ${legible(twin)}`],
      before: undefined,
    })
    return isShown ? item : undefined
  }

  private missing(approved: ReadonlyMap<string, Item>, items: ReadonlyArray<Item | undefined>): void {
    if (approved.size === 0) return
    const there = new Set(items.flatMap((item) => item?.name ?? []))
    for (const [name, before] of approved) {
      if (there.has(name)) continue
      this.findings.tell({
        item: { ...before, hash: "", text: "" },
        grade: "identity",
        action: "passed",
        reasons: ["the server does not offer it any more"],
        before,
        isGone: true,
      })
    }
  }

  private tell(item: Item, verdict: Verdict, action: Finding["action"], before: Item | undefined): void {
    const grade = gradeOf(verdict)
    if (grade === "same") return
    this.findings.tell({ item, grade, action, reasons: reasonsOf(verdict), before })
  }

  /** Whether whoever was shown one definition may use another under its name without having looked again. */
  isAsShown(shownHash: string, now: Item): boolean {
    if (shownHash === now.hash) return true
    const before = this.definitions.find(shownHash)
    if (before === undefined) return true
    const { _tag } = judge(now, new Map([[now.name, { ...before, name: now.name }]]), Names.none)
    return _tag === "Same" || _tag === "Cosmetic"
  }
}

/** A text as a definition, such as the instructions of a server. */
export const asDefinition = (text: string): string => JSON.stringify(text)
