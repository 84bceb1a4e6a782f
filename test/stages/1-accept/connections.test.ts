import { assert, describe, it } from "@effect/vitest"
import type { ConnectionLimit } from "../../../ir/policy/ConnectionLimit.ts"
import { clientOf, compile } from "../../../stages/1-accept/connections.ts"
import type { Accepted } from "../../../stages/Connection.ts"
import { gateOf } from "../5-policy/gate.ts"

const from = (host: string): Accepted => ({ peer: { host, port: 1 } }) as Accepted

const made = (policies: ReadonlyArray<Omit<ConnectionLimit, "_tag">>, gate = gateOf()) =>
  compile(
    policies.map((one) => ({ _tag: "ConnectionLimit" as const, ...one })),
    gate,
  )

describe("a limit of connections", () => {
  it("is of all together, and of each address", () => {
    const enter = made([{ id: "a", connectionsMax: 3, connectionsPerAddressMax: 2 }])
    const first = enter?.(from("10.0.0.1"))
    assert.isDefined(first)
    assert.isDefined(enter?.(from("10.0.0.1")))
    assert.isUndefined(enter?.(from("10.0.0.1")))
    assert.isDefined(enter?.(from("10.0.0.2")))
    assert.isUndefined(enter?.(from("10.0.0.3")))
    first?.()
    assert.isDefined(enter?.(from("10.0.0.3")))
  })

  it("whose address is full takes no room of others", () => {
    const enter = made([{ id: "a", connectionsMax: 2, connectionsPerAddressMax: 1 }])
    assert.isDefined(enter?.(from("10.0.0.1")))
    for (let i = 0; i < 5; i++) assert.isUndefined(enter?.(from("10.0.0.1")))
    assert.isDefined(enter?.(from("10.0.0.2")))
  })

  it("of every level holds, and what one refuses is not counted by another", () => {
    const enter = made([
      { id: "wide", connectionsMax: 2 },
      { id: "narrow", connectionsPerAddressMax: 1 },
    ])
    assert.isDefined(enter?.(from("10.0.0.1")))
    for (let i = 0; i < 5; i++) assert.isUndefined(enter?.(from("10.0.0.1")))
    assert.isDefined(enter?.(from("10.0.0.2")))
    assert.isUndefined(enter?.(from("10.0.0.3")))
  })

  it("goes on counting those that are open when the limit is changed", () => {
    const gate = gateOf()
    assert.isDefined(made([{ id: "a", connectionsMax: 1 }], gate)?.(from("10.0.0.1")))
    assert.isUndefined(made([{ id: "a", connectionsMax: 1, connectionsPerAddressMax: 9 }], gate)?.(from("10.0.0.1")))
    assert.isDefined(made([{ id: "a", connectionsMax: 2 }], gate)?.(from("10.0.0.1")))
  })

  it("that says nothing is none; where nobody counts, nobody comes in", () => {
    assert.isUndefined(made([{ id: "a" }]))
    assert.isUndefined(compile(undefined, gateOf()))
    assert.isUndefined(compile([{ _tag: "ConnectionLimit", connectionsMax: 1 }], undefined)?.(from("10.0.0.1")))
  })
})

it("an IPv4 address stands for itself, however it is written, and an IPv6 one for its network", () => {
  assert.strictEqual(clientOf("::ffff:10.0.0.1"), clientOf("10.0.0.1"))
  assert.notStrictEqual(clientOf("10.0.0.1"), clientOf("10.0.0.2"))
  assert.strictEqual(clientOf("2001:db8:0:1::1"), clientOf("2001:db8:0:1:ffff::2"))
  assert.notStrictEqual(clientOf("2001:db8:0:1::1"), clientOf("2001:db8:0:2::1"))
  assert.strictEqual(clientOf("no address"), "no address")
})
