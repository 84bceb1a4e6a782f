/** Marks a backend as an agent that speaks A2A. */
import * as Schema from "effect/Schema"

export const A2a = Schema.TaggedStruct("A2a", {})
export type A2a = typeof A2a.Type
