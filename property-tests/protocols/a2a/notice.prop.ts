/** What an agent tells reaches the client as it was, whatever either of them speaks. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { legacyJson } from "../../../protocols/a2a/dialect/legacyJson.ts"
import { legacyProto } from "../../../protocols/a2a/dialect/legacyProto.ts"
import { readNotice, writeNotice } from "../../../protocols/a2a/notice.ts"
import { fieldsOf } from "../../../protocols/a2a/Fields.ts"
import { full, narrow } from "./values.ts"

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const check = <A>(arbitrary: fc.Arbitrary<A>, law: (value: A) => void): void =>
  fc.assert(
    fc.property(arbitrary, (value) => {
      law(value)
    }),
    { numRuns: 200 },
  )

const told = (text: string, version: "1.0" | "0.3"): unknown => {
  const notice = readNotice(text, version)
  assert(notice._tag === "Read", JSON.stringify(notice))
  return plain(notice.value.event)
}

describe("a notification", () => {
  it("of an agent of 1.0 is read as it was written", () =>
    check(full.event, (event) => assert.deepStrictEqual(told(JSON.stringify(event), "1.0"), plain(event))))
  it("of an agent of 0.3 says what the agent meant", () =>
    check(full.event, (event) =>
      assert.deepStrictEqual(
        told(JSON.stringify(legacyJson.result.write("SubscribeToTask", event)), "0.3"),
        plain(event),
      ),
    ))
  it("of an agent of 0.3 that speaks in protobuf's words does so too", () =>
    check(narrow.event, (event) =>
      assert.deepStrictEqual(
        told(JSON.stringify(legacyProto.result.write("SubscribeToTask", event)), "0.3"),
        plain(event),
      ),
    ))
  it("that is written for a client and read again is the same", () =>
    check(full.event, (event) => {
      for (const version of ["1.0", "0.3"] as const) {
        const { body } = writeNotice(fieldsOf(event), version)
        assert.deepStrictEqual(told(JSON.stringify(body), version), plain(event))
      }
    }))
  it("is never anything but an event of a task", () =>
    check(fc.oneof(fc.json(), fc.string()), (text) => {
      for (const version of ["1.0", "0.3"] as const) {
        const notice = readNotice(text, version)
        if (notice._tag === "Read") assert.strictEqual(Object.keys(notice.value.event).length, 1)
      }
    }))
})
