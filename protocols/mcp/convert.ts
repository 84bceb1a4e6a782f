/** Results and errors of one era in the words of the other: what is new is added or taken away, the rest stays as it is. */
import { Fields, isObject, itemsOf, type Json, arrayOf, rewriteAt } from "./json.ts"
import { keys } from "./envelope.ts"
import { codeOf, codes, errorOf } from "./jsonrpc.ts"
import { atLeast, type Revision } from "./revision.ts"

/** Results that say for how long they are good. */
const cached: ReadonlySet<string> = new Set([
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
])

/** What an older server said, for a client that wants to know more. */
export const resultToModern = (method: string, result: Json): Json => {
  let fields = Fields.parse(result) ?? Fields.empty
  if (!fields.has("resultType")) fields = fields.with("resultType", '"complete"')
  if (cached.has(method)) {
    if (!fields.has("ttlMs")) fields = fields.with("ttlMs", "0")
    if (!fields.has("cacheScope")) fields = fields.with("cacheScope", '"private"')
  }
  return fields.toJson()
}

/** What a newer server said, for a client of a revision with a handshake; undefined: that could not tell it from an answer. */
export const resultToLegacy = (method: string, result: Json, revision: Revision): Json | undefined => {
  const parsed = Fields.parse(result)
  if (parsed === undefined) return result
  if ((parsed.string("resultType") ?? "complete") !== "complete") return undefined
  let fields = parsed.without("resultType", "ttlMs", "cacheScope")
  const meta = fields.object("_meta")
  const kept = meta?.without(keys.serverInfo)
  if (kept !== undefined && kept !== meta) fields = fields.with("_meta", kept.size === 0 ? undefined : kept.toJson())
  return downgrade(method, fields, revision).toJson()
}

/** What strict readers of older revisions do not get past. */
const downgrade = (method: string, fields: Fields, revision: Revision): Fields => {
  switch (method) {
    case "tools/list": {
      const tools = itemsOf(fields.get("tools"))
      if (tools === undefined) return fields
      const converted = tools.map(toolToLegacy)
      return converted.every((tool, i) => tool === tools[i])
        ? fields
        : fields.with("tools", arrayOf(converted.filter((tool) => tool !== undefined)))
    }
    case "tools/call":
      return olderContent(method, structuredToLegacy(fields), revision)
    default:
      return olderContent(method, fields, revision)
  }
}

/** What one server with a handshake said in a newer revision than that of the client. */
export const resultToOlder = (method: string, result: Json, revision: Revision): Json => {
  if (atLeast(revision, newestContent)) return result
  const fields = Fields.parse(result)
  return fields === undefined ? result : olderContent(method, fields, revision).toJson()
}

/** One tool whose schema is no object makes such clients refuse the whole list. */
const toolToLegacy = (text: Json): Json | undefined => {
  let tool = Fields.parse(text)
  if (tool === undefined) return text
  const before = tool
  const input = tool.object("inputSchema")
  if (input !== undefined && input.string("type") !== "object") {
    if (input.has("type")) return undefined
    tool = tool.with("inputSchema", input.with("type", '"object"').toJson())
  }
  const output = tool.object("outputSchema")
  if (output !== undefined && output.string("type") !== "object") {
    tool = tool.with("outputSchema", `{"type":"object","properties":{"value":${output.toJson()}},"required":["value"]}`)
  }
  return tool === before ? text : tool.toJson()
}

const structuredToLegacy = (fields: Fields): Fields => {
  const structured = fields.get("structuredContent")
  if (structured === undefined || isObject(structured)) return fields
  return withTwin(fields, structured).with("structuredContent", `{"value":${structured}}`)
}

/** With what is structured as text too, for whoever looks at nothing else. */
const withTwin = (fields: Fields, structured: Json): Fields =>
  (itemsOf(fields.get("content"))?.length ?? 0) > 0
    ? fields
    : fields.with("content", arrayOf([JSON.stringify({ type: "text", text: structured })]))

