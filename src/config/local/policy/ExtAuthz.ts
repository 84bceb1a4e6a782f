/** `extAuthz` and `networkExtAuthz`: a service that is asked whether something may pass. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { ExtAuthz as IrExtAuthz } from "../../../../ir/policy/ExtAuthz.ts"
import type { NetworkExtAuthz as IrNetworkExtAuthz } from "../../../../ir/policy/NetworkExtAuthz.ts"
import type { Path } from "../../ConfigIssue.ts"
import * as Duration from "../../duration.ts"
import { anyCase, Cel, CelMap, Count, exactlyOne, expressions, opt, Status, TextMap, Texts } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"
import { conditional } from "./conditional.ts"
import { headerNames } from "./headers.ts"

const ofHttp = {
  path: opt(Cel),
  redirect: opt(Cel),
  body: opt(Cel),
  includeResponseHeaders: opt(Texts),
  addRequestHeaders: opt(CelMap),
  metadata: opt(CelMap),
}
const ofGrpc = { context: opt(TextMap), metadata: opt(CelMap) }
const extAuthzFields = {
  ...calleeFields,
  protocol: opt(
    Schema.Union([
      exactlyOne(Schema.Struct({ grpc: opt(Schema.Struct(ofGrpc)), http: opt(Schema.Struct(ofHttp)) }), [
        "grpc",
        "http",
      ]),
      anyCase(["grpc", "http"]),
    ]),
    "`{grpc: …}` or `{http: …}`; or, in an older way, one of the words, with the settings beside it.",
  ),
  ...ofGrpc,
  ...ofHttp,
  failureMode: opt(Schema.Union([anyCase(["allow", "deny"]), Schema.Struct({ denyWithStatus: Status })])),
  includeRequestHeaders: opt(Texts),
  includeRequestBody: opt(
    Schema.Struct({
      maxRequestBytes: opt(Count, "8192 unless set."),
      allowPartialMessage: opt(Schema.Boolean),
      packAsBytes: opt(Schema.Boolean),
    }),
  ),
  cache: opt(
    Schema.Struct({
      key: Schema.Array(Cel),
      ttl: Schema.NonEmptyString.annotateKey({ description: "A duration, or an expression over the answer." }),
      maxEntries: opt(Count),
    }),
  ),
}
export const plainExtAuthz = Schema.Struct(extAuthzFields)
export type PlainExtAuthz = typeof plainExtAuthz.Type
const extAuthzShape = conditional(extAuthzFields).annotate({ identifier: "ExtAuthz" })
export interface ExtAuthzSchema extends Named<typeof extAuthzShape> {}
export const ExtAuthz: ExtAuthzSchema = extAuthzShape
export type ExtAuthz = typeof ExtAuthz.Type

const extAuthzCommon = (one: Omit<PlainExtAuthz, "protocol">, path: Path, to: Mapping) => {
  const called = callee(one, path, to)
  if (called === undefined) return undefined
  const { cache, failureMode, includeRequestBody: body } = one
  const ttl = cache === undefined ? undefined : Duration.parse(cache.ttl)
  const failure: IrExtAuthz["failure"] =
    failureMode === "allow"
      ? { _tag: "Allow" }
      : {
          _tag: "Deny",
          status: typeof failureMode === "object" ? failureMode.denyWithStatus : defaults.extAuthzFailureStatus,
        }
  return {
    callee: called,
    failure,
    includeRequestHeaders: headerNames(one.includeRequestHeaders, [...path, "includeRequestHeaders"], to),
    ...present({
      includeRequestBody:
        body === undefined
          ? undefined
          : {
              maxBytes: body.maxRequestBytes ?? defaults.extAuthzMaxBytes,
              allowPartial: body.allowPartialMessage ?? false,
              packAsBytes: body.packAsBytes ?? false,
            },
      cache:
        cache === undefined || ttl === undefined
          ? undefined
          : {
              key: cache.key,
              lifetime: Result.isSuccess(ttl)
                ? ({ _tag: "Fixed", millis: ttl.success } as const)
                : ({ _tag: "Computed", expression: cache.ttl as Expression } as const),
              maxEntries: cache.maxEntries ?? defaults.extAuthzCacheEntriesMax,
            },
    }),
  }
}

type Protocol = Exclude<NonNullable<PlainExtAuthz["protocol"]>, string>
type OverHttp = NonNullable<Protocol["http"]>

const httpFields = ["path", "redirect", "body", "includeResponseHeaders", "addRequestHeaders", "metadata"] as const
const grpcFields = ["context", "metadata"] as const

/** The protocol in its own field, wherever its settings were written. */
const withProtocol = (
  one: PlainExtAuthz,
  path: Path,
  to: Mapping,
): Omit<PlainExtAuthz, "protocol"> & { readonly protocol?: Protocol } => {
  const { protocol } = one
  const fields: ReadonlyArray<keyof PlainExtAuthz> =
    protocol === "http" ? httpFields : protocol === "grpc" ? grpcFields : []
  for (const name of [...httpFields, ...grpcFields]) {
    if (one[name] !== undefined && !fields.includes(name)) {
      to.fail([...path, name], `\`${name}\` has no effect here`, "Write it in `protocol.http` or `protocol.grpc`.")
    }
  }
  if (protocol === "http") return { ...one, protocol: { http: pick(one, httpFields) } }
  if (protocol === "grpc") return { ...one, protocol: { grpc: pick(one, grpcFields) } }
  return { ...one, ...present({ protocol }) } as Omit<PlainExtAuthz, "protocol"> & { readonly protocol?: Protocol }
}

