/**
 * Lets another service see a request and its reply, change them, or answer in their place. One call of gRPC serves both:
 * it is opened when the request comes and ends when nothing more of the reply is to be shown.
 */
import * as Effect from "effect/Effect"
import { isError } from "../../ir/cel/CelValue.ts"
import { toJson } from "../../ir/cel/toJson.ts"
import { defaults } from "../../ir/defaults.ts"
import type { NamedExpression } from "../../ir/Expression.ts"
import type { ExtProc } from "../../ir/policy/ExtProc.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import * as Body from "../Body.ts"
import type { Edit, Exchange, Reply, Request, Subject } from "../Exchange.ts"
import { throughCallee } from "../grpc/Transport.ts"
import { lazily } from "../lazily.ts"
import { Replay } from "../6-dispatch/Replay.ts"
import type { Refusal } from "../Refusal.ts"
import { refuse } from "./buffer.ts"
import type { Context, Conversation } from "./external/processing/Conversation.ts"
import type { Subject as Shown } from "./external/processing/Subject.ts"
import { replyOf } from "./external/Decision.ts"
import { pseudoHeaders } from "./external/pseudo.ts"
import { changeReply, changeRequest } from "./external/mutation.ts"
import { valueOfText } from "./external/text.ts"
import { timeoutOf } from "./extAuthz.ts"
import { captureReply } from "./expression/capture.ts"
import { type Expression, readsReplyBody, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { isCarried, isName } from "./headerEdits.ts"
import { type Layer, slot } from "./order.ts"
import { pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

const conversationModule = lazily(() => import("./external/processing/Conversation.ts"))
type ConversationModule = typeof import("./external/processing/Conversation.ts")

/** What is under this name goes into the head of the call, not into its messages. */
export const INITIAL_METADATA = "agentgateway.dev.grpc_initial_metadata"

interface Named {
  readonly name: string
  readonly expression: Expression
}

type Fields = NonNullable<Context["attributes"]>

const computed = (named: ReadonlyArray<Named>, facts: Facts): Fields => {
  const fields: Record<string, unknown> = {}
  for (const { expression, name } of named) {
    const value = expression.evaluate(facts)
    if (!isError(value)) fields[name] = toJson(value)
  }
  return fields as Fields
}

/** Only text can go there, and not over what gRPC itself says. */
const metadataOf = (fields: Fields): ReadonlyArray<string> =>
  Object.entries(fields).flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    if (typeof value !== "string" || !isName(lower) || /^(?:grpc-|content-type$|te$|host$)/.test(lower)) return []
    const written = valueOfText(value)
    return isCarried(written) ? [lower, written] : []
  })

const isTunnel = ({ method, upgrade }: Request): boolean => upgrade !== undefined || method === "CONNECT"

const requestShown = (request: Request): Shown => ({
  pseudo: pseudoHeaders(request),
  headers: request.headers,
  get body() {
    return request.body
  },
  set body(body: Body.Body) {
    request.body = body
    request.captured = undefined
  },
  isBodiless: isTunnel(request),
  change: (mutation) => changeRequest(request, mutation),
})

const replyShown = (reply: Reply, isHead: boolean): Shown => ({
  pseudo: [[":status", String(reply.status)]],
  headers: reply.headers,
  get body() {
    return reply.body
  },
  set body(body: Body.Body) {
    reply.body = body
    delete reply.captured
  },
  isBodiless: isHead || reply.tunnel !== undefined || reply.status === 204 || reply.status === 304,
  change: (mutation) => changeReply(reply, mutation),
})

/** Puts the processor's own answer in the place of another reply. */
const replace = (reply: Reply, made: Reply): void => {
  Body.discard(reply.body)
  reply.status = made.status
  reply.headers.flat.length = 0
  for (const part of made.headers.flat) reply.headers.flat.push(part)
  reply.body = made.body
  delete reply.captured
}

const immediateReply = (
  { mutationOf }: ConversationModule,
  response: NonNullable<Conversation["immediate"]>,
  request: Request,
): Reply => {
  const mutation = mutationOf(response.headers)
  const status = response.status?.code ?? 0
  const made = replyOf(
    {
      _tag: "Denied",
      status: status >= 200 && status <= 599 ? status : 200,
      // Its own answer stands, whatever is wrong with its wording.
      reply: typeof mutation === "string" ? { remove: [], set: [] } : mutation,
      body: Body.bytes(response.body),
      notes: undefined,
    },
    request,
  )
  if (response.grpcStatus !== undefined && isGrpc(request.headers.get("content-type"))) {
    made.headers.set("grpc-status", String(response.grpcStatus.status))
  }
  return made
}

