import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import {
  addressesInHosts,
  type Answer,
  BACKOFF_MILLIS_MAX,
  candidatesOf,
  type LookupFamily,
  NAMES_MAX,
  REFRESH_MILLIS_MIN,
  Resolver,
  systemQuery,
  UNUSED_MILLIS_MAX,
} from "../../../src/node/resolver.ts"
import { Bench, refusal, request, send, text } from "./gateway.ts"

type Reply = Answer | string

/** A resolver whose clock stands still and whose answers wait to be given. */
class World {
  nowMillis = 0
  readonly asked: Array<string> = []
  private readonly timers: Array<{ at: number; callback: () => void; stopped: boolean }> = []
  answers: (name: string, family: 4 | 6) => Reply
  readonly resolver: Resolver

  constructor(answers: (name: string, family: 4 | 6) => Reply, family: LookupFamily = "Auto", ipv6 = true) {
    this.answers = answers
    this.resolver = new Resolver({
      family,
      ipv6,
      query: (name, kind) => {
        this.asked.push(`${name} ${kind}`)
        const answer = this.answers(name, kind)
        return typeof answer === "string"
          ? Promise.reject(Object.assign(new Error(answer), { code: answer }))
          : Promise.resolve(answer)
      },
      clock: {
        after: (millis, callback) => {
          const timer = { at: this.nowMillis + millis, callback, stopped: false }
          this.timers.push(timer)
          return () => void (timer.stopped = true)
        },
      },
    })
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }

