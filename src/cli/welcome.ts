/** What a person sees when the gateway is up: the URLs, and one command that works when pasted. */
import type { BindKey } from "../../ir/Key.ts"
import type { Address } from "../../stages/Connection.ts"
import type { CompiledBind } from "../../stages/Plan.ts"
import type { Served } from "../admin/serve.ts"
import type { Static } from "../config/Static.ts"
import type { Input } from "./input.ts"

export interface Welcome {
  readonly input: Input
  readonly format: Static["logging"]["format"]
  readonly addresses: ReadonlyMap<BindKey, Address>
  readonly binds: ReadonlyMap<BindKey, CompiledBind>
  readonly workers: number
  /** Where the gateway's own interfaces are; empty where one is off. */
  readonly own: {
    readonly admin: ReadonlyArray<Served>
    readonly stats: ReadonlyArray<Served>
    readonly readiness: ReadonlyArray<Served>
  }
}

const isAny = (host: string): boolean => host === "::" || host === "0.0.0.0"

const urlHost = (host: string): string => (isAny(host) ? "localhost" : host.includes(":") ? `[${host}]` : host)

const servedAt = (served: ReadonlyArray<Served>, path: string): string => {
  const [first] = served
  if (first === undefined) return "off"
  if ("path" in first) return `unix:${first.path}`
  const host = served.length > 1 || first.host === "127.0.0.1" ? "localhost" : urlHost(first.host)
  return `http://${host}:${first.port}${path}`
}

/** The lines for a person; machines read the log. */
export const welcome = ({ addresses, binds, format, input, own, workers }: Welcome): string => {
  const urls: Array<string> = []
  for (const [key, address] of addresses) {
    const bind = binds.get(key)?.ir
    const scheme = bind?.protocol === "tls" ? "https" : bind?.protocol === "tcp" ? "tcp" : "http"
    urls.push(address.port === 0 ? `unix:${address.host}` : `${scheme}://${urlHost(address.host)}:${address.port}`)
  }
  if (format === "json") {
    return `${JSON.stringify({ level: "info", time: new Date().toISOString(), scope: "sluice", message: "serving", config: input.path, listeners: urls, admin: servedAt(own.admin, ""), stats: servedAt(own.stats, "/metrics"), readiness: servedAt(own.readiness, "/healthz/ready"), workers })}\n`
  }
  const lines = [
    `sluice is serving ${input.isEmbedded ? "its embedded example" : input.path}${workers > 1 ? ` on ${workers} cores` : ""}`,
    ...urls.map((url) => `  gateway    ${url}`),
    `  admin      ${servedAt(own.admin, "")}`,
    `  metrics    ${servedAt(own.stats, "/metrics")}`,
    `  readiness  ${servedAt(own.readiness, "/healthz/ready")}`,
  ]
  const first = urls.find((url) => url.startsWith("http"))
  if (input.isEmbedded && first !== undefined) {
    lines.push(
      "Tools for your agent, from a process, a server and an API behind one address:",
      `  claude mcp add --transport http sluice ${first}/mcp`,
      "Try it:",
      `  curl ${first}/`,
    )
  }
  return `${lines.join("\n")}\n`
}
