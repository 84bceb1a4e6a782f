/** How a backend is named inside a policy or a call, and the reference that it becomes. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { HostTarget } from "../../../ir/Backend.ts"
import type { BackendRef } from "../../../ir/BackendRef.ts"
import type { Named } from "../../../ir/Named.ts"
import { type Parsed, refuse } from "../Complaint.ts"
import type { Path } from "../ConfigIssue.ts"
import * as TargetText from "../target.ts"
import { exactlyOne, opt, parsed, Port, req, Target } from "./grammar.ts"
import type { Mapping } from "./Mapping.ts"

const ServiceName = Schema.Union([
  Schema.NonEmptyString,
  Schema.Struct({ namespace: Schema.NonEmptyString, hostname: Schema.NonEmptyString }),
]).pipe(
  Schema.decodeTo(Schema.NonEmptyString, {
    decode: SchemaGetter.transform((name) => (typeof name === "string" ? name : `${name.namespace}/${name.hostname}`)),
    encode: SchemaGetter.transform((name): string | { namespace: string; hostname: string } => name),
  }),
)

export const ServiceRef = Schema.Struct({
  name: req(ServiceName, "`namespace/hostname` of an entry of `services`."),
  port: Port,
})

const simpleRefShape = exactlyOne(
  Schema.Struct({
    service: opt(ServiceRef),
    host: opt(Target, "`host:port` or `unix:/path`."),
    backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
  }),
  ["service", "host", "backend"],
).annotate({ identifier: "SimpleRef" })
export interface SimpleRefSchema extends Named<typeof simpleRefShape> {}
export const SimpleRef: SimpleRefSchema = simpleRefShape
export type SimpleRef = typeof SimpleRef.Type

/** A target, or a URL that says whether TLS is spoken. */
export const HostOrUrl = parsed(
  Schema.Struct({ target: HostTarget, tls: Schema.Boolean }),
  (text): Parsed<{ readonly target: HostTarget; readonly tls: boolean }> => {
    if (!text.includes("://")) return Result.map(TargetText.parse(text), (target) => ({ target, tls: false }))
    const url = URL.parse(text)
    if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
      return refuse(`${JSON.stringify(text)} is not an http:// or https:// URL`)
    }
    if ((url.pathname !== "/" && url.pathname !== "") || url.search !== "" || url.hash !== "") {
      return refuse("backend URL paths are not supported", "Leave out everything after the host and port.")
    }
    const tls = url.protocol === "https:"
    const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port)
    const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
    return Result.succeed({ target: { _tag: "Host", host, port }, tls })
  },
  ({ target, tls }) => (tls ? `https://${TargetText.format(target)}` : TargetText.format(target)),
)

/** How a service is named inside a policy; exactly one of the three ways is checked where it is read. */
export const refFields = {
  host: opt(HostOrUrl, "`host:port` or a URL without a path."),
  backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
  service: opt(ServiceRef),
  name: opt(ServiceName, "`namespace/hostname` of an entry of `services`; needs `port`."),
  port: opt(Port),
}

export const simpleRef = (ref: SimpleRef, path: Path, to: Mapping): BackendRef | undefined => {
  if (ref.host !== undefined) return to.host(ref.host)
  if (ref.backend !== undefined) return to.backend(ref.backend, [...path, "backend"])
  if (ref.service !== undefined) return to.service(ref.service.name, ref.service.port, [...path, "service"])
  return undefined
}

type Ref = Schema.Struct<typeof refFields>["Type"]

/** The backend that a policy names in one of three ways, and whether its URL asked for TLS. */
export const reference = (
  ref: Ref,
  path: Path,
  to: Mapping,
): { readonly backend: BackendRef; readonly tls: boolean } | undefined => {
  const named = ref.name !== undefined || ref.port !== undefined
  const ways = [ref.host !== undefined, ref.backend !== undefined, ref.service !== undefined || named]
  const count = ways.filter(Boolean).length + (ref.service !== undefined && named ? 1 : 0)
  if (count > 1) return to.fail(path, "backend must be exactly one of service, host, or backend")
  if (count === 0) return to.fail(path, "no backend is named", "Set `host`, `backend` or `service`.")
  if (named && (ref.name === undefined || ref.port === undefined)) {
    return to.fail(path, "service backend requires both name and port")
  }
  if (ref.host !== undefined) return { backend: to.host(ref.host.target), tls: ref.host.tls }
  const backend =
    ref.backend !== undefined
      ? to.backend(ref.backend, [...path, "backend"])
      : ref.service !== undefined
        ? to.service(ref.service.name, ref.service.port, [...path, "service"])
        : to.service(ref.name ?? "", ref.port ?? 0, [...path, "name"])
  return backend === undefined ? undefined : { backend, tls: false }
}
