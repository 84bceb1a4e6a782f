/** What can go wrong between a client and an agent, in the words of every binding. */
import { type Fields, fieldsOf, isFields, listOf, textOf } from "./Fields.ts"

export type FaultName =
  | "TaskNotFound"
  | "TaskNotCancelable"
  | "PushNotificationNotSupported"
  | "UnsupportedOperation"
  | "ContentTypeNotSupported"
  | "InvalidAgentResponse"
  | "ExtendedAgentCardNotConfigured"
  | "ExtensionSupportRequired"
  | "VersionNotSupported"
  | "ParseError"
  | "InvalidRequest"
  | "MethodNotFound"
  | "InvalidParams"
  | "Internal"
  | "Unauthenticated"
  | "PermissionDenied"
  | "Unavailable"
  | "RateLimited"
  | "Timeout"

interface Words {
  readonly code: number
  /** In `ErrorInfo`; absent where the protocol has no name for it. */
  readonly reason?: string
  readonly status: number
  readonly grpc: number
  readonly message: string
}

export const faults: Readonly<Record<FaultName, Words>> = {
  TaskNotFound: { code: -32001, reason: "TASK_NOT_FOUND", status: 404, grpc: 5, message: "Task not found" },
  TaskNotCancelable: {
    code: -32002,
    reason: "TASK_NOT_CANCELABLE",
    status: 400,
    grpc: 9,
    message: "Task cannot be canceled",
  },
  PushNotificationNotSupported: {
    code: -32003,
    reason: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    status: 400,
    grpc: 9,
    message: "Push notifications are not supported",
  },
  UnsupportedOperation: {
    code: -32004,
    reason: "UNSUPPORTED_OPERATION",
    status: 400,
    grpc: 9,
    message: "This operation is not supported",
  },
  ContentTypeNotSupported: {
    code: -32005,
    reason: "CONTENT_TYPE_NOT_SUPPORTED",
    status: 400,
    grpc: 3,
    message: "Content type not supported",
  },
  InvalidAgentResponse: {
    code: -32006,
    reason: "INVALID_AGENT_RESPONSE",
    status: 500,
    grpc: 13,
    message: "The agent's answer cannot be understood",
  },
  ExtendedAgentCardNotConfigured: {
    code: -32007,
    reason: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    status: 400,
    grpc: 9,
    message: "There is no extended agent card",
  },
  ExtensionSupportRequired: {
    code: -32008,
    reason: "EXTENSION_SUPPORT_REQUIRED",
    status: 400,
    grpc: 9,
    message: "An extension is required",
  },
  VersionNotSupported: {
    code: -32009,
    reason: "VERSION_NOT_SUPPORTED",
    status: 400,
    grpc: 9,
    message: "This version of the protocol is not supported",
  },
  ParseError: { code: -32700, status: 400, grpc: 3, message: "Invalid JSON payload" },
  InvalidRequest: { code: -32600, status: 400, grpc: 3, message: "Invalid request" },
  MethodNotFound: { code: -32601, status: 404, grpc: 12, message: "Method not found" },
  InvalidParams: { code: -32602, reason: "INVALID_PARAMS", status: 400, grpc: 3, message: "Invalid parameters" },
  Internal: { code: -32603, reason: "INTERNAL_ERROR", status: 500, grpc: 13, message: "Internal error" },
  Unauthenticated: { code: -32603, reason: "UNAUTHENTICATED", status: 401, grpc: 16, message: "Unauthenticated" },
  PermissionDenied: { code: -32603, reason: "PERMISSION_DENIED", status: 403, grpc: 7, message: "Permission denied" },
  Unavailable: { code: -32603, reason: "UNAVAILABLE", status: 503, grpc: 14, message: "The agent is not available" },
  RateLimited: { code: -32603, reason: "RESOURCE_EXHAUSTED", status: 429, grpc: 8, message: "Too many requests" },
  Timeout: { code: -32603, reason: "DEADLINE_EXCEEDED", status: 504, grpc: 4, message: "The agent took too long" },
}

/** `google.rpc.Code` by number, as REST errors write it. */
const grpcNames = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const

export interface Fault {
  readonly name: FaultName
  readonly message: string
  /** A code that is none of the protocol's: an agent's own. */
  readonly code?: number
  /** `ErrorInfo` and others beside it, as 1.0 lists them; or whatever 0.3 put there. */
  readonly data?: unknown
}

export const fault = (name: FaultName, message?: string): Fault => ({ name, message: message ?? faults[name].message })

const infoType = "type.googleapis.com/google.rpc.ErrorInfo"
const domain = "a2a-protocol.org"

const byReason = new Map<string, FaultName>()
const byCode = new Map<number, FaultName>()
for (const [name, { code, reason }] of Object.entries(faults) as Array<[FaultName, Words]>) {
  if (reason !== undefined) byReason.set(reason, name)
  if (!byCode.has(code)) byCode.set(code, name)
}
byCode.set(-32603, "Internal")

const infoOf = (details: unknown): Fields | undefined =>
  listOf(details).find((one): one is Fields => isFields(one) && String(one["@type"]).endsWith("google.rpc.ErrorInfo"))

