/** How long a model may think, said as a word or as a number of tokens. */
import type { Effort, Reasoning } from "./Conversation.ts"

const budgets: Readonly<Record<Effort, number>> = {
  none: 0,
  minimal: 1024,
  low: 1024,
  medium: 2048,
  high: 4096,
  xhigh: 8192,
  max: 16_384,
}

export const budgetOfEffort = (effort: Effort): number => budgets[effort]

/** The word for a budget; a model left to decide for itself thinks as long as it likes. */
export const effortOfBudget = (reasoning: Reasoning): Effort | undefined => {
  if (reasoning.budgetTokens === undefined) return reasoning.adaptive === true ? "high" : undefined
  if (reasoning.budgetTokens <= 0) return reasoning.budgetTokens === 0 ? "none" : "medium"
  if (reasoning.budgetTokens <= 1024) return "low"
  return reasoning.budgetTokens <= 4096 ? "medium" : "high"
}
