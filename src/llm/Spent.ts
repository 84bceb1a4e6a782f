/** What was spent of a budget by one of its subjects in one window, as the admin API tells it. */
export interface Spent {
  readonly budget: string
  readonly subject: string
  readonly windowStart: string
  readonly amount: number
}

const byText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

export const latestFirst = (one: Spent, other: Spent): number =>
  byText(other.windowStart, one.windowStart) || byText(one.budget, other.budget) || byText(one.subject, other.subject)
