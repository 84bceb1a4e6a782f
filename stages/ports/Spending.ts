/** What was spent on models: booked before a call for what it may cost, and settled for what it did. */
import * as Effect from "effect/Effect"

export interface Account {
  readonly budget: string
  /** Whose share of it. */
  readonly subject: string
  /** When the window began, by the wall clock. */
  readonly windowMillis: number
  /** … and when it is over. */
  readonly endMillis: number
}

export interface Booking {
  readonly account: Account
  readonly amount: number
  /** Nothing is booked where this would be passed; absent: it is booked in any case. */
  readonly limit: number | undefined
  /** From then on nobody is going to settle it. */
  readonly expiresMillis: number
}

export interface Booked {
  readonly id: string | undefined
  /** Spent and booked by others, before this. */
  readonly spent: number
}

export interface SpendingFailure {
  readonly _tag: "SpendingFailure"
  readonly message: string
}

export interface Spending {
  /** Without an id where there was no room. */
  readonly book: (booking: Booking) => Effect.Effect<Booked, SpendingFailure>
  /** Takes the booking off and the amount on; never waits, never fails, and is not forgotten. */
  readonly settle: (account: Account, id: string | undefined, amount: number) => void
  /** Told when a plan keeps budgets here, so that the first call need not wait for a connection. */
  readonly ready?: () => void
}

/** Where budgets are kept; one that is configured for a place that is not there cannot be looked up. */
export interface Spendings {
  /** In the storage of the gateway. */
  readonly own?: Spending
  readonly redis?: Spending
}

/** Of one process, for as long as it lives. */
export const inMemory = (wallMillis: () => number, makeId: () => string): Spending => {
  interface Page {
    spent: number
    readonly bookings: Map<string, { readonly amount: number; readonly expiresMillis: number }>
  }
  /** Windows that are over are dropped when there are more pages than this. */
  const PAGES_MAX = 100_000
  const pages = new Map<string, Page>()
  const pageOf = ({ budget, subject, windowMillis }: Account): Page => {
    const key = JSON.stringify([budget, subject, windowMillis])
    let page = pages.get(key)
    if (page === undefined) {
      if (pages.size >= PAGES_MAX) for (const oldest of [...pages.keys()].slice(0, PAGES_MAX / 10)) pages.delete(oldest)
      pages.set(key, (page = { spent: 0, bookings: new Map() }))
    }
    return page
  }
  return {
    book: ({ account, amount, expiresMillis, limit }) =>
      Effect.sync(() => {
        const page = pageOf(account)
        const now = wallMillis()
        let { spent } = page
        for (const [id, booking] of page.bookings) {
          if (booking.expiresMillis <= now) page.bookings.delete(id)
          else spent += booking.amount
        }
        if (limit !== undefined && (spent >= limit || spent + amount > limit)) return { id: undefined, spent }
        const id = makeId()
        page.bookings.set(id, { amount, expiresMillis })
        return { id, spent }
      }),
    settle: (account, id, amount) => {
      const page = pageOf(account)
      if (id !== undefined) page.bookings.delete(id)
      page.spent += amount
    },
  }
}
