import { assert, describe, it } from "vitest"
import { expose } from "../../src/telemetry/exposition.ts"
import { type Exported, merge, Registry } from "../../src/telemetry/Registry.ts"
import * as Metrics from "../../src/telemetry/metrics.ts"
import { read, valueOf } from "./prometheus.ts"

const textOf = (exported: Exported): string => [...expose(exported)].join("")

const hits = { name: "hits_total", kind: "counter", help: "Hits.", labels: ["path"] } as const
const took = { name: "took_seconds", kind: "histogram", help: "Time.", labels: ["path"], buckets: [0.1, 1] } as const
const open = { name: "open", kind: "gauge", help: "Open.", labels: [] } as const

describe("metrics", () => {
  it("are exposed as another reader understands them", () => {
    const registry = new Registry()
    registry.counter(hits).with("/a").add(3)
    const time = registry.histogram(took).with("/a")
    for (const seconds of [0.05, 0.1, 0.2, 5]) time.observe(seconds)
    registry.gauge(open).with().set(7)
    const samples = read(textOf(registry.export()))
    assert.equal(valueOf(samples, "hits_total", { path: "/a" }), 3)
    assert.equal(valueOf(samples, "took_seconds_bucket", { le: "0.1" }), 2)
    assert.equal(valueOf(samples, "took_seconds_bucket", { le: "1" }), 3)
    assert.equal(valueOf(samples, "took_seconds_bucket", { le: "+Inf" }), 4)
    assert.equal(valueOf(samples, "took_seconds_count"), 4)
    assert.closeTo(valueOf(samples, "took_seconds_sum"), 5.35, 1e-9)
    assert.equal(valueOf(samples, "open"), 7)
  })

  it("keep label values whole, whatever is in them", () => {
    const registry = new Registry()
    const family = registry.counter({ ...hits, help: "A \\ and\na second line." })
    const values = ['quo"te', "back\\slash", "two\nlines", 'all\\"\n}', '{a="b"}', "żółw 🐢", ""]
    for (const [i, value] of values.entries()) family.with(value).add(i + 1)
    const samples = read(textOf(registry.export()))
    assert.deepEqual(
      samples.map(({ labels, value }) => [labels["path"], value]),
      values.map((value, i) => [value, i + 1]),
    )
  })

  it("call a value that is missing unknown", () => {
    const registry = new Registry()
    registry.counter(hits).with(undefined).add(1)
    assert.deepEqual(read(textOf(registry.export()))[0]?.labels, { path: "unknown" })
  })

  it("give one series for one set of labels, and never one for two", () => {
    const family = new Registry().counter({ ...hits, labels: ["a", "b"] })
    assert.strictEqual(family.with("x", "y"), family.with("x", "y"))
    assert.notStrictEqual(family.with("x,y", ""), family.with("x", "y,"))
    assert.notStrictEqual(family.with('x","y', ""), family.with("x", 'y",""'))
  })

  it("keep their numbers apart, however many there come to be", () => {
    const registry = new Registry()
    const counters = registry.counter(hits)
    const times = registry.histogram(took)
    for (let i = 0; i < 1_000; i++) {
      counters.with(`/${i}`).add(i)
      const time = times.with(`/${i}`)
      for (const seconds of [0.05, 0.5, 5]) time.observe(seconds + i)
    }
    const [counted, timed] = registry.export()
    for (const [i, { value }] of (counted?.series ?? []).entries()) assert.equal(value, i)
    for (const [i, { counts, value }] of (timed?.series ?? []).entries()) {
      assert.deepEqual(counts, i === 0 ? [1, 1, 1] : [0, 0, 3])
      assert.closeTo(value, 5.55 + 3 * i, 1e-6)
    }
    assert.equal(counted?.series.length, 1_000)
  })

  it("have a bound: what comes after it shares one series, and is counted", () => {
    const metrics = Metrics.make({ version: "1", seriesMax: 3 })
    for (let i = 0; i < 10; i++) metrics.requests.with(`backend${i}`).add(1)
    const samples = read(textOf(metrics.registry.export()))
    const requests = samples.filter(({ name }) => name === "agentgateway_requests_total")
    assert.lengthOf(requests, 4)
    assert.equal(
      requests.reduce((sum, { value }) => sum + value, 0),
      10,
    )
    assert.equal(valueOf(samples, "agentgateway_requests_total", { backend: "overflow", route: "overflow" }), 7)
    assert.equal(
      valueOf(samples, "agentgateway_metric_series_overflow_total", { metric: "agentgateway_requests_total" }),
      7,
    )
  })

  it("can be removed by any way to write their name", () => {
    for (const name of [
      "agentgateway_request_duration_seconds",
      "request_duration_seconds",
      "request_duration",
      "agentgateway_request_duration",
    ]) {
      const metrics = Metrics.make({ version: "1", remove: [name, "retries"] })
      metrics.requestDuration.with("b").observe(1)
      metrics.retries.with("b").add(1)
      metrics.requests.with("b").add(1)
      const names = new Set(read(textOf(metrics.registry.export())).map((one) => one.name))
      assert.isTrue(names.has("agentgateway_requests_total"))
      assert.isFalse([...names].some((one) => /request_duration|retries/.test(one)))
    }
  })

  it("that are to be removed but do not exist are named", () => {
    const { registry } = Metrics.make({
      version: "1",
      remove: ["retries", "agentgateway_retrys_total", "requests_total"],
    })
    assert.deepEqual(registry.unmatched, ["agentgateway_retrys_total"])
  })

  it("of several threads add up, and are plain data on the way", () => {
    const threads = [1, 2, 3].map((n) => {
      const registry = new Registry()
      registry.counter(hits).with("/a").add(n)
      registry
        .counter({ ...hits, name: `only${n}_total` })
        .with("/a")
        .add(n)
      registry
        .histogram(took)
        .with("/a")
        .observe(n / 2)
      registry.gauge(open).with().set(n)
      registry
        .gauge({ ...open, name: "worst", across: "max" })
        .with()
        .set(n)
      registry
        .gauge({ ...open, name: "least", across: "min" })
        .with()
        .set(n)
      return structuredClone(registry.export())
    })
    const samples = read(textOf(merge(threads)))
    assert.equal(valueOf(samples, "hits_total"), 6)
    assert.equal(valueOf(samples, "only2_total"), 2)
    assert.equal(valueOf(samples, "took_seconds_count"), 3)
    assert.equal(valueOf(samples, "took_seconds_sum"), 3)
    assert.equal(valueOf(samples, "took_seconds_bucket", { le: "1" }), 2)
    assert.equal(valueOf(samples, "open"), 6)
    assert.equal(valueOf(samples, "worst"), 3)
    assert.equal(valueOf(samples, "least"), 1)
  })

  it("are looked at again for every reading", () => {
    const registry = new Registry()
    const gauge = registry.gauge(open).with()
    let value = 1
    registry.onRead(() => gauge.set(value))
    assert.equal(valueOf(read(textOf(registry.export())), "open"), 1)
    value = 2
    assert.equal(valueOf(read(textOf(registry.export())), "open"), 2)
  })

  it("come in pieces when there are many", { timeout: 60_000 }, () => {
    const registry = new Registry()
    const family = registry.counter(hits)
    for (let i = 0; i < 5000; i++) family.with(`/a/rather/long/path/${i}`).add(1)
    const pieces = [...expose(registry.export())]
    assert.isAbove(pieces.length, 5)
    assert.lengthOf(read(pieces.join("")), 5000)
  })

  it("say once who they are", () => {
    const metrics = Metrics.make({ version: "1.2.3" })
    assert.equal(valueOf(read(textOf(metrics.registry.export())), "agentgateway_build_info", { tag: "1.2.3" }), 1)
  })
})
