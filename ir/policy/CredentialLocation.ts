/** Where a credential is found in a request, or put into one. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { HeaderName } from "../HeaderName.ts"

export const CredentialLocation = Schema.TaggedUnion({
  /** The prefix is compared without regard to case and is part of what is written. */
  Header: { name: HeaderName, prefix: Schema.optionalKey(Schema.String) },
  Query: { name: Schema.NonEmptyString },
  Cookie: { name: Schema.NonEmptyString },
  /** Can only be read. */
  Computed: { expression: Expression },
})
export type CredentialLocation = typeof CredentialLocation.Type
