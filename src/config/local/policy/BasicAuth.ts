/** `basicAuth`: names and passwords. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { basic, defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { BasicAuth as IrBasicAuth } from "../../../../ir/policy/BasicAuth.ts"
import { parse as htpasswd } from "../../../../protocols/http/htpasswd.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileOrInline } from "../FileOrInline.ts"
import { anyCase, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { authenticationMode } from "./authenticationMode.ts"
import { Location, location } from "./CredentialLocation.ts"

const basicAuthShape = Schema.Struct({
  htpasswd: FileOrInline,
  realm: opt(Schema.String),
  mode: opt(anyCase(["strict", "optional"])),
  authorizationLocation: opt(Location),
}).annotate({ identifier: "BasicAuth" })
export interface BasicAuthSchema extends Named<typeof basicAuthShape> {}
export const BasicAuth: BasicAuthSchema = basicAuthShape
export type BasicAuth = typeof BasicAuth.Type

export const basicAuth = (policy: BasicAuth, path: Path, to: Mapping): IrBasicAuth | undefined => {
  const source = policy.htpasswd
  const text = typeof source === "string" ? source : to.file(source.file, [...path, "htpasswd", "file"])
  const at = policy.authorizationLocation
  const where = [...path, "htpasswd"]
  if (text !== undefined) {
    const { problems, users } = htpasswd(text)
    for (const { line, message } of problems) {
      to.fail(where, `line ${line}: ${message}`, "Make the hash with `htpasswd -B`.")
    }
    if (users.size === 0 && problems.length === 0) to.fail(where, "there are no users")
  }
  if (!/^[\x20-\x7e]*$/.test(policy.realm ?? "")) {
    to.fail([...path, "realm"], "a realm is written in printable ASCII characters")
  }
  return text === undefined
    ? undefined
    : {
        _tag: "BasicAuth",
        htpasswd: Redacted.make(text),
        realm: policy.realm ?? defaults.basicRealm,
        mode: authenticationMode(policy.mode, path, to),
        location: at === undefined ? basic : location(at, [...path, "authorizationLocation"], to),
      }
}
