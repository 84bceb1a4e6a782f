/** `transformations`: headers, metadata and bodies that are computed. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { Transformation as IrTransformation } from "../../../../ir/policy/Transformations.ts"
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

export const transformation = (one: Transformation, path: Path, to: Mapping): IrTransformation => ({
  metadata: expressions(one.metadata),
  ...present({ replace: one.replace, body: one.body }),
  add: computedHeaders(one.add, [...path, "add"], to),
  set: computedHeaders(one.set, [...path, "set"], to),
  remove: headerNames(one.remove, [...path, "remove"], to),
})

export const transformations = (
  both: { readonly request?: Transformation; readonly response?: Transformation },
  path: Path,
  to: Mapping,
) => ({
  _tag: "Transformations" as const,
  ...present({
    request: both.request === undefined ? undefined : transformation(both.request, [...path, "request"], to),
    response: both.response === undefined ? undefined : transformation(both.response, [...path, "response"], to),
  }),
})
