/** What the variables of OpenTelemetry say about receivers of OTLP. */
import * as Redacted from "effect/Redacted"
import { type Propagator, propagators } from "../../protocols/trace/propagation.ts"
import type { Otlp, OtlpProtocol } from "../../ir/policy/Otlp.ts"
import { pairs } from "../telemetry/otlp/resource.ts"
import type { Environment } from "./local/expand.ts"
import { present } from "./local/present.ts"
import { error, type Problem } from "./local/Problem.ts"

export interface Variable {
  readonly name: string
  readonly text: string
}

/** The first that is set wins. */
export const first = (env: Environment, ...names: ReadonlyArray<string>): Variable | undefined => {
  for (const name of names) {
    const text = env[name]?.trim()
    if (text !== undefined && text !== "") return { name, text }
  }
  return undefined
}

export const headersIn = (text: string): ReadonlyArray<readonly [string, string]> => {
  if (!text.startsWith("{")) return pairs(text)
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>).map(([name, value]) => [name, String(value)])
  } catch {
    return []
  }
}

const defaultPorts: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "grpc:": 4317 }

export interface OtlpEndpoint {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly path: string | undefined
}

/** A text says what is wrong. A name without a scheme is what gRPC knows; `isInsecure` is for those alone. */
export const endpointOf = (written: string, isInsecure = true): OtlpEndpoint | string => {
  const isBare = /^(?:\[[0-9a-f:.]+\]|[\w.-]+):\d+$/i.test(written)
  const text = isBare ? `${isInsecure ? "http" : "https"}://${written}` : written
  if (!URL.canParse(text)) return `${JSON.stringify(text)} is not a URL`
  const url = new URL(text)
  const port = defaultPorts[url.protocol]
  if (port === undefined) return `a receiver of OTLP is named by an http, https or grpc URL, not ${url.protocol}//`
  if (url.username !== "" || url.password !== "") return "a user in the URL is not used: set `headers` instead"
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? port : Number(url.port),
    isTls: url.protocol === "https:",
    path: url.pathname === "" || url.pathname === "/" ? undefined : url.pathname,
  }
}

const protocols: Readonly<Record<string, OtlpProtocol>> = {
  grpc: "grpc",
  http: "http",
  "http/protobuf": "http",
  "http/json": "http/json",
}

/** One of a few words; what is none of them is refused by name. */
export const wordIn = <A>(
  said: Variable | undefined,
  words: Readonly<Record<string, A>>,
  problems: Array<Problem>,
): A | undefined => {
  if (said === undefined) return undefined
  const word = said.text.toLowerCase()
  if (Object.hasOwn(words, word)) return words[word]
  const known = Object.keys(words).map((one) => `\`${one}\``)
  problems.push(error([], `invalid env var ${said.name}=${said.text}`, `Use one of ${known.join(", ")}.`))
  return undefined
}

/** A whole number of milliseconds. */
const millisIn = (said: Variable | undefined, problems: Array<Problem>): number | undefined => {
  if (said === undefined) return undefined
  if (/^\d+$/.test(said.text) && Number(said.text) > 0) return Number(said.text)
  problems.push(error([], `invalid env var ${said.name}=${said.text}`, "Use a number of milliseconds."))
  return undefined
}

const isTrue = (said: Variable | undefined): boolean => said?.text.toLowerCase() === "true"

/** Files that TLS needs, by their names. */
export interface OtlpCertificates {
  readonly root?: string
  readonly cert?: string
  readonly key?: string
}

/** What the variables say about the receiver of one signal. */
export interface OtlpVariables {
  readonly endpoint: Variable | undefined
  /** The endpoint is that of all signals: the path of this one comes after its own. */
  readonly isGeneral: boolean
  readonly isInsecure: boolean
  readonly protocol: OtlpProtocol | undefined
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly timeoutMillis: number | undefined
  /** `none` where the variable says so, which is not the same as to say nothing. */
  readonly compression: "gzip" | "none" | undefined
  readonly certificates: OtlpCertificates | undefined
}

