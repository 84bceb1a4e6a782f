/** Labels added to the metrics of every request. */
import * as Schema from "effect/Schema"
import { NamedExpression } from "../Expression.ts"

export const Metrics = Schema.TaggedStruct("Metrics", { add: Schema.Array(NamedExpression) })
export type Metrics = typeof Metrics.Type
