/** `directResponse`: replies of the gateway's own. */
import type { DirectResponse as IrDirectResponse } from "../../../../ir/policy/DirectResponse.ts"
import { complaintAbout } from "../../../../stages/5-policy/directResponse.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, CelMap, opt, Status, TextOrBytes } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { conditional } from "./conditional.ts"
import { computedHeaders } from "./headers.ts"

const directResponseFields = {
  status: Status,
  body: opt(TextOrBytes),
  bodyExpression: opt(Cel),
  headers: opt(CelMap),
}
export const DirectResponse = conditional(directResponseFields).annotate({ identifier: "DirectResponse" })
export type DirectResponse = typeof DirectResponse.Type

type Direct = Exclude<DirectResponse, { readonly conditional: unknown }>

export const directResponse = (one: Direct, path: Path, to: Mapping): IrDirectResponse => {
  if (one.body !== undefined && one.bodyExpression !== undefined) {
    to.fail(path, "`body` and `bodyExpression` cannot be set together")
  }
  const body =
    one.bodyExpression !== undefined
      ? ({ _tag: "Computed", expression: one.bodyExpression } as const)
      : one.body === undefined
        ? undefined
        : ({ _tag: "Text", text: one.body } as const)
  return {
    _tag: "DirectResponse",
    status: one.status,
    ...present({ body }),
    headers: computedHeaders(one.headers, [...path, "headers"], to, complaintAbout),
  }
}
