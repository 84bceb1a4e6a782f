/** What is kept is sealed, bound to its owner, and remembered here while the place for it cannot be reached. */
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { sealer } from "../../../../src/node/sealer.ts"
import { Kept, type Place } from "../../../../stages/6-dispatch/mcp/Kept.ts"
import { inMemory, type Keepsake, type Keepsakes } from "../../../../stages/ports/Keepsakes.ts"

const key = new Uint8Array(32).fill(3)
const clock = { nowMillis: () => 1, wallMillis: () => 1_000, after: () => () => {}, random: () => 0 }
const place: Place = { kind: "task", owner: "somebody backend", name: "task-1" }
const keptIn = (keepsakes: Keepsakes, with_ = key): Kept => new Kept({ clock, sealer: sealer(with_), keepsakes })

it("is read by others with the same key, by nobody else, and not under another owner", () => {
  const keepsakes = inMemory()
  const written: Array<Keepsake> = []
  const spied: Keepsakes = {
    ...keepsakes,
    put: (one, now) => {
      written.push(one)
      return keepsakes.put(one, now)
    },
  }
  Effect.runSync(keptIn(spied).put(place, { text: "a secret" }, 2_000))
  expect(JSON.stringify(written)).not.toMatch(/secret|somebody|task-1/)
  const read = (kept: Kept, where: Place): unknown => Effect.runSync(kept.find(where))?.value
  expect(read(keptIn(keepsakes), place)).toEqual({ text: "a secret" })
  expect(read(keptIn(keepsakes, new Uint8Array(32).fill(4)), place)).toBeUndefined()
  expect(read(keptIn(keepsakes), { ...place, owner: "another backend" })).toBeUndefined()
  // Moved to another owner's row, it does not open.
  const [one] = written
  if (one === undefined) throw new Error("nothing was written")
  const stolen: Keepsakes = { ...keepsakes, list: () => Effect.succeed([one.text]) }
  expect(Effect.runSync(keptIn(stolen).list({ kind: "task", owner: "thief backend" }))).toEqual([])
  expect(Effect.runSync(keptIn(stolen).list(place))).toEqual([{ text: "a secret" }])
})

it("is remembered here while it cannot be kept where it belongs, which is said once", () => {
  const failure = Effect.fail({ _tag: "KeepsakesFailure", message: "no disk" } as const)
  const broken: Keepsakes = {
    put: () => failure,
    claim: () => failure,
    find: () => failure,
    list: () => failure,
    remove: () => failure,
    clear: () => failure,
  }
  const kept = keptIn(broken)
  Effect.runSync(kept.put(place, "one", 2_000))
  Effect.runSync(kept.put({ ...place, name: "task-2" }, "two", 2_000))
  expect(Effect.runSync(kept.find(place))?.value).toBe("one")
  expect(Effect.runSync(kept.list(place))).toEqual(["one", "two"])
  Effect.runSync(kept.remove(place))
  expect(Effect.runSync(kept.find(place))).toBeUndefined()
  // Whoever cannot ask others goes on as if alone.
  expect(Effect.runSync(kept.claim(place, "mine", 2_000, undefined))).toBe(true)
})
