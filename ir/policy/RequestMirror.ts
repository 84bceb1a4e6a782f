/** Sends a copy of some requests elsewhere and ignores what comes back. */
import * as Schema from "effect/Schema"
import { BackendRef } from "../BackendRef.ts"

export const Mirror = Schema.Struct({
  backend: BackendRef,
  fraction: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
})
export type Mirror = typeof Mirror.Type

export const RequestMirror = Schema.TaggedStruct("RequestMirror", { mirrors: Schema.Array(Mirror) })
export type RequestMirror = typeof RequestMirror.Type