/** Kinds of content by the revision that brought them. */
const since: Readonly<Record<string, Revision>> = { audio: "2025-03-26", resource_link: "2025-06-18" }

/** Since then nothing was added that an older client could not get past. */
const newestContent: Revision = "2025-06-18"

const olderContent = (method: string, fields: Fields, revision: Revision): Fields => {
  if (atLeast(revision, newestContent)) return fields
  const older = (block: Json): Json => olderBlock(block, revision)
  switch (method) {
    case "tools/call": {
      const structured = fields.get("structuredContent")
      const whole = structured === undefined ? fields : withTwin(fields, structured)
      return rewritten(whole, "content", older)
    }
    case "prompts/get":
      return rewritten(fields, "messages", (message) => rewriteAt(message, ["content"], older))
    default:
      return fields
  }
}

const rewritten = (fields: Fields, list: string, rewrite: (item: Json) => Json): Fields => {
  const items = itemsOf(fields.get(list))
  const converted = items?.map(rewrite)
  return converted === undefined || converted.every((item, i) => item === items?.[i])
    ? fields
    : fields.with(list, arrayOf(converted))
}

const olderBlock = (text: Json, revision: Revision): Json => {
  const block = Fields.parse(text)
  const type = block?.string("type") ?? ""
  const from = since[type]
  if (block === undefined || from === undefined || atLeast(revision, from)) return text
  const words = type === "audio" ? `[audio: ${block.string("mimeType") ?? "unknown"}]` : (block.string("uri") ?? "")
  return JSON.stringify({ type: "text", text: words })
}

/** Headers and versions are between the gateway and the server. */
const misunderstood = errorOf(codes.internal, "the gateway and the server misunderstood each other")

/** An error for a client without a session, whoever said it: some newer servers have kept codes of older ones. */
export const errorToModern = (method: string, error: Json, uri: string | undefined): Json => {
  switch (codeOf(error)) {
    case codes.resourceNotFound: {
      if (method !== "resources/read") return error
      const fields = Fields.parse(error) ?? Fields.empty
      const data = fields.object("data") ?? Fields.empty
      return fields
        .with("code", String(codes.invalidParams))
        .with("data", (data.has("uri") || uri === undefined ? data : data.with("uri", JSON.stringify(uri))).toJson())
        .toJson()
    }
    case codes.urlElicitationRequired:
      return errorOf(
        codes.internal,
        Fields.parse(error)?.string("message") ?? "something is to be done elsewhere first",
      )
    case codes.headerMismatch:
    case codes.unsupportedVersion:
      return misunderstood
    default:
      return error
  }
}

export const errorToLegacy = (method: string, error: Json): Json => {
  const fields = Fields.parse(error) ?? Fields.empty
  switch (codeOf(error)) {
    case codes.invalidParams:
      return method === "resources/read" && fields.object("data")?.has("uri") === true
        ? fields.with("code", String(codes.resourceNotFound)).toJson()
        : error
    case codes.headerMismatch:
    case codes.unsupportedVersion:
      return misunderstood
    default:
      return error
  }
}

/** A question of an older server, for a client that is asked by results. */
export const askToModern = (method: string, params: Json | undefined, target: string | undefined): Json => {
  const fields = Fields.parse(params)
  if (fields === undefined || method === "roots/list") return params ?? "{}"
  if (method === "sampling/createMessage") {
    // What other servers said is none of this one's business.
    return fields.with("includeContext", fields.has("includeContext") ? '"none"' : undefined).toJson()
  }
  const mode = fields.string("mode") ?? "form"
  const message = fields.string("message")
  let next = fields.with("mode", JSON.stringify(mode)).without("elicitationId")
  if (target !== undefined && message !== undefined)
    next = next.with("message", JSON.stringify(`${target}: ${message}`))
  return next.toJson()
}
