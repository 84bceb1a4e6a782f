/** What the variables of OpenTelemetry say about receivers of OTLP. */
import { pairs } from "../telemetry/otlp/resource.ts"
import type { Environment } from "./local/expand.ts"
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

/** A text says what is wrong. */
export const endpointOf = (text: string): OtlpEndpoint | string => {
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

export const protocolIn = (
  env: Environment,
  problems: Array<Problem>,
  ...names: ReadonlyArray<string>
): "grpc" | "http" | undefined => {
  const said = first(env, ...names)
  if (said === undefined) return undefined
  if (said.text === "grpc") return "grpc"
  if (said.text === "http" || said.text === "http/protobuf") return "http"
  problems.push(error([], `invalid env var ${said.name}=${said.text}`, "Use `grpc` or `http/protobuf`."))
  return undefined
}
