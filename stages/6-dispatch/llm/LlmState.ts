/** What is known of providers beyond one configuration, and what their calls are counted and priced with. */
import type { Tokens } from "../../ports/Tokens.ts"
import { Vitals } from "../health.ts"
import type { Catalogue } from "./prices.ts"

/** Names come from configuration; one that made thousands of them in its life need not be remembered whole. */
const VITALS_MAX = 16_384

export class LlmState {
  /** Replaced whole when the catalogue changes. */
  catalogue: Catalogue = new Map()
  readonly tokens: Tokens
  private readonly known = new Map<string, Vitals>()

  constructor(tokens: Tokens) {
    this.tokens = tokens
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
