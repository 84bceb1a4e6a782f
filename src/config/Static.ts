/**
 * What the process is told once, when it starts: the `config` section of the file, under the environment. One table says
 * for every setting where it may come from; the environment wins over the file, the file over the default.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { availableParallelism } from "node:os"
import { defaults, keepalive } from "../../ir/defaults.ts"
import type { Keepalive } from "../../ir/policy/Keepalive.ts"
import * as Address from "./Address.ts"
import { workersMax } from "./bounds.ts"
import { type Parsed, refuse } from "./Complaint.ts"
import type { Path } from "./ConfigIssue.ts"
import * as Duration from "./duration.ts"
import { notBuilt, refusal, withoutEffect } from "./local/built.ts"
import type { Environment } from "./local/expand.ts"
import { error, type Problem, warning } from "./local/Problem.ts"
import type { StaticSection } from "./local/staticSection.ts"
import { ownLabels } from "../telemetry/metrics.ts"
import { labelName, type ObservedSettings } from "../telemetry/labels.ts"
import type { Propagator } from "../../protocols/trace/propagation.ts"
import { isDisabled, propagatorsIn } from "./otlpVariables.ts"
import { metricsExportOf, type MetricsExportSettings } from "./metricsExport.ts"
import { byDefault, connectionsByDefault, type Location, parse as parseLocation } from "../store/Location.ts"

export type Level = "off" | "error" | "warn" | "info" | "debug" | "trace"

export interface Static {
  readonly enableIpv6: boolean
  readonly dns: {
    /** Never `Auto`: that is settled by `enableIpv6`. */
    readonly lookupFamily: "All" | "V4Preferred" | "V4Only" | "V6Only"
    /** Absent: as the system does. */
    readonly edns0?: boolean
  }
  readonly adminAddress: Address.Address
  readonly statsAddress: Address.Address
  readonly readinessAddress: Address.Address
  readonly logging: {
    readonly level: Level
    /** Levels of parts of the gateway, longest name first. */
    readonly targets: ReadonlyArray<{ readonly target: string; readonly level: Level }>
    readonly format: "text" | "json"
  }
  readonly workerThreads: number
  readonly connectionMinTerminationDeadlineMillis: number
  readonly connectionTerminationDeadlineMillis: number
  readonly backend: {
    readonly keepalives: Keepalive
    readonly connectTimeoutMillis: number
    readonly poolIdleTimeoutMillis: number
    /** Idle connections per endpoint; absent: no limit. */
    readonly poolMaxSize?: number
  }
  /** Names of metrics that are not shown. */
  readonly metricsRemove: ReadonlyArray<string>
  /** Where components keep what must outlive the process; `isNamed` where the configuration says so. */
  readonly database: { readonly location: Location; readonly isNamed: boolean }
  /** Which kinds of histograms are kept; the native ones are seen in the protobuf format only. */
  readonly histograms: "classic" | "native" | "both"
  /** Where metrics are told besides being read. */
  readonly metricsExport?: MetricsExportSettings
  readonly tracing: {
    /** Nothing is traced, whatever policies say. */
    readonly isDisabled: boolean
    /** How others are told which trace they are part of; absent: as W3C has it. */
    readonly propagators?: ReadonlyArray<Propagator>
  }
  /** Expressions that the process itself evaluates for every exchange. */
  readonly observed: ObservedSettings
  /** Absent: nothing is kept of exchanges. */
  readonly requestLog?: RequestLogSettings
  /** Where limits are kept that several gateways share; it may hold a password. */
  readonly redisUrl?: Redacted.Redacted
  readonly sensitiveHeaders: ReadonlyArray<string>
  /** Functions that every expression may call, as text. */
  readonly customFunctions?: string
  readonly identity: {
    readonly namespace: string
    readonly gateway: string
    readonly trustDomain: string
    readonly additionalTrustDomains: ReadonlyArray<string>
    readonly skipValidateTrustDomain: boolean
    readonly serviceAccount?: string
    readonly clusterId: string
    readonly network: string
    readonly podName?: string
    readonly nodeName?: string
    readonly instanceIp?: string
    readonly locality?: { readonly region: string; readonly zone: string; readonly subzone: string }
  }
  readonly mcpSessionTtlMillis: number
  /** Seal what people granted, the first; the others still open it. Hexadecimal, 32 bytes each. */
  readonly grantKeys: ReadonlyArray<Redacted.Redacted>
  /** Seals sessions; hexadecimal, 32 bytes. */
  readonly sessionKey?: Redacted.Redacted
  readonly oidcCookieSecret?: Redacted.Redacted
  /** How notifications of agents are passed on; absent: they are not. */
  readonly push?: StaticPush
}

