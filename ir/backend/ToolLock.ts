/** How far what a server says of itself is taken on trust. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

/** Where what was approved is written down: a file that people read and commit, or the storage all replicas share. */
export const LockBook = Schema.TaggedUnion({ File: { path: Schema.NonEmptyString }, Storage: {} })
export type LockBook = typeof LockBook.Type

export const ToolLock = Schema.Struct({
  /**
   * `observe`: changes are told, and nothing is kept from anybody. `tofu`: what a server says first is approved, and what
   * it changes later is judged. `locked`: what nobody approved does not exist, and what was is served as it was approved.
   */
  mode: Schema.Literals(["observe", "tofu", "locked"]),
  book: LockBook,
  /** No definition is relied upon that was looked at longer ago. */
  recheckMillis: Millis,
})
export type ToolLock = typeof ToolLock.Type
