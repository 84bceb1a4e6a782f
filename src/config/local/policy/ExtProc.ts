/** `extProc`: a service that sees exchanges and may change them. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { ExtProc as IrExtProc } from "../../../../ir/policy/ExtProc.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, CelMap, expressions, failureMode, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { callee, calleeFields } from "./Callee.ts"
import { conditional } from "./conditional.ts"

const bodyMode = anyCase(["none", "buffered", "bufferedPartial", "fullDuplexStreamed"])
const headMode = anyCase(["send", "skip"])
const extProcFields = {
  ...calleeFields,
  failureMode: opt(failureMode),
  metadataContext: opt(Schema.Record(Schema.String, CelMap)),
  requestAttributes: opt(CelMap),
  responseAttributes: opt(CelMap),
  processingOptions: opt(
    Schema.Struct({
      requestBodyMode: opt(bodyMode),
      responseBodyMode: opt(bodyMode),
      requestHeaderMode: opt(headMode),
      responseHeaderMode: opt(headMode),
      requestTrailerMode: opt(headMode),
      responseTrailerMode: opt(headMode),
      allowModeOverride: opt(Schema.Boolean),
    }),
  ),
}
const extProcShape = conditional(extProcFields).annotate({ identifier: "ExtProc" })
export interface ExtProcSchema extends Named<typeof extProcShape> {}
export const ExtProc: ExtProcSchema = extProcShape
export type ExtProc = typeof ExtProc.Type

type PlainExtProc = Exclude<ExtProc, { readonly conditional: unknown }>

export const extProc = (one: PlainExtProc, path: Path, to: Mapping): IrExtProc | undefined => {
  const called = callee(one, path, to)
  const options = one.processingOptions ?? {}
  return called === undefined
    ? undefined
    : {
        _tag: "ExtProc",
        callee: called,
        failureMode: one.failureMode ?? defaults.failureMode,
        metadataContext: Object.fromEntries(
          Object.entries(one.metadataContext ?? {}).map(([namespace, fields]) => [namespace, expressions(fields)]),
        ),
        requestAttributes: expressions(one.requestAttributes),
        responseAttributes: expressions(one.responseAttributes),
        requestBodyMode: options.requestBodyMode ?? defaults.extProcBodyMode,
        responseBodyMode: options.responseBodyMode ?? defaults.extProcBodyMode,
        requestHeaderMode: options.requestHeaderMode ?? "send",
        responseHeaderMode: options.responseHeaderMode ?? "send",
        requestTrailerMode: options.requestTrailerMode ?? "skip",
        responseTrailerMode: options.responseTrailerMode ?? "skip",
        allowModeOverride: options.allowModeOverride ?? false,
      }
}
