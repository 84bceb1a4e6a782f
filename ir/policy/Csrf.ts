/** Refuses unsafe requests that a foreign page made a browser send. */
import * as Schema from "effect/Schema"

export const Csrf = Schema.TaggedStruct("Csrf", { additionalOrigins: Schema.Array(Schema.String) })
export type Csrf = typeof Csrf.Type
