import * as fc from "fast-check"
import { expect, it } from "vitest"
import { costOf, ratesFor } from "../../../../stages/6-dispatch/llm/prices.ts"
import type { Usage } from "../../../../protocols/llm/Usage.ts"

const rate = fc.integer({ min: 0, max: 100_000_000 }).map((millionths) => millionths / 1_000_000)
const rates = fc.record(
  {
    input: rate,
    output: rate,
    cacheRead: rate,
    cacheWrite: rate,
    cacheWriteHour: rate,
    reasoning: rate,
    inputAudio: rate,
    outputAudio: rate,
  },
  { requiredKeys: [] },
)

/** Parts never exceed what they are parts of. */
const usage: fc.Arbitrary<Usage> = fc
  .record({
    plainIn: fc.nat(1_000_000),
    plainOut: fc.nat(1_000_000),
    cacheReadTokens: fc.nat(100_000),
    cacheWriteTokens: fc.nat(100_000),
    hour: fc.nat(200_000),
    inputAudioTokens: fc.nat(100_000),
    reasoningTokens: fc.nat(100_000),
    outputAudioTokens: fc.nat(100_000),
  })
  .map(({ hour, plainIn, plainOut, ...parts }) => ({
    ...parts,
    cacheWriteHourTokens: Math.min(hour, parts.cacheWriteTokens),
    inputTokens: plainIn + parts.cacheReadTokens + parts.cacheWriteTokens + parts.inputAudioTokens,
    outputTokens: plainOut + parts.reasoningTokens + parts.outputAudioTokens,
  }))

it("a cost is the sum of its parts, and never negative", () => {
  fc.assert(
    fc.property(usage, rates, (used, at) => {
      const { total, ...parts } = costOf(used, at)
      const sum = Object.values(parts).reduce((all, part) => all + part, 0)
      expect(total).toBeCloseTo(sum, 9)
      for (const part of Object.values(parts)) expect(part).toBeGreaterThanOrEqual(0)
    }),
  )
})

it("where every token costs the same, only their number counts", () => {
  fc.assert(
    fc.property(usage, rate, (used, each) => {
      const tokens = used.inputTokens + used.outputTokens
      expect(costOf(used, { input: each, output: each }).total).toBeCloseTo((tokens * each) / 1_000_000, 6)
    }),
  )
})

it("what a provider reads from its cache never costs more than reading it anew, at a lower rate", () => {
  fc.assert(
    fc.property(usage, rate, rate, (used, a, b) => {
      const [cheap, dear] = a < b ? [a, b] : [b, a]
      const cached = costOf(used, { input: dear, cacheRead: cheap }).total
      expect(cached).toBeLessThanOrEqual(costOf(used, { input: dear }).total + 1e-9)
    }),
  )
})

it("a tier holds for prompts beyond its threshold, over the rates of the base", () => {
  const price = {
    rates: { input: 1, output: 2 },
    tiers: [
      { contextOver: 100, rates: { input: 3 } },
      { contextOver: 200, rates: { input: 5, output: 7 } },
    ],
    tags: [],
  }
  expect([100, 101, 200, 201].map((tokens) => ratesFor(price, tokens))).toEqual([
    { input: 1, output: 2 },
    { input: 3, output: 2 },
    { input: 3, output: 2 },
    { input: 5, output: 7 },
  ])
})
