/** Asks an HTTP service whether a connection may stay. */
import * as Schema from "effect/Schema"
import { ExtAuthz, ExtAuthzHttp } from "./ExtAuthz.ts"

const { protocol: _, ...fields } = ExtAuthz.fields

export const NetworkExtAuthz = Schema.Struct({
  ...fields,
  _tag: Schema.tag("NetworkExtAuthz"),
  protocol: ExtAuthzHttp,
})
export type NetworkExtAuthz = typeof NetworkExtAuthz.Type
