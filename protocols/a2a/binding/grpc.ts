/**
 * The binding of gRPC: the values of JSON as messages of two protobuf packages, one for each version. Fields that the
 * packages do not know cannot travel this way.
 */
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf"
import { A2AService as ModernService } from "../../grpc/generated/a2a_pb.ts"
import { A2AService as LegacyService } from "../../grpc/generated/a2a_legacy_pb.ts"
import { ErrorInfoSchema, StatusSchema } from "../../grpc/generated/google_rpc_pb.ts"
import { toBase64 } from "../../base64.ts"
import { bytesOfBase64Url } from "../../base64url.ts"
import { type Answer, failed, type Read, read, result, unreadable } from "../Answer.ts"
import { type Dialect, modern } from "../dialect/Dialect.ts"
import { legacyProto } from "../dialect/legacyProto.ts"
import { detailsOf, type Fault, fault, fromGrpc, grpcCode } from "../Fault.ts"
import { fieldsOf, none } from "../Fields.ts"
import { type Call, type Operation, rpcOf, type Version } from "../operation.ts"

const dialectOf = (version: Version): Dialect => (version === "1.0" ? modern : legacyProto)

const methods: Readonly<Record<Version, ReadonlyMap<string, DescMethod>>> = {
  "1.0": new Map(ModernService.methods.map((method) => [method.name, method])),
  "0.3": new Map(LegacyService.methods.map((method) => [method.name, method])),
}

const methodOf = (version: Version, operation: Operation): DescMethod | undefined =>
  methods[version].get(rpcOf(version, operation) ?? "")

const readJson = (schema: DescMessage, bytes: Uint8Array): JsonValue => toJson(schema, fromBinary(schema, bytes))

const writeJson = (schema: DescMessage, value: unknown): Uint8Array =>
  toBinary(schema, fromJson(schema, (value ?? {}) as JsonValue, { ignoreUnknownFields: true }))

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const readCall = (operation: Operation, version: Version, bytes: Uint8Array): Read<Call> => {
  const method = methodOf(version, operation)
  if (method === undefined) return unreadable(fault("MethodNotFound"))
  try {
    const params = fieldsOf(readJson(method.input, bytes))
    return read({ operation, params: dialectOf(version).request.read(operation, params) })
  } catch (error) {
    return unreadable(fault("InvalidParams", `the request cannot be decoded: ${wordsOf(error)}`))
  }
}

/** The message of a request; a fault says why there is none. */
export const writeCall = ({ operation, params }: Call, version: Version): Read<Uint8Array> => {
  const method = methodOf(version, operation)
  if (method === undefined) return unreadable(fault("UnsupportedOperation"))
  try {
    return read(writeJson(method.input, dialectOf(version).request.write(operation, params)))
  } catch (error) {
    return unreadable(fault("InvalidParams", `the request does not fit the protocol: ${wordsOf(error)}`))
  }
}

/** What JSON always says and protobuf leaves out when it says nothing. */
const completed = (operation: Operation, value: unknown): unknown =>
  operation === "ListTasks"
    ? { tasks: [], nextPageToken: "", pageSize: 0, totalSize: 0, ...fieldsOf(value) }
    : operation === "ListTaskPushNotificationConfigs"
      ? { configs: [], ...fieldsOf(value) }
      : value

/** A whole answer, or one event of a stream. */
export const readAnswer = (operation: Operation, version: Version, bytes: Uint8Array): Answer => {
  const method = methodOf(version, operation)
  if (method === undefined) return failed(fault("UnsupportedOperation"))
  if (operation === "DeleteTaskPushNotificationConfig") return result(null)
  try {
    return result(completed(operation, dialectOf(version).result.read(operation, readJson(method.output, bytes))))
  } catch (error) {
    return failed(fault("InvalidAgentResponse", `the agent's answer cannot be decoded: ${wordsOf(error)}`))
  }
}

export const writeAnswer = (operation: Operation, version: Version, value: unknown): Read<Uint8Array> => {
  const method = methodOf(version, operation)
  if (method === undefined) return unreadable(fault("UnsupportedOperation"))
  try {
    return read(writeJson(method.output, dialectOf(version).result.write(operation, value ?? none)))
  } catch (error) {
    return unreadable(fault("InvalidAgentResponse", `the agent's answer does not fit the protocol: ${wordsOf(error)}`))
  }
}

const infoType = "type.googleapis.com/google.rpc.ErrorInfo"

const metadataOf = (value: unknown): { [key: string]: string } =>
  Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, one]) => [name, String(one)]))

/** The value of `grpc-status-details-bin`. */
export const writeDetails = (one: Fault): string => {
  const details = detailsOf(one).flatMap((detail) => {
    const info = fieldsOf(detail)
    if (!String(info["@type"]).endsWith("google.rpc.ErrorInfo")) return []
    const message = create(ErrorInfoSchema, {
      reason: String(info["reason"] ?? ""),
      domain: String(info["domain"] ?? ""),
      metadata: metadataOf(info["metadata"]),
    })
    return [{ typeUrl: infoType, value: toBinary(ErrorInfoSchema, message) }]
  })
  const status = create(StatusSchema, { code: grpcCode(one), message: one.message, details })
  // Headers with bytes are sent without padding.
  return toBase64(toBinary(StatusSchema, status)).replace(/=+$/, "")
}

const readDetails = (text: string): ReadonlyArray<unknown> => {
  try {
    return fromBinary(StatusSchema, bytesOfBase64Url(text)).details.flatMap(({ typeUrl, value }) => {
      if (!typeUrl.endsWith("/google.rpc.ErrorInfo")) return []
      const { domain, metadata, reason } = fromBinary(ErrorInfoSchema, value)
      return [{ "@type": infoType, reason, domain, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) }]
    })
  } catch {
    // What cannot be read says nothing; the code still does.
    return []
  }
}

export const readFault = (code: number, message: string, details: string | undefined): Fault =>
  fromGrpc(code, message, details === undefined ? [] : readDetails(details))
