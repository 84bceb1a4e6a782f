/** What a person sees when the gateway is up: the URLs, and one command that works when pasted. */
import type { BindKey } from "../../ir/Key.ts"
import type { Address } from "../../stages/Connection.ts"
import type { CompiledBind } from "../../stages/Plan.ts"
import { type Address as AdminAddress, format } from "../config/Address.ts"
import type { Static } from "../config/Static.ts"
import type { Input } from "./input.ts"

export interface Welcome {
  readonly input: Input
  readonly settings: Static
  readonly addresses: ReadonlyMap<BindKey, Address>
  readonly binds: ReadonlyMap<BindKey, CompiledBind>
  readonly workers: number
}

const isAny = (host: string): boolean => host === "::" || host === "0.0.0.0"

const urlHost = (host: string): string => (isAny(host) ? "localhost" : host.includes(":") ? `[${host}]` : host)

const adminUrl = (address: AdminAddress): string => {
  switch (address._tag) {
    case "Off":
      return "off"
    case "Unix":
      return format(address)
    case "Localhost":
      return `http://localhost:${address.port}`
    case "Ip":
      return `http://${urlHost(address.host)}:${address.port}`
  }
}

/** The lines for a person; machines read the log. */
export const welcome = ({ addresses, binds, input, settings, workers }: Welcome): string => {
  const urls: Array<string> = []
  for (const [key, address] of addresses) {
    const bind = binds.get(key)?.ir
    const scheme = bind?.protocol === "tls" ? "https" : bind?.protocol === "tcp" ? "tcp" : "http"
    urls.push(address.port === 0 ? `unix:${address.host}` : `${scheme}://${urlHost(address.host)}:${address.port}`)
  }
  if (settings.logging.format === "json") {
    return `${JSON.stringify({ level: "info", time: new Date().toISOString(), scope: "sluice", message: "serving", config: input.path, listeners: urls, workers })}\n`
  }
  const lines = [
    `sluice is serving ${input.isEmbedded ? "its embedded example" : input.path}${workers > 1 ? ` on ${workers} cores` : ""}`,
    ...urls.map((url) => `  gateway    ${url}`),
    `  admin      ${adminUrl(settings.adminAddress)}`,
    `  metrics    ${settings.statsAddress._tag === "Off" ? "off" : `${adminUrl(settings.statsAddress)}/metrics`}`,
    `  readiness  ${settings.readinessAddress._tag === "Off" ? "off" : `${adminUrl(settings.readinessAddress)}/healthz/ready`}`,
  ]
  const first = urls.find((url) => url.startsWith("http"))
  if (input.isEmbedded && first !== undefined) lines.push("Try it:", `  curl ${first}/`)
  return `${lines.join("\n")}\n`
}
