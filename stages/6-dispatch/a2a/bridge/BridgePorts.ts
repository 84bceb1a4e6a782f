import type * as Effect from "effect/Effect"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import type { Binding } from "../../../../protocols/a2a/operation.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Attempting, Try } from "../../Target.ts"
import type { Line } from "../Agent.ts"
import type { MessageGuard } from "../guard.ts"
import type { CardLock } from "../lock/CardLock.ts"
import type { Owners } from "../Owners.ts"
import type { Desk } from "../push/Desk.ts"
import type { Seal } from "../Seal.ts"
import type { Run } from "../stream.ts"

/** What is known of an agent: its card as 1.0 has it, and how it is spoken to. */
export interface Spoken {
  readonly card: (deadlineMillis: number, attempt: Try) => Effect.Effect<Fields, Refusal>
  readonly linesFor: (deadlineMillis: number, attempt: Try) => Effect.Effect<ReadonlyArray<Line>, Refusal>
}

export interface Replica {
  readonly id: string
  /** By which it is told apart in what clients bring back. */
  readonly name: string
}

export interface BridgePorts {
  /** The endpoints of an agent that has several; each knows its own tasks only. */
  readonly replicas: () => ReadonlyArray<Replica>
  /** Absent: what clients say of notifications is passed on as it is. */
  readonly desk: Desk | undefined
  /** Runs what nobody waits for; absent: streams that break are over. */
  readonly run: Run | undefined
  /** Tells clients apart. */
  readonly ownerOf: (exchange: Exchange) => string
  readonly clock: Clock
  readonly agent: Spoken
  /** What the card offers; undefined: what a client can reach at the address it asked. */
  readonly offers: ReadonlyArray<Binding> | undefined
  /** Undefined: cards are believed as they are, and not signed. */
  readonly seal: Seal | undefined
  /** Absent: nobody looks at what is said. */
  readonly guard: MessageGuard | undefined
  /** Absent: lists are shown as agents make them. */
  readonly owners: Owners | undefined
  readonly lock?: CardLock | undefined
  /** To the backend, for what is not A2A. */
  readonly inner: Attempting
}
