import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { format, parse } from "../../src/config/duration.ts"

const good: ReadonlyArray<readonly [string, number]> = [
  ["0", 0],
  ["0s", 0],
  ["1ns", 0.000001],
  ["5us", 0.005],
  ["5µs", 0.005],
  ["500ms", 500],
  ["1.5s", 1500],
  [".5s", 500],
  ["1m30s", 90_000],
  ["1h30m", 5_400_000],
  ["1h0m1s", 3_601_000],
  ["100s", 100_000],
]

const bad: ReadonlyArray<readonly [string, RegExp]> = [
  ["-1s", /negative string not allowed/],
  ["10", /has no unit/],
  ["1.5", /has no unit/],
  ["", /is not a duration/],
  ["s", /is not a duration/],
  ["1 s", /is not a duration/],
  ["1d", /is not a duration/],
  ["1s1", /is not a duration/],
  ["9999999999999999h", /too long/],
]

describe("durations", () => {
  it.each(good)("%s is %d milliseconds", (text, millis) => {
    expect(parse(text)).toEqual(Result.succeed(millis))
  })
  it.each(bad)("%j is refused", (text, message) => {
    const result = parse(text)
    expect(Result.isFailure(result) ? result.failure.message : "accepted").toMatch(message)
  })
  it.each([0, 1, 500, 1500, 90_000, 3_600_000, 5_461_250])("%d milliseconds survive being written", (millis) => {
    expect(parse(format(millis))).toEqual(Result.succeed(millis))
  })
  it("is written as Go writes it", () => {
    expect([format(180_000), format(90_000), format(3_600_000), format(250)]).toEqual([
      "3m0s",
      "1m30s",
      "1h0m0s",
      "250ms",
    ])
  })
})