export interface StaticPush {
  readonly callback: string
  readonly allowedHosts?: ReadonlyArray<string>
  readonly signingKey?: Redacted.Redacted
  readonly attemptsMax?: number
  readonly giveUpMillis?: number
  readonly timeoutMillis?: number
}

export interface RequestLogSettings {
  readonly location: Location
  /** The database is that of everything else. */
  readonly isShared: boolean
  /** 0: for ever. */
  readonly retentionMillis: number
  readonly batchMax?: number
}

const levels: ReadonlyArray<Level> = ["off", "error", "warn", "info", "debug", "trace"]

const level = (text: string): Parsed<Level> => {
  const found = levels.find(
    (one) => one === text.trim().toLowerCase() || (one === "warn" && text.trim().toLowerCase() === "warning"),
  )
  return found === undefined
    ? refuse(`unknown log level ${JSON.stringify(text)}`, `Use one of ${levels.map((one) => `\`${one}\``).join(", ")}.`)
    : Result.succeed(found)
}

const logLevels = (text: string): Parsed<Pick<Static["logging"], "level" | "targets">> => {
  let main: Level = "info"
  const targets: Array<{ readonly target: string; readonly level: Level }> = []
  for (const part of text.split(",")) {
    if (part.trim() === "") continue
    const equals = part.indexOf("=")
    const parsed = level(equals < 0 ? part : part.slice(equals + 1))
    if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
    if (equals < 0) main = parsed.success
    else targets.push({ target: part.slice(0, equals).trim(), level: parsed.success })
  }
  targets.sort((a, b) => b.target.length - a.target.length)
  return Result.succeed({ level: main, targets })
}

const boolean = (text: string): Parsed<boolean> => {
  const word = text.trim().toLowerCase()
  if (word === "true" || word === "1") return Result.succeed(true)
  if (word === "false" || word === "0") return Result.succeed(false)
  return refuse("expected true or false")
}

const anything = (text: string): Parsed<string> => Result.succeed(text)

const workers =
  (cpus: number) =>
  (text: string): Parsed<number> => {
    const remedy = 'Write a number, or a percentage such as "50%".'
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(text.trim())
    if (percent !== null) {
      const share = Number(percent[1])
      return share > 0 && share <= 100
        ? Result.succeed(Math.min(workersMax, Math.max(1, Math.ceil((share / 100) * cpus))))
        : refuse("a percentage of the CPUs is above 0 and at most 100", remedy)
    }
    const number = /^\d+$/.test(text.trim()) ? Number(text) : 0
    if (number > workersMax) return refuse(`at most ${workersMax} workers are started`, remedy)
    return number >= 1 ? Result.succeed(number) : refuse(`${JSON.stringify(text)} is not a number of workers`, remedy)
  }

const hexKey = (text: string): Parsed<Redacted.Redacted> =>
  /^[0-9a-fA-F]{64}$/.test(text.trim())
    ? Result.succeed(Redacted.make(text.trim().toLowerCase()))
    : refuse("expected 32 bytes in hexadecimal", "Make one with `openssl rand -hex 32`.")

const hexKeys = (texts: ReadonlyArray<string>): Parsed<ReadonlyArray<Redacted.Redacted>> => {
  const keys: Array<Redacted.Redacted> = []
  for (const text of texts) {
    const key = hexKey(text)
    if (Result.isFailure(key)) return Result.fail(key.failure)
    keys.push(key.success)
  }
  return keys.length === 0 ? refuse("there are no keys", "Remove it, or name one.") : Result.succeed(keys)
}

/** What is wrong is told without the text: it may hold a password. */
const parseRedis = (text: string): Parsed<Redacted.Redacted> =>
  /^rediss?:\/\/[^\s/]/.test(text) && URL.canParse(text)
    ? Result.succeed(Redacted.make(text))
    : refuse("expected the URL of a Redis", "Write `redis://host:6379`, or `rediss://` for TLS.")

