import { assert, describe, it } from "@effect/vitest"
import { formatHttpDate, parseHttpDate } from "../../../protocols/http/date.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { parseRetryAfter, RETRY_HINT_MILLIS_MAX, retryHintMillis } from "../../../protocols/http/retryAfter.ts"

const now = Date.UTC(2026, 0, 1)
const hint = (fields: Record<string, string>) => retryHintMillis(Headers.from(fields), now)

describe("HTTP dates", () => {
  it("are read in all three forms", () => {
    const moment = Date.UTC(1994, 10, 6, 8, 49, 37)
    for (const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]) {
      assert.strictEqual(parseHttpDate(text, now), moment, text)
    }
    assert.strictEqual(formatHttpDate(moment), "Sun, 06 Nov 1994 08:49:37 GMT")
    assert.strictEqual(
      parseHttpDate("Sunday, 06-Nov-10 08:49:37 GMT", Date.UTC(2090, 0)),
      Date.UTC(2110, 10, 6, 8, 49, 37),
    )
  })

  it("that do not exist are nothing", () => {
    for (const text of [
      "",
      "tomorrow",
      "Sun, 31 Feb 2024 00:00:00 GMT",
      "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Foo 1994 08:49:37 GMT",
      "2026-01-01",
      "Sun, 06 Nov 1994 08:49:37 CET",
    ]) {
      assert.strictEqual(parseHttpDate(text, now), undefined, text)
    }
  })
})

describe("retry hints", () => {
  it("come from Retry-After first, in seconds or as a date", () => {
    assert.strictEqual(hint({ "retry-after": "2", "retry-after-ms": "1" }), 2000)
    assert.strictEqual(hint({ "retry-after": "0.5" }), 500)
    assert.strictEqual(hint({ "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }), 60_000)
    assert.strictEqual(hint({ "retry-after": "Thu, 01 Jan 2015 00:01:00 GMT" }), 0)
    assert.strictEqual(parseRetryAfter("-1", now), undefined)
  })

  it("fall back from one kind to the next when one cannot be read", () => {
    assert.strictEqual(hint({ "retry-after": "soon", "retry-after-ms": "250.5" }), 251)
    assert.strictEqual(hint({ "x-ratelimit-reset": "30", "x-ratelimit-reset-tokens": "1" }), 30_000)
    assert.strictEqual(hint({ "x-ratelimit-reset": String(now / 1000 + 90) }), 90_000)
    assert.strictEqual(hint({ "x-ratelimit-reset": String(now + 90_000) }), 90_000)
    assert.strictEqual(hint({ "x-ratelimit-reset": String(now / 1000 - 90) }), 0)
    assert.strictEqual(hint({}), undefined)
    assert.strictEqual(hint({ "x-ratelimit-reset": "never" }), undefined)
  })

  it("take the soonest of the family", () => {
    assert.strictEqual(
      hint({
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-reset-tokens": "1.5s",
        "x-ratelimit-reset-requests-day": "8h3m",
      }),
      1500,
    )
    assert.strictEqual(hint({ "x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "x" }), 20)
    assert.strictEqual(hint({ "x-ratelimit-reset-tokens-minute": "3" }), 3000)
  })

  it("are bounded", () => {
    assert.strictEqual(hint({ "retry-after": "999999999999" }), RETRY_HINT_MILLIS_MAX)
    assert.strictEqual(hint({ "retry-after": "9".repeat(40) }), undefined)
  })
})
