/** `inferenceRouting`: a service that picks the endpoint. */
import * as Schema from "effect/Schema"
import type { InferenceRouting as IrInferenceRouting } from "../../../../ir/policy/InferenceRouting.ts"
import type { Path } from "../../ConfigIssue.ts"
import { SimpleRef, simpleRef } from "../BackendRef.ts"
import { anyCase, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"

export const InferenceRouting = Schema.Struct({
  endpointPicker: SimpleRef,
  destinationMode: opt(anyCase(["validated", "passthrough"])),
}).annotate({ identifier: "InferenceRouting" })
export type InferenceRouting = typeof InferenceRouting.Type

export const inferenceRouting = (policy: InferenceRouting, path: Path, to: Mapping): IrInferenceRouting | undefined => {
  const endpointPicker = simpleRef(policy.endpointPicker, [...path, "endpointPicker"], to)
  return endpointPicker === undefined
    ? undefined
    : {
        _tag: "InferenceRouting",
        endpointPicker,
        destinationMode: policy.destinationMode ?? "validated",
        failureMode: "failClosed",
      }
}
