/** What is known of providers beyond one configuration, and what their calls are counted with. */
import type { Tokens } from "../../ports/Tokens.ts"
import type { Spending } from "../../ports/Spending.ts"
import { Vitals } from "../health.ts"

/** Names come from configuration; one that made thousands of them in its life need not be remembered whole. */
const VITALS_MAX = 16_384

export class LlmState {
  readonly tokens: Tokens
  readonly spending: Spending | undefined
  private readonly known = new Map<string, Vitals>()

  constructor(tokens: Tokens, spending?: Spending) {
    this.tokens = tokens
    this.spending = spending
  }

  /** By the backend and the name of each provider. */
  all(): Iterable<readonly [string, Vitals]> {
    return this.known
  }

  vitals(key: string): Vitals {
    let vitals = this.known.get(key)
    if (vitals === undefined) {
      if (this.known.size >= VITALS_MAX) this.known.clear()
      this.known.set(key, (vitals = new Vitals()))
    }
    return vitals
  }
}
