import { assert, describe, it } from "@effect/vitest"
import { formatIp, isIpv4, isIpv6, parseIp } from "../../../protocols/net/ip.ts"

describe("IP addresses", () => {
  it("are told from what only looks like them", () => {
    for (const text of ["0.0.0.0", "255.255.255.255"]) assert.isTrue(isIpv4(text), text)
    for (const text of ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "0x1.2.3.4", "", "1.2.3.4 "]) {
      assert.isFalse(isIpv4(text), text)
    }
    for (const text of [
      "::",
      "1::",
      "::1.2.3.4",
      "1:2:3:4:5:6:7:8",
      "1:2:3:4:5:6:1.2.3.4",
      "1::8",
      "1:2:3:4:5:6:7::",
    ]) {
      assert.isTrue(isIpv6(text), text)
    }
    for (const text of [
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7::8",
      ":1",
      "1.2.3.4::",
      "g::",
      "12345::",
      "1:::2",
      "1:",
      ":",
      "fe80::1%eth0",
    ]) {
      assert.isFalse(isIpv6(text), text)
    }
  })

  it.each([
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["::FFFF:1.2.3.4", "::ffff:1.2.3.4"],
    ["1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"],
    ["10.0.0.1", "10.0.0.1"],
  ])("%s is written %s", (text, canonical) => {
    const bytes = parseIp(text)
    assert.isDefined(bytes)
    assert.strictEqual(formatIp(bytes), canonical)
  })
})
