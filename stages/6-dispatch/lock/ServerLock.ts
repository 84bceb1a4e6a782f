/**
 * The lock of one server: what was approved of it, as fresh as it has to be, and what is made of what it says now. It
 * knows nothing of how the server is spoken to. Where it cannot tell what was approved, nothing is.
 */
import * as Effect from "effect/Effect"
import type { ToolLock } from "../../../ir/backend/ToolLock.ts"
import { difference, legible, rendered } from "../../../protocols/lock/difference.ts"
import { foldName } from "../../../protocols/lock/fold.ts"
import type { Kind } from "../../../protocols/lock/hash.ts"
import { cuesOf, type Item, itemOf } from "../../../protocols/lock/Item.ts"
import { gradeOf, judge, type Verdict } from "../../../protocols/lock/judge.ts"
import { Names } from "../../../protocols/lock/Names.ts"
import {
  blank,
  bookName,
  type Finding,
  isApproved,
  type Locks,
  type LocksFailure,
  locksFailure,
  observed,
  type Page,
  type Pin,
  type ServerPlace,
} from "../../ports/Locks.ts"
import type { Clock } from "../../ports/Timer.ts"
import { rewrite, samePlace } from "./decisions.ts"
import { reasonsOf } from "./reasons.ts"

/** Somebody has to look at it. */
export interface Alarm extends Finding {
  /** What was approved and what is said now, side by side; for people. */
  readonly difference: string
}

export interface LockParts {
  readonly locks: Locks
  readonly clock: Clock
  readonly digest: (text: string) => string
  /** Runs what nobody waits for. */
  readonly run: (effect: Effect.Effect<unknown, unknown>) => unknown
  /** Told once of each finding, by whoever of all workers and replicas found it first. */
  readonly alarm?: ((alarm: Alarm) => void) | undefined
}

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

/** From then on the book is looked into again before it is relied upon. */
const freshMillis = 1_000
/** With the book out of reach, what was known goes on for this long. */
const staleMillis = 60_000
const itemsMax = 20_000
const foundMax = 10_000
const differenceCharsMax = 4_000

export interface Ready {
  readonly page: Page
  /** What was approved, by kind and name. */
  readonly approved: ReadonlyMap<Kind, ReadonlyMap<string, Item>>
}

const nothing: ReadonlyMap<string, Item> = new Map()

const pinOf = ({ canonicalText, hash, kind, name }: Item, by: string, at: string): Pin => ({
  kind,
  name,
  hash,
  text: canonicalText,
  by,
  at,
})

export class ServerLock {
  readonly place: ServerPlace
  readonly mode: ToolLock["mode"]
  readonly recheckMillis: number
  private readonly parts: LockParts
  private readonly options: ServerLockOptions
  private ready: Ready | undefined
  private readMillis = -Infinity
  private isRead = false
  /** By their own text: servers repeat themselves. */
  private readonly items = new Map<string, Item>()
  private readonly byHash = new Map<string, Item>()
  /** By hash, for as long as the lock stays as it is. */
  private readonly verdicts = new Map<string, Verdict>()
  /** Kinds of which it was written down what there is, by somebody who only watches. */
  private readonly watched = new Set<Kind>()
  /** What was told, and of which hash. */
  private readonly found = new Map<string, string>()

  constructor(options: ServerLockOptions) {
    const { lock, parts, server } = options
    this.options = options
    this.parts = parts
    this.place = { book: lock.book, server }
    this.mode = lock.mode
    this.recheckMillis = lock.recheckMillis
  }

  /** What was approved, as of a moment ago. */
  readonly current: Effect.Effect<Ready, LocksFailure> = Effect.suspend(() => {
    const { clock } = this.parts
    if (this.ready !== undefined && clock.nowMillis() - this.readMillis < freshMillis) return Effect.succeed(this.ready)
    return this.refresh
  })