const nameOfReason = (details: unknown): FaultName | undefined => {
  const reason = infoOf(details)?.["reason"]
  return typeof reason === "string" ? byReason.get(reason) : undefined
}

/** The details that 1.0 asks for: those that came, or one that says the reason. */
export const detailsOf = ({ data, name }: Fault): ReadonlyArray<unknown> => {
  if (Array.isArray(data) && infoOf(data) !== undefined) return data
  const { reason } = faults[name]
  return reason === undefined ? [] : [{ "@type": infoType, reason, domain }]
}

/** Newer errors have no code of their own in 0.3. */
const legacyCode = ({ code, name }: Fault): number =>
  name === "ExtensionSupportRequired" || name === "VersionNotSupported"
    ? faults.UnsupportedOperation.code
    : (code ?? faults[name].code)

export const toJsonRpc = (one: Fault, version: "1.0" | "0.3"): Fields => {
  if (version === "0.3") {
    const data = Array.isArray(one.data) ? undefined : one.data
    return { code: legacyCode(one), message: one.message, ...(data === undefined ? {} : { data }) }
  }
  const details = detailsOf(one)
  return {
    code: one.code ?? faults[one.name].code,
    message: one.message,
    ...(details.length > 0 ? { data: details } : one.data === undefined ? {} : { data: one.data }),
  }
}

export const fromJsonRpc = (error: Fields): Fault => {
  const code = typeof error["code"] === "number" ? error["code"] : faults.Internal.code
  const known = nameOfReason(error["data"]) ?? byCode.get(code)
  const name = known ?? "Internal"
  return {
    name,
    message: textOf(error["message"]) ?? faults[name].message,
    ...(known === undefined ? { code } : {}),
    ...(error["data"] === undefined ? {} : { data: error["data"] }),
  }
}

export const restStatus = ({ name }: Fault): number => faults[name].status

/** 1.0 writes a `google.rpc.Status`; 0.3 the error of JSON-RPC, bare. */
export const toRest = (one: Fault, version: "1.0" | "0.3"): Fields =>
  version === "0.3"
    ? toJsonRpc(one, "0.3")
    : {
        error: {
          code: faults[one.name].status,
          status: grpcNames[faults[one.name].grpc] ?? "UNKNOWN",
          message: one.message,
          details: detailsOf(one),
        },
      }

const byStatus: Readonly<Record<number, FaultName>> = {
  400: "InvalidParams",
  401: "Unauthenticated",
  403: "PermissionDenied",
  404: "TaskNotFound",
  405: "UnsupportedOperation",
  408: "Timeout",
  409: "TaskNotCancelable",
  415: "ContentTypeNotSupported",
  429: "RateLimited",
  501: "UnsupportedOperation",
  502: "Unavailable",
  503: "Unavailable",
  504: "Timeout",
}

/** Whatever shape an error came in; the status alone says it where the body says nothing. */
export const fromRest = (status: number, body: unknown): Fault => {
  const outer = fieldsOf(body)
  const error = isFields(outer["error"]) ? outer["error"] : outer
  const details = error["details"] ?? error["data"]
  const code = typeof error["code"] === "number" ? error["code"] : undefined
  const named = nameOfReason(details) ?? (code !== undefined && code < 0 ? byCode.get(code) : undefined)
  const name = named ?? byStatus[status] ?? (status >= 500 ? "Internal" : "InvalidRequest")
  return {
    name,
    message: textOf(error["message"]) ?? faults[name].message,
    ...(named === undefined && code !== undefined && code < 0 ? { code } : {}),
    ...(details === undefined ? {} : { data: details }),
  }
}

const byGrpc: Readonly<Record<number, FaultName>> = {
  3: "InvalidParams",
  4: "Timeout",
  5: "TaskNotFound",
  7: "PermissionDenied",
  8: "RateLimited",
  9: "UnsupportedOperation",
  12: "MethodNotFound",
  13: "Internal",
  14: "Unavailable",
  16: "Unauthenticated",
}

export const grpcCode = ({ name }: Fault): number => faults[name].grpc

/** `details` as JSON, where the trailers carried them. */
export const fromGrpc = (code: number, message: string, details: ReadonlyArray<unknown>): Fault => {
  const name = nameOfReason(details) ?? nameInText(message) ?? byGrpc[code] ?? "Internal"
  return {
    name,
    message: message === "" ? faults[name].message : message,
    ...(details.length === 0 ? {} : { data: details }),
  }
}

/** Agents of 0.3 have only the message to tell apart what gRPC has one code for. */
const nameInText = (message: string): FaultName | undefined => {
  const text = message.toLowerCase()
  if (/push notification/.test(text) && /support/.test(text)) return "PushNotificationNotSupported"
  if (/cancel/.test(text) && /cannot|not cancel|terminal|unable/.test(text)) return "TaskNotCancelable"
  if (/extended/.test(text) && /card/.test(text)) return "ExtendedAgentCardNotConfigured"
  return undefined
}