const pick = <A extends object, K extends keyof A>(from: A, names: ReadonlyArray<K>): Pick<A, K> => {
  const found: Partial<Pick<A, K>> = {}
  for (const name of names) if (from[name] !== undefined) found[name] = from[name]
  return found as Pick<A, K>
}

type Check = ReturnType<typeof withProtocol>

const overHttp = (http: OverHttp, path: Path, to: Mapping) => ({
  _tag: "Http" as const,
  ...present({ path: http.path, redirect: http.redirect, body: http.body }),
  includeResponseHeaders: headerNames(http.includeResponseHeaders, [...path, "includeResponseHeaders"], to),
  addRequestHeaders: expressions(http.addRequestHeaders),
  metadata: expressions(http.metadata),
})

/** What is written but would change nothing. */
const idleParts = ({ cache, includeRequestBody: body, protocol }: Check, path: Path, to: Mapping): void => {
  if (cache !== undefined && cache.key.length === 0) {
    to.warn([...path, "cache", "key"], "nothing is kept without a key", "Name what decisions depend on.")
  }
  if (protocol?.http === undefined || body === undefined) return
  if (body.packAsBytes !== undefined) {
    to.warn([...path, "includeRequestBody", "packAsBytes"], "over HTTP a body is bytes anyway", "Leave it out.")
  }
  if (protocol.http.body !== undefined) {
    to.warn([...path, "includeRequestBody"], "`protocol.http.body` is sent instead of the body", "Set one of the two.")
  }
}

export const extAuthz = (written: PlainExtAuthz, path: Path, to: Mapping): IrExtAuthz | undefined => {
  const one = withProtocol(written, path, to)
  idleParts(one, path, to)
  const common = extAuthzCommon(one, path, to)
  if (common === undefined) return undefined
  const { grpc, http } = one.protocol ?? {}
  return {
    _tag: "ExtAuthz",
    ...common,
    protocol:
      http === undefined
        ? {
            _tag: "Grpc",
            context: grpc?.context ?? {},
            ...present({ metadata: grpc?.metadata === undefined ? undefined : expressions(grpc.metadata) }),
          }
        : overHttp(http, [...path, "protocol", "http"], to),
  }
}

export const networkExtAuthz = (written: PlainExtAuthz, path: Path, to: Mapping): IrNetworkExtAuthz | undefined => {
  const one = withProtocol(written, path, to)
  const http = one.protocol?.http
  if (http === undefined) return to.fail(path, "networkExtAuthz must use protocol.http")
  const idle = (of: object, names: ReadonlyArray<string>, at: Path): void => {
    for (const name of names) {
      if (!Object.hasOwn(of, name)) continue
      to.warn([...at, name], "has no effect on a connection, which has no message yet", "Leave it out.")
    }
  }
  idle(one, ["includeRequestHeaders", "includeRequestBody"], path)
  idle(http, ["redirect", "includeResponseHeaders", "metadata"], [...path, "protocol", "http"])
  if (typeof one.failureMode === "object") {
    to.warn([...path, "failureMode"], "a connection is closed without a status", "Write `deny`.")
  }
  const common = extAuthzCommon(one, path, to)
  return common === undefined
    ? undefined
    : { _tag: "NetworkExtAuthz", ...common, protocol: overHttp(http, [...path, "protocol", "http"], to) }
}
