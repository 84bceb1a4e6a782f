/** JSON-RPC 2.0 as MCP uses it: messages by their parts, each part in the text it came in. */
import { Fields, isDeeperThan, isJson, isObject, type Json, JSON_DEPTH_MAX } from "./json.ts"

export interface RpcRequest {
  readonly _tag: "Request"
  /** A string or a number, as it was spelled. */
  readonly id: Json
  readonly method: string
  readonly params: Json | undefined
}

export interface RpcNotification {
  readonly _tag: "Notification"
  readonly method: string
  readonly params: Json | undefined
}

/** What answers a request; exactly one of `result` and `error` is there. */
export interface RpcAnswer {
  readonly _tag: "Answer"
  /** Absent where the other side could not tell which request it was. */
  readonly id: Json | undefined
  readonly result: Json | undefined
  readonly error: Json | undefined
}

export type RpcMessage = RpcRequest | RpcNotification | RpcAnswer

export interface Malformed {
  readonly _tag: "Malformed"
  readonly code: number
  readonly message: string
  /** As far as it could be read. */
  readonly id: Json | undefined
}

const malformed = (code: number, message: string, id?: Json): Malformed => ({
  _tag: "Malformed",
  code,
  message,
  id,
})

const isId = (text: Json | undefined): text is Json => text !== undefined && /^(?:"|-?\d)/.test(text)

/** One message that is known to be valid JSON. */
export const parseValid = (text: Json): RpcMessage | Malformed => {
  const fields = Fields.parse(text)
  if (fields === undefined) return malformed(-32600, "a message is an object")
  const given = fields.get("id")
  const id = isId(given) ? given : undefined
  if (fields.string("jsonrpc") !== "2.0") return malformed(-32600, '`jsonrpc` must be "2.0"', id)
  const method = fields.get("method")
  if (method === undefined) {
    const result = fields.get("result")
    const error = fields.get("error")
    if ((result === undefined) === (error === undefined)) {
      return malformed(-32600, "a message has a `method`, a `result` or an `error`", id)
    }
    if (error !== undefined && !isObject(error)) return malformed(-32600, "`error` must be an object", id)
    if (given !== undefined && id === undefined && given !== "null") {
      return malformed(-32600, "`id` must be a string or a number")
    }
    return { _tag: "Answer", id, result, error }
  }
  const name = fields.string("method")
  if (name === undefined || name === "") return malformed(-32600, "`method` must be a string", id)
  const params = fields.get("params")
  if (params !== undefined && !isObject(params)) return malformed(-32602, "`params` must be an object", id)
  if (given === undefined) return { _tag: "Notification", method: name, params }
  if (id === undefined) return malformed(-32600, "`id` must be a string or a number")
  return { _tag: "Request", id, method: name, params }
}

/** One message as it came. */
export const parse = (text: string): RpcMessage | Malformed => {
  if (!isJson(text)) return malformed(-32700, "it is not JSON")
  const trimmed = text.trim()
  if (isDeeperThan(trimmed, JSON_DEPTH_MAX)) {
    const id = Fields.parse(trimmed)?.get("id")
    return malformed(-32600, `nested deeper than ${JSON_DEPTH_MAX}`, isId(id) ? id : undefined)
  }
  return parseValid(trimmed)
}

export const encodeRequest = (id: Json, method: string, params: Json | undefined): Json =>
  params === undefined
    ? `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}}`
    : `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`

export const encodeNotification = (method: string, params: Json | undefined): Json =>
  params === undefined
    ? `{"jsonrpc":"2.0","method":${JSON.stringify(method)}}`
    : `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`

export const encodeResult = (id: Json, result: Json): Json => `{"jsonrpc":"2.0","id":${id},"result":${result}}`

export const encodeError = (id: Json | undefined, error: Json): Json =>
  `{"jsonrpc":"2.0","id":${id ?? "null"},"error":${error}}`

/** The error object. */
export const errorOf = (code: number, message: string, data?: unknown): Json =>
  JSON.stringify(data === undefined ? { code, message } : { code, message, data })

export const codeOf = (error: Json): number => {
  const code = Number(Fields.parse(error)?.get("code"))
  return Number.isFinite(code) ? code : codes.internal
}

export const codes = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  /** Up to 2025-11-25. */
  resourceNotFound: -32002,
  /** 2025-11-25 only. */
  urlElicitationRequired: -32042,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const
