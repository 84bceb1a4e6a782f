/** Makes a request wait before it goes on. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

export const Delay = Schema.TaggedStruct("Delay", {
  duration: Schema.TaggedUnion({
    Fixed: { millis: Millis },
    /** A duration, or a number of milliseconds. */
    Computed: { expression: Expression },
  }),
})
export type Delay = typeof Delay.Type
