/**
 * Settings of the `config` section that are older spellings of policies: they become the policies, so that what they say
 * is checked and carried out in one place.
 */
import type { Otlp } from "../../../ir/policy/Otlp.ts"
import type { Tracing as IrTracing } from "../../../ir/policy/Tracing.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { defaults } from "../../../ir/defaults.ts"
import {
  endpointOf,
  isDisabled,
  localEndpoint,
  type Manner,
  mannerOf,
  type OtlpVariables,
  pathOf,
  variablesOf,
  wantsOtlp,
} from "../otlpVariables.ts"
import type { Environment } from "./expand.ts"
import { present } from "./present.ts"
import { error, type Problem } from "./Problem.ts"
import type { LocalConfig } from "./Schema.ts"

type Tracing = NonNullable<NonNullable<LocalConfig["config"]>["tracing"]>
type Policies = NonNullable<LocalConfig["frontendPolicies"]>
type TracingPolicy = NonNullable<Policies["tracing"]>

type AccessLogPolicy = NonNullable<Policies["accessLog"]>

export interface Settled {
  readonly config: LocalConfig
  readonly problems: ReadonlyArray<Problem>
  readonly traces: Manner & Pick<IrTracing, "decidesAlone">
  readonly logs: Manner
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

/** Those that do not ask what the client decided. */
const samplersAlone = new Set(["always_on", "always_off", "traceidratio"])

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

/** The receiver of one signal, as a policy names it. */
const receiverOf = (
  said: OtlpVariables,
  written: { readonly endpoint?: string | undefined; readonly protocol?: Otlp["protocol"] | undefined },
  /** What comes after the path of a general endpoint, and what is written where no endpoint has one. */
  paths: { readonly own: string; readonly written?: string | undefined },
): Pick<TracingPolicy, "host" | "path" | "protocol" | "policies"> | string => {
  const protocol = said.protocol ?? written.protocol
  const text = said.endpoint?.text ?? written.endpoint ?? localEndpoint(protocol ?? "grpc")
  const endpoint = endpointOf(text, said.isInsecure)
  if (typeof endpoint === "string") return endpoint
  const { certificates } = said
  return present({
    host: {
      target: { _tag: "Host" as const, host: endpoint.host, port: endpoint.port },
      tls: endpoint.isTls,
    },
    protocol,
    path: pathOf(said, endpoint, paths.own, paths.written),
    policies: certificates === undefined || !endpoint.isTls ? undefined : { backendTLS: certificates },
  })
}

const older = { endpoint: "OTLP_ENDPOINT", protocol: "OTLP_PROTOCOL", headers: "OTLP_HEADERS" }

/** `tracing` is absent where only a variable wants traces: then everything is as OpenTelemetry has it. */
const tracingPolicy = (
  tracing: Tracing | undefined,
  said: OtlpVariables,
  env: Environment,
  problems: Array<Problem>,
): TracingPolicy | undefined => {
  if (tracing !== undefined && said.endpoint === undefined && tracing.otlpEndpoint === undefined) {
    problems.push(
      error(
        ["config", "tracing"],
        "nobody is named who receives the traces",
        "Set `otlpEndpoint`, or OTEL_EXPORTER_OTLP_ENDPOINT.",
      ),
    )
    return undefined
  }
  const written =
    tracing === undefined
      ? { protocol: "http" as const }
      : { endpoint: tracing.otlpEndpoint, protocol: tracing.otlpProtocol }
  const receiver = receiverOf(said, written, { own: tracing?.path ?? defaults.otlpTracesPath, written: tracing?.path })
  if (typeof receiver === "string") {
    problems.push(error(said.endpoint === undefined ? ["config", "tracing", "otlpEndpoint"] : [], receiver))
    return undefined
  }
  return {
    ...receiver,
    ...(tracing === undefined ? samplers["parentbased_always_on"]?.(1) : {}),
    ...samplerOf(env, problems),
    ...present({
      attributes: tracing?.fields?.add,
      remove: tracing?.fields?.remove,
      randomSampling: tracing?.randomSampling,
      clientSampling: tracing?.clientSampling,
    }),
  }
}

/** The access log for a receiver that only the variables name. */
const loggedTo = (said: OtlpVariables, problems: Array<Problem>): AccessLogPolicy["otlp"] | undefined => {
  const receiver = receiverOf(said, { protocol: "http" }, { own: defaults.otlpLogsPath })
  if (typeof receiver !== "string") return receiver
  problems.push(error([], receiver))
  return undefined
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
  let traces: Settled["traces"] = {}
  let logs: Manner = {}
  if (tracing !== undefined && policies.tracing !== undefined) problems.push(both("tracing", "tracing"))
  const wantsTraces = wantsOtlp(env, "OTEL_TRACES_EXPORTER", problems)
  // A policy says everything itself. What is written may be turned off by a variable, as everything may.
  if (policies.tracing === undefined && (tracing === undefined ? wantsTraces === true : wantsTraces !== false)) {
    const said = variablesOf(env, "TRACES", problems, older)
    const policy = isDisabled(env) ? undefined : tracingPolicy(tracing, said, env, problems)
    if (policy !== undefined) policies = { ...policies, tracing: policy }
    traces = {
      ...mannerOf(said, tracing?.headers),
      ...(samplersAlone.has(env["OTEL_TRACES_SAMPLER"]?.trim() ?? "") ? { decidesAlone: true } : {}),
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
  const { accessLog = policies.logging } = policies
  if (wantsOtlp(env, "OTEL_LOGS_EXPORTER", problems) === true && !isDisabled(env) && accessLog?.otlp === undefined) {
    const said = variablesOf(env, "LOGS", problems)
    const otlp = loggedTo(said, problems)
    const { logging: _, ...others } = policies
    if (otlp !== undefined) policies = { ...others, accessLog: { ...accessLog, otlp } }
    logs = mannerOf(said)
  }
  return { config: { ...config, frontendPolicies: policies }, problems, traces, logs }
}

/** How receivers are spoken to belongs to their policies, but policies of the file have no place for it. */
export const withManners = (snapshot: Snapshot, { logs, traces }: Pick<Settled, "logs" | "traces">): Snapshot => {
  if (Object.keys(traces).length + Object.keys(logs).length === 0) return snapshot
  const attachments = new Map(snapshot.attachments)
  for (const [key, attachment] of attachments) {
    const { policy } = attachment
    if (policy._tag !== "Frontend") continue
    const { policy: own } = policy
    if (own._tag === "Tracing") {
      attachments.set(key, { ...attachment, policy: { ...policy, policy: { ...own, ...traces } } })
    } else if (own._tag === "AccessLog" && own.otlp !== undefined) {
      attachments.set(key, { ...attachment, policy: { ...policy, policy: { ...own, otlp: { ...own.otlp, ...logs } } } })
    }
  }
  return { ...snapshot, attachments }
}
