/** Keys that the gateway gave out itself, known by their hashes. */
import type * as Effect from "effect/Effect"
import type { IssuedKey } from "../../ir/policy/ApiKey.ts"

export interface VirtualKey {
  /** No secret, and the same for as long as the key lives. */
  readonly id: string
  readonly issued: IssuedKey
}

export interface Keyring {
  /** At once, from what is known here; undefined: not known here, or good no more. */
  readonly known: (sha256: string) => VirtualKey | undefined
  /** Asks the storage; for keys that were given out a moment ago, or elsewhere. */
  readonly find: (sha256: string) => Effect.Effect<VirtualKey | undefined>
}
