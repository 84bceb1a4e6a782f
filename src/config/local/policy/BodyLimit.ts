/** `bodyLimit`: how long bodies may be. */
import * as Schema from "effect/Schema"
import type { BodyLimit as IrBodyLimit } from "../../../../ir/policy/BodyLimit.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Count, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

const longest = opt(Schema.Struct({ maxBytes: Count }))
export const BodyLimit = Schema.Struct({ request: longest, response: longest }).annotate({ identifier: "BodyLimit" })
export type BodyLimit = typeof BodyLimit.Type

export const bodyLimit = (policy: BodyLimit, path: Path, to: Mapping): IrBodyLimit => {
  if (policy.request === undefined && policy.response === undefined) {
    to.warn(path, "nothing is limited", "Set `request.maxBytes` or `response.maxBytes`.")
  }
  return {
    _tag: "BodyLimit",
    ...present({ requestBytesMax: policy.request?.maxBytes, responseBytesMax: policy.response?.maxBytes }),
  }
}