export const compile = (policy: ExtProc, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { clock, maxBufferBytes } = ports
  const { callee, failureMode } = policy
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const named = (all: ReadonlyArray<NamedExpression>, context: Layer | "response"): ReadonlyArray<Named> =>
    all.map(({ expression, name }) => ({ name, expression: expressions.compile(expression, context, "extProc") }))
  const requestAttributes = named(policy.requestAttributes, layer)
  const responseAttributes = named(policy.responseAttributes, "response")
  const namespaces = Object.entries(policy.metadataContext).map(([name, fields]) => ({
    name,
    fields: named(fields, layer),
  }))
  const own = slot("ExtProc", layer)
  const timeoutMillis = timeoutOf(callee, defaults.extProcTimeoutMillis)
  const isStreamed = policy.requestBodyMode === "fullDuplexStreamed"
  const readsReply = responseAttributes.some(({ expression }) => readsReplyBody(expression))

  const editOf =
    (module: ConversationModule, conversation: Conversation, exchange: Exchange, metadata: Context["metadata"]): Edit =>
    (reply) => {
      const { request } = exchange
      const failed = (detail: string): void => {
        conversation.cancel()
        Body.discard(reply.body)
        refuse(exchange, reply, { _tag: "ExtProcFailed", detail })
      }
      const { broken, immediate } = conversation
      if (immediate !== undefined) {
        replace(reply, immediateReply(module, immediate, request))
        return undefined
      }
      if (broken !== undefined && reply.origin === "gateway") {
        failed(broken)
        return undefined
      }
      if (reply.origin !== "upstream") {
        conversation.finish()
        return undefined
      }
      const { failedBeforeReply } = conversation
      if (failedBeforeReply !== undefined) {
        if (failureMode === "failClosed" || broken !== undefined) failed(failedBeforeReply)
        return undefined
      }
      const isHead = request.method === "HEAD"
      const show = Effect.suspend(() => {
        const attributes =
          responseAttributes.length === 0
            ? undefined
            : computed(responseAttributes, Facts.replied(around, exchange, reply))
        return conversation.run("response", replyShown(reply, isHead), { attributes, metadata })
      })
      const captured = readsReply ? captureReply(reply, maxBufferBytes, isHead) : undefined
      return Effect.match(captured === undefined ? show : Effect.andThen(captured, show), {
        onFailure: failed,
        onSuccess: (outcome) => {
          if (outcome._tag === "Immediate") replace(reply, immediateReply(module, outcome.response, request))
          conversation.finish()
        },
      })
    }

  return {
    kind: "ExtProc",
    readsBody:
      requestAttributes.some(({ expression }) => readsRequestBody(expression)) ||
      namespaces.some(({ fields }) => fields.some(({ expression }) => readsRequestBody(expression))),
    run: (subject): Effect.Effect<Verdict, Refusal> => {
      const { exchange, request } = subject
      const facts = Facts.of(around, subject)
      const metadata: Record<string, Fields> = {}
      let initial: ReadonlyArray<string> = []
      for (const { fields, name } of namespaces) {
        if (name === INITIAL_METADATA) initial = metadataOf(computed(fields, facts))
        else metadata[name] = computed(fields, facts)
      }
      const attributes = requestAttributes.length === 0 ? undefined : computed(requestAttributes, facts)
      // What the processor was shown of a body may be needed again where the request goes on without it.
      if (failureMode === "failOpen" && isStreamed && request.body._tag === "Flow" && !isTunnel(request)) {
        request.body = new Replay(request.body, defaults.retryReplayBytesMax)
      }
      const { body } = request
      const isIntact = (): boolean => request.body === body && (!(body instanceof Replay) || body.isWhole)
      return Effect.flatMap(conversationModule, (module) =>
        Effect.flatMap(
          module.converse(throughCallee(exchange.plan.callees.to(callee, "ExtProc"), exchange), {
            clock,
            timeoutMillis,
            bodyBytesMax: maxBufferBytes,
            request: {
              headers: policy.requestHeaderMode === "send",
              body: policy.requestBodyMode,
              trailers: policy.requestTrailerMode === "send",
            },
            response: {
              headers: policy.responseHeaderMode === "send",
              body: policy.responseBodyMode,
              trailers: policy.responseTrailerMode === "send",
            },
            mayOverride: policy.allowModeOverride,
            metadata: initial,
            note: (said) => {
              const notes = (exchange.notes ??= {})
              notes.extproc = { ...notes.extproc, ...said }
            },
          }),
          (conversation) =>
            Effect.matchEffect(conversation.run("request", requestShown(request), { attributes, metadata }), {
              onFailure: (detail): Effect.Effect<Verdict, Refusal> => {
                conversation.cancel()
                exchange.inquiry?.note({ stage: "ExtProc", decision: detail })
                return failureMode === "failOpen" && (!isStreamed || isIntact())
                  ? pass
                  : Effect.fail({ _tag: "ExtProcFailed", detail })
              },
              onSuccess: (outcome): Effect.Effect<Verdict, Refusal> => {
                if (outcome._tag === "Immediate") {
                  conversation.finish()
                  return Effect.succeed({
                    _tag: "Answer",
                    reply: immediateReply(module, outcome.response, request),
                  })
                }
                // Also without a reply to show: what breaks off a streamed body has to be told to the client.
                promise(exchange, own, editOf(module, conversation, exchange, metadata))
                if (!conversation.hasResponseSide) conversation.finish()
                return pass
              },
            }),
        ),
      )
    },
  }
}
