/** How one version writes what is said: to and from the values of 1.0, in which everything is understood. */
import type { Fields } from "../Fields.ts"
import type { Operation } from "../operation.ts"

export interface Dialect {
  readonly request: {
    readonly read: (operation: Operation, params: Fields) => Fields
    readonly write: (operation: Operation, params: Fields) => Fields
  }
  /** A whole answer; of operations that stream, one event. */
  readonly result: {
    readonly read: (operation: Operation, result: unknown) => unknown
    readonly write: (operation: Operation, result: unknown) => unknown
  }
}

/** 1.0 itself. */
export const modern: Dialect = {
  request: { read: (_, params) => params, write: (_, params) => params },
  result: { read: (_, result) => result, write: (_, result) => result },
}
