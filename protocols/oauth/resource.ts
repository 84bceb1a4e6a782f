/** What a resource says of itself (RFC 9728), and whether it speaks of the server that was meant. */
import { objectIn } from "../json/object.ts"

export interface ResourceMetadata {
  readonly resource: string
  readonly authorizationServers: ReadonlyArray<string>
  /** Absent: it does not say. */
  readonly scopes: ReadonlyArray<string> | undefined
}

const PREFIX = "/.well-known/oauth-protected-resource"

/** Where the description of a server may be, the more exact place first. */
export const resourceMetadataUrls = (server: string): ReadonlyArray<string> => {
  const url = URL.parse(server)
  if (url === null) return []
  const path = url.pathname.replace(/\/$/, "")
  const root = `${url.origin}${PREFIX}`
  return path === "" ? [root] : [`${root}${path}${url.search}`, root]
}

const textsOf = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string" && one !== "") : undefined

/** A text says why it is no such document. */
export const parse = (text: string): ResourceMetadata | string => {
  const document = objectIn(text)
  if (typeof document === "string") return document
  const { authorization_servers, resource, scopes_supported } = document
  if (typeof resource !== "string" || resource === "") return "it names no resource"
  return { resource, authorizationServers: textsOf(authorization_servers) ?? [], scopes: textsOf(scopes_supported) }
}

/** The text that a server is known by: no fragment, and no slash where there is no path. */
export const canonical = (server: string): string => {
  const url = URL.parse(server)
  if (url === null) return server
  return url.pathname === "/" && url.search === "" ? url.origin : `${url.origin}${url.pathname}${url.search}`
}

/** Whether a description of one resource holds for a server: it is the server itself, or a path above it. */
export const covers = (resource: string, server: string): boolean => {
  const [described, meant] = [URL.parse(resource), URL.parse(server)]
  if (described === null || meant === null || described.origin !== meant.origin) return false
  if (described.username !== "" || described.password !== "" || described.hash !== "") return false
  if (described.search !== "" && described.search !== meant.search) return false
  const above = described.pathname.replace(/\/$/, "")
  const below = meant.pathname.replace(/\/$/, "")
  return below === above || below.startsWith(`${above}/`)
}