const families = ["All", "Auto", "V4Preferred", "V4Only", "V6Only"] as const

const family = (text: string): Parsed<(typeof families)[number]> => {
  const found = families.find((one) => one.toLowerCase() === text.trim().toLowerCase())
  return found === undefined
    ? refuse(`unknown value ${JSON.stringify(text)}`, `Use one of ${families.join(", ")}.`)
    : Result.succeed(found)
}

const logFormat = (text: string): Parsed<"text" | "json"> => {
  const word = text.trim().toLowerCase()
  return word === "json" || word === "text"
    ? Result.succeed(word)
    : refuse(`unknown value ${JSON.stringify(text)}`, "Use `text` or `json`.")
}

const list = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "")

const locality = (text: string): Parsed<NonNullable<Static["identity"]["locality"]>> => {
  const [region = "", zone = "", subzone = "", more] = text.split("/")
  return region === "" || more !== undefined
    ? refuse("expected `region/zone/subzone`")
    : Result.succeed({ region, zone, subzone })
}

/** Less than the time an orchestrator gives, so that the end is ours. */
const graceful = (text: string): Parsed<number> => {
  const seconds = Number(text)
  if (!/^\d+$/.test(text.trim())) return refuse("expected a number of seconds")
  return Result.succeed(Math.max(1, seconds > 10 ? seconds - 5 : seconds - 1) * 1000)
}

export interface Resolved {
  readonly static: Static
  readonly problems: ReadonlyArray<Problem>
}

export interface Surroundings {
  readonly env: Environment
  /** CPUs there are; asked of the system unless given. */
  readonly cpus?: number
}

