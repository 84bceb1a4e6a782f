/** What a client asks, read from its request in whichever binding and version it came. */
import * as Effect from "effect/Effect"
import type * as Grpc from "../../../protocols/a2a/binding/grpc.ts"
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import * as rest from "../../../protocols/a2a/binding/rest.ts"
import { type Read, read, unreadable } from "../../../protocols/a2a/Answer.ts"
import { type Judged, type Seen, versionOfGrpc, versionOfRest, versionOfRpc } from "../../../protocols/a2a/detect.ts"
import { type Fault, fault } from "../../../protocols/a2a/Fault.ts"
import { parse } from "../../../protocols/a2a/Fields.ts"
import type { Call, Version } from "../../../protocols/a2a/operation.ts"
import { readVersion, versionHeader } from "../../../protocols/a2a/version.ts"
import { Deframer, describe } from "../../../protocols/grpc/framing.ts"
import { collectRequest } from "../../5-policy/buffer.ts"
import * as Body from "../../Body.ts"
import type { Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Voice } from "./Speech.ts"
import { grpcVoice, jsonRpcVoice, restVoice } from "./voices.ts"

/** What one request may carry, inline files included. */
const REQUEST_BYTES_MAX = 16 * 1024 * 1024

/** More parts than any message needs. */
const PARTS_MAX = 256

/** The codec of gRPC brings the protobuf library, so it is loaded when it is first needed. */
let loading: Promise<typeof Grpc> | undefined
let loaded: typeof Grpc | undefined
export const grpcCodec: Effect.Effect<typeof Grpc> = Effect.map(
  Effect.promise(() => (loading ??= import("../../../protocols/a2a/binding/grpc.ts"))),
  (codec) => (loaded = codec),
)

/** Undefined until it was needed. */
export const loadedGrpcCodec = (): typeof Grpc | undefined => loaded

const decoder = new TextDecoder()

export type Calling = Extract<Seen, { readonly _tag: "Rpc" | "Rest" | "Grpc" }>

/** Which version is spoken, before anything but the method is read. */
export const versionOf = (seen: Calling, method: string, request: Request): Judged => {
  const asked = readVersion(request.headers.get(versionHeader) ?? queryVersion(request.query))
  switch (seen._tag) {
    case "Grpc":
      return versionOfGrpc(seen.version, asked)
    case "Rest":
      return versionOfRest(seen.resource, request.path, asked)
    case "Rpc":
      return versionOfRpc(method, asked)
  }
}

const queryVersion = (query: string | undefined): string | undefined => {
  if (query === undefined || !/a2a-version/i.test(query)) return undefined
  for (const [name, value] of new URLSearchParams(query)) if (name.toLowerCase() === versionHeader) return value
  return undefined
}

export interface Question {
  readonly voice: Voice
  readonly call: Read<Call>
  /** What a JSON-RPC answer has to carry. */
  readonly id: jsonRpc.Id
}

const checked = (call: Read<Call>): Read<Call> => {
  if (call._tag === "Unreadable") return call
  const problem = problemOf(call.value)
  return problem === undefined ? call : unreadable(fault("InvalidParams", problem))
}

const contents = ["text", "raw", "url", "data"] as const

/** What no agent could do anything with. */
const problemOf = ({ operation, params }: Call): string | undefined => {
  if (operation !== "SendMessage" && operation !== "SendStreamingMessage") return undefined
  const message = params["message"]
  if (typeof message !== "object" || message === null) return "`message` is missing"
  const { messageId, parts, role } = message as Readonly<Record<string, unknown>>
  if (typeof messageId !== "string" || messageId === "") return "`message.messageId` is missing"
  if (role === "ROLE_AGENT") return "a client cannot speak as the agent"
  if (!Array.isArray(parts) || parts.length === 0) return "`message.parts` is missing or empty"
  if (parts.length > PARTS_MAX) return `\`message.parts\` has more than ${PARTS_MAX} parts`
  for (const [i, part] of parts.entries()) {
    const said = typeof part === "object" && part !== null ? contents.filter((name) => Object.hasOwn(part, name)) : []
    if (said.length !== 1) return `\`message.parts[${i}]\` must have exactly one of text, raw, url and data`
  }
  return undefined
}

