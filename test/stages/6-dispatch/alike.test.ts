import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { TrafficPolicies } from "../../../ir/effective.ts"
import { alike } from "../../../stages/6-dispatch/alike.ts"
import type { Destinations } from "../../../stages/6-dispatch/dispatch.ts"
import type { Resolved } from "../../../stages/6-dispatch/resolve.ts"
import { FakeClock, makeReply } from "../exchange.ts"

const host = (name: string, port = 80): Resolved => ({
  name,
  where: { _tag: "Host", target: { _tag: "Host", host: name, port } },
  policies: {},
  mirrors: [],
  proxy: undefined,
})

const to = (
  backends: ReadonlyArray<readonly [weight: number, backend: Resolved]>,
  policies: TrafficPolicies = {},
): Destinations => ({
  policies,
  backends: backends.map(([weight, backend]) => ({ weight, backend })),
  mirrors: [],
})

const ports = () => ({ clock: new FakeClock(), maxBufferBytes: 1 })

const make = () => () => Effect.succeed(makeReply())

describe("routes that lead to one place", () => {
  it("are served by one service", () => {
    const around = ports()
    const first = alike(around, to([[1, host("a")]]), make)
    assert.strictEqual(alike(around, to([[1, host("a")]]), make), first)
    const timed = to([[1, host("a")]], { Timeout: { _tag: "Timeout", requestMillis: 5 } })
    const alsoTimed = to([[1, host("a")]], { Timeout: { _tag: "Timeout", requestMillis: 5 } })
    assert.strictEqual(alike(around, timed, make), alike(around, alsoTimed, make))
  })

  it("are served apart when anything differs", () => {
    const around = ports()
    const ways = [
      to([[1, host("a")]]),
      to([[2, host("a")]]),
      to([[1, host("a", 81)]]),
      to([[1, { ...host("a"), name: "other" }]]),
      to([
        [1, host("a")],
        [1, host("b")],
      ]),
      to([[1, host("a")]], { Timeout: { _tag: "Timeout", requestMillis: 5 } }),
      to([[1, host("a")]], { Timeout: { _tag: "Timeout", requestMillis: 6 } }),
    ]
    const served = ways.map((where) => alike(around, where, make))
    assert.strictEqual(new Set(served).size, ways.length)
    assert.notStrictEqual(alike(ports(), to([[1, host("a")]]), make), served[0])
  })

  it("are served apart where the way remembers anything of its own", () => {
    const around = ports()
    const judged: Resolved = { ...host("a"), policies: { Health: { _tag: "Health" } } }
    const copied: Resolved = { ...host("a"), mirrors: [{ fraction: 1, backend: host("b") }] }
    const nowhere: Resolved = { ...host("a"), where: { _tag: "Nowhere", refusal: { _tag: "BackendNotFound" } } }
    for (const backend of [judged, copied, nowhere]) {
      assert.notStrictEqual(alike(around, to([[1, backend]]), make), alike(around, to([[1, backend]]), make))
    }
    const mirrored = { ...to([[1, host("a")]]), mirrors: [{ fraction: 1, backend: host("b") }] }
    assert.notStrictEqual(alike(around, mirrored, make), alike(around, mirrored, make))
  })
})
