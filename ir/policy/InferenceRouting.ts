/** Lets an endpoint picker choose which replica of a model serves a request. */
import * as Schema from "effect/Schema"
import { BackendRef } from "../BackendRef.ts"

export const InferenceRouting = Schema.TaggedStruct("InferenceRouting", {
  endpointPicker: BackendRef,
  /** `validated` accepts only endpoints the service is known to have. */
  destinationMode: Schema.Literals(["validated", "passthrough"]),
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
})
export type InferenceRouting = typeof InferenceRouting.Type
