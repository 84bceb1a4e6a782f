/** What the main thread and its workers say to each other. */
import type { BindKey } from "../../ir/Key.ts"
import type { Edits } from "../../ir/diff.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Shared as Occupied } from "../../stages/5-policy/Occupancy.ts"
import type { Static } from "../config/Static.ts"
import type { Setting } from "../telemetry/Levels.ts"
import type { Exported } from "../telemetry/Registry.ts"
import type { Asking } from "./questions.ts"

/** Everything a worker is started with; sealed. */
export interface WorkerStart {
  readonly static: Static
  /** Lets a TLS session be resumed by any worker. */
  readonly ticketSecret: Uint8Array
  /** Lets what one worker sealed be opened by any. */
  readonly sealingKey: Uint8Array
  /** Tells the workers of this process from those of another. */
  readonly processName: string
  /** What is counted for all workers together. */
  readonly counters: SharedArrayBuffer
  /** Where all threads count who is inside. */
  readonly occupied: Pick<Occupied, "memory" | "threads">
  /** Where all threads note sessions that their provider has ended. */
  readonly endedSessions: SharedArrayBuffer
}

/** What only its thread has, beside what all are started with. */
export interface ThreadStart extends WorkerStart {
  /** From 1; whoever takes the place of one that died has its number. */
  readonly number: number
  /** Bytes of lines that the main thread has not taken yet, in shared memory. */
  readonly owed: Int32Array
  /** How much is logged, where it is not what was configured any more. */
  readonly levels: Setting | undefined
}

/** A worker that owes more than this waits: the main thread may be waiting for whoever reads the log. */
export const owedBytesMax = 1024 * 1024

/** Questions; each is answered under its own number. */
export type ToWorker =
  /**
   * Sealed; `ports` are those the system chose where the configuration left it open. A worker that serves what all serve
   * is told the edits alone.
   */
  | {
      readonly _tag: "Prepare"
      readonly id: number
      readonly next: { readonly snapshot: Snapshot } | { readonly edits: Edits }
      readonly ports: ReadonlyArray<readonly [BindKey, number]>
    }
  /** What is to become of the change that was prepared under number `change`. */
  | { readonly _tag: "Finish"; readonly id: number; readonly change: number; readonly how: "commit" | "abort" }
  | { readonly _tag: "Metrics"; readonly id: number }
  | { readonly _tag: "Ask"; readonly id: number; readonly asking: Asking }
  | Told

/** Not answered. */
export type Told = { readonly _tag: "LogLevels"; readonly setting: Setting } | { readonly _tag: "Drain" }

export type Answer =
  | { readonly _tag: "Prepared"; readonly id: number; readonly problems: ReadonlyArray<string> }
  | { readonly _tag: "Finished"; readonly id: number }
  | { readonly _tag: "Metrics"; readonly id: number; readonly exported: Exported }
  | { readonly _tag: "Said"; readonly id: number; readonly said: unknown }

export type FromWorker =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Lines"; readonly text: string; readonly bytes: number }
  | Answer