  readonly refresh: Effect.Effect<Ready, LocksFailure> = Effect.suspend(() =>
    Effect.matchEffect(
      Effect.flatMap(this.parts.locks.read(this.place), (page) => this.take(page)),
      {
        onSuccess: (ready) => Effect.succeed(ready),
        onFailure: (failure): Effect.Effect<Ready, LocksFailure> => {
          const isRecent = this.parts.clock.nowMillis() - this.readMillis < staleMillis
          if (failure.reason === "unavailable" && isRecent && this.ready !== undefined)
            return Effect.succeed(this.ready)
          // Whoever only watches keeps nothing from anybody.
          return this.mode === "observe" ? Effect.succeed({ page: blank, approved: new Map() }) : Effect.fail(failure)
        },
      },
    ),
  )

  private take(page: Page): Effect.Effect<Ready, LocksFailure> {
    return Effect.suspend(() => {
      this.readMillis = this.parts.clock.nowMillis()
      if (this.ready !== undefined && this.ready.page.revision === page.revision) {
        // Passes end without anybody writing anything.
        if (this.ready.page.passes.length !== page.passes.length) {
          this.ready = { ...this.ready, page }
          this.options.onChanged()
        }
        return Effect.succeed(this.ready)
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
      const isChange = this.isRead
      this.isRead = true
      if (!isChange) this.remember()
      this.ready = { page, approved }
      this.verdicts.clear()
      if (isChange) this.options.onChanged()
      return Effect.succeed(this.ready)
    })
  }

  /** What was told before this gateway was started is not told again, and can be settled. */
  private remember(): void {
    const { locks, run } = this.parts
    run(
      Effect.map(locks.findings, (all) => {
        for (const one of all) {
          const key = `${one.kind} ${one.name}`
          if (samePlace(one, this.place) && !this.found.has(key)) this.found.set(key, `${one.hash} ${one.action}`)
        }
      }),
    )
  }

  /** Undefined: the text is not the one that was approved. */
  private pinned({ hash, kind, name, text }: Pin): Item | undefined {
    const item = itemOf(kind, text, this.parts.digest)
    return item === undefined || item.hash !== hash || item.name !== name ? undefined : item
  }

  item(kind: Kind, text: string): Item | undefined {
    const key = `${kind} ${text}`
    const known = this.items.get(key)
    if (known !== undefined) return known
    const item = itemOf(kind, text, this.parts.digest)
    if (item === undefined) return undefined
    if (this.items.size >= itemsMax) {
      this.items.clear()
      this.byHash.clear()
    }
    this.items.set(key, item)
    this.byHash.set(item.hash, item)
    return item
  }

  private namesFor(own: Iterable<string>): Names {
    const { servers, tools } = this.options.neighbours()
    return new Names({ own, servers, tools })
  }

  /** Whether a first contact has still to be made, and whatever is said first is approved. */
  meets(ready: Ready, kind: Kind): boolean {
    if (this.mode === "locked" || ready.page.met.includes(kind)) return false
    return this.mode === "tofu" || !(this.watched.has(kind) || ready.approved.has(kind))
  }

  /** Everything of a kind that the server says, for the first time: what looks harmless is approved as it is. */
  meet(ready: Ready, kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    const met = this.mode === "observe" ? this.watch(kind, texts) : this.approveAll(kind, texts)
    // Whoever only watches keeps nothing from anybody.
    return this.mode === "observe" ? Effect.catch(met, () => Effect.succeed(ready)) : met
  }

  /** Something to compare with later: that it was seen approves nothing. */
  private watch(kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    const { clock, locks } = this.parts
    return Effect.suspend(() => {
      this.watched.add(kind)
      const items = new Map(texts.flatMap((text) => this.item(kind, text) ?? []).map((item) => [item.name, item]))
      const at = new Date(clock.wallMillis()).toISOString()
      return Effect.flatMap(
        rewrite(locks, this.place, ({ met, pins }) =>
          items.size === 0 || met.includes(kind) || pins.some((one) => one.kind === kind)
            ? undefined
            : { met, pins: [...pins, ...Array.from(items.values(), (item) => pinOf(item, observed, at))] },
        ),
        (page) => this.take(page),
      )
    })
  }

  private approveAll(kind: Kind, texts: ReadonlyArray<string>): Effect.Effect<Ready, LocksFailure> {
    const { clock, locks } = this.parts
    return Effect.suspend(() => {
      const items = texts.flatMap((text) => this.item(kind, text) ?? [])
      const names = this.namesFor(items.map(({ name }) => name))
      const at = new Date(clock.wallMillis()).toISOString()
      const taken = new Set<string>()
      const said = new Set<string>()
      const trusted = items.filter((item) => {
        const fold = foldName(item.name)
        const isTaken = said.has(item.name) || taken.has(fold)
        said.add(item.name)
        if (isTaken || cuesOf(item, names).strong.length > 0) return false
        taken.add(fold)
        return true
      })
      let isFirst = false
      return Effect.tap(
        Effect.flatMap(
          rewrite(locks, this.place, ({ met, pins }) => {
            isFirst = !met.includes(kind)
            if (!isFirst) return undefined
            const kept = pins.filter((one) => one.kind !== kind || isApproved(one))
            const known = new Set(kept.filter((one) => one.kind === kind).map(({ name }) => name))
            return {
              met: [...met, kind],
              pins: [
                ...kept,
                ...trusted.filter(({ name }) => !known.has(name)).map((item) => pinOf(item, "first contact", at)),
              ],
            }
          }),
          (page) => this.take(page),
        ),
        () =>
          isFirst
            ? Effect.ignore(
                locks.audit({
                  atMillis: clock.wallMillis(),
                  actor: "gateway",
                  action: "met",
                  book: bookName(this.place.book),
                  server: this.place.server,
                  kind,
                  name: "",
                  before: "",
                  after: "",
                  detail: `${trusted.length} of ${items.length} taken on trust`,
                }),
              )
            : Effect.void,
      )
    })
  }

  /**
   * What clients get of what a server says. `isAll`: this is everything it says of that kind, so whatever else was
   * approved is gone.
   */
  judge(ready: Ready, kind: Kind, texts: ReadonlyArray<string>, isAll: boolean): Judged {
    const approved = ready.approved.get(kind) ?? nothing
    const items = texts.map((text) => this.item(kind, text))
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
      this.settled(item)
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
    this.told({
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
      this.told({
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
    this.told({ item, grade, action, reasons: reasonsOf(verdict), before })
  }

  private told(what: {
    readonly item: Item
    readonly grade: Finding["grade"]
    readonly action: Finding["action"]
    readonly reasons: ReadonlyArray<string>
    readonly before: Item | undefined
    readonly isGone?: boolean
  }): void {
    const { clock, locks, alarm, run } = this.parts
    const { action, before, grade, isGone = false, item, reasons } = what
    const key = `${item.kind} ${item.name}`
    const mark = `${item.hash} ${action}`
    if (this.found.get(key) === mark) return
    if (this.found.size >= foundMax) this.found.clear()
    this.found.set(key, mark)
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
        return locks.audit({
          atMillis: now,
          actor: "gateway",
          action: isGone ? "gone" : "found",
          book: bookName(this.place.book),
          server: this.place.server,
          kind: item.kind,
          name: item.name,
          before: before?.hash ?? "",
          after: item.hash,
          detail: `${grade}, ${action}: ${reasons.join("; ")}`,
        })
      }),
    )
  }

  /** It says again what was approved. */
  private settled({ kind, name }: Item): void {
    const key = `${kind} ${name}`
    if (!this.found.delete(key)) return
    this.parts.run(Effect.ignore(this.parts.locks.settle(this.place, { kind, name })))
  }

  /** Whether whoever was shown one definition may use another under its name without having looked again. */
  isAsShown(shownHash: string, now: Item): boolean {
    if (shownHash === now.hash) return true
    const before = this.byHash.get(shownHash)
    if (before === undefined) return true
    const { _tag } = judge(now, new Map([[now.name, { ...before, name: now.name }]]), Names.none)
    return _tag === "Same" || _tag === "Cosmetic"
  }
}

/** A text as a definition, such as the instructions of a server. */
export const asDefinition = (text: string): string => JSON.stringify(text)
