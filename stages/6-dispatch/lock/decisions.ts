/** What an administrator decides about definitions: each decision changes the book and is written into the audit. */
import * as Effect from "effect/Effect"
import { canonical } from "../../../protocols/lock/canonical.ts"
import type { Kind } from "../../../protocols/lock/hash.ts"
import {
  bookName,
  type Deed,
  type Finding,
  isApproved,
  type Locks,
  type LocksFailure,
  locksFailure,
  type Page,
  type Pin,
  type ServerPlace,
} from "../../ports/Locks.ts"

export interface About extends ServerPlace {
  readonly kind: Kind
  readonly name: string
}

export interface Deciding {
  readonly locks: Locks
  readonly clock: { readonly wallMillis: () => number }
  readonly actor: string
}

/** What came of a decision; a text says why it could not be made. */
export type Decided = { readonly page: Page } | string

/** How often others may come between what was read and what is written. */
const attemptsMax = 8

/** Changes the pins of a server, whoever else changes them at the same time. */
export const rewrite = (
  locks: Locks,
  place: ServerPlace,
  change: (page: Page) => Pick<Page, "pins" | "met"> | undefined,
): Effect.Effect<Page, LocksFailure> => {
  const attempt = (left: number): Effect.Effect<Page, LocksFailure> =>
    Effect.flatMap(locks.read(place), (page) => {
      const next = change(page)
      if (next === undefined) return Effect.succeed(page)
      if (left === 0) return Effect.fail(locksFailure("unavailable", "others change the lock all the time"))
      return Effect.flatMap(locks.write(place, next, page.revision), (written) =>
        written === undefined ? attempt(left - 1) : Effect.succeed(written),
      )
    })
  return attempt(attemptsMax)
}

const isAbout = (one: { readonly kind: Kind; readonly name: string }, about: About): boolean =>
  one.kind === about.kind && one.name === about.name

export const samePlace = (a: ServerPlace, b: ServerPlace): boolean =>
  a.server === b.server && bookName(a.book) === bookName(b.book) && a.book._tag === b.book._tag

export const deed = (
  actor: string,
  atMillis: number,
  about: About,
  what: Pick<Deed, "action" | "before" | "after" | "detail">,
): Deed => ({
  atMillis,
  actor,
  book: bookName(about.book),
  server: about.server,
  kind: about.kind,
  name: about.name,
  ...what,
})

const findingOf = (
  { locks }: Deciding,
  about: About,
  hash: string | undefined,
): Effect.Effect<Finding | string, LocksFailure> =>
  Effect.map(locks.findings, (all) => {
    const found = all.filter((one) => samePlace(one, about) && isAbout(one, about))
    const chosen = hash === undefined ? found : found.filter((one) => one.hash === hash)
    const [one] = chosen
    if (one === undefined)
      return hash === undefined ? "nothing is to be decided about it" : "it does not say that any more"
    if (chosen.length > 1) {
      return `it was seen to say different things; name the hash: ${chosen.map((each) => each.hash).join(", ")}`
    }
    return one
  })

/** What the server says now is approved from here on; what it does not say any more is forgotten. */
export const approve: (by: Deciding, about: About, hash: string | undefined) => Effect.Effect<Decided, LocksFailure> =
  Effect.fnUntraced(function* (by, about, hash) {
    const finding = yield* findingOf(by, about, hash)
    if (typeof finding === "string") return finding
    const { actor, clock, locks } = by
    const isGone = finding.hash === ""
    const pin: Pin | undefined = isGone
      ? undefined
      : {
          kind: about.kind,
          name: about.name,
          hash: finding.hash,
          text: canonical(finding.text).text,
          by: actor,
          at: new Date(clock.wallMillis()).toISOString(),
        }
    let before: Pin | undefined
    const page = yield* rewrite(locks, about, ({ met, pins }) => {
      before = pins.find((one) => isAbout(one, about))
      const others = pins.filter((one) => !isAbout(one, about))
      return {
        pins: pin === undefined ? others : [...others, pin],
        // Whoever only watched has not met it yet: one decision must not hide all that nobody has decided about.
        met:
          met.includes(about.kind) || pins.some((one) => one.kind === about.kind && !isApproved(one))
            ? met
            : [...met, about.kind],
      }
    })
    if (before !== undefined && isApproved(before)) yield* locks.keepFormer(about, before)
    yield* locks.settle(about, { kind: about.kind, name: about.name })
    const action = isGone ? "forgot" : "approved"
    yield* locks.audit(
      deed(actor, clock.wallMillis(), about, {
        action,
        before: before?.hash ?? "",
        after: finding.hash,
        detail: finding.reasons.join("; "),
      }),
    )
    return { page }
  })

/** What the server says now may be used for a while; the lock stays as it is. */
export const passOnce: (
  by: Deciding,
  about: About,
  hash: string | undefined,
  millis: number,
) => Effect.Effect<Decided, LocksFailure> = Effect.fnUntraced(function* (by, about, hash, millis) {
  const finding = yield* findingOf(by, about, hash)
  if (typeof finding === "string") return finding
  if (finding.hash === "") return "it is gone; there is nothing to let pass"
  const untilMillis = by.clock.wallMillis() + millis
  yield* by.locks.pass(about, { kind: about.kind, name: about.name, hash: finding.hash, untilMillis })
  yield* by.locks.audit(
    deed(by.actor, by.clock.wallMillis(), about, {
      action: "passed",
      before: "",
      after: finding.hash,
      detail: `until ${new Date(untilMillis).toISOString()}`,
    }),
  )
  return { page: yield* by.locks.read(about) }
})

/** What was approved before is approved again. */
export const rollBack: (by: Deciding, about: About) => Effect.Effect<Decided, LocksFailure> = Effect.fnUntraced(
  function* (by, about) {
    const [former] = yield* by.locks.former(about, about.kind, about.name)
    if (former === undefined) return "nothing else was approved before"
    let before: Pin | undefined
    const page = yield* rewrite(by.locks, about, ({ met, pins }) => {
      before = pins.find((one) => isAbout(one, about))
      return { pins: [...pins.filter((one) => !isAbout(one, about)), former], met }
    })
    yield* by.locks.dropFormer(about, former)
    yield* by.locks.audit(
      deed(by.actor, by.clock.wallMillis(), about, {
        action: "rolled back",
        before: before?.hash ?? "",
        after: former.hash,
        detail: "",
      }),
    )
    return { page }
  },
)
