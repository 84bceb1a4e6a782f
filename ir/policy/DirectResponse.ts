/** Answers without asking anyone. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { ComputedHeader } from "./Transformations.ts"

export const DirectResponse = Schema.TaggedStruct("DirectResponse", {
  status: Schema.Natural,
  body: Schema.optionalKey(Schema.TaggedUnion({ Text: { text: Schema.String }, Computed: { expression: Expression } })),
  headers: Schema.Array(ComputedHeader),
})
export type DirectResponse = typeof DirectResponse.Type