  async pass(millis: number): Promise<void> {
    const end = this.nowMillis + millis
    for (;;) {
      const due = this.timers.filter(({ at, stopped }) => !stopped && at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.nowMillis = due.at
      due.stopped = true
      due.callback()
      await this.settle()
    }
    this.nowMillis = end
  }

  async lookup(name: string): Promise<string | ReadonlyArray<string>> {
    let result: string | ReadonlyArray<string> | undefined
    this.resolver.lookup(name, (unresolved, addresses) => (result = unresolved?.code ?? addresses))
    await this.settle()
    return result ?? "pending"
  }
}

const a = (...addresses: Array<string>): Answer => ({ addresses, ttlMillis: 30_000 })

describe("the addresses of a name", () => {
  it("are asked for once and used in turn", async () => {
    const world = new World(() => a("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    expect(await Promise.all([world.lookup("x.test"), world.lookup("X.test")])).toEqual([
      ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
      ["10.0.0.2", "10.0.0.3", "10.0.0.1"],
    ])
    expect(await world.lookup("x.test")).toEqual(["10.0.0.3", "10.0.0.1", "10.0.0.2"])
    expect(await world.lookup("x.test")).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    expect(world.asked).toEqual(["x.test 4"])
  })

  it.each<[LookupFamily, boolean, Record<4 | 6, Reply>, string | ReadonlyArray<string>, ReadonlyArray<number>]>([
    ["Auto", true, { 4: a("10.0.0.1"), 6: a("fd::1") }, ["10.0.0.1"], [4]],
    ["Auto", true, { 4: "ENODATA", 6: a("fd::1") }, ["fd::1"], [4, 6]],
    ["Auto", false, { 4: "ENODATA", 6: a("fd::1") }, "ENODATA", [4]],
    ["V4Preferred", false, { 4: "ENODATA", 6: a("fd::1") }, ["fd::1"], [4, 6]],
    ["V4Only", true, { 4: "ENODATA", 6: a("fd::1") }, "ENODATA", [4]],
    ["V6Only", true, { 4: a("10.0.0.1"), 6: a("fd::1") }, ["fd::1"], [6]],
    ["All", true, { 4: a("10.0.0.1", "10.0.0.2"), 6: a("fd::1") }, ["10.0.0.1", "fd::1", "10.0.0.2"], [4, 6]],
    ["All", true, { 4: a("10.0.0.1"), 6: "ESERVFAIL" }, ["10.0.0.1"], [4, 6]],
    ["All", true, { 4: "ENOTFOUND", 6: "ENOTFOUND" }, "ENOTFOUND", [4, 6]],
    ["V4Preferred", true, { 4: "ESERVFAIL", 6: "ENODATA" }, "ESERVFAIL", [4, 6]],
  ])("follow the family %s (IPv6 %s)", async (family, ipv6, answers, expected, asked) => {
    const world = new World((_, kind) => answers[kind], family, ipv6)
    expect(await world.lookup("x.test")).toEqual(expected)
    expect(world.asked).toEqual(asked.map((kind) => `x.test ${kind}`))
  })

  it("need no query when they are literals or the loopback", async () => {
    const world = new World(() => "ENOTFOUND")
    expect(await world.lookup("10.1.2.3")).toEqual(["10.1.2.3"])
    expect(await world.lookup("::1")).toEqual(["::1"])
    expect(await world.lookup("[fd::1]")).toEqual(["fd::1"])
    expect(await world.lookup("localhost")).toEqual(["127.0.0.1", "::1"])
    expect(await world.lookup("a.LOCALHOST.")).toEqual(["127.0.0.1", "::1"])
    expect(await new World(() => "ENOTFOUND", "V4Only").lookup("localhost")).toEqual(["127.0.0.1"])
    expect([world.asked, world.resolver.size]).toEqual([[], 0])
  })

  it("are asked for again when their time is over, but not every moment", async () => {
    const world = new World(() => ({ addresses: ["10.0.0.1"], ttlMillis: 0 }))
    await world.lookup("x.test")
    await world.pass(REFRESH_MILLIS_MIN - 1)
    expect(world.asked.length).toBe(1)
    world.answers = () => a("10.0.0.9")
    await world.pass(1)
    expect(await world.lookup("x.test")).toEqual(["10.0.0.9"])
    await world.pass(29_999)
    expect(world.asked.length).toBe(2)
    await world.pass(1)
    expect(world.asked.length).toBe(3)
  })

  it("stay in use while nobody answers, and the questions become rarer", async () => {
    const world = new World(() => a("10.0.0.1"))
    await world.lookup("x.test")
    world.answers = () => "ETIMEOUT"
    world.asked.length = 0
    await world.pass(30_000)
    const times: Array<number> = []
    for (let i = 0; i < 20_000; i += 100) {
      const before = world.asked.length
      await world.pass(100)
      if (world.asked.length > before) times.push(i + 100)
      expect(await world.lookup("x.test")).toEqual(["10.0.0.1"])
    }
    // Each question is one for IPv4 and one for IPv6.
    expect(times).toEqual([200, 600, 1_400, 3_000, 6_200, 11_200, 16_200])
    world.answers = () => a("10.0.0.2")
    await world.pass(BACKOFF_MILLIS_MAX)
    expect(await world.lookup("x.test")).toEqual(["10.0.0.2"])
  })

  it("that were never found fail at once until the next question", async () => {
    const world = new World(() => "ENOTFOUND", "V4Only")
    expect(await world.lookup("x.test")).toBe("ENOTFOUND")
    expect(await world.lookup("x.test")).toBe("ENOTFOUND")
    expect(world.asked.length).toBe(1)
    world.answers = () => a("10.0.0.1")
    await world.pass(200)
    expect(await world.lookup("x.test")).toEqual(["10.0.0.1"])
  })

  it("come in turn, new answers first and those that could not be reached last", async () => {
    const world = new World(() => a("10.0.0.1", "10.0.0.2"))
    const { resolver } = world
    expect(resolver.next("x.test")).toBeUndefined()
    await world.lookup("x.test")
    const turns = (): Array<string | undefined> => [resolver.next("x.test"), resolver.next("x.test")]
    expect(turns().toSorted()).toEqual(["10.0.0.1", "10.0.0.2"])
    resolver.avoid("X.test", "10.0.0.2")
    expect([...turns(), ...turns()]).toEqual(Array.from({ length: 4 }, () => "10.0.0.1"))
    let found: ReadonlyArray<string> = []
    resolver.lookup("x.test", (_, addresses) => (found = addresses), "10.0.0.2")
    expect(found).toEqual(["10.0.0.1", "10.0.0.2"])
    world.answers = () => a("10.0.0.2", "10.0.0.3")
    await world.pass(30_000)
    expect(turns().toSorted()).toEqual(["10.0.0.2", "10.0.0.3"])
    resolver.lookup("x.test", (_, addresses) => (found = addresses), "10.0.0.3")
    expect(found).toEqual(["10.0.0.3", "10.0.0.2"])
    world.answers = () => a("10.0.0.4")
    await world.pass(30_000)
    expect(turns()).toEqual(["10.0.0.4", "10.0.0.4"])
  })

  it("are forgotten when nobody uses them", async () => {
    const world = new World((name) => (name === "no.test" ? "ENOTFOUND" : a("10.0.0.1")))
    await world.lookup("x.test")
    await world.lookup("no.test")
    expect(world.resolver.size).toBe(2)
    await world.pass(UNUSED_MILLIS_MAX + 30_000)
    const asked = world.asked.length
    expect(world.resolver.size).toBe(0)
    await world.pass(600_000)
    expect(world.asked.length).toBe(asked)
  })

  it("stay bounded in number", async () => {
    const world = new World(() => a("10.0.0.1"))
    for (let i = 0; i < NAMES_MAX + 10; i++) {
      world.resolver.lookup(`x${i}.test`, () => {})
      if (i % 1_000 === 0) await world.settle()
    }
    await world.settle()
    expect(world.resolver.size).toBeLessThanOrEqual(NAMES_MAX + 1_000)
  })

  it("are not told to somebody who left", async () => {
    const world = new World(() => a("10.0.0.1"))
    let told = 0
    const forget = world.resolver.lookup("x.test", () => told++)
    forget()
    await world.settle()
    expect(told).toBe(0)
    expect(await world.lookup("x.test")).toEqual(["10.0.0.1"])
  })

  it("end with the resolver", async () => {
    const world = new World(() => a("10.0.0.1"))
    await world.lookup("x.test")
    world.resolver.close()
    world.asked.length = 0
    await world.pass(600_000)
    expect(world.asked).toEqual([])
  })
})

describe("what the system knows", () => {
  it("is read from the hosts file", () => {
    const hosts =
      "127.0.0.1 localhost\n10.0.0.1\tA.test b.test # c.test\n#10.0.0.2 b.test\nfd::1 b.test\n10.0.0.3 b.test"
    expect(addressesInHosts(hosts, "a.test", 4)).toEqual(["10.0.0.1"])
    expect(addressesInHosts(hosts, "b.test", 4)).toEqual(["10.0.0.1", "10.0.0.3"])
    expect(addressesInHosts(hosts, "b.test", 6)).toEqual(["fd::1"])
    expect(addressesInHosts(hosts, "c.test", 4)).toEqual([])
  })

  it("extends short names by the search list", () => {
    const conf = "nameserver 10.0.0.10\nsearch ns.svc.test svc.test\noptions ndots:2 timeout:1\n"
    expect(candidatesOf(conf, "a")).toEqual(["a.ns.svc.test", "a.svc.test", "a"])
    expect(candidatesOf(conf, "a.b.c")).toEqual(["a.b.c", "a.b.c.ns.svc.test", "a.b.c.svc.test"])
    expect(candidatesOf(conf, "a.b.")).toEqual(["a.b"])
    expect(candidatesOf("", "a")).toEqual(["a"])
  })

  it("answers from the hosts file without a server", async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "hosts-"))
    const hosts = path.join(folder, "hosts")
    await fs.writeFile(hosts, "127.0.0.1 upstream.test\n")
    const bench = new Bench({ query: systemQuery(hosts, path.join(folder, "none")) })
    try {
      const { port } = await bench.http((_, response) => void response.end("found"))
      const endpoint = bench.open({ target: { _tag: "Host", host: "Upstream.test", port } })
      expect(await text(await send(endpoint, request("GET", "/")))).toBe("found")
    } finally {
      await bench.close()
      await fs.rm(folder, { recursive: true })
    }
  })

  it("never takes numbers of unusual form for addresses", async () => {
    const bench = new Bench()
    try {
      for (const host of ["127.1", "0x7f000001", "2130706433"]) {
        const endpoint = bench.open({ target: { _tag: "Host", host, port: 80 } })
        expect((await refusal(endpoint, request("GET", "/")))._tag).toBe("ResolutionFailed")
      }
    } finally {
      await bench.close()
    }
  })
})
