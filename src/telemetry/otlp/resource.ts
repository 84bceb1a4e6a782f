/** Who we are, as OTLP tells it. */
import { hostname } from "node:os"
import type { OtlpAttribute } from "../../../protocols/otlp/wire.ts"

export type Variables = Readonly<Record<string, string | undefined>>

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `name=value,…`, percent-encoded, as the `OTEL_` variables write lists. */
export const pairs = (text: string | undefined): ReadonlyArray<readonly [string, string]> =>
  (text ?? "").split(",").flatMap((pair) => {
    const equals = pair.indexOf("=")
    return equals <= 0 ? [] : [[pair.slice(0, equals).trim(), decoded(pair.slice(equals + 1).trim())] as const]
  })

export interface Self {
  readonly version: string
  /** Different for every process. */
  readonly instance: string
  readonly namespace: string
}

/** Later ones win: ourselves, the pod, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, the configuration. */
export const resourceOf = (
  env: Variables,
  self: Self,
  configured: ReadonlyArray<OtlpAttribute> = [],
): ReadonlyArray<OtlpAttribute> => {
  const all = new Map<string, unknown>([
    ["service.name", "sluice"],
    ["service.version", self.version],
    ["service.namespace", self.namespace],
    ["service.instance.id", self.instance],
    ["host.name", hostname()],
  ])
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") all.set(name, value)
  }
  set("k8s.pod.name", env["POD_NAME"])
  set("k8s.namespace.name", env["POD_NAME"] === undefined ? undefined : env["NAMESPACE"])
  set("k8s.node.name", env["NODE_NAME"])
  set("k8s.pod.ip", env["INSTANCE_IP"])
  for (const [name, value] of pairs(env["OTEL_RESOURCE_ATTRIBUTES"])) all.set(name, value)
  set("service.name", env["OTEL_SERVICE_NAME"])
  for (const [name, value] of configured) all.set(name, value)
  return [...all]
}
