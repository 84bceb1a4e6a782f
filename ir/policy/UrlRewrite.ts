/** Changes where a request says it is going before it is sent on. */
import * as Schema from "effect/Schema"
import { AuthorityReplacement, PathReplacement } from "./Rewrite.ts"

export const AuthorityRewrite = Schema.TaggedUnion({
  Full: AuthorityReplacement.cases.Full.fields,
  Host: AuthorityReplacement.cases.Host.fields,
  Port: AuthorityReplacement.cases.Port.fields,
  /** The backend's own host name. */
  Auto: {},
  /** What the client said, even where the backend's name would be the custom. */
  None: {},
})
export type AuthorityRewrite = typeof AuthorityRewrite.Type

export const UrlRewrite = Schema.TaggedStruct("UrlRewrite", {
  authority: Schema.optionalKey(AuthorityRewrite),
  path: Schema.optionalKey(PathReplacement),
})
export type UrlRewrite = typeof UrlRewrite.Type
