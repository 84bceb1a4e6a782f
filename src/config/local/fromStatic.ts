/**
 * Settings of the `config` section that are older spellings of policies: they become the policies, so that what they say
 * is checked and carried out in one place.
 */
import * as Redacted from "effect/Redacted"
import type { Secret } from "../../../ir/Secret.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { endpointOf, first, headersIn, protocolIn } from "../otlpVariables.ts"
import type { Environment } from "./expand.ts"
import { present } from "./present.ts"
import { error, type Problem } from "./Problem.ts"
import type { LocalConfig } from "./Schema.ts"

type Tracing = NonNullable<NonNullable<LocalConfig["config"]>["tracing"]>
type Policies = NonNullable<LocalConfig["frontendPolicies"]>
type TracingPolicy = NonNullable<Policies["tracing"]>

export interface Settled {
  readonly config: LocalConfig
  readonly problems: ReadonlyArray<Problem>
  /** Headers of every export of spans. */
  readonly headers: ReadonlyArray<{ readonly name: string; readonly value: Secret }>
}

const samplers: Readonly<Record<string, (share: number) => Pick<TracingPolicy, "randomSampling" | "clientSampling">>> =
  {
    always_on: () => ({ randomSampling: 1, clientSampling: 1 }),
    always_off: () => ({ randomSampling: 0, clientSampling: 0 }),
    traceidratio: (share) => ({ randomSampling: share, clientSampling: share }),
    parentbased_always_on: () => ({ randomSampling: 1, clientSampling: 1 }),
    parentbased_always_off: () => ({ randomSampling: 0, clientSampling: 1 }),
    parentbased_traceidratio: (share) => ({ randomSampling: share, clientSampling: 1 }),
  }

const samplerOf = (
  env: Environment,
  problems: Array<Problem>,
): Pick<TracingPolicy, "randomSampling" | "clientSampling"> => {
  const name = env["OTEL_TRACES_SAMPLER"]?.trim() ?? ""
  if (name === "") return {}
  const made = Object.hasOwn(samplers, name) ? samplers[name] : undefined
  const text = env["OTEL_TRACES_SAMPLER_ARG"]?.trim() ?? ""
  const share = text === "" ? 1 : Number(text)
  if (made === undefined || !(share >= 0 && share <= 1)) {
    const wrong = made === undefined ? "OTEL_TRACES_SAMPLER" : "OTEL_TRACES_SAMPLER_ARG"
    problems.push(
      error(
        [],
        `invalid env var ${wrong}=${env[wrong] ?? ""}`,
        made === undefined ? `Use one of ${Object.keys(samplers).join(", ")}.` : "Use a number from 0 to 1.",
      ),
    )
    return {}
  }
  return made(share)
}

const tracingPolicy = (tracing: Tracing, env: Environment, problems: Array<Problem>): TracingPolicy | undefined => {
  const named = first(env, "OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
  const text = named?.text ?? tracing.otlpEndpoint
  if (text === undefined) {
    problems.push(
      error(
        ["config", "tracing"],
        "nobody is named who receives the traces",
        "Set `otlpEndpoint`, or OTEL_EXPORTER_OTLP_ENDPOINT.",
      ),
    )
    return undefined
  }
  const endpoint = endpointOf(text)
  if (typeof endpoint === "string") {
    problems.push(error(named === undefined ? ["config", "tracing", "otlpEndpoint"] : [], endpoint))
    return undefined
  }
  const protocol =
    protocolIn(env, problems, "OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") ??
    tracing.otlpProtocol
  const ownPath = tracing.path ?? "/v1/traces"
  // The general variable names where all signals go; the path of this one comes after it.
  const path =
    endpoint.path === undefined
      ? tracing.path
      : named?.name === "OTEL_EXPORTER_OTLP_ENDPOINT"
        ? `${endpoint.path.replace(/\/$/, "")}${ownPath}`
        : endpoint.path
  return {
    host: { target: { _tag: "Host", host: endpoint.host, port: endpoint.port }, tls: endpoint.isTls },
    ...samplerOf(env, problems),
    ...present({
      attributes: tracing.fields?.add,
      remove: tracing.fields?.remove,
      randomSampling: tracing.randomSampling,
      clientSampling: tracing.clientSampling,
      protocol,
      path,
    }),
  }
}

const both = (old: string, policy: string): Problem =>
  error(
    ["config", ...old.split(".")],
    `\`config.${old}\` and \`frontendPolicies.${policy}\` say the same thing twice`,
    "Keep the policy.",
  )

/** Pure: the file as it would be written with policies alone. */
export const settle = (config: LocalConfig, env: Environment): Settled => {
  const { logging, tracing } = config.config ?? {}
  const problems: Array<Problem> = []
  let policies: Policies = config.frontendPolicies ?? {}
  let headers: Settled["headers"] = []
  if (tracing !== undefined) {
    if (policies.tracing !== undefined) problems.push(both("tracing", "tracing"))
    else {
      const policy = tracingPolicy(tracing, env, problems)
      if (policy !== undefined) policies = { ...policies, tracing: policy }
      const said = first(env, "OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
      const all = new Map([...Object.entries(tracing.headers ?? {}), ...headersIn(said?.text ?? "")])
      headers = [...all].map(([name, value]) => ({ name: name.toLowerCase(), value: Redacted.make(value) }))
    }
  }
  if (logging?.filter !== undefined || logging?.fields !== undefined) {
    const old = logging.filter === undefined ? "logging.fields" : "logging.filter"
    if (policies.accessLog !== undefined || policies.logging !== undefined) problems.push(both(old, "accessLog"))
    else {
      policies = {
        ...policies,
        accessLog: present({
          filter: logging.filter,
          add: logging.fields?.add,
          remove: logging.fields?.remove,
        }) as NonNullable<Policies["accessLog"]>,
      }
    }
  }
  return { config: { ...config, frontendPolicies: policies }, problems, headers }
}

/** The headers belong to the policy, but a policy of the file has no place for them. */
export const withHeaders = (snapshot: Snapshot, headers: Settled["headers"]): Snapshot => {
  if (headers.length === 0) return snapshot
  const attachments = new Map(snapshot.attachments)
  for (const [key, attachment] of attachments) {
    const { policy } = attachment
    if (policy._tag !== "Frontend" || policy.policy._tag !== "Tracing") continue
    attachments.set(key, { ...attachment, policy: { ...policy, policy: { ...policy.policy, headers } } })
  }
  return { ...snapshot, attachments }
}
