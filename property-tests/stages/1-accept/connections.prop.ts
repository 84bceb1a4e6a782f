import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { clientOf, compile } from "../../../stages/1-accept/connections.ts"
import type { Accepted } from "../../../stages/Connection.ts"
import { gateOf } from "../../../test/stages/5-policy/gate.ts"

const address = fc.constantFrom(
  "10.0.0.1",
  "::ffff:10.0.0.1",
  "10.0.0.2",
  "2001:db8::1",
  "2001:db8::2",
  "2001:db8:1::1",
)
const bound = fc.option(fc.nat(4), { nil: undefined })
const limit = fc.record({ connectionsMax: bound, connectionsPerAddressMax: bound })
const event = fc.oneof(
  fc.record({ opens: fc.constant(true), host: address, nth: fc.constant(0) }),
  fc.record({ opens: fc.constant(false), host: fc.constant(""), nth: fc.nat(20) }),
)

it("a connection is let in exactly when no limit of any level would be passed by it", () => {
  fc.assert(
    fc.property(
      fc.array(limit, { minLength: 1, maxLength: 3 }),
      fc.array(event, { maxLength: 60 }),
      (limits, events) => {
        const enter = compile(
          limits.map(({ connectionsMax, connectionsPerAddressMax }, i) => ({
            _tag: "ConnectionLimit" as const,
            id: String(i),
            ...(connectionsMax === undefined ? {} : { connectionsMax }),
            ...(connectionsPerAddressMax === undefined ? {} : { connectionsPerAddressMax }),
          })),
          gateOf(),
        )
        const open: Array<{ readonly client: string; readonly leave: (() => void) | undefined }> = []
        for (const { host, nth, opens } of events) {
          if (!opens) {
            open.splice(nth, 1)[0]?.leave?.()
            continue
          }
          const client = clientOf(host)
          const same = open.filter((one) => one.client === client).length
          const isAllowed = limits.every(
            ({ connectionsMax = Infinity, connectionsPerAddressMax = Infinity }) =>
              open.length < connectionsMax && same < connectionsPerAddressMax,
          )
          if (enter === undefined) {
            open.push({ client, leave: undefined })
            continue
          }
          const leave = enter({ peer: { host, port: 1 } } as Accepted)
          assert.strictEqual(leave !== undefined, isAllowed)
          if (leave !== undefined) open.push({ client, leave })
        }
      },
    ),
    { numRuns: 800 },
  )
})
