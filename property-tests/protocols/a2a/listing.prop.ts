/** Several lists that are read page by page are one list. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Fields, listOf } from "../../../protocols/a2a/Fields.ts"
import { cursorsOf, merged } from "../../../protocols/a2a/listing.ts"

interface Task {
  readonly id: string
  readonly status: { readonly timestamp: string }
}

/** Lists as agents have them: those that moved last come first. */
const lists = fc
  .array(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 12 }), { minLength: 1, maxLength: 4 })
  .map((all) =>
    all.map((seconds, list) =>
      seconds
        .toSorted((a, b) => b - a)
        .map((second, i): Task => ({
          id: `${list}/${i}`,
          status: { timestamp: new Date(second * 1_000).toISOString() },
        })),
    ),
  )

/** An agent that gives out no more than so many at once, whatever it is asked. */
const pageOf = (tasks: ReadonlyArray<Task>, token: string, size: number): Fields => {
  const from = token === "" ? 0 : Number(token)
  const end = from + size
  return {
    tasks: tasks.slice(from, end),
    nextPageToken: end < tasks.length ? String(end) : "",
    totalSize: tasks.length,
  }
}

describe("tasks of several lists", () => {
  it("come once each, those that moved last first, and no page is longer than it may be", () =>
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }), (all, pageSize, theirs) => {
        const names = all.map((_, i) => `list ${i}`)
        const seen: Array<Task> = []
        let token: string | undefined
        for (let pages = 0; ; pages++) {
          assert.isBelow(pages, 200, "it never ends")
          const cursors = cursorsOf(names, token)
          assert(cursors !== undefined)
          const asked = [...cursors.lists].map(([name, cursor]) => ({
            name,
            cursor,
            result: pageOf(all[names.indexOf(name)] ?? [], cursor.token, Math.min(pageSize, theirs)),
          }))
          const page = merged(asked, cursors.ended, pageSize)
          const tasks = listOf(page["tasks"]) as ReadonlyArray<Task>
          assert.isAtMost(tasks.length, pageSize)
          assert.strictEqual(page["totalSize"], all.flat().length)
          seen.push(...tasks)
          token = String(page["nextPageToken"])
          if (token === "") break
        }
        assert.deepStrictEqual(
          seen.map(({ id }) => id).toSorted(),
          all
            .flat()
            .map(({ id }) => id)
            .toSorted(),
        )
        const times = seen.map(({ status }) => Date.parse(status.timestamp))
        assert.deepStrictEqual(
          times,
          times.toSorted((a, b) => b - a),
        )
      }),
      { numRuns: 300 },
    ))

  it("are not gone on with by tokens that somebody made up", () =>
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (token) => {
        const cursors = cursorsOf(["a"], token)
        if (cursors !== undefined) for (const name of cursors.lists.keys()) assert.strictEqual(name, "a")
      }),
    ))
})
