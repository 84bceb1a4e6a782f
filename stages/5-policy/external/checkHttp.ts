/** Asking a service that speaks plain HTTP: a 2xx lets the request pass, anything else is what the client gets. */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { isError } from "../../../ir/cel/CelValue.ts"
import { toBody, toJson, toText } from "../../../ir/cel/toJson.ts"
import type { Context } from "../../../ir/cel/variables.ts"
import type { ExtAuthzHttp } from "../../../ir/policy/ExtAuthz.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { parseTarget } from "../../../protocols/http/target.ts"
import * as Body from "../../Body.ts"
import { type Reply, Request, type Subject } from "../../Exchange.ts"
import { captureReply } from "../expression/capture.ts"
import { type Expression, type Expressions, readsReplyBody, readsRequestBody } from "../expression/Expressions.ts"
import { Facts } from "../expression/Facts.ts"
import { headerValue } from "../expression/headerValue.ts"
import { complaintAbout } from "../headerEdits.ts"
import type { Decision, Denied } from "./Decision.ts"
import { denied } from "./Decision.ts"
import type { FieldChange } from "./mutation.ts"
import type { Shown } from "./checkGrpc.ts"

/** A body of an answer longer than that is not read for a decision, and a refusal with one is not kept. */
const ANSWER_BYTES_MAX = 65_536

export interface HttpCheck {
  /** Undefined: something about the question cannot be computed. */
  readonly request: (subject: Subject, body: Shown | undefined) => Request | undefined
  readonly decide: (subject: Subject, reply: Reply) => Effect.Effect<Decision, string>
  readonly readsBody: boolean
}

const customary = ["authorization"]

export const compile = (
  protocol: ExtAuthzHttp,
  include: ReadonlyArray<string>,
  expressions: Expressions,
  context: Context,
  maxBufferBytes: number,
): HttpCheck => {
  const of = (source: ExtAuthzHttp["path"]): Expression | undefined =>
    source === undefined ? undefined : expressions.compile(source, context, "extAuthz")
  const path = of(protocol.path)
  const redirect = of(protocol.redirect)
  const computedBody = of(protocol.body)
  const added = protocol.addRequestHeaders.map(({ expression, name }) => ({
    name: name.toLowerCase(),
    expression: expressions.compile(expression, context, "header"),
  }))
  const metadata = protocol.metadata.map(({ expression, name }) => ({
    name,
    expression: expressions.compile(expression, "response", "metadata"),
  }))
  const wanted = include.length === 0 ? customary : include
  const { around } = expressions
  const readsAnswer = metadata.some(({ expression }) => readsReplyBody(expression))

  const headersFor = (request: Request, facts: Facts): Headers => {
    const headers = new Headers()
    for (const [name, value] of request.headers) {
      if (wanted.includes(name) && complaintAbout(name) === undefined) headers.append(name, value)
    }
    for (const { expression, name } of added) {
      const value = expression.as(facts, headerValue)
      if (value === undefined) headers.remove(name)
      else headers.set(name, value)
    }
    return headers
  }

  const request = (subject: Subject, shown: Shown | undefined): Request | undefined => {
    const original = subject.request
    const facts = Facts.of(around, subject)
    const written = path === undefined ? original.target : path.as(facts, toText)
    const target = written === undefined ? undefined : parseTarget("GET", written === "" ? "/" : written)
    if (target?.form !== "origin") return undefined
    const headers = headersFor(original, facts)
    let bytes = shown?.bytes
    if (computedBody !== undefined) {
      bytes = computedBody.as(facts, toBody)
      if (bytes === undefined) return undefined
    } else if (shown !== undefined) headers.set("x-envoy-auth-partial-body", String(!shown.isWhole))
    const body = bytes === undefined ? Body.empty : Body.bytes(bytes)
    if (bytes !== undefined) headers.set("content-length", String(bytes.byteLength))
    const method = original.method === "CONNECT" ? "GET" : original.method
    return new Request(method, "http", "", "", target.path, target.query, "1.1", headers, body, undefined)
  }

  const notesOf = (facts: Facts): Record<string, CelValue> | undefined => {
    if (metadata.length === 0) return undefined
    const notes: Record<string, CelValue> = {}
    for (const { expression, name } of metadata) {
      const value = expression.evaluate(facts)
      if (!isError(value)) notes[name] = toJson(value) as CelValue
    }
    return notes
  }

  const allowed = (subject: Subject, reply: Reply): Decision => {
    const set: Array<FieldChange> = []
    for (const name of protocol.includeResponseHeaders) {
      const [first, ...more] = reply.headers.all(name)
      if (first === undefined) continue
      set.push({ name, value: first, action: "set" })
      for (const value of more) set.push({ name, value, action: "append" })
    }
    return {
      _tag: "Allowed",
      // What the service did not say, the client may not say in its place.
      request: { remove: protocol.includeResponseHeaders, set },
      query: { remove: [], set: [] },
      reply: { remove: [], set: [] },
      notes: notesOf(Facts.of(around, subject, reply)),
    }
  }

  const elsewhere = (redirect: Expression, subject: Subject): Denied => {
    const location = redirect.as(Facts.of(around, subject), headerValue)
    if (location === undefined) return denied(403)
    return { ...denied(302), reply: { remove: [], set: [{ name: "location", value: location, action: "set" }] } }
  }

  const asAnswered = (reply: Reply): Denied => ({
    _tag: "Denied",
    status: reply.status,
    reply: {
      remove: [],
      set: [...reply.headers]
        .filter(([name]) => complaintAbout(name) === undefined)
        .map(([name, value]) => ({ name, value, action: "append" })),
    },
    body: reply.body,
    notes: undefined,
  })

  const decide = (subject: Subject, reply: Reply): Effect.Effect<Decision, string> => {
    const { body, status } = reply
    if (status >= 200 && status < 300) {
      const read = readsAnswer
        ? (captureReply(reply, maxBufferBytes, false) ?? Effect.void)
        : Effect.mapError(finished(body), ({ message }) => message)
      return Effect.map(read, () => {
        const decision = allowed(subject, reply)
        if (readsAnswer) Body.discard(reply.body)
        return decision
      })
    }
    if ((status === 401 || status === 403) && redirect !== undefined) {
      Body.discard(body)
      return Effect.succeed(elsewhere(redirect, subject))
    }
    if (status < 200) return Effect.fail(`it answered with ${status}`)
    if (body._tag !== "Flow") return Effect.succeed(asAnswered(reply))
    // What fits is read, so that it can be kept and nothing of the call is left over; what does not flows on.
    return Effect.map(
      Effect.mapError(Body.collect(body, ANSWER_BYTES_MAX), ({ message }) => message),
      (collected) => {
        reply.body = collected._tag === "Whole" ? Body.bytes(collected.bytes) : collected.body
        return asAnswered(reply)
      },
    )
  }

  return {
    request,
    decide,
    readsBody:
      [path, redirect, computedBody, ...added.map(({ expression }) => expression)].some(readsRequestBody) ||
      metadata.some(({ expression }) => readsRequestBody(expression)),
  }
}

/** Reads a little, so that the connection can be used again, and gives up where there is more. */
const finished = (body: Body.Body): Effect.Effect<void, Body.FlowFailure> =>
  body._tag !== "Flow"
    ? Effect.void
    : Effect.map(Body.collect(body, ANSWER_BYTES_MAX), (collected) => {
        if (collected._tag === "Partial") Body.discard(collected.body)
      })
