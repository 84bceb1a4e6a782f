import { assert, describe, it } from "@effect/vitest"
import { better, findHost, makeHosts } from "../../../stages/4-route/host.ts"

const named = (...hostnames: ReadonlyArray<string>) =>
  makeHosts(hostnames.map((hostname) => ({ hostname, value: hostname })))

describe("the listener of a host", () => {
  const hosts = named("*", "*.a.com", "*.b.a.com", "x.b.a.com")

  it("has the name itself before any suffix", () => {
    assert.strictEqual(findHost(hosts, "x.b.a.com"), "x.b.a.com")
  })
  it("has the longest suffix, over several labels", () => {
    assert.strictEqual(findHost(hosts, "y.b.a.com"), "*.b.a.com")
    assert.strictEqual(findHost(hosts, "x.y.a.com"), "*.a.com")
  })
  it("is the one for any host when nothing else is left, also without a server name", () => {
    assert.strictEqual(findHost(hosts, "a.com"), "*")
    assert.strictEqual(findHost(hosts, ""), "*")
  })
  it("is none when no hostname takes it", () => {
    assert.strictEqual(findHost(named("*.a.com", "b.com"), "a.com"), undefined)
    assert.strictEqual(findHost(named(), "a.com"), undefined)
  })
  it("may be written in upper case, or empty for any", () => {
    assert.strictEqual(findHost(named("A.com", ""), "a.com"), "A.com")
    assert.strictEqual(findHost(named("A.com", ""), "c"), "")
  })
  it("is the first of two with one hostname", () => {
    const hosts = makeHosts([
      { hostname: "a", value: 1 },
      { hostname: "a", value: 2 },
    ])
    assert.strictEqual(findHost(hosts, "a"), 1)
  })
  it("is none for a text longer than any name", () => {
    assert.strictEqual(findHost(hosts, `${"x".repeat(260)}.a.com`), undefined)
  })
})

describe("a connection opened for one listener", () => {
  const hosts = named("*", "*.a.com", "x.a.com")

  it("is misdirected for a host that another names more closely", () => {
    assert.isTrue(better(hosts, "x.a.com", "*.a.com"))
    assert.isTrue(better(hosts, "y.a.com", "*"))
    assert.isTrue(better(hosts, "other", "x.a.com"))
  })
  it("is right where its own hostname is the closest", () => {
    assert.isFalse(better(hosts, "x.a.com", "x.a.com"))
    assert.isFalse(better(hosts, "y.a.com", "*.a.com"))
    assert.isFalse(better(hosts, "other", "*"))
    assert.isFalse(better(hosts, "other", ""))
  })
  it("is not misdirected where nobody takes the host", () => {
    assert.isFalse(better(named("x.a.com"), "b.com", "x.a.com"))
  })
})
