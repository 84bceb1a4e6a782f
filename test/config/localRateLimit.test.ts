/** The two ways to say how much passes in which time. */
import { describe, expect, it } from "vitest"
import { mapped } from "./mapped.ts"

const limited = (bucket: string) => {
  const { problems, snapshot } = mapped(
    `{routes: [{policies: {localRateLimit: [${bucket}]}, backends: [{host: "a:1"}]}], gateways: {default: {port: 1}}}`,
  )
  const [route] = [...snapshot.routes.values()]
  const [policy] = route?.policies ?? []
  return {
    complaints: problems.map(({ message }) => message),
    limits: policy?._tag === "LocalRateLimit" ? policy.limits : [],
  }
}

describe("a local rate limit", () => {
  it.each([
    ["seconds", 1_000],
    ["Minute", 60_000],
    ["hours", 3_600_000],
    ["days", 86_400_000],
  ])("of so many in a unit of %s is a bucket filled once in it", (unit, fillIntervalMillis) => {
    const { complaints, limits } = limited(`{limit: 50, unit: ${unit}}`)
    expect(complaints).toEqual([])
    expect(limits).toEqual([{ maxTokens: 50, tokensPerFill: 50, fillIntervalMillis, type: "requests" }])
  })

  it("is said in one way, and wholly", () => {
    expect(limited("{limit: 5}").complaints).toEqual(["needed beside `limit`"])
    expect(limited("{limit: 5, unit: days, maxTokens: 3}").complaints).toEqual([
      "`maxTokens` cannot be set beside `limit` and `unit`",
    ])
    expect(limited("{maxTokens: 3, tokensPerFill: 1}").complaints).toEqual(["needed"])
  })
})
