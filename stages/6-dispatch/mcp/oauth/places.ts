/** Where the pages of an endpoint are. */
import type { McpConnections } from "../../../../ir/backend/McpOauth.ts"
import type { Exchange } from "../../../Exchange.ts"
import { isLocal } from "./users.ts"

const FOLDER = "/connections"

export type PageName = "" | "start" | "callback" | "forget" | "client.json"
const names: ReadonlyArray<string> = ["", "start", "callback", "forget", "client.json"]

const trimmed = (text: string): string => text.replace(/\/+$/, "")

/** The URL of the pages, for whoever calls the endpoint; undefined: nobody said, and it must not be guessed. */
export const baseFor = ({ url }: McpConnections, exchange: Exchange): string | undefined => {
  if (url !== undefined) return trimmed(url)
  if (!isLocal(exchange)) return undefined
  const { authority, path, scheme } = exchange.original ?? exchange.request
  const here = path.endsWith("/sse") ? path.slice(0, -"/sse".length) : path
  return `${scheme}://${authority}${trimmed(here)}${FOLDER}`
}

export interface Page {
  readonly name: PageName
  readonly base: string
}

const nameIn = (rest: string): PageName | undefined =>
  rest === "" ? "" : rest.startsWith("/") && names.includes(rest.slice(1)) ? (rest.slice(1) as PageName) : undefined

/** The page that a request is for; undefined: for none. */
export const pageOf = ({ clientDocument, url }: McpConnections, exchange: Exchange): Page | undefined => {
  const { authority, path, scheme } = exchange.original ?? exchange.request
  if (url !== undefined) {
    const base = trimmed(url)
    if (clientDocument !== undefined && path === URL.parse(clientDocument)?.pathname)
      return { name: "client.json", base }
    const root = trimmed(new URL(base).pathname)
    const name = path.startsWith(root) ? nameIn(path.slice(root.length)) : undefined
    return name === undefined ? undefined : { name, base }
  }
  if (!isLocal(exchange)) return undefined
  const at = path.lastIndexOf(FOLDER)
  const name = at < 0 ? undefined : nameIn(path.slice(at + FOLDER.length))
  return name === undefined ? undefined : { name, base: `${scheme}://${authority}${path.slice(0, at + FOLDER.length)}` }
}
