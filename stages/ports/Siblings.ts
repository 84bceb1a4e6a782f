/** The other workers of this gateway: a request that only one of them can answer is handed to that one. */
import type * as Effect from "effect/Effect"
import type { Reply } from "../Exchange.ts"
import type { Identity } from "../Identity.ts"
import type { ClientIdentity } from "./Network.ts"

/** A request as it is handed over: what is left of it once policies have had their say. */
export interface Passed {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  readonly host: string
  readonly path: string
  readonly query: string | undefined
  /** Name and value in turn. */
  readonly flat: ReadonlyArray<string>
  readonly body: string
  readonly identity: Identity | undefined
  /** By its certificate. */
  readonly client: ClientIdentity | undefined
  /** The backend, and the session or call it belongs to. */
  readonly backend: string
  readonly belongs: { readonly _tag: "Session" | "Call" | "Task"; readonly name: string }
}

export interface Siblings {
  /** The name of this worker. */
  readonly self: string
  /** The name of this gateway, the same for all its workers and for nobody else. */
  readonly gateway: string
  /** Whether that is the name of another worker that may be there. */
  readonly isOther: (worker: string) => boolean
  /** Undefined: that worker does not know what is meant. */
  readonly pass: (worker: string, passed: Passed) => Effect.Effect<Reply | "Gone" | undefined>
  /** Takes what others pass on; undefined: it is not known here. */
  readonly receive: (answer: (passed: Passed) => Effect.Effect<Reply | undefined>) => void
}
