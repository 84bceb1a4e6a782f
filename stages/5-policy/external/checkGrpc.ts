/** Asking `envoy.service.auth.v3.Authorization`. Loaded only where it is asked. */
import { create, type JsonObject } from "@bufbuild/protobuf"
import { timestampFromMs } from "@bufbuild/protobuf/wkt"
import * as Effect from "effect/Effect"
import {
  type AttributeContext_Peer,
  Authorization,
  type CheckRequest,
  CheckRequestSchema,
  type CheckResponse,
} from "../../../protocols/grpc/generated/envoy_auth_pb.ts"
import { methodOf } from "../../../protocols/grpc/method.ts"
import { parseIp } from "../../../protocols/net/ip.ts"
import type { Address, Secured } from "../../Connection.ts"
import type { Subject } from "../../Exchange.ts"
import { type CallFailed, callFailed, type Transport } from "../../grpc/Transport.ts"
import { unary } from "../../grpc/unary.ts"
import type { Clock } from "../../ports/Timer.ts"
import { Code } from "../../../protocols/grpc/status.ts"
import * as Body from "../../Body.ts"
import type { Decision } from "./Decision.ts"
import { changesOf, joined, notesOf } from "./envoy.ts"
import { complaintOf } from "./mutation.ts"
import { pseudoHeaders } from "./pseudo.ts"

/** What was read of a body, to be shown. */
export interface Shown {
  readonly bytes: Uint8Array
  readonly isWhole: boolean
}

export interface Question {
  readonly subject: Subject
  /** Names in lower case; undefined: all, and the request line. */
  readonly include: ReadonlySet<string> | undefined
  readonly body: (Shown & { readonly asBytes: boolean }) | undefined
  readonly context: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, JsonObject>>
}

const method = methodOf(Authorization.method.check)

type PeerInit = Pick<AttributeContext_Peer, "principal">

const peerOf = ({ host, port }: Address, more: Partial<PeerInit> = {}) => ({
  address: {
    address: {
      case: "socketAddress" as const,
      value: {
        address: parseIp(host) === undefined ? "" : host,
        portSpecifier: { case: "portValue" as const, value: port },
      },
    },
  },
  ...more,
})

/** Who the other side of the connection proved to be, as the service reads it: a URI, else a DNS name, else a subject. */
const principalOf = ({ tls }: Secured): string => {
  const client = tls?.client
  if (client === undefined) return ""
  const uri = client.subjectAltNames.find((name) => name.includes("://"))
  return uri ?? client.subjectAltNames[0] ?? client.subject
}

const utf8 = new TextDecoder()

const versions = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const

export const requestOf = (question: Question, clock: Clock): CheckRequest => {
  const { body, context, include, metadata, subject } = question
  const { exchange, request } = subject
  const { secured } = exchange.bound
  const { accepted, tls } = secured
  const headers = joined(request.headers, (name) => include === undefined || include.has(name))
  for (const [name, value] of pseudoHeaders(request)) {
    if (include === undefined || include.has(name)) headers[name] = value
  }
  const declared = Body.lengthOf(request.body)
  return create(CheckRequestSchema, {
    attributes: {
      source: peerOf(accepted.peer, { principal: principalOf(secured) }),
      destination: peerOf(accepted.local),
      request: {
        time: timestampFromMs(Math.round(clock.wallMillis() - (clock.nowMillis() - exchange.startedMillis))),
        http: {
          id: request.headers.get("traceparent") ?? "",
          method: request.method,
          headers: { ...headers },
          path: request.method === "CONNECT" ? "" : request.target,
          host: request.authority,
          scheme: request.scheme,
          protocol: versions[request.version],
          size: BigInt(body?.isWhole === false ? -1 : (declared ?? -1)),
          ...(body === undefined ? {} : body.asBytes ? { rawBody: body.bytes } : { body: utf8.decode(body.bytes) }),
        },
      },
      contextExtensions: context,
      metadataContext: { filterMetadata: metadata },
      ...(tls === undefined || tls.serverName === "" ? {} : { tlsSession: { sni: tls.serverName } }),
    },
  })
}

/** What an answer means; a text says why it cannot have been meant. */
export const decisionOf = ({ dynamicMetadata, httpResponse, status }: CheckResponse): Decision | string => {
  const code = status?.code ?? 0
  if (code === 0) {
    if (httpResponse.case === "deniedResponse") return "it allows and denies at once"
    const ok = httpResponse.case === "okResponse" ? httpResponse.value : undefined
    const request = {
      remove: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()),
      set: changesOf(ok?.headers ?? []),
    }
    const reply = { remove: [], set: changesOf(ok?.responseHeadersToAdd ?? []) }
    const problem = complaintOf(request) ?? complaintOf(reply)
    if (problem !== undefined) return problem
    return {
      _tag: "Allowed",
      request,
      reply,
      query: {
        remove: ok?.queryParametersToRemove ?? [],
        set: (ok?.queryParametersToSet ?? []).map(({ key, value }) => [key, value] as const),
      },
      notes: notesOf(dynamicMetadata ?? ok?.dynamicMetadata),
    }
  }
  const said = httpResponse.case === "deniedResponse" ? httpResponse.value : undefined
  const wanted = said?.status?.code ?? 0
  const reply = { remove: [], set: changesOf(said?.headers ?? []) }
  // A refusal stands, whatever is wrong with its wording.
  return {
    _tag: "Denied",
    status: wanted >= 200 && wanted <= 599 ? wanted : 403,
    reply: complaintOf(reply) === undefined ? reply : { remove: [], set: [] },
    body: said === undefined || said.body === "" ? Body.empty : Body.text(said.body),
    notes: notesOf(dynamicMetadata),
  }
}

export const ask = (
  transport: Transport,
  question: Question,
  clock: Clock,
  timeoutMillis: number,
): Effect.Effect<Decision, CallFailed> =>
  Effect.flatMap(unary(transport, method, requestOf(question, clock), { clock, timeoutMillis }), (response) => {
    const decision = decisionOf(response)
    return typeof decision === "string" ? Effect.fail(callFailed(Code.INTERNAL, decision)) : Effect.succeed(decision)
  })
