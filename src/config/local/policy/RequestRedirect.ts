/** `requestRedirect`: clients that are sent elsewhere. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { RequestRedirect as IrRequestRedirect } from "../../../../ir/policy/RequestRedirect.ts"
import { anyCase, opt, Status } from "../grammar.ts"
import { present } from "../present.ts"
import { AuthorityChange, authorityChange, PathChange, pathChange } from "./Rewrite.ts"

export const RequestRedirect = Schema.Struct({
  scheme: opt(Schema.NonEmptyString),
  authority: opt(Schema.Union([anyCase(["none"]), AuthorityChange])),
  path: opt(PathChange),
  status: opt(Status, "302 unless set."),
}).annotate({ identifier: "RequestRedirect" })
export type RequestRedirect = typeof RequestRedirect.Type

export const requestRedirect = (policy: RequestRedirect): IrRequestRedirect => ({
  _tag: "RequestRedirect",
  ...present({
    scheme: policy.scheme,
    authority:
      policy.authority === undefined || typeof policy.authority === "string"
        ? undefined
        : authorityChange(policy.authority),
    path: policy.path === undefined ? undefined : pathChange(policy.path),
  }),
  status: policy.status ?? defaults.redirectStatus,
})
