/** `requestMirror`: a share of the requests, sent to another backend as well. */
import * as Schema from "effect/Schema"
import type { RequestMirror as IrRequestMirror } from "../../../../ir/policy/RequestMirror.ts"
import type { Path } from "../../ConfigIssue.ts"
import { SimpleRef, simpleRef } from "../BackendRef.ts"
import { Fraction } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

export const RequestMirror = Schema.Struct({
  backend: SimpleRef,
  percentage: Fraction.annotateKey({ description: "Share of the requests to mirror, from 0.0 to 1.0." }),
}).annotate({ identifier: "RequestMirror" })
export type RequestMirror = typeof RequestMirror.Type

export const requestMirror = (policy: RequestMirror, path: Path, to: Mapping): IrRequestMirror | undefined => {
  const backend = simpleRef(policy.backend, [...path, "backend"], to)
  return backend === undefined
    ? undefined
    : { _tag: "RequestMirror", mirrors: [{ backend, fraction: policy.percentage }] }
}
