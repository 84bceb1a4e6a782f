/** Text that may be used but never shown: it prints as `<redacted>` wherever it lands by accident. */
import * as Schema from "effect/Schema"

export const Secret = Schema.RedactedFromValue(Schema.String)
export type Secret = typeof Secret.Type
