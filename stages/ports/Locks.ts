/**
 * What was approved of servers, what they say that nobody approved, and who decided what. All workers and replicas that
 * use the same book see the same; whoever implements this fails where it cannot tell for sure what was approved.
 */
import * as Effect from "effect/Effect"
import type { LockBook } from "../../ir/backend/ToolLock.ts"
import type { Kind } from "../../protocols/lock/hash.ts"
import type { Grade } from "../../protocols/lock/judge.ts"

/** One definition as it was approved. */
export interface Pin {
  readonly kind: Kind
  readonly name: string
  readonly hash: string
  /** JSON in its canonical form. */
  readonly text: string
  /** Who approved it; `first contact` where it was taken on trust, `observed` where nobody has. */
  readonly by: string
  /** By the wall clock, as a date of ISO 8601. */
  readonly at: string
}

/** By it stands what was only looked at: something to compare with, and nobody's approval. */
export const observed = "observed"

export const isApproved = ({ by }: Pin): boolean => by !== observed

/** Good until then, whatever is pinned. */
export interface Pass {
  readonly kind: Kind
  readonly name: string
  readonly hash: string
  readonly untilMillis: number
}

/** What is known of one server. */
export interface Page {
  readonly pins: ReadonlyArray<Pin>
  /** The kinds of which a first contact has been made: nothing of them is taken on trust any more. */
  readonly met: ReadonlyArray<Kind>
  readonly passes: ReadonlyArray<Pass>
  /** Another one after every change. */
  readonly revision: string
}

/** Nothing was ever written down of it. */
export const blank: Page = { pins: [], met: [], passes: [], revision: "" }

export interface ServerPlace {
  readonly book: LockBook
  /** As the server is called in the book. */
  readonly server: string
}

/** Something a server says that is not what was approved. */
export interface Finding extends ServerPlace {
  readonly kind: Kind
  readonly name: string
  /** Of what it says now; empty where it says nothing of that name any more. */
  readonly hash: string
  readonly text: string
  readonly grade: Exclude<Grade, "same">
  /** `passed`: clients see it; `hidden`: they do not. */
  readonly action: "passed" | "hidden"
  /** Why, one reason each, in words. */
  readonly reasons: ReadonlyArray<string>
  readonly firstMillis: number
  readonly lastMillis: number
}

/** One decision or discovery, as it is told to whoever audits. */
export interface Deed {
  readonly atMillis: number
  readonly actor: string
  readonly action: "met" | "found" | "gone" | "approved" | "passed" | "rolled back" | "forgot"
  readonly book: string
  readonly server: string
  readonly kind: Kind
  readonly name: string
  /** What was approved before, and what is the matter now; empty: nothing. */
  readonly before: string
  readonly after: string
  readonly detail: string
}

/** A deed in the chain: each covers the one before it. */
export interface Audited extends Deed {
  readonly number: number
  readonly previous: string
  readonly hash: string
}

export interface LocksFailure {
  readonly _tag: "LocksFailure"
  /** `unusable`: what is written there cannot be relied upon. */
  readonly reason: "unavailable" | "unusable"
  readonly message: string
}

export const locksFailure = (reason: LocksFailure["reason"], message: string): LocksFailure => ({
  _tag: "LocksFailure",
  reason,
  message,
})

export interface Locks {
  readonly read: (place: ServerPlace) => Effect.Effect<Page, LocksFailure>
  /** In place of that revision only; undefined: there is another one by now. */
  readonly write: (
    place: ServerPlace,
    page: Pick<Page, "pins" | "met">,
    revision: string,
  ) => Effect.Effect<Page | undefined, LocksFailure>
  readonly pass: (place: ServerPlace, pass: Pass) => Effect.Effect<void, LocksFailure>
  /** True for whoever tells it first, of all who share the book. */
  readonly report: (finding: Finding) => Effect.Effect<boolean, LocksFailure>
  /** It is not so any more; without a hash, whatever was said of that name. */
  readonly settle: (
    place: ServerPlace,
    item: { readonly kind: Kind; readonly name: string; readonly hash?: string | undefined },
  ) => Effect.Effect<boolean, LocksFailure>
  readonly findings: Effect.Effect<ReadonlyArray<Finding>, LocksFailure>
  /** Definitions that were approved once, the latest first. */
  readonly former: (place: ServerPlace, kind: Kind, name: string) => Effect.Effect<ReadonlyArray<Pin>, LocksFailure>
  readonly keepFormer: (place: ServerPlace, pin: Pin) => Effect.Effect<void, LocksFailure>
  readonly dropFormer: (place: ServerPlace, pin: Pin) => Effect.Effect<void, LocksFailure>
  readonly audit: (deed: Deed) => Effect.Effect<void, LocksFailure>
  /** The latest last. */
  readonly audited: (count: number) => Effect.Effect<ReadonlyArray<Audited>, LocksFailure>
}

