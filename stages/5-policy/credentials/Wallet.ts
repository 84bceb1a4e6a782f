/** What the gateway shows backends of its own: where it comes from, and what of it is at hand. One for a whole gateway. */
import * as Effect from "effect/Effect"
import { defaults } from "../../../ir/defaults.ts"
import type { AwsKeys, Credentials, Token } from "../../ports/Credentials.ts"
import type { Refusal } from "../../Refusal.ts"
import { type Asking, type Expiring, Tokens, type TokensPorts } from "./Tokens.ts"

/** How many credentials of clouds are kept; a role may be assumed under as many names as there are users. */
const CLOUD_CREDENTIALS_MAX = 8192

export interface Wallet {
  readonly credentials: Credentials
  readonly tokens: Tokens<Token>
  readonly awsKeys: Tokens<AwsKeys>
  /** What token endpoints gave for one configuration of a policy, so that no policy crowds out another. */
  readonly store: (name: string) => Tokens<Token>
}

/** How many policies may have a store; one that is no longer configured is the first to go. */
const STORES_MAX = 1024

export const make = (credentials: Credentials, ports: TokensPorts): Wallet => {
  const stores = new Map<string, Tokens<Token>>()
  return {
    credentials,
    tokens: new Tokens(ports),
    awsKeys: new Tokens(ports),
    store: (name) => {
      let store = stores.get(name)
      if (store === undefined) {
        if (stores.size >= STORES_MAX) {
          for (const oldest of stores.keys()) {
            stores.delete(oldest)
            break
          }
        }
        stores.set(name, (store = new Tokens(ports)))
      }
      return store
    },
  }
}

export const failed = (detail: string): Refusal => ({ _tag: "BackendAuthFailed", detail })

/** Why a library gave nothing is for the log; whoever called the gateway learns only what was asked in vain. */
export const asked = <A extends Expiring>(what: string, ask: () => Promise<A>): Asking<A> => {
  const refusal = failed(`${what} cannot be obtained`)
  return {
    fetch: () =>
      Effect.catch(Effect.tryPromise({ try: ask, catch: reasonOf }), (why) =>
        Effect.andThen(Effect.logWarning(`${what} cannot be obtained: ${why}`), Effect.fail(refusal)),
      ),
    timeoutMillis: defaults.cloudLookupTimeoutMillis,
    late: failed(`${what} took too long to obtain`),
    entriesMax: CLOUD_CREDENTIALS_MAX,
  }
}

/** One line, and not a whole page that a server may have answered with. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").slice(0, 300)