const general = "OTEL_EXPORTER_OTLP"

/** `older`: names that agentgateway reads before those of OpenTelemetry. */
export const variablesOf = (
  env: Environment,
  signal: "TRACES" | "METRICS" | "LOGS",
  problems: Array<Problem>,
  older: { readonly endpoint?: string; readonly protocol?: string; readonly headers?: string } = {},
): OtlpVariables => {
  const named = (what: string, ...before: ReadonlyArray<string | undefined>): Variable | undefined =>
    first(env, ...before.filter((one) => one !== undefined), `${general}_${signal}_${what}`, `${general}_${what}`)
  const endpoint = named("ENDPOINT", older.endpoint)
  const [root, cert, key] = ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"].map((what) => named(what)?.text)
  return {
    endpoint,
    isGeneral: endpoint?.name === `${general}_ENDPOINT`,
    isInsecure: isTrue(named("INSECURE")),
    protocol: wordIn(named("PROTOCOL", older.protocol), protocols, problems),
    headers: headersIn(named("HEADERS", older.headers)?.text ?? ""),
    timeoutMillis: millisIn(named("TIMEOUT"), problems),
    compression: wordIn(named("COMPRESSION"), { gzip: "gzip", none: "none" } as const, problems),
    certificates:
      (root ?? cert ?? key) === undefined
        ? undefined
        : {
            ...(root === undefined ? {} : { root }),
            ...(cert === undefined ? {} : { cert }),
            ...(key === undefined ? {} : { key }),
          },
  }
}

/** The path of one signal: what is written holds where the endpoint has none; that of all signals is followed by `own`. */
export const pathOf = <Written extends string | undefined>(
  { isGeneral }: OtlpVariables,
  endpoint: OtlpEndpoint,
  own: string,
  written: Written,
): string | Written => {
  const { path } = endpoint
  if (path === undefined) return written
  return isGeneral ? `${path.replace(/\/$/, "")}${own}` : path
}

/** How a receiver is spoken to. */
export type Manner = Pick<Otlp, "compression" | "headers" | "timeoutMillis">

/** `written`: headers that are set where no variable sets them. */
export const mannerOf = (
  { compression, headers, timeoutMillis }: OtlpVariables,
  written: Readonly<Record<string, string>> = {},
): Manner => {
  const all = new Map([...Object.entries(written), ...headers])
  return {
    ...present({ compression: compression === "gzip" ? compression : undefined, timeoutMillis }),
    ...(all.size === 0
      ? {}
      : { headers: Array.from(all, ([name, value]) => ({ name: name.toLowerCase(), value: Redacted.make(value) })) }),
  }
}

/** Where a signal goes when nobody says where: to a collector on this machine. */
export const localEndpoint = (protocol: OtlpProtocol): string => `http://localhost:${protocol === "grpc" ? 4317 : 4318}`

/** Whether a variable such as `OTEL_TRACES_EXPORTER` wants OTLP; an exporter that there is not here is refused. */
export const wantsOtlp = (env: Environment, name: string, problems: Array<Problem>): boolean | undefined => {
  const said = first(env, name)
  if (said === undefined) return undefined
  const all = said.text.split(",").map((text) => ({ name, text: text.trim() }))
  return all.map((one) => wordIn(one, { otlp: true, none: false }, problems)).includes(true)
}

const noPropagator = ["none"]

/** Undefined where nothing is said. */
export const propagatorsIn = (env: Environment, problems: Array<Problem>): ReadonlyArray<Propagator> | undefined => {
  const said = first(env, "OTEL_PROPAGATORS")
  if (said === undefined) return undefined
  const words = Object.fromEntries(
    [...propagators, ...noPropagator].map((one) => [one, one as Propagator | "none"] as const),
  )
  const chosen = said.text
    .split(",")
    .flatMap((text) => wordIn({ name: said.name, text: text.trim() }, words, problems) ?? [])
  return chosen.filter((one) => one !== "none")
}

/** Whether the variables turn everything off. */
export const isDisabled = (env: Environment): boolean => env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true"
