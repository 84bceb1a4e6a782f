/** What a processor is sent, and what its answers ask for. */
import type {
  CommonResponse,
  HeaderMutation,
  ProcessingRequest,
} from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import { changesOf, headerMap } from "../envoy.ts"
import { complaintOf, type Mutation } from "../mutation.ts"

export type SideName = "request" | "response"

type Message = ProcessingRequest["request"]

/** False asks to hold back. */
export type Send = (message: Message) => boolean

export const nothing = new Uint8Array(0)

export const headersMessage = (
  name: SideName,
  { headers, pseudo }: { readonly pseudo: ReadonlyArray<readonly [string, string]>; readonly headers: Headers },
  endOfStream: boolean,
): Message => ({
  case: name === "request" ? "requestHeaders" : "responseHeaders",
  value: { $typeName: "envoy.service.ext_proc.v3.HttpHeaders", headers: headerMap(pseudo, headers), endOfStream },
})

export const bodyMessage = (name: SideName, body: Uint8Array, endOfStream: boolean): Message => ({
  case: name === "request" ? "requestBody" : "responseBody",
  value: { $typeName: "envoy.service.ext_proc.v3.HttpBody", body, endOfStream },
})

export const trailersMessage = (name: SideName, trailers: Headers): Message => ({
  case: name === "request" ? "requestTrailers" : "responseTrailers",
  value: { $typeName: "envoy.service.ext_proc.v3.HttpTrailers", trailers: headerMap([], trailers) },
})

/** A text says why it cannot be carried out. */
export const mutationOf = (mutation: HeaderMutation | undefined): Mutation | string => {
  if (mutation === undefined) return { remove: [], set: [] }
  const made = {
    remove: mutation.removeHeaders.map((name) => name.toLowerCase()),
    set: changesOf(mutation.setHeaders),
  }
  return complaintOf(made) ?? made
}

/** Undefined: the body stays. A text says what is wrong. */
export const replacementOf = ({ bodyMutation }: CommonResponse): Uint8Array | string | undefined => {
  const mutation = bodyMutation?.mutation
  switch (mutation?.case) {
    case "body":
      return mutation.value
    case "clearBody":
      return mutation.value ? nothing : undefined
    case "streamedResponse":
      return "it streams a body back that was not streamed"
    default:
      return undefined
  }
}
