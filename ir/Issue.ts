/** Something wrong with a snapshot, said once for the console, the admin interface and the control plane. */
import type { Snapshot } from "./Snapshot.ts"

export type IssueCode =
  | "dangling"
  | "unreachable"
  | "noEffect"
  | "tls"
  | "address"
  | "cycle"
  | "protocol"
  | "value"
  | "noBackend"
  | "key"

export interface Issue {
  readonly severity: "error" | "warning"
  readonly code: IssueCode
  readonly resource: { readonly table: keyof Snapshot; readonly key: string }
  /** From the resource to the culprit. */
  readonly path: ReadonlyArray<string | number>
  readonly message: string
  readonly remedy: string
}

/** A control plane sends resources one by one: until it has sent the rest, these are no fault of what it sent. */
export const isTransient = ({ code }: Issue): boolean => code === "dangling" || code === "unreachable"
