/** The tool lock: what servers say that nobody approved, and what is decided about it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { canonical } from "../../../protocols/lock/canonical.ts"
import { difference, rendered } from "../../../protocols/lock/difference.ts"
import { kinds } from "../../../protocols/lock/hash.ts"
import { approve, type Decided, passOnce, rollBack } from "../../../stages/6-dispatch/lock/decisions.ts"
import { blank, bookName, type Finding, type Locks, type LocksFailure, type Page } from "../../../stages/ports/Locks.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"

const about = {
  file: Schema.optionalKey(Schema.NonEmptyString),
  server: Schema.NonEmptyString,
  kind: Schema.Literals(kinds),
  name: Schema.optionalKey(Schema.String),
}
const About = Schema.Struct(about)
const Judged = Schema.Struct({ ...about, hash: Schema.optionalKey(Schema.NonEmptyString) })

const onceMillis = 3_600_000
const auditedMax = 1_000
const differenceCharsMax = 20_000

const answered = <A>(effect: Effect.Effect<A, LocksFailure>, answer: (value: A) => unknown): Promise<unknown> =>
  Effect.runPromise(
    Effect.match(effect, {
      onFailure: ({ message }): unknown => refused(503, message),
      onSuccess: answer,
    }),
  )

const placeOf = ({ file, kind, name = "", server }: typeof About.Type) => ({
  book: file === undefined ? ({ _tag: "Storage" } as const) : ({ _tag: "File", path: file } as const),
  server,
  kind,
  name,
})

const decided = (effect: Effect.Effect<Decided, LocksFailure>): Promise<unknown> =>
  answered(effect, (one) => (typeof one === "string" ? refused(409, one) : { revision: one.page.revision }))

/** What was approved beside what is said now; empty where nobody can tell what was approved. */
const besides = (locks: Locks, findings: ReadonlyArray<Finding>) => {
  const pages = new Map<string, Effect.Effect<Page>>()
  return Effect.forEach(findings, (one) => {
    const key = `${bookName(one.book)} ${one.server}`
    let page = pages.get(key)
    if (page === undefined) {
      page = Effect.runSync(
        Effect.cached(Effect.match(locks.read(one), { onFailure: () => blank, onSuccess: (read) => read })),
      )
      pages.set(key, page)
    }
    return Effect.map(page, ({ pins }) => {
      const before = pins.find(({ kind, name }) => kind === one.kind && name === one.name)
      const now = one.text === "" ? undefined : canonical(one.text).text
      return { ...one, difference: rendered(difference(before?.text, now)).slice(0, differenceCharsMax) }
    })
  })
}

export const lockEndpoints = (locks: Locks, clock: Pick<Clock, "wallMillis">): ReadonlyArray<Endpoint> => {
  const by = { locks, clock, actor: "admin" }
  return [
    endpoint({
      method: "GET",
      path: "/api/tool-lock",
      isGuarded: true,
      summary: "What servers say that nobody has approved, and the latest records of the audit",
      reply: Replies.ToolLock,
      run: () =>
        answered(
          Effect.all([Effect.flatMap(locks.findings, (all) => besides(locks, all)), locks.audited(auditedMax)]),
          ([findings, audit]) => ({
            findings: findings.map(({ book, ...one }) => ({ ...one, file: bookName(book) })),
            audit,
          }),
        ),
    }),
    endpoint({
      method: "POST",
      path: "/api/tool-lock/approve",
      summary: "Approves what a server says now, or forgets what it says no more",
      body: Judged,
      reply: Replies.Decided,
      run: ({ body }) => decided(approve(by, placeOf(body), body.hash)),
    }),
    endpoint({
      method: "POST",
      path: "/api/tool-lock/pass",
      summary: "Lets what a server says now pass for an hour; the lock stays as it is",
      body: Judged,
      reply: Replies.Decided,
      run: ({ body }) => decided(passOnce(by, placeOf(body), body.hash, onceMillis)),
    }),
    endpoint({
      method: "POST",
      path: "/api/tool-lock/rollback",
      summary: "Approves again what was approved before",
      body: About,
      reply: Replies.Decided,
      run: ({ body }) => decided(rollBack(by, placeOf(body))),
    }),
  ]
}
