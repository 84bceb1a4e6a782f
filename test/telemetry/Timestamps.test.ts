import { assert, describe, it } from "vitest"
import { Timestamps } from "../../src/telemetry/Timestamps.ts"
import { FakeClock } from "../stages/exchange.ts"

describe("a timestamp", () => {
  it("is the wall clock's time to the microsecond", () => {
    const timestamps = new Timestamps(new FakeClock(0))
    assert.equal(timestamps.at(0), "2023-11-14T22:13:20.000000Z")
    assert.equal(timestamps.at(7.008), "2023-11-14T22:13:20.007008Z")
    assert.equal(timestamps.at(999.999), "2023-11-14T22:13:20.999999Z")
    assert.equal(timestamps.at(1000), "2023-11-14T22:13:21.000000Z")
    assert.equal(timestamps.at(86_400_000), "2023-11-15T22:13:20.000000Z")
    assert.equal(timestamps.at(12.5), "2023-11-14T22:13:20.012500Z")
  })

  it("agrees with the platform at any time", () => {
    const timestamps = new Timestamps(new FakeClock(0))
    for (let millis = 0; millis < 5_000_000; millis += 7919) {
      const platform = new Date(1_700_000_000_000 + millis).toISOString().slice(0, 23)
      assert.equal(timestamps.at(millis).slice(0, 23), platform)
    }
  })

  it("follows a wall clock that was set, within a second", () => {
    let wallMillis = 1_700_000_000_000
    let nowMillis = 0
    const clock = Object.assign(new FakeClock(0), { nowMillis: () => nowMillis, wallMillis: () => wallMillis })
    const timestamps = new Timestamps(clock)
    assert.equal(timestamps.now(), "2023-11-14T22:13:20.000000Z")
    nowMillis = 1500
    wallMillis += 1500 + 3_600_000
    assert.equal(timestamps.now(), "2023-11-14T23:13:21.500000Z")
  })
})
