/** How agents are asked, in each binding. */
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import type * as Grpc from "../../../protocols/a2a/binding/grpc.ts"
import * as rest from "../../../protocols/a2a/binding/rest.ts"
import { type Answer, failed } from "../../../protocols/a2a/Answer.ts"
import { fault, fromRest } from "../../../protocols/a2a/Fault.ts"
import { isFields, parse } from "../../../protocols/a2a/Fields.ts"
import { type Call, grpcService, type Operation, rpcOf, type Version } from "../../../protocols/a2a/operation.ts"
import { Deframer, describe, frame } from "../../../protocols/grpc/framing.ts"
import { codeOfHttp, statusIn } from "../../../protocols/grpc/status.ts"
import { isGrpc } from "../../../protocols/http/grpc.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import { SseParser } from "../../../protocols/http/sse.ts"
import type { Ear, Events, Put } from "./Speech.ts"

/** How large one message of an agent may be, in a stream or alone. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const isSse = (headers: Headers): boolean => headers.get("content-type")?.startsWith("text/event-stream") ?? false

/** Where an interface is, and whom it serves. */
export interface Place {
  /** Without a slash at its end. */
  readonly base: string
  readonly tenant: string | undefined
}

const withTenant = ({ operation, params }: Call, tenant: string | undefined): Call => {
  const { tenant: _, ...rest } = params
  return { operation, params: tenant === undefined ? rest : { ...rest, tenant } }
}

const sseEvents = (read: (type: string | undefined, data: string) => Answer): Events => {
  let take: ((answer: Answer) => void) | undefined
  const parser = new SseParser(({ data, event }) => {
    if (data !== "") take?.(read(event, data))
  }, MESSAGE_BYTES_MAX)
  const tooLarge = (): void => take?.(failed(fault("InvalidAgentResponse", "an event of the agent is too large")))
  return {
    push: (chunk, into) => {
      take = into
      const goesOn = parser.feed(chunk)
      if (!goesOn) tooLarge()
      return goesOn
    },
    end: (_, into) => {
      take = into
      if (!parser.end()) tooLarge()
    },
  }
}

/** Ids are the gateway's own: what the client calls its request is no business of the agent's. */
export const jsonRpcEar = (version: Version, { base, tenant }: Place): Ear => {
  const read = (operation: Operation, text: string): Answer => jsonRpc.readAnswer(operation, text, version)
  return {
    dialed: { binding: "JSONRPC", version },
    put: (call) => {
      const written = jsonRpc.writeCall(withTenant(call, tenant), version, 1)
      if (written === undefined) return { fault: fault("UnsupportedOperation") }
      return {
        put: {
          method: "POST",
          path: base === "" ? "/" : base,
          query: undefined,
          headers: ["content-type", "application/json", "accept", "application/json, text/event-stream"],
          bytes: encoder.encode(JSON.stringify(written)),
        },
      }
    },
    again: () => undefined,
    isStream: isSse,
    whole: (operation, status, _, bytes) => {
      const text = decoder.decode(bytes)
      const value = status === 200 ? undefined : parse(text)?.value
      // Whoever answers with a status of HTTP may not know of envelopes.
      return status >= 400 && !(isFields(value) && isFields(value["error"]))
        ? failed(fromRest(status, value))
        : httpFault(status, read(operation, text))
    },
    events: (operation) => sseEvents((_, data) => read(operation, data)),
  }
}

/** An error whose status says more than its code. */
const httpFault = (status: number, answer: Answer): Answer =>
  answer._tag === "Fault" && (status === 401 || status === 403 || status === 429) && answer.fault.name === "Internal"
    ? failed({ ...fromRest(status, undefined), message: answer.fault.message })
    : answer

