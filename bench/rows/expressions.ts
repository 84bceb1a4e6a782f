/** What one evaluation of a rule costs. */
import { fourTerms } from "../cel.ts"
import { figure, type Row } from "../Row.ts"

export const rule: Row = {
  name: "rule",
  path: "a rule of four terms, all evaluated",
  floor: "the same decided by hand",
  bars: [{ of: "one evaluation", max: 1_000, unit: "ns" }],
  run: async (lab) => {
    const { byHand, ours } = fourTerms(lab.settings.rounds)
    const found = figure(ours)
    return { floor: figure(byHand), ours: found, unit: "ns/evaluation", figures: { "one evaluation": found }, more: {} }
  },
}