/** How a book is called where there are several. */
export const bookName = (book: LockBook): string => (book._tag === "File" ? book.path : "")

/** What a record of the audit covers. */
export const auditText = (deed: Deed, number: number, previous: string): string =>
  `sluice/lock/v1/audit\n${JSON.stringify([
    number,
    previous,
    deed.atMillis,
    deed.actor,
    deed.action,
    deed.book,
    deed.server,
    deed.kind,
    deed.name,
    deed.before,
    deed.after,
    deed.detail,
  ])}`

/** The number of the first record that is not what the chain says; undefined: all are. */
export const brokenAt = (records: ReadonlyArray<Audited>, digest: (text: string) => string): number | undefined => {
  let before: Audited | undefined
  for (const record of records) {
    const isNext = before === undefined || (record.previous === before.hash && record.number === before.number + 1)
    if (!isNext || record.hash !== digest(auditText(record, record.number, record.previous))) return record.number
    before = record
  }
  return undefined
}

const findingsMax = 10_000
const auditsMax = 10_000

const placeKey = ({ book, server }: ServerPlace): string => `${bookName(book)}\n${server}`
const findingKey = (place: ServerPlace, kind: Kind, name: string, hash: string): string =>
  `${placeKey(place)}\n${kind}\n${name}\n${hash}`

/** Forgotten with the process: for a gateway without storage, for tests and simulation. Books of files are kept here too. */
export const inMemory = (clock: { readonly wallMillis: () => number }, digest: (text: string) => string): Locks => {
  const pages = new Map<string, Page>()
  const findings = new Map<string, Finding>()
  const formers = new Map<string, ReadonlyArray<Pin>>()
  const audits: Array<Audited> = []
  let revisions = 0
  const read = (place: ServerPlace): Page => {
    const page = pages.get(placeKey(place)) ?? blank
    const now = clock.wallMillis()
    return { ...page, passes: page.passes.filter(({ untilMillis }) => untilMillis > now) }
  }
  const formerKey = (place: ServerPlace, kind: Kind, name: string): string => `${placeKey(place)}\n${kind}\n${name}`
  return {
    read: (place) => Effect.sync(() => read(place)),
    write: (place, { met, pins }, revision) =>
      Effect.sync(() => {
        const before = read(place)
        if (before.revision !== revision) return undefined
        const page: Page = { pins, met, passes: before.passes, revision: String(++revisions) }
        pages.set(placeKey(place), page)
        return page
      }),
    pass: (place, pass) =>
      Effect.sync(() => {
        const before = read(place)
        pages.set(placeKey(place), { ...before, passes: [...before.passes, pass], revision: String(++revisions) })
      }),
    report: (finding) =>
      Effect.sync(() => {
        const key = findingKey(finding, finding.kind, finding.name, finding.hash)
        const before = findings.get(key)
        if (before === undefined && findings.size >= findingsMax) return false
        findings.set(key, { ...finding, firstMillis: before?.firstMillis ?? finding.firstMillis })
        return before === undefined
      }),
    settle: (place, { hash, kind, name }) =>
      Effect.sync(() => {
        const begin = findingKey(place, kind, name, hash ?? "")
        let isThere = false
        for (const key of findings.keys()) {
          if (hash === undefined ? key.startsWith(begin) : key === begin) isThere = findings.delete(key) || isThere
        }
        return isThere
      }),
    findings: Effect.sync(() => [...findings.values()]),
    former: (place, kind, name) => Effect.sync(() => formers.get(formerKey(place, kind, name)) ?? []),
    keepFormer: (place, pin) =>
      Effect.sync(() => {
        const key = formerKey(place, pin.kind, pin.name)
        formers.set(key, [pin, ...(formers.get(key) ?? [])])
      }),
    dropFormer: (place, pin) =>
      Effect.sync(() => {
        const key = formerKey(place, pin.kind, pin.name)
        formers.set(
          key,
          (formers.get(key) ?? []).filter((one) => one.hash !== pin.hash || one.at !== pin.at),
        )
      }),
    audit: (deed) =>
      Effect.sync(() => {
        const last = audits.at(-1)
        const number = (last?.number ?? 0) + 1
        const previous = last?.hash ?? ""
        audits.push({ ...deed, number, previous, hash: digest(auditText(deed, number, previous)) })
        if (audits.length > auditsMax) audits.shift()
      }),
    audited: (count) => Effect.sync(() => audits.slice(-count)),
  }
}
