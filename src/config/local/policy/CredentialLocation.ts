/** Where a credential is in a request. */
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { bearer } from "../../../../ir/defaults.ts"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { CredentialLocation } from "../../../../ir/policy/CredentialLocation.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, exactlyOne, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { headerName } from "./headers.ts"

const locationShape = exactlyOne(
  Schema.Struct({
    header: opt(Schema.Struct({ name: Schema.NonEmptyString, prefix: opt(Schema.String) })),
    queryParameter: opt(Schema.Struct({ name: Schema.NonEmptyString })),
    cookie: opt(Schema.Struct({ name: Schema.NonEmptyString })),
    expression: opt(
      Schema.Union([Cel, Schema.Struct({ expression: Cel })]).pipe(
        Schema.decodeTo(Cel, {
          decode: SchemaGetter.transform((one) => (typeof one === "string" ? one : one.expression)),
          encode: SchemaGetter.transform((one): Expression | { readonly expression: Expression } => one as Expression),
        }),
      ),
      "Where the credential can only be read.",
    ),
  }),
  ["header", "queryParameter", "cookie", "expression"],
).annotate({ identifier: "CredentialLocation" })
export interface LocationSchema extends Named<typeof locationShape> {}
export const Location: LocationSchema = locationShape
export type Location = typeof Location.Type

export const location = (at: Location, path: Path, to: Mapping): CredentialLocation => {
  if (at.header !== undefined) {
    const { name, prefix } = at.header
    return { _tag: "Header", ...present({ name: headerName(name, [...path, "header", "name"], to), prefix }) }
  }
  if (at.queryParameter !== undefined) return { _tag: "Query", name: at.queryParameter.name }
  if (at.cookie !== undefined) return { _tag: "Cookie", name: at.cookie.name }
  return { _tag: "Computed", expression: at.expression ?? ("null" as Expression) }
}

export const insertable = (at: Location | undefined, path: Path, to: Mapping): CredentialLocation => {
  if (at?.expression !== undefined) to.fail(path, "`expression` can only read a credential, not put one in")
  return at === undefined ? bearer : location(at, path, to)
}
