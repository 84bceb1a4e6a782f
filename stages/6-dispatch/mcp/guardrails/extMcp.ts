/** Asking `agentgateway.dev.ext_mcp.ExtMcp`. Loaded only where it is asked. */
import { create, type JsonObject } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import type { Callee } from "../../../../ir/policy/Callee.ts"
import {
  type AuthorizationError,
  AuthorizationError_Code as ErrorCode,
  ExtMcp,
  type HeaderMutation,
  McpRequestSchema,
  McpResponseSchema,
} from "../../../../protocols/grpc/generated/ext_mcp_pb.ts"
import { methodOf } from "../../../../protocols/grpc/method.ts"
import { isJson, isObject, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { describe, throughCallee } from "../../../grpc/Transport.ts"
import { unary } from "../../../grpc/unary.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Asking, Decision, RequestDecision, Shown } from "./Guard.ts"

const checkRequest = methodOf(ExtMcp.method.checkRequest)
const checkResponse = methodOf(ExtMcp.method.checkResponse)

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Old numbers without a meaning in the protocol, which policy servers and their clients know. */
const codeOf = (code: AuthorizationError["code"]): number => {
  switch (code) {
    case ErrorCode.PERMISSION_DENIED:
      return -32_001
    case ErrorCode.RESOURCE_EXHAUSTED:
      return -32_003
    case ErrorCode.INVALID:
      return codes.invalidRequest
    default:
      return codes.internal
  }
}

const rejection = ({ code, mcpError, reason }: AuthorizationError): Decision => {
  const own = mcpError === undefined ? "" : decoder.decode(mcpError)
  const error =
    isJson(own) && isObject(own) ? own : errorOf(codeOf(code), reason === "" ? "rejected by a guardrail" : reason)
  return { _tag: "Rejected", error }
}

interface Answered {
  readonly result:
    | { readonly case: "pass" }
    | { readonly case: "mutated"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: AuthorizationError }
    | { readonly case: undefined }
}

/** An answer that decides nothing is none. */
const decisionOf = ({ result }: Answered): Decision | undefined => {
  switch (result.case) {
    case "pass":
      return { _tag: "Pass" }
    case "mutated":
      return { _tag: "Mutated", message: decoder.decode(result.value) }
    case "error":
      return rejection(result.value)
    default:
      return undefined
  }
}

/** Fields that frame a message, or say where it goes, are not a guard's to change. */
const untouchable: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "mcp-session-id",
  "te",
  "transfer-encoding",
  "upgrade",
])

const isChangeable = (name: string): boolean => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && !untouchable.has(name)
// oxlint-disable-next-line no-control-regex -- these are exactly what a field may not hold
const isValue = (text: string): boolean => !/[\0\r\n]/.test(text)

const headersOf = (mutation: HeaderMutation | undefined): RequestDecision["headers"] => ({
  set: (mutation?.set ?? []).flatMap(({ key, value }) => {
    const name = key.toLowerCase()
    const text = decoder.decode(value)
    return isChangeable(name) && isValue(text) ? [name, text] : []
  }),
  remove: (mutation?.remove ?? []).map((name) => name.toLowerCase()).filter(isChangeable),
})

const describeShown = ({ context, method, services }: Shown) => ({
  serviceNames: [...services],
  method,
  metadataContext: context as JsonObject,
})

export const make = (callee: Callee, clock: Clock, timeoutMillis: number): Asking => ({
  request: (shown, params) => {
    const { exchange, headers } = shown
    const fields: Array<{ key: string; value: Uint8Array }> = []
    for (let i = 0; i < headers.length; i += 2) {
      fields.push({ key: headers[i] as string, value: encoder.encode(headers[i + 1]) })
    }
    const message = create(McpRequestSchema, {
      ...describeShown(shown),
      headers: fields,
      ...(params === undefined ? {} : { mcpRequest: encoder.encode(params) }),
    })
    const transport = throughCallee(exchange.plan.callees.to(callee, "Guardrail"), exchange)
    return Effect.flatMap(
      Effect.mapError(unary(transport, checkRequest, message, { clock, timeoutMillis }), describe),
      (answer): Effect.Effect<RequestDecision, string> => {
        const decision = decisionOf(answer)
        return decision === undefined
          ? Effect.fail("the answer decides nothing")
          : Effect.succeed({
              decision,
              headers: headersOf(answer.headerMutation),
              notes: (answer.metadata ?? {}) as Readonly<Record<string, CelValue>>,
            })
      },
    )
  },
  response: (shown, result: Json) => {
    const { exchange } = shown
    const message = create(McpResponseSchema, { ...describeShown(shown), mcpResponse: encoder.encode(result) })
    const transport = throughCallee(exchange.plan.callees.to(callee, "Guardrail"), exchange)
    return Effect.flatMap(
      Effect.mapError(unary(transport, checkResponse, message, { clock, timeoutMillis }), describe),
      (answer) => {
        const decision = decisionOf(answer)
        return decision === undefined ? Effect.fail("the answer decides nothing") : Effect.succeed(decision)
      },
    )
  },
})
