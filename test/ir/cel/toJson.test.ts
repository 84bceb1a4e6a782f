import { describe, expect, it } from "vitest"
import { CelError, double, Duration, none, Optional, Timestamp, Uint } from "../../../ir/cel/CelValue.ts"
import {
  toBody,
  toDelayMillis,
  toDescriptor,
  toExpiryMillis,
  toHeaderValue,
  toJson,
  toStatus,
  toText,
} from "../../../ir/cel/toJson.ts"
import { RedactedText } from "../../../ir/cel/views.ts"
import { raw } from "./evaluating.ts"

const failed = new CelError("failed", "no")
const bytes = (text: string) => new TextEncoder().encode(text)

describe("what the gateway makes of a result", () => {
  it("JSON", () => {
    expect(toJson([1, double(1), new Uint(2), 2n ** 60n, bytes("hi"), none, new Optional("x")])).toEqual([
      1,
      1,
      2,
      "1152921504606846976",
      "aGk=",
      null,
      "x",
    ])
    expect(toJson(new Timestamp(0, 120_000_000))).toBe("1970-01-01T00:00:00.12Z")
    expect(toJson(new Duration(-2, 500_000_000))).toBe("-1.5s")
    expect(toJson([Number.NaN, Infinity])).toEqual([null, null])
    expect(toJson(raw("{1: 'a', true: 'b', 2u: 'c'}") as never)).toEqual({ 1: "a", true: "b", 2: "c" })
    expect(toJson(new RedactedText("secret"))).toBe("<redacted>")
  })
  it("a header value is text or bytes", () => {
    expect(toHeaderValue("é")).toBe("\u00c3\u00a9")
    expect(toHeaderValue(Uint8Array.of(255))).toBe("\u00ff")
    expect(toHeaderValue(1)).toBeUndefined()
    expect(toHeaderValue("a\r\nx-admin: true")).toBeUndefined()
    expect(toHeaderValue(Uint8Array.of(97, 0))).toBeUndefined()
    expect(toHeaderValue(failed)).toBeUndefined()
  })
  it("a status is a number of that range", () =>
    expect([200, new Uint(404), 99, 600, "200"].map(toStatus)).toEqual([200, 404, undefined, undefined, undefined]))
  it("a body is text or bytes as they are, anything else JSON", () => {
    const text = (body: Uint8Array) => new TextDecoder().decode(body)
    expect([toBody("x"), toBody(bytes("y")), toBody([1]), toBody(null)].map(text)).toEqual(["x", "y", "[1]", "null"])
  })
  it("a descriptor is a scalar", () =>
    expect(["a", true, 3, new Uint(4), bytes("hi"), 1.5, null, [], {}].map(toDescriptor)).toEqual([
      "a",
      "true",
      "3",
      "4",
      "aGk=",
      undefined,
      undefined,
      undefined,
      undefined,
    ]))
  it("text is only text", () => expect([toText("a"), toText(1), toText(failed)]).toEqual(["a", undefined, undefined]))
  it("a delay is a duration or milliseconds", () =>
    expect([new Duration(1, 500_000_000), 250, double(2), new Uint(3), "1s", Infinity].map(toDelayMillis)).toEqual([
      1500,
      250,
      2,
      3,
      undefined,
      undefined,
    ]))
  it("an expiry is a duration from now, a timestamp, or epoch seconds", () =>
    expect([new Duration(1, 0), new Timestamp(5, 0), 7, "x"].map((one) => toExpiryMillis(one, 1000))).toEqual([
      2000,
      5000,
      7000,
      undefined,
    ]))
})
