/**
 * Where a document of a stranger may send the gateway. A server that is configured names others, and those name others
 * again; none of them may make the gateway ask what only it can reach.
 */
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { isLocalName } from "../down/rebinding.ts"

export type Reachable = Pick<McpOauth, "server" | "issuer" | "trustedOrigins">

const originOf = (url: string | undefined): string | undefined =>
  url === undefined ? undefined : URL.parse(url)?.origin

/** A text says why not. `publicOnly`: nothing but addresses of the public network is connected to. */
export const reachable = (text: string, about: Reachable): { readonly publicOnly: boolean } | string => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return "it is no http or https URL"
  if (url.username !== "" || url.password !== "") return "it names a user"
  const { issuer, server, trustedOrigins } = about
  const configured = [originOf(server), originOf(issuer), ...trustedOrigins.map(originOf)]
  if (configured.includes(url.origin)) return { publicOnly: false }
  // A server on this machine may name others on this machine, as they are set up for trying things out.
  const host = URL.parse(server)?.hostname
  if (host !== undefined && isLocalName(host) && isLocalName(url.hostname)) return { publicOnly: false }
  return url.protocol === "https:" ? { publicOnly: true } : "it is not https"
}

/** Whether a browser may be sent there. */
export const isOpenable = (text: string, about: Reachable): boolean => typeof reachable(text, about) !== "string"
