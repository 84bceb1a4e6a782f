/** The envelope of JSON-RPC 2.0 around what is said. */
import { type Answer, failed, type Read, read, result, unreadable } from "../Answer.ts"
import { type Fault, fault, fromJsonRpc, toJsonRpc } from "../Fault.ts"
import { type Fields, fieldsOf, isFields, none, parse } from "../Fields.ts"
import { type Call, methodOf, ofMethod, type Operation, type Version } from "../operation.ts"
import { legacyJson } from "../dialect/legacyJson.ts"
import { type Dialect, modern } from "../dialect/Dialect.ts"

export type Id = string | number | null

const dialectOf = (version: Version): Dialect => (version === "1.0" ? modern : legacyJson)

/** A request that is one: its method and what goes with it. */
export interface Request {
  readonly id: Id
  readonly method: string
  readonly params: unknown
}

const isId = (id: unknown): id is Id =>
  id === null || typeof id === "string" || (typeof id === "number" && Number.isInteger(id))

/** The id to answer with, also where the rest cannot be read. */
export const idOf = (value: unknown): Id => {
  const { id } = fieldsOf(value)
  return id !== undefined && isId(id) ? id : null
}

/** Batches are no part of the protocol. */
export const readRequest = (value: unknown): Read<Request> => {
  if (!isFields(value)) return unreadable(fault("InvalidRequest", "expected one JSON-RPC request"))
  const { id = null, jsonrpc, method, params } = value
  if (!isId(id)) return unreadable(fault("InvalidRequest", "`id` must be a text, a whole number or null"))
  if (jsonrpc !== "2.0") return unreadable(fault("InvalidRequest", '`jsonrpc` must be "2.0"'))
  if (typeof method !== "string" || method === "") return unreadable(fault("InvalidRequest", "`method` must be a text"))
  return read({ id, method, params })
}

/** The question a request asks, in a version that is known by now. */
export const readCall = ({ method, params }: Request, version: Version): Read<Call> => {
  const operation = ofMethod(version, method)
  if (operation === undefined) return unreadable(fault("MethodNotFound", `Method not found: ${method}`))
  if (params !== undefined && !isFields(params)) {
    return unreadable(fault("InvalidParams", "`params` must be an object"))
  }
  if (params === undefined && operation !== "GetExtendedAgentCard" && operation !== "ListTasks") {
    return unreadable(fault("InvalidParams", "`params` is missing"))
  }
  return read({ operation, params: dialectOf(version).request.read(operation, params ?? none) })
}

/** Undefined where the version has no such method. */
export const writeCall = ({ operation, params }: Call, version: Version, id: Id): Fields | undefined => {
  const method = methodOf(version, operation)
  return method === undefined
    ? undefined
    : { jsonrpc: "2.0", id, method, params: dialectOf(version).request.write(operation, params) }
}

export const writeResult = (operation: Operation, result: unknown, version: Version, id: Id): Fields => ({
  jsonrpc: "2.0",
  id,
  result: dialectOf(version).result.write(operation, result) ?? null,
})

export const writeFault = (one: Fault, version: Version, id: Id): Fields => ({
  jsonrpc: "2.0",
  id,
  error: toJsonRpc(one, version),
})

/** A whole answer, or one event of a stream. */
export const readAnswer = (operation: Operation, text: string, version: Version): Answer => {
  const value = parse(text)?.value
  if (!isFields(value)) return failed(fault("InvalidAgentResponse", "the agent's answer is not a JSON-RPC response"))
  if (isFields(value["error"])) return failed(fromJsonRpc(value["error"]))
  if (!("result" in value)) return failed(fault("InvalidAgentResponse", "the agent's answer has no result"))
  return result(dialectOf(version).result.read(operation, value["result"]))
}
