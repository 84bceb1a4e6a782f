/** What every modern request says of itself, in `_meta`. */
import { Fields, isObject, type Json } from "./json.ts"

const prefix = "io.modelcontextprotocol/"

export const keys = {
  protocolVersion: `${prefix}protocolVersion`,
  clientCapabilities: `${prefix}clientCapabilities`,
  clientInfo: `${prefix}clientInfo`,
  logLevel: `${prefix}logLevel`,
  serverInfo: `${prefix}serverInfo`,
  subscriptionId: `${prefix}subscriptionId`,
  relatedTask: `${prefix}related-task`,
} as const

/** The members of `_meta` that are between two neighbours and must not travel further. */
const ofHop: ReadonlySet<string> = new Set([
  keys.protocolVersion,
  keys.clientCapabilities,
  keys.clientInfo,
  keys.logLevel,
  "progressToken",
])

export interface Envelope {
  readonly protocolVersion: string
  readonly capabilities: Json
  readonly clientInfo: Json | undefined
  readonly logLevel: string | undefined
}

/** Whether a request says which revision it is in, however badly. */
export const claims = (meta: Fields | undefined): boolean => meta?.has(keys.protocolVersion) === true

/** The envelope of a request; a text says what is missing or wrong. */
export const read = (meta: Fields | undefined): Envelope | string => {
  const protocolVersion = meta?.string(keys.protocolVersion)
  if (meta === undefined || protocolVersion === undefined) return `\`_meta\` lacks ${keys.protocolVersion}`
  const capabilities = meta.get(keys.clientCapabilities)
  if (!isObject(capabilities)) return `\`_meta\` lacks ${keys.clientCapabilities}`
  const clientInfo = meta.get(keys.clientInfo)
  if (clientInfo !== undefined && !isObject(clientInfo)) return `${keys.clientInfo} must be an object`
  const logLevel = meta.get(keys.logLevel)
  if (logLevel !== undefined && meta.string(keys.logLevel) === undefined) return `${keys.logLevel} must be a string`
  return { protocolVersion, capabilities, clientInfo, logLevel: meta.string(keys.logLevel) }
}

/** Parameters as they go on to somebody else: without what was said to us alone. An empty `_meta` is left out. */
export const stripped = (params: Fields): Fields => {
  const meta = params.object("_meta")
  if (meta === undefined) return params
  const kept = meta.filter((name) => !ofHop.has(name))
  return kept === meta ? params : params.with("_meta", kept.size === 0 ? undefined : kept.toJson())
}

/** Adds members to the `_meta` of parameters. */
export const withMeta = (params: Fields, members: Readonly<Record<string, Json | undefined>>): Fields => {
  let meta = params.object("_meta") ?? Fields.empty
  for (const name of Object.keys(members)) {
    const text = members[name]
    if (text !== undefined) meta = meta.with(name, text)
  }
  return meta.size === 0 ? params : params.with("_meta", meta.toJson())
}
