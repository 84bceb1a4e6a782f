/** Lets another service watch and change a request and its reply. */
import * as Schema from "effect/Schema"
import { NamedExpression } from "../Expression.ts"
import { Callee } from "./Callee.ts"

const BodyMode = Schema.Literals(["none", "buffered", "bufferedPartial", "fullDuplexStreamed"])
const HeadMode = Schema.Literals(["send", "skip"])

export const ExtProc = Schema.TaggedStruct("ExtProc", {
  callee: Callee,
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
  metadataContext: Schema.Record(Schema.String, Schema.Array(NamedExpression)),
  requestAttributes: Schema.Array(NamedExpression),
  responseAttributes: Schema.Array(NamedExpression),
  requestBodyMode: BodyMode,
  responseBodyMode: BodyMode,
  requestHeaderMode: HeadMode,
  responseHeaderMode: HeadMode,
  requestTrailerMode: HeadMode,
  responseTrailerMode: HeadMode,
  allowModeOverride: Schema.Boolean,
})
export type ExtProc = typeof ExtProc.Type
