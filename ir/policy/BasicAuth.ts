/** Checks user names and passwords against an htpasswd file. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { CredentialLocation } from "./CredentialLocation.ts"

export const BasicAuth = Schema.TaggedStruct("BasicAuth", {
  /** The text of the file: one `user:hash` a line. */
  htpasswd: Secret,
  realm: Schema.String,
  mode: Schema.Literals(["strict", "optional"]),
  location: CredentialLocation,
})
export type BasicAuth = typeof BasicAuth.Type
