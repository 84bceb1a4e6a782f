import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { IpAccessControl } from "../../../ir/policy/IpAccessControl.ts"
import { addressIn, judged, judgeOf } from "../../../stages/5-policy/ipAccessControl.ts"

const byte = fc.nat(255)
const address = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join("."))
const range = fc.tuple(address, fc.nat(32)).map(([ip, prefix]) => `${ip}/${prefix}`)
const policy: fc.Arbitrary<IpAccessControl> = fc.record({
  _tag: fc.constant("IpAccessControl" as const),
  allow: fc.array(range, { maxLength: 3 }),
  deny: fc.array(range, { maxLength: 3 }),
  skipsPrivate: fc.boolean(),
  isWholeChain: fc.boolean(),
  chainLengthMax: fc.integer({ min: 1, max: 5 }),
})

/** By strings of bits, which is obviously right. */
const bits = (ip: string): string =>
  ip
    .split(".")
    .map((one) => Number(one).toString(2).padStart(8, "0"))
    .join("")
const within = (ip: string, cidr: string): boolean => {
  const [base = "", prefix = "0"] = cidr.split("/")
  return bits(ip).slice(0, Number(prefix)) === bits(base).slice(0, Number(prefix))
}
const local = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]

it("an address passes as a comparison of its bits says", () => {
  fc.assert(
    fc.property(policy, address, (one, ip) => {
      const isLocal = local.some((range) => within(ip, range))
      const expected =
        (one.skipsPrivate && isLocal) ||
        (!one.deny.some((range) => within(ip, range)) &&
          (one.allow.length === 0 || one.allow.some((range) => within(ip, range))))
      const parsed = addressIn(ip)
      assert.strictEqual(parsed !== undefined && judgeOf(one)(parsed), expected)
      // As a dual-stack socket says it, it is the same address.
      const mapped = addressIn(`::ffff:${ip}`)
      assert.strictEqual(mapped !== undefined && judgeOf(one)(mapped), expected)
    }),
    { numRuns: 1000 },
  )
})

it("whatever a client writes before the entries of the proxies changes nothing", () => {
  fc.assert(
    fc.property(
      fc.array(address, { minLength: 1, maxLength: 3 }),
      fc.array(
        fc.oneof(
          address,
          fc.string({ maxLength: 9 }).filter((text) => !text.includes(",")),
        ),
      ),
      (trusted, forged) => {
        const one: IpAccessControl = {
          _tag: "IpAccessControl",
          allow: [],
          deny: [],
          trustedHops: trusted.length,
          skipsPrivate: false,
          isWholeChain: false,
          chainLengthMax: 1000,
        }
        const plain = judged(one, "192.0.2.1", [trusted.join(", ")])
        const spoofed = judged(one, "192.0.2.1", [...forged, trusted.join(", ")])
        assert.deepStrictEqual(
          spoofed?.map(({ text }) => text),
          plain?.map(({ text }) => text),
        )
        assert.strictEqual(plain?.[0]?.text, trusted[0])
      },
    ),
    { numRuns: 500 },
  )
})

it("nothing that is no address passes, and nothing throws", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 4 }), fc.boolean(), (lines, isWholeChain) => {
      const one: IpAccessControl = {
        _tag: "IpAccessControl",
        allow: [],
        deny: [],
        skipsPrivate: false,
        isWholeChain,
        chainLengthMax: 30,
      }
      const found = judged(one, "192.0.2.1", lines)
      if (found === undefined) return
      for (const ip of found) assert.isTrue(ip.family === 4 || ip.family === 6)
    }),
    { numRuns: 1000 },
  )
})
