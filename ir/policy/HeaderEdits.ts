/** Fixed changes to headers, made in the order add, set, remove. */
import * as Schema from "effect/Schema"
import { HeaderName } from "../HeaderName.ts"

export const HeaderValue = Schema.Struct({ name: HeaderName, value: Schema.String })
export type HeaderValue = typeof HeaderValue.Type

export const HeaderEdits = Schema.Struct({
  add: Schema.Array(HeaderValue),
  set: Schema.Array(HeaderValue),
  remove: Schema.Array(HeaderName),
})
export type HeaderEdits = typeof HeaderEdits.Type
