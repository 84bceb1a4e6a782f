/** `urlRewrite`: another path or authority towards the backend. */
import * as Schema from "effect/Schema"
import type { AuthorityRewrite, UrlRewrite as IrUrlRewrite } from "../../../../ir/policy/UrlRewrite.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { AuthorityChange, authorityChange, PathChange, pathChange } from "./Rewrite.ts"

export const UrlRewrite = Schema.Struct({
  authority: opt(Schema.Union([anyCase(["auto", "none"]), AuthorityChange])),
  path: opt(PathChange),
}).annotate({ identifier: "UrlRewrite" })
export type UrlRewrite = typeof UrlRewrite.Type

const authorityRewrite = (change: NonNullable<UrlRewrite["authority"]>, path: Path, to: Mapping): AuthorityRewrite =>
  change === "auto" ? { _tag: "Auto" } : change === "none" ? { _tag: "None" } : authorityChange(change, path, to)

export const urlRewrite = (policy: UrlRewrite, path: Path, to: Mapping): IrUrlRewrite => ({
  _tag: "UrlRewrite",
  ...present({
    authority:
      policy.authority === undefined ? undefined : authorityRewrite(policy.authority, [...path, "authority"], to),
    path: policy.path === undefined ? undefined : pathChange(policy.path, [...path, "path"], to),
  }),
})
