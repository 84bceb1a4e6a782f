/** Something that is asked in its own protocol how it is, by the gateway itself and at nobody's expense. */
import type * as Effect from "effect/Effect"
import type { Exchange } from "../Exchange.ts"

export type Found =
  /** It answers as it should; `says` is what it said of itself. */
  { readonly _tag: "Well"; readonly says: string } | { readonly _tag: "Unwell"; readonly why: string }

export interface Examination {
  readonly target: string
  readonly kind: "mcp" | "llm" | "a2a"
  /** `exchange`: whose plan it is asked by. */
  readonly ask: (exchange: Exchange) => Effect.Effect<Found>
}

export const well = (says: string): Found => ({ _tag: "Well", says })
export const unwell = (why: string): Found => ({ _tag: "Unwell", why })