const tooLarge: Refusal = { _tag: "RequestBodyTooLarge" }

const bodyOf = (request: Request, clock: Clock, deadlineMillis: number): Effect.Effect<Uint8Array, Refusal> =>
  Effect.flatMap(collectRequest(request, REQUEST_BYTES_MAX, clock, deadlineMillis), (collected) => {
    if (collected._tag === "Whole") return Effect.succeed(collected.bytes)
    Body.discard(collected.body)
    return Effect.fail(tooLarge)
  })

/** How a client is answered of whose request only the head, or not even that, could be understood. */
export const voiceOf = (seen: Calling, version: Version, id: jsonRpc.Id): Effect.Effect<Voice> => {
  switch (seen._tag) {
    case "Rpc":
      return Effect.succeed(jsonRpcVoice(version, id))
    case "Rest":
      return Effect.succeed(restVoice({ version, isProse: false }))
    case "Grpc":
      return Effect.map(grpcCodec, (codec) => grpcVoice(codec, version))
  }
}

const jsonTypes = /^application\/(?:json|a2a\+json)\s*(?:;|$)/i

/** What is no JSON by its own words. */
export const wrongType = (request: Request): Fault | undefined => {
  const type = request.headers.get("content-type")
  return type === undefined || jsonTypes.test(type)
    ? undefined
    : fault("ContentTypeNotSupported", `expected application/json, found ${type.slice(0, 64)}`)
}

export const ask = (
  seen: Calling,
  version: Version,
  request: Request,
  clock: Clock,
  deadlineMillis: number,
): Effect.Effect<Question, Refusal> =>
  Effect.flatMap(bodyOf(request, clock, deadlineMillis), (bytes) => {
    switch (seen._tag) {
      case "Rpc": {
        const wrong = wrongType(request)
        const value = parse(decoder.decode(bytes))
        const id = jsonRpc.idOf(value?.value)
        const voice = jsonRpcVoice(version, id)
        if (wrong !== undefined) return Effect.succeed({ voice, id, call: unreadable(wrong) })
        if (value === undefined) return Effect.succeed({ voice, id, call: unreadable(fault("ParseError")) })
        const asked = jsonRpc.readRequest(value.value)
        return Effect.succeed({
          voice,
          id,
          call: asked._tag === "Unreadable" ? asked : checked(jsonRpc.readCall(asked.value, version)),
        })
      }
      case "Rest": {
        const plain = restVoice({ version, isProse: false })
        const wrong = bytes.byteLength === 0 ? undefined : wrongType(request)
        if (wrong !== undefined) return Effect.succeed({ voice: plain, id: null, call: unreadable(wrong) })
        const asked = rest.readCall(seen.resource, version, request.query, decoder.decode(bytes))
        if (asked._tag === "Unreadable") return Effect.succeed({ voice: plain, id: null, call: asked })
        return Effect.succeed({
          voice: restVoice(asked.value.spelling),
          id: null,
          call: checked(read(asked.value.call)),
        })
      }
      case "Grpc":
        return Effect.map(grpcCodec, (codec) => ({
          voice: grpcVoice(codec, version),
          id: null,
          call: checked(readGrpc(codec, seen, version, bytes)),
        }))
    }
  })

const readGrpc = (
  codec: typeof Grpc,
  { operation, rpc }: Extract<Seen, { readonly _tag: "Grpc" }>,
  version: Version,
  bytes: Uint8Array,
): Read<Call> => {
  if (operation === undefined) return unreadable(fault("MethodNotFound", `Method not found: ${rpc}`))
  let message: Uint8Array | undefined
  const misframed = new Deframer(REQUEST_BYTES_MAX).push(bytes, (one) => (message ??= one))
  if (misframed !== undefined) return unreadable(fault("InvalidRequest", describe(misframed)))
  return message === undefined
    ? unreadable(fault("InvalidRequest", "the request has no message"))
    : codec.readCall(operation, version, message)
}
