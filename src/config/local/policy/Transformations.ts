/** `transformations`: headers, metadata and bodies that are computed. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Transformation as IrTransformation } from "../../../../ir/policy/Transformations.ts"
import { complaintAbout } from "../../../../stages/5-policy/transformations.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, CelMap, expressions, opt, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { conditional } from "./conditional.ts"
import { computedHeaders, headerNames } from "./headers.ts"

const transformationShape = Schema.Struct({
  metadata: opt(CelMap),
  replace: opt(Cel),
  add: opt(CelMap),
  set: opt(CelMap),
  remove: opt(Texts),
  body: opt(Cel),
}).annotate({ identifier: "Transformation" })
export interface TransformationSchema extends Named<typeof transformationShape> {}
export const Transformation: TransformationSchema = transformationShape
export type Transformation = typeof Transformation.Type

export const Transformations = { request: opt(Transformation), response: opt(Transformation) }

export const ConditionalTransformations = conditional(Transformations).annotate({ identifier: "Transformations" })
export type TransformationsPolicy = typeof ConditionalTransformations.Type

export const transformation = (
  side: "request" | "response",
  one: Transformation,
  path: Path,
  to: Mapping,
): IrTransformation => ({
  metadata: expressions(one.metadata),
  ...present({ replace: one.replace, body: one.body }),
  add: computedHeaders(one.add, [...path, "add"], to, (name) => complaintAbout(side, name)),
  set: computedHeaders(one.set, [...path, "set"], to, (name) => complaintAbout(side, name)),
  remove: headerNames(one.remove, [...path, "remove"], to),
})

export const transformations = (
  both: { readonly request?: Transformation; readonly response?: Transformation },
  path: Path,
  to: Mapping,
) => ({
  _tag: "Transformations" as const,
  ...present({
    request: both.request === undefined ? undefined : transformation("request", both.request, [...path, "request"], to),
    response:
      both.response === undefined ? undefined : transformation("response", both.response, [...path, "response"], to),
  }),
})