export const resolve = (section: StaticSection, { cpus, env }: Surroundings): Resolved => {
  const problems: Array<Problem> = []

  /** From the environment if it says anything, else from the file, else the default. */
  const pick = <A>(
    name: string | undefined,
    parse: (text: string) => Parsed<A>,
    path: Path,
    file: A | Parsed<A> | undefined,
    otherwise: A,
  ): A => {
    const text = name === undefined ? undefined : env[name]
    if (name !== undefined && text !== undefined && text !== "") {
      const parsed = parse(text)
      if (Result.isSuccess(parsed)) return parsed.success
      const shown = secretNames.has(name) ? "…" : text
      problems.push(error([], `invalid env var ${name}=${shown} (${parsed.failure.message})`, parsed.failure.remedy))
      return otherwise
    }
    if (file === undefined) return otherwise
    if (!Result.isResult(file)) return file
    if (Result.isSuccess(file)) return file.success
    problems.push(error(["config", ...path], file.failure.message, file.failure.remedy))
    return otherwise
  }

  const address = (name: string, key: "adminAddr" | "statsAddr" | "readinessAddr", otherwise: Address.Address) => {
    const text = section[key]
    return pick(name, Address.parse, [key], text === undefined ? undefined : Address.parse(text), otherwise)
  }

  const optional = (name: string, file?: string): string | undefined => {
    const text = env[name]
    return text === undefined || text === "" ? file : text
  }

  const enableIpv6 = pick("IPV6_ENABLED", boolean, ["enableIpv6"], section.enableIpv6, true)
  const everywhere = (port: number): Address.Address => ({ _tag: "Ip", host: enableIpv6 ? "::" : "0.0.0.0", port })
  const wanted = pick("DNS_LOOKUP_FAMILY", family, ["dns", "lookupFamily"], section.dns?.lookupFamily, "Auto")
  const edns0 = pick<boolean | undefined>("DNS_EDNS0", boolean, ["dns", "edns0"], section.dns?.edns0, undefined)

  const cpuCount = pick("CPU_LIMIT", workers(cpus ?? 1), [], undefined, cpus ?? availableParallelism())
  const threads = section.workerThreads
  const parseWorkers = workers(cpuCount)

  const { level: written } = section.logging ?? {}
  const writtenLevels =
    written === undefined ? undefined : logLevels(typeof written === "string" ? written : written.join(","))
  const none: Pick<Static["logging"], "level" | "targets"> = { level: "info", targets: [] }
  const logging = pick("RUST_LOG", logLevels, ["logging", "level"], writtenLevels, none)

  const redisUrl = pick<Redacted.Redacted | undefined>(
    undefined,
    parseRedis,
    ["redis", "url"],
    section.redis === undefined ? undefined : parseRedis(section.redis.url),
    undefined,
  )
  const grace = pick("TERMINATION_GRACE_PERIOD_SECONDS", graceful, [], undefined, 5_000)
  const probes = section.backend?.keepalives
  const domains = section.additionalTrustDomains
  const key = section.session?.key
  const sessionKey = pick<Redacted.Redacted | undefined>(
    "SESSION_KEY",
    hexKey,
    ["session", "key"],
    key === undefined ? undefined : hexKey(key),
    undefined,
  )
  const oidcCookieSecret = pick<Redacted.Redacted | undefined>("OIDC_COOKIE_SECRET", hexKey, [], undefined, undefined)
  const writtenKeys = section.mcp?.grantKeys
  const grantKeys = pick<ReadonlyArray<Redacted.Redacted>>(
    "MCP_GRANT_KEYS",
    (text) => hexKeys(list(text)),
    ["mcp", "grantKeys"],
    writtenKeys === undefined ? undefined : hexKeys(writtenKeys),
    [],
  )
  const place = pick<Static["identity"]["locality"]>("LOCALITY", locality, [], undefined, undefined)
  const minimum = section.connectionMinTerminationDeadline
  const maximum = section.connectionTerminationDeadline

  const kept = section.logging?.database ?? section.database
  const batchMax = pick<number | undefined>("REQUEST_LOG_STORE_BATCH_SIZE", batchSize, [], undefined, undefined)
  const location =
    kept === undefined
      ? undefined
      : pick<Location | undefined>(
          undefined,
          parseLocation,
          section.logging?.database === undefined ? ["database"] : ["logging", "database"],
          section.logging?.database === undefined ? undefined : locationOf(kept),
          Result.getOrUndefined(locationOf(kept)),
        )
  const requestLog: RequestLogSettings | undefined =
    location === undefined
      ? undefined
      : {
          location,
          isShared: section.logging?.database === undefined,
          retentionMillis: pick("REQUEST_LOG_RETENTION", Duration.parse, [], undefined, requestLogRetentionMillis),
          ...named("batchMax", batchMax),
        }

  if (section.backend?.connectTimeout === 0) {
    problems.push(error(["config", "backend", "connectTimeout"], "nobody is reached in no time", "Use a time above 0."))
  }

  const resolved: Static = {
    enableIpv6,
    dns: {
      lookupFamily: wanted === "Auto" ? (enableIpv6 ? "V4Preferred" : "V4Only") : wanted,
      ...(edns0 === undefined ? {} : { edns0 }),
    },
    adminAddress: address("ADMIN_ADDR", "adminAddr", { _tag: "Localhost", port: 15_000 }),
    statsAddress: address("STATS_ADDR", "statsAddr", everywhere(15_020)),
    readinessAddress: address("READINESS_ADDR", "readinessAddr", everywhere(15_021)),
    logging: {
      ...logging,
      format: pick("LOG_FORMAT", logFormat, ["logging", "format"], section.logging?.format, "text"),
    },
    workerThreads: pick(
      "WORKER_THREADS",
      parseWorkers,
      ["workerThreads"],
      threads === undefined ? undefined : parseWorkers(String(threads)),
      Math.min(workersMax, cpuCount),
    ),
    connectionMinTerminationDeadlineMillis: pick(
      "CONNECTION_MIN_TERMINATION_DEADLINE",
      Duration.parse,
      ["connectionMinTerminationDeadline"],
      minimum,
      0,
    ),
    connectionTerminationDeadlineMillis: pick(
      "CONNECTION_TERMINATION_DEADLINE",
      Duration.parse,
      ["connectionTerminationDeadline"],
      maximum,
      grace,
    ),
    backend: {
      keepalives: {
        enabled: probes?.enabled ?? keepalive.enabled,
        timeMillis: probes?.time ?? keepalive.timeMillis,
        intervalMillis: probes?.interval ?? keepalive.intervalMillis,
        retries: probes?.retries ?? keepalive.retries,
      },
      connectTimeoutMillis: section.backend?.connectTimeout ?? defaults.connectTimeoutMillis,
      poolIdleTimeoutMillis: section.backend?.poolIdleTimeout ?? defaults.poolIdleTimeoutMillis,
      ...(section.backend?.poolMaxSize === undefined ? {} : { poolMaxSize: section.backend.poolMaxSize }),
    },
    metricsRemove: section.metrics?.remove ?? [],
    histograms: section.histograms ?? "classic",
    ...named("metricsExport", metricsExportOf(section.metrics?.otlp, env, problems)),
    tracing: { isDisabled: isDisabled(env), ...named("propagators", propagatorsIn(env, problems)) },
    observed: {
      labels: labelsOf(section, problems),
      ...named("user", section.standardAttributes?.user),
      ...named("group", section.standardAttributes?.group),
    },
    ...named("requestLog", requestLog),
    database: {
      location: pick(
        undefined,
        parseLocation,
        ["database"],
        section.database === undefined ? undefined : locationOf(section.database),
        byDefault(env),
      ),
      isNamed: section.database !== undefined,
    },
    ...named("redisUrl", redisUrl),
    sensitiveHeaders: (section.sensitiveHeaders ?? []).map((name) => name.toLowerCase()),
    identity: {
      namespace: pick("NAMESPACE", anything, ["namespace"], section.namespace, "default"),
      gateway: pick("GATEWAY", anything, ["gateway"], section.gateway, "default"),
      trustDomain: pick("TRUST_DOMAIN", anything, ["trustDomain"], section.trustDomain, "cluster.local"),
      additionalTrustDomains: pick(
        "ADDITIONAL_TRUST_DOMAINS",
        (text) => Result.succeed(list(text)),
        ["additionalTrustDomains"],
        domains === undefined ? undefined : typeof domains === "string" ? list(domains) : domains,
        [],
      ),
      skipValidateTrustDomain: pick(
        "SKIP_VALIDATE_TRUST_DOMAIN",
        boolean,
        ["skipValidateTrustDomain"],
        section.skipValidateTrustDomain,
        false,
      ),
      clusterId: pick("CLUSTER_ID", anything, ["clusterId"], section.clusterId, "Kubernetes"),
      network: pick("NETWORK", anything, ["network"], section.network, ""),
      ...named("serviceAccount", optional("SERVICE_ACCOUNT", section.serviceAccount)),
      ...named("podName", optional("POD_NAME")),
      ...named("nodeName", optional("NODE_NAME")),
      ...named("instanceIp", optional("INSTANCE_IP")),
      ...named("locality", place),
    },
    mcpSessionTtlMillis: section.mcp?.sessionTtl ?? 1_800_000,
    grantKeys,
    ...named("customFunctions", section.customFunctions),
    ...named("sessionKey", sessionKey),
    ...named("oidcCookieSecret", oidcCookieSecret),
    ...named("push", pushOf(section, problems)),
  }
  if (resolved.connectionMinTerminationDeadlineMillis > resolved.connectionTerminationDeadlineMillis) {
    problems.push(
      error(
        ["config", minimum === undefined ? "connectionTerminationDeadline" : "connectionMinTerminationDeadline"],
        "the shortest time to drain is longer than the longest",
        "Raise `connectionTerminationDeadline`, or lower `connectionMinTerminationDeadline`.",
      ),
    )
  }
  if (resolved.database.location._tag === "Memory" && resolved.workerThreads > 1) {
    problems.push(
      error(
        ["config", "database"],
        `${resolved.workerThreads} workers cannot share a database in memory`,
        "Name a file, or set `workerThreads` to 1.",
      ),
    )
  }
  return { static: resolved, problems: [...refusals(section, env), ...problems] }
}

