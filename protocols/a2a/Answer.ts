/** What comes back: a whole result, one event of a stream, or what went wrong; as 1.0 writes it in JSON. */
import type { Fault } from "./Fault.ts"
import type { Version } from "./operation.ts"

export type Answer =
  | {
      readonly _tag: "Result"
      readonly result: unknown
      /** As it was written, for whoever says it on in the same way: what nobody here understands is in it as well. */
      readonly wire?: { readonly version: Version; readonly bytes: Uint8Array }
    }
  | { readonly _tag: "Fault"; readonly fault: Fault }

export const result = (value: unknown): Answer => ({ _tag: "Result", result: value })
export const failed = (one: Fault): Answer => ({ _tag: "Fault", fault: one })

/** What somebody wrote, where it could be read. */
export type Read<A> =
  | { readonly _tag: "Read"; readonly value: A }
  | { readonly _tag: "Unreadable"; readonly fault: Fault }

export const read = <A>(value: A): Read<A> => ({ _tag: "Read", value })
export const unreadable = (one: Fault): Read<never> => ({ _tag: "Unreadable", fault: one })