export const restEar = (version: Version, { base, tenant }: Place): Ear => {
  const write = (call: Call, isProse: boolean): Put => {
    const written = rest.writeCall(withTenant(call, undefined), { version, isProse })
    const prefix = tenant === undefined ? base : `${base}/${encodeURIComponent(tenant)}`
    const accept = version === "1.0" ? "application/a2a+json, application/json" : "application/json"
    const type = version === "1.0" ? "application/a2a+json" : "application/json"
    return {
      method: written.method,
      path: `${prefix}${written.path}`,
      query: written.query,
      headers: [
        "accept",
        `${accept}, text/event-stream`,
        ...(written.body === undefined ? [] : ["content-type", type]),
      ],
      bytes: written.body === undefined ? undefined : encoder.encode(JSON.stringify(written.body)),
    }
  }
  return {
    dialed: { binding: "HTTP+JSON", version },
    put: (call) => ({ put: write(call, false) }),
    again: (call, status, headers) => {
      // Two readings of the specification: one serves the verb, the other does not.
      if (call.operation === "SubscribeToTask") {
        const unknown = status === 405 || status === 501 || (status === 404 && !isJson(headers))
        return unknown ? { ...write(call, false), method: "POST" } : undefined
      }
      return version === "0.3" && status === 400 && rest.hasBody(call.operation) ? write(call, true) : undefined
    },
    isStream: isSse,
    whole: (operation, status, _, bytes) => rest.readAnswer(operation, status, decoder.decode(bytes), version),
    events: (operation) => sseEvents((type, data) => rest.readEvent(operation, type, data, version)),
  }
}

const isJson = (headers: Headers): boolean => /\bjson\b/i.test(headers.get("content-type") ?? "")

export const grpcEar = (codec: typeof Grpc, version: Version, { tenant }: Place): Ear => {
  const ended = (headers: Headers, trailers: Headers | undefined): Answer | undefined => {
    const said = statusIn(trailers) ?? statusIn(headers)
    if (said === undefined) return failed(fault("InvalidAgentResponse", "the agent's answer has no status"))
    if (said.code === 0) return undefined
    const details = trailers?.get("grpc-status-details-bin") ?? headers.get("grpc-status-details-bin")
    return failed(codec.readFault(said.code, said.message, details))
  }
  return {
    dialed: { binding: "GRPC", version },
    put: (call) => {
      const written = codec.writeCall(withTenant(call, tenant), version)
      if (written._tag === "Unreadable") return { fault: written.fault }
      return {
        put: {
          method: "POST",
          path: `/${grpcService[version]}/${rpcOf(version, call.operation) ?? ""}`,
          query: undefined,
          headers: ["content-type", "application/grpc+proto", "te", "trailers", "grpc-accept-encoding", "identity"],
          bytes: frame(written.value),
        },
      }
    },
    again: () => undefined,
    // A call that ended at once has no messages, whatever was asked.
    isStream: (headers) => isGrpc(headers.get("content-type")) && statusIn(headers) === undefined,
    whole: (operation, status, headers, bytes, trailers) => {
      if (status !== 200)
        return failed(codec.readFault(codeOfHttp(status), `answered with the HTTP status ${status}`, undefined))
      const failure = ended(headers, trailers)
      if (failure !== undefined) return failure
      let message: Uint8Array | undefined
      const misframed = new Deframer(MESSAGE_BYTES_MAX).push(bytes, (one) => (message ??= one))
      if (misframed !== undefined) return failed(fault("InvalidAgentResponse", describe(misframed)))
      return message === undefined
        ? failed(fault("InvalidAgentResponse", "the agent answered without a message"))
        : codec.readAnswer(operation, version, message)
    },
    events: (operation, headers) => {
      const deframer = new Deframer(MESSAGE_BYTES_MAX)
      return {
        push: (chunk, take) => {
          const misframed = deframer.push(chunk, (bytes) => {
            const answer = codec.readAnswer(operation, version, bytes)
            take(answer._tag === "Result" ? { ...answer, wire: { version, bytes } } : answer)
          })
          if (misframed !== undefined) take(failed(fault("InvalidAgentResponse", describe(misframed))))
          return misframed === undefined
        },
        end: (trailers, take) => {
          const failure = ended(headers, trailers)
          if (failure !== undefined) take(failure)
        },
      }
    },
  }
}
