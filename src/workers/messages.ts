/** What the main thread and its workers say to each other. */
import type { BindKey } from "../../ir/Key.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Static } from "../config/Static.ts"
import type { Setting } from "../telemetry/Levels.ts"

/** Everything a worker is started with; sealed. */
export interface WorkerStart {
  readonly static: Static
  /** Lets a TLS session be resumed by any worker. */
  readonly ticketSecret: Uint8Array
}

export type ToWorker =
  /** Sealed; `ports` are those the system chose where the configuration left it open. */
  | {
      readonly _tag: "Prepare"
      readonly id: number
      readonly snapshot: Snapshot
      readonly ports: ReadonlyArray<readonly [BindKey, number]>
    }
  | { readonly _tag: "Commit"; readonly id: number }
  | { readonly _tag: "Abort"; readonly id: number }
  | { readonly _tag: "Ask"; readonly id: number; readonly what: "metrics" | "open" }
  | { readonly _tag: "LogLevels"; readonly setting: Setting }
  | { readonly _tag: "Drain" }

export type FromWorker =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Prepared"; readonly id: number; readonly problems: ReadonlyArray<string> | undefined }
  | { readonly _tag: "Committed"; readonly id: number }
  | { readonly _tag: "Answer"; readonly id: number; readonly value: unknown }
  | { readonly _tag: "Lines"; readonly text: string }