const locationOf = ({
  maxConnections = connectionsByDefault,
  url,
}: NonNullable<StaticSection["database"]>): Parsed<Location> =>
  maxConnections === 0
    ? refuse("a database needs at least one connection", "Remove `maxConnections`, or make it 1 or more.")
    : parseLocation(url, maxConnections)

const requestLogRetentionMillis = 30 * 24 * 3_600_000

const batchSize = (text: string): Parsed<number> => {
  const size = /^\d+$/.test(text.trim()) ? Number(text) : 0
  return size >= 1 && size <= 16_384 ? Result.succeed(size) : refuse("expected a number of rows from 1 to 16384")
}

/** Labels that no metric has yet. */
const labelsOf = (section: StaticSection, problems: Array<Problem>): ObservedSettings["labels"] =>
  Object.entries(section.metrics?.fields?.add ?? {}).flatMap(([written, expression]) => {
    const name = labelName(written)
    if (!ownLabels.has(name)) return [{ name, expression }]
    problems.push(
      error(
        ["config", "metrics", "fields", "add", written],
        `metrics have a label \`${name}\` of their own`,
        "Give it another name.",
      ),
    )
    return []
  })

const pushOf = ({ a2a }: StaticSection, problems: Array<Problem>): StaticPush | undefined => {
  const push = a2a?.push
  if (push === undefined) return undefined
  const complain = (key: string, message: string, remedy: string): void =>
    void problems.push(error(["config", "a2a", "push", key], message, remedy))
  const url = URL.parse(push.callback)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    complain("callback", "expected an http:// or https:// URL without a query", "Write `https://gateway.example.com`.")
  }
  const key = push.signingKey?.trimStart()
  if (key !== undefined && !key.startsWith("{") && !/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(key)) {
    complain(
      "signingKey",
      "expected a private key, in PEM or as a JWK",
      "Make one with `openssl genpkey -algorithm ed25519`.",
    )
  }
  if (push.attempts === 0) complain("attempts", "a notification is tried once at least", "Write 1 or more.")
  if (push.timeout !== undefined && (push.timeout < 100 || push.timeout > 60_000)) {
    complain("timeout", "a receiver gets from 100ms to 60s", "Write `10s`.")
  }
  return {
    callback: push.callback,
    ...named(
      "allowedHosts",
      push.allowHosts?.map((host) => host.toLowerCase()),
    ),
    ...named("signingKey", key === undefined ? undefined : Redacted.make(key)),
    ...named("attemptsMax", push.attempts),
    ...named("giveUpMillis", push.giveUpAfter),
    ...named("timeoutMillis", push.timeout),
  }
}

