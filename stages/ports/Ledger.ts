/** Token buckets that several gateways share, kept by a store outside. */
import type * as Effect from "effect/Effect"
import type { BucketShape } from "../5-policy/Buckets.ts"

export interface Claim {
  /** Whose bucket it is. Those of one call share what is in braces, so that a store may keep them together. */
  readonly key: string
  readonly shape: BucketShape
  readonly tokens: number
}

export interface Account {
  /** The first claim for which there is too little; -1: none. */
  readonly lacking: number
  /** By claim, after the call. */
  readonly remaining: ReadonlyArray<number>
  /** By the store's clock. */
  readonly wallMillis: number
}

export interface Ledger {
  /**
   * In one round trip: `take` takes from all or from none, `look` only looks, and `settle` takes what there is, or gives
   * back what is negative. Fails with a reason, soon.
   */
  readonly account: (what: "take" | "look" | "settle", claims: ReadonlyArray<Claim>) => Effect.Effect<Account, string>
}
