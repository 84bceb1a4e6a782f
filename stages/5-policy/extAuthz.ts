/**
 * Asks another service whether a request may pass, over gRPC or plain HTTP. The service may change the request, add to
 * the reply, say things for expressions, or answer in the gateway's place; when it cannot be asked, the configuration
 * says whether that lets pass or refuses.
 */
import * as Effect from "effect/Effect"
import { isError, type CelValue } from "../../ir/cel/CelValue.ts"
import { toExpiryMillis, toJson, toJsonText } from "../../ir/cel/toJson.ts"
import { defaults } from "../../ir/defaults.ts"
import type { Context } from "../../ir/cel/variables.ts"
import type { Callee } from "../../ir/policy/Callee.ts"
import type { ExtAuthz } from "../../ir/policy/ExtAuthz.ts"
import * as Body from "../Body.ts"
import type { Subject } from "../Exchange.ts"
import { describe, throughCallee } from "../grpc/Transport.ts"
import { lazily } from "../lazily.ts"
import * as Refusals from "../Refusal.ts"
import type { Refusal } from "../Refusal.ts"
import { collectRequest, whole } from "./buffer.ts"
import type { Question, Shown } from "./external/checkGrpc.ts"
import { compile as compileHttp } from "./external/checkHttp.ts"
import { allow, type Decision, denied, note, replyOf } from "./external/Decision.ts"
import { Kept } from "./external/Kept.ts"
import { type Expression, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { type Layer, slot } from "./order.ts"
import { pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

const grpcModule = lazily(() => import("./external/checkGrpc.ts"))

/** The time a callee has: what its own policy says, else so long. */
export const timeoutOf = ({ policies }: Callee, otherwise: number): number => {
  for (const policy of policies) {
    if (policy._tag === "BackendHttp" && policy.requestTimeoutMillis !== undefined && policy.requestTimeoutMillis > 0) {
      return policy.requestTimeoutMillis
    }
  }
  return otherwise
}

/** Asks, and fails with a reason in words. */
export type Ask = (subject: Subject, shown: Shown | undefined) => Effect.Effect<Decision, string>

/** The part of asking that does not depend on what the answer is for. */
export const compileAsk = (
  {
    callee,
    includeRequestBody,
    includeRequestHeaders,
    protocol,
  }: Pick<ExtAuthz, "callee" | "includeRequestBody" | "includeRequestHeaders" | "protocol">,
  ports: PolicyPorts,
  context: Context,
): { readonly ask: Ask; readonly readsBody: boolean } => {
  const expressions = expressionsOf(ports)
  const { clock } = ports
  const timeoutMillis = timeoutOf(callee, defaults.extAuthzTimeoutMillis)
  if (protocol._tag === "Http") {
    const check = compileHttp(protocol, includeRequestHeaders, expressions, context, ports.maxBufferBytes)
    return {
      readsBody: check.readsBody,
      ask: (subject, shown) => {
        const request = check.request(subject, shown)
        // What cannot be asked properly is not asked, and that is no fault of the service.
        if (request === undefined) return Effect.succeed(denied(403))
        const call = subject.exchange.plan.callees.to(callee, "ExtAuthz")
        return Effect.flatMap(
          Effect.mapError(call(subject.exchange, request, timeoutMillis), Refusals.message),
          (reply) => check.decide(subject, reply),
        ).pipe(
          // The head of an answer is none as long as what is needed of its body does not come.
          Effect.timeoutOrElse({
            duration: timeoutMillis,
            orElse: () => Effect.fail(`no answer within ${timeoutMillis} ms`),
          }),
        )
      },
    }
  }
  const metadata = protocol.metadata?.map(({ expression, name }) => ({
    name,
    expression: expressions.compile(expression, context, "extAuthz"),
  }))
  const include = includeRequestHeaders.length === 0 ? undefined : new Set(includeRequestHeaders)
  const computed = (subject: Subject): Question["metadata"] => {
    if (metadata === undefined) {
      const claims = subject.exchange.identity?.jwt
      return claims === undefined ? {} : { "envoy.filters.http.jwt_authn": { jwt_payload: claims as never } }
    }
    const facts = Facts.of(expressions.around, subject)
    const fields: Record<string, Question["metadata"][string]> = {}
    for (const { expression, name } of metadata) {
      const value = expression.evaluate(facts)
      if (isError(value)) continue
      const json = toJson(value)
      // A namespace holds fields; a single value is put under a name of its own.
      fields[name] = (
        typeof json === "object" && json !== null && !Array.isArray(json) ? json : { value: json }
      ) as never
    }
    return fields
  }
  return {
    readsBody: metadata?.some(({ expression }) => readsRequestBody(expression)) === true,
    ask: (subject, shown) =>
      Effect.flatMap(grpcModule, ({ ask }) => {
        const transport = throughCallee(subject.exchange.plan.callees.to(callee, "ExtAuthz"), subject.exchange)
        const question: Question = {
          subject,
          include,
          body: shown === undefined ? undefined : { ...shown, asBytes: includeRequestBody?.packAsBytes === true },
          context: protocol.context,
          metadata: computed(subject),
        }
        return Effect.mapError(ask(transport, question, clock, timeoutMillis), describe)
      }),
  }
}

const tooLarge: Effect.Effect<never, Refusal> = Effect.fail({ _tag: "RequestBodyTooLarge" })

/** Reads as much of the body as is shown to the service; the request keeps all of it. */
const show = (
  { allowPartial, maxBytes }: NonNullable<ExtAuthz["includeRequestBody"]>,
  { exchange, request }: Subject,
  { clock }: PolicyPorts,
): Effect.Effect<Shown | undefined, Refusal> => {
  if (request.upgrade !== undefined || request.method === "CONNECT") return Effect.succeed(undefined)
  const length = Body.lengthOf(request.body)
  if (length !== undefined && length > maxBytes && !allowPartial) return tooLarge
  return Effect.flatMap(
    collectRequest(request, maxBytes, clock, exchange.deadlineMillis),
    (collected): Effect.Effect<Shown, Refusal> => {
      if (collected._tag === "Whole") {
        if (request.body._tag === "Flow") request.body = whole(collected)
        return Effect.succeed({ bytes: collected.bytes, isWhole: true })
      }
      request.body = collected.body
      return allowPartial ? Effect.succeed({ bytes: collected.prefix, isWhole: false }) : tooLarge
    },
  )
}

/** What expressions make of a request so that it stands for others like it; undefined: it stands for itself alone. */
const keyOf = (parts: ReadonlyArray<Expression>, facts: Facts): string | undefined => {
  const values: Array<string> = []
  for (const part of parts) {
    const value = part.as(facts, scalar)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values.length === 0 ? undefined : values.join("\n")
}

const scalar = (value: CelValue): string | undefined => {
  const json = toJson(value)
  return typeof json === "object" ? undefined : toJsonText(value)
}

/** Decisions kept by what the request says of itself. */
export const compileKept = (cache: NonNullable<ExtAuthz["cache"]>, ports: PolicyPorts, context: Context) => {
  const expressions = expressionsOf(ports)
  const parts = cache.key.map((one) => expressions.compile(one, context, "key"))
  const { lifetime } = cache
  const until = lifetime._tag === "Computed" ? expressions.compile(lifetime.expression, context, "extAuthz") : undefined
  return {
    kept: new Kept(cache.maxEntries),
    keyOf: (subject: Subject) => keyOf(parts, Facts.of(expressions.around, subject)),
    readsBody: [...parts, until].some(readsRequestBody),
    untilMillis: (subject: Subject, nowMillis: number): number => {
      if (lifetime._tag === "Fixed") return nowMillis + lifetime.millis
      const facts = Facts.of(expressions.around, subject)
      return until?.as(facts, (value) => toExpiryMillis(value, nowMillis)) ?? nowMillis
    },
  }
}

/** What one answer may be kept for: not a body that still flows, nor what says that the service is not itself. */
const mayBeKept = (decision: Decision, isHttp: boolean): boolean =>
  decision._tag === "Allowed" ||
  (decision.body._tag !== "Flow" && (!isHttp || [401, 403].includes(decision.status) || decision.status === 302))

export const compile = (policy: ExtAuthz, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { clock } = ports
  const own = slot("ExtAuthz", layer)
  const { failure, includeRequestBody } = policy
  const { ask, readsBody } = compileAsk(policy, ports, layer)
  const isHttp = policy.protocol._tag === "Http"
  const cache = policy.cache === undefined ? undefined : compileKept(policy.cache, ports, layer)

  const follow = (decision: Decision, subject: Subject): Verdict => {
    if (decision._tag === "Allowed") {
      allow(decision, subject, own)
      return passed
    }
    note(subject.exchange, decision.notes)
    subject.exchange.trail.refusal = { _tag: "ExternallyDenied", status: decision.status }
    return { _tag: "Answer", reply: replyOf(decision, subject.request) }
  }

  const failed: Effect.Effect<Verdict, Refusal> =
    failure._tag === "Allow" ? pass : Effect.fail({ _tag: "ExternallyDenied", status: failure.status })

  const asked = (subject: Subject, key: string | undefined): Effect.Effect<Verdict, Refusal> =>
    Effect.flatMap(
      includeRequestBody === undefined ? Effect.succeed(undefined) : show(includeRequestBody, subject, ports),
      (shown) =>
        Effect.matchEffect(ask(subject, shown), {
          onFailure: (reason) => {
            if (key !== undefined) cache?.kept.unanswered(key)
            subject.exchange.inquiry?.note({ stage: "ExtAuthz", decision: reason })
            return Effect.andThen(Effect.logDebug("external authorization failed", reason), failed)
          },
          onSuccess: (decision) => {
            const verdict = follow(decision, subject)
            if (cache !== undefined && key !== undefined) {
              const now = clock.wallMillis()
              if (mayBeKept(decision, isHttp)) cache.kept.put(key, decision, now, cache.untilMillis(subject, now))
              else cache.kept.unanswered(key)
            }
            return Effect.succeed(verdict)
          },
        }),
    )

  return {
    kind: "ExtAuthz",
    readsBody: readsBody || cache?.readsBody === true,
    run: (subject) => {
      if (cache === undefined) return asked(subject, undefined)
      const key = cache.keyOf(subject)
      const known = key === undefined ? undefined : cache.kept.get(key, clock.wallMillis())
      if (known === undefined) return asked(subject, key)
      const verdict = follow(known, subject)
      return verdict === passed ? pass : Effect.succeed(verdict)
    },
  }
}

const passed: Verdict = { _tag: "Pass" }