const secretNames = new Set(["SESSION_KEY", "OIDC_COOKIE_SECRET", "MCP_GRANT_KEYS"])

const named = <K extends string, A>(key: K, value: A | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: A }

const at = (section: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (here, part) => (typeof here === "object" && here !== null ? Reflect.get(here, part) : undefined),
    section,
  )

/** Whoever names a control plane expects it to be listened to. */
const addressVariables = [
  ["CA_ADDRESS", "caAddress"],
  ["XDS_ADDRESS", "xdsAddress"],
] as const

/** Settings that nothing reads yet, refused by name, or said aloud where they do no harm. */
const refusals = (section: StaticSection, env: Environment): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  for (const [variable, key] of addressVariables) {
    if ((env[variable] ?? "") === "") continue
    const why = refusal("config", key) ?? ""
    if (why !== "") problems.push(error([], `${variable} is set, but ${why}`, `Unset ${variable}.`))
  }
  if (section.listener !== undefined) {
    problems.push(error(["config", "listener"], "`listener` has been removed; move to `frontendPolicies`"))
  }
  for (const name of notBuilt.config) {
    const [key = "", wanted] = name.split(": ")
    const path = key.split(".")
    const value = at(section, path)
    if (value === undefined || (wanted !== undefined && value !== wanted)) continue
    problems.push({
      ...error(["config", ...path], refusal("config", name) ?? "", "Remove it, or wait for a release that has it."),
      at: "key",
    })
  }
  for (const name of withoutEffect) {
    const path = name.split(".")
    if (at(section, path) === undefined) continue
    problems.push({
      ...warning(["config", ...path], `\`config.${name}\` is accepted, but what it configures is not built yet`),
      at: "key",
    })
  }
  return problems
}
