/** How clients are answered, in each binding. */
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import type * as Grpc from "../../../protocols/a2a/binding/grpc.ts"
import * as rest from "../../../protocols/a2a/binding/rest.ts"
import type { Answer } from "../../../protocols/a2a/Answer.ts"
import { type Fault, faults, type FaultName, grpcCode, restStatus, toRest } from "../../../protocols/a2a/Fault.ts"
import type { Version } from "../../../protocols/a2a/operation.ts"
import { frame } from "../../../protocols/grpc/framing.ts"
import { encodeGrpcMessage } from "../../../protocols/http/grpc.ts"
import { encodeSse, encodeSseComment } from "../../../protocols/http/sse.ts"
import type { Piece, Voice } from "./Speech.ts"

const encoder = new TextEncoder()
const json = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))
const noBytes = new Uint8Array(0)

const sseHeaders = ["content-type", "text/event-stream", "cache-control", "no-cache", "x-accel-buffering", "no"]
const idle = encoder.encode(encodeSseComment("keep-alive"))
const sse = (value: unknown, event?: string): Uint8Array =>
  encoder.encode(encodeSse({ event, data: JSON.stringify(value) }))

const noTrailers = (): undefined => undefined

/** What HTTP says itself even where the body is an envelope; everything else is the envelope's business. */
const ofHttp: ReadonlySet<FaultName> = new Set<FaultName>([
  "Unauthenticated",
  "PermissionDenied",
  "RateLimited",
  "Unavailable",
  "Timeout",
])

const rpcStatus = ({ name }: Fault): number => (ofHttp.has(name) ? faults[name].status : 200)

export const jsonRpcVoice = (version: Version, id: jsonRpc.Id): Voice => {
  const envelope = (operation: Parameters<Voice["whole"]>[0], answer: Answer): unknown =>
    answer._tag === "Result"
      ? jsonRpc.writeResult(operation, answer.result, version, id)
      : jsonRpc.writeFault(answer.fault, version, id)
  return {
    dialed: { binding: "JSONRPC", version },
    whole: (operation, answer) => ({
      status: answer._tag === "Result" ? 200 : rpcStatus(answer.fault),
      headers: ["content-type", "application/json"],
      bytes: json(envelope(operation, answer)),
    }),
    streamHeaders: sseHeaders,
    event: (operation, answer) => sse(envelope(operation, answer)),
    trailers: noTrailers,
    idle,
  }
}

const restType = (version: Version): string => (version === "1.0" ? "application/a2a+json" : "application/json")

export const restVoice = (spelling: rest.Spelling): Voice => {
  const { version } = spelling
  return {
    dialed: { binding: "HTTP+JSON", version },
    whole: (operation, answer): Piece => {
      const headers = ["content-type", restType(version)]
      if (answer._tag === "Fault") {
        return { status: restStatus(answer.fault), headers, bytes: json(toRest(answer.fault, version)) }
      }
      const status = rest.successStatus(operation)
      if (status === 204) return { status, headers: [], bytes: noBytes }
      return { status, headers, bytes: json(rest.writeResult(operation, answer.result, spelling)) }
    },
    streamHeaders: sseHeaders,
    event: (operation, answer) =>
      answer._tag === "Fault"
        ? sse(toRest(answer.fault, version), "error")
        : sse(rest.writeResult(operation, answer.result, spelling)),
    trailers: noTrailers,
    idle,
  }
}

const grpcHeaders = ["content-type", "application/grpc+proto"]

const grpcTrailers = (codec: typeof Grpc, ended: Fault | undefined): ReadonlyArray<string> =>
  ended === undefined
    ? ["grpc-status", "0"]
    : [
        "grpc-status",
        String(grpcCode(ended)),
        "grpc-message",
        encodeGrpcMessage(ended.message),
        "grpc-status-details-bin",
        codec.writeDetails(ended),
      ]

export const grpcVoice = (codec: typeof Grpc, version: Version): Voice => {
  const failure = (one: Fault): Piece => ({
    status: 200,
    headers: [...grpcHeaders, ...grpcTrailers(codec, one)],
    bytes: noBytes,
  })
  return {
    dialed: { binding: "GRPC", version },
    whole: (operation, answer) => {
      if (answer._tag === "Fault") return failure(answer.fault)
      const written = codec.writeAnswer(operation, version, answer.result)
      return written._tag === "Unreadable"
        ? failure(written.fault)
        : { status: 200, headers: grpcHeaders, bytes: frame(written.value), trailers: grpcTrailers(codec, undefined) }
    },
    streamHeaders: grpcHeaders,
    event: (operation, answer) => {
      if (answer._tag === "Fault") return undefined
      if (answer.wire?.version === version) return frame(answer.wire.bytes)
      const written = codec.writeAnswer(operation, version, answer.result)
      return written._tag === "Unreadable" ? undefined : frame(written.value)
    },
    trailers: (ended) => grpcTrailers(codec, ended),
    idle: undefined,
  }
}
