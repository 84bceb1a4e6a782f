import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { formatIp } from "../../../protocols/net/ip.ts"
import { isPublic } from "../../../protocols/net/special.ts"

describe("an address", () => {
  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a00:1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "3fff::1",
    "100::1",
    "::7f00:1",
    "localhost",
    "",
    "1.2.3",
    "0x7f.1",
    "2130706433",
  ])("%s is not public", (text) => assert.isFalse(isPublic(text)))

  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "198.17.0.1",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ])("%s is public", (text) => assert.isTrue(isPublic(text)))

  it("is judged the same however an IPv4 address is wrapped", () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const bytes = new Uint8Array(16)
        bytes.set([0xff, 0xff, ...text.split(".").map(Number)], 10)
        assert.strictEqual(isPublic(formatIp(bytes)), isPublic(text))
        assert.strictEqual(isPublic(`::ffff:${text}`), isPublic(text))
      }),
    )
  })
})
