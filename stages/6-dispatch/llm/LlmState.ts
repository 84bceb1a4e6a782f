/** What is known of providers beyond one configuration, and what their calls are counted with. */
import type { Tokens } from "../../ports/Tokens.ts"
import type { Coding } from "../../ports/Coding.ts"
import type { Replies } from "../../ports/Replies.ts"
import type { Spendings } from "../../ports/Spending.ts"
import { Vitals } from "../health.ts"
import { Similar } from "./cache/Similar.ts"

/** Names come from configuration; one that made thousands of them in its life need not be remembered whole. */
const VITALS_MAX = 16_384
/** So many caches by meaning are kept, those of former configurations included. */
const SIMILAR_MAX = 64

/** Where replies are kept; a cache that is configured for a place that is not there keeps nothing. */
export interface KeptReplies {
  readonly memory?: Replies
  readonly redis?: Replies
}

export class LlmState {
  readonly tokens: Tokens
  readonly spendings: Spendings
  readonly replies: KeptReplies
  /** Absent: bodies that are coded are not understood. */
  readonly coding: Coding | undefined
  private readonly known = new Map<string, Vitals>()
  private readonly meanings = new Map<string, Similar>()

  constructor(tokens: Tokens, spendings: Spendings = {}, replies: KeptReplies = {}, coding?: Coding) {
    this.tokens = tokens
    this.spendings = spendings
    this.replies = replies
    this.coding = coding
  }

  similar(generation: string, entriesMax: number): Similar {
    const key = `${entriesMax} ${generation}`
    let similar = this.meanings.get(key)
    if (similar === undefined) {
      for (const oldest of this.meanings.keys()) {
        if (this.meanings.size < SIMILAR_MAX) break
        this.meanings.delete(oldest)
      }
      this.meanings.set(key, (similar = new Similar(entriesMax)))
    }
    return similar
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
