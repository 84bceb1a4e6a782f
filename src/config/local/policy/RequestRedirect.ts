/** `requestRedirect`: clients that are sent elsewhere. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { RequestRedirect as IrRequestRedirect } from "../../../../ir/policy/RequestRedirect.ts"
import { isScheme } from "../../../../stages/5-policy/requestRedirect.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, opt, Status } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { AuthorityChange, authorityChange, PathChange, pathChange } from "./Rewrite.ts"

export const RequestRedirect = Schema.Struct({
  scheme: opt(Schema.NonEmptyString),
  authority: opt(Schema.Union([anyCase(["none"]), AuthorityChange])),
  path: opt(PathChange),
  status: opt(Status, "302 unless set."),
}).annotate({ identifier: "RequestRedirect" })
export type RequestRedirect = typeof RequestRedirect.Type

export const requestRedirect = (policy: RequestRedirect, path: Path, to: Mapping): IrRequestRedirect => {
  const { authority, scheme } = policy
  if (scheme !== undefined && !isScheme(scheme))
    to.fail([...path, "scheme"], `${JSON.stringify(scheme)} is not a scheme`)
  return {
    _tag: "RequestRedirect",
    ...present({
      scheme,
      authority:
        authority === undefined || typeof authority === "string"
          ? undefined
          : authorityChange(authority, [...path, "authority"], to),
      path: policy.path === undefined ? undefined : pathChange(policy.path, [...path, "path"], to),
    }),
    status: policy.status ?? defaults.redirectStatus,
  }
}
