/** A JSON document the gateway needs: already read, or fetched and kept fresh by whoever compiles the policy. */
import * as Schema from "effect/Schema"

export const Document = Schema.TaggedUnion({
  Inline: { text: Schema.NonEmptyString },
  Remote: { url: Schema.NonEmptyString },
})
export type Document = typeof Document.Type
