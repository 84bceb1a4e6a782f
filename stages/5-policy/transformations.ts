/**
 * Computed changes of a request and its reply, one expression after the other, so that each sees what those before it did:
 * metadata, replace, add, set, remove, body. What cannot be computed is taken away rather than left as the client sent it.
 */
import * as Effect from "effect/Effect"
import { type CelValue, isError, isList, isMap, keyOf, mapGet, mapKeys, textOf } from "../../ir/cel/CelValue.ts"
import { toBody, toJson, toStatus } from "../../ir/cel/toJson.ts"
import { headerUse } from "../../ir/expressions.ts"
import type { ComputedHeader, Transformation, Transformations } from "../../ir/policy/Transformations.ts"
import type { Headers } from "../../protocols/http/headers.ts"
import * as Body from "../Body.ts"
import type { Edit, Exchange, Reply, Request, Subject } from "../Exchange.ts"
import { headerValue } from "./expression/headerValue.ts"
import { captureReply } from "./expression/capture.ts"
import { type Expression, type Expressions, readsReplyBody, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import * as HeaderEdits from "./headerEdits.ts"
import { type Layer, slot } from "./order.ts"
import { lineNames as requestLineNames, setLine } from "./requestLine.ts"
import { pass, promise, type Step, unusable } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import type { Context } from "../../ir/cel/variables.ts"

interface Header {
  readonly name: string
  readonly isAdded: boolean
  readonly expression: Expression
}

/** One half of a policy, compiled. */
export interface Changes {
  readonly metadata: ReadonlyArray<{ readonly name: string; readonly expression: Expression }>
  readonly replace: Expression | undefined
  /** Additions first. */
  readonly headers: ReadonlyArray<Header>
  readonly remove: ReadonlyArray<string>
  readonly body: Expression | undefined
}

const lineNames: Record<"request" | "response", ReadonlySet<string>> = {
  request: requestLineNames,
  response: new Set([":status"]),
}

/** Why there cannot be such a header on that side. */
export const complaintAbout = (side: "request" | "response", name: string): string | undefined =>
  lineNames[side].has(name)
    ? undefined
    : name.startsWith(":")
      ? `${name} is not part of a ${side}`
      : HeaderEdits.complaintAbout(name)

const compileHeaders = (
  list: ReadonlyArray<ComputedHeader>,
  isAdded: boolean,
  compile: (one: ComputedHeader) => Expression,
): ReadonlyArray<Header> => list.map((one) => ({ name: one.name, isAdded, expression: compile(one) }))

/** Why the headers of a change cannot be written, whatever their values. */
export const complaintOf = (side: "request" | "response", one: Transformation): string | undefined => {
  for (const { name } of [...one.add, ...one.set]) {
    const complaint = complaintAbout(side, name)
    if (complaint !== undefined) return complaint
  }
  return undefined
}

/** A text says why they cannot be made. */
export const compileChanges = (
  side: "request" | "response",
  one: Transformation,
  expressions: Expressions,
  context: Context,
): Changes | string => {
  const complaint = complaintOf(side, one)
  if (complaint !== undefined) return complaint
  const header = ({ expression, name }: ComputedHeader) => expressions.compile(expression, context, headerUse(name))
  return {
    metadata: one.metadata.map(({ expression, name }) => ({
      name,
      expression: expressions.compile(expression, context, "metadata"),
    })),
    replace: one.replace === undefined ? undefined : expressions.compile(one.replace, context, "headers"),
    headers: [...compileHeaders(one.add, true, header), ...compileHeaders(one.set, false, header)],
    remove: one.remove.filter((name) => !lineNames[side].has(name) && !name.startsWith(":")),
    body: one.body === undefined ? undefined : expressions.compile(one.body, context, "body"),
  }
}

const isIdle = ({ body, headers, metadata, remove, replace }: Changes): boolean =>
  headers.length === 0 && remove.length === 0 && metadata.length === 0 && (replace ?? body) === undefined

const all = ({ body, headers, metadata, replace }: Changes): ReadonlyArray<Expression | undefined> => [
  ...metadata.map(({ expression }) => expression),
  replace,
  ...headers.map(({ expression }) => expression),
  body,
]

const scalarText = (value: CelValue): string | undefined =>
  typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? String(value)
    : headerValue(value)

/** The fields that a map stands for; undefined when one of them cannot be written. */
const fieldsOf = (value: CelValue): ReadonlyArray<string> | undefined => {
  if (!isMap(value)) return undefined
  const flat: Array<string> = []
  for (const key of mapKeys(value)) {
    const name = keyOf(key)
    const given = name === undefined ? undefined : mapGet(value, name)
    if (typeof name !== "string" || given === undefined) return undefined
    const lower = name.toLowerCase()
    if (lower.startsWith(":") || lower === "host") continue
    if (!HeaderEdits.isName(lower)) return undefined
    // What frames a message is not among its headers, wherever the map came from.
    if (HeaderEdits.complaintAbout(lower) !== undefined) continue
    for (const one of isList(given) ? given : [given]) {
      const text = textOf(one) === undefined ? scalarText(one) : headerValue(one)
      if (text === undefined) return undefined
      flat.push(lower, text)
    }
  }
  return flat
}

const replaceAll = (headers: Headers, replace: Expression, facts: Facts): void => {
  const fields = replace.as(facts, fieldsOf)
  if (fields === undefined) return
  headers.flat.length = 0
  for (const part of fields) headers.flat.push(part)
}

const note = (exchange: Exchange, changes: Changes, facts: Facts): void => {
  for (const { expression, name } of changes.metadata) {
    const value = expression.evaluate(facts)
    if (isError(value)) continue
    const notes = (exchange.notes ??= {})
    const metadata = (notes.metadata ??= Object.create(null) as Record<string, CelValue>)
    metadata[name] = toJson(value) as CelValue
  }
}

const changeField = (headers: Headers, { expression, isAdded, name }: Header, facts: Facts): void => {
  const value = expression.as(facts, headerValue)
  if (value === undefined) headers.remove(name)
  else if (isAdded) headers.append(name, value)
  else headers.set(name, value)
}

/** Parts of the request line; what cannot be computed leaves them as they are. */
const changeLine = (request: Request, { expression, name }: Header, facts: Facts): void => {
  const value = expression.as(facts, headerValue)
  if (value !== undefined) setLine(request, name, value)
}

const setBody = (message: Request | Reply, bytes: Uint8Array): void => {
  Body.discard(message.body)
  message.body = Body.bytes(bytes)
  message.captured = { bytes, prefix: bytes }
  message.headers.remove("content-length")
}

const nothing = new Uint8Array(0)

const bodyOf = (body: Expression, facts: Facts): Uint8Array => body.as(facts, toBody) ?? nothing

const isTunnel = ({ method, upgrade }: Request): boolean => upgrade !== undefined || method === "CONNECT"

export const changeRequest = (changes: Changes, { exchange, request }: Subject, facts: Facts): void => {
  const { headers } = request
  note(exchange, changes, facts)
  if (changes.replace !== undefined) replaceAll(headers, changes.replace, facts)
  for (const one of changes.headers) {
    if (lineNames.request.has(one.name)) changeLine(request, one, facts)
    else changeField(headers, one, facts)
  }
  for (const name of changes.remove) headers.remove(name)
  if (changes.body !== undefined && !isTunnel(request)) setBody(request, bodyOf(changes.body, facts))
}

/** Statuses whose replies have no body (RFC 9110 §6.4.1). */
const isBodiless = (status: number): boolean => status < 200 || status === 204 || status === 205 || status === 304

const takesBody = (reply: Reply, request: Request): boolean =>
  reply.tunnel === undefined && request.method !== "HEAD" && !isBodiless(reply.status)

export const changeReply = (changes: Changes, exchange: Exchange, reply: Reply, facts: Facts): void => {
  const { headers } = reply
  note(exchange, changes, facts)
  if (changes.replace !== undefined) replaceAll(headers, changes.replace, facts)
  for (const one of changes.headers) {
    if (one.name !== ":status") changeField(headers, one, facts)
    else {
      const status = one.expression.as(facts, toStatus)
      // Whoever was given the raw connection was told so by this very status.
      if (status !== undefined && status >= 200 && reply.tunnel === undefined) reply.status = status
    }
  }
  for (const name of changes.remove) headers.remove(name)
  if (changes.body !== undefined && takesBody(reply, exchange.request)) setBody(reply, bodyOf(changes.body, facts))
}

export const compile = (policy: Transformations, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const request =
    policy.request === undefined ? undefined : compileChanges("request", policy.request, expressions, layer)
  const response =
    policy.response === undefined ? undefined : compileChanges("response", policy.response, expressions, "response")
  if (typeof request === "string") return unusable("Transformations", request)
  if (typeof response === "string") return unusable("Transformations", response)
  const own = slot("Transformations", layer)
  const changesRequest = request !== undefined && !isIdle(request)
  const changesReply = response !== undefined && !isIdle(response)
  if (!changesRequest && !changesReply) return undefined
  const looksAtReplyBody = changesReply && all(response).some(readsReplyBody)
  const editOf =
    (changes: Changes, exchange: Exchange): Edit =>
    (reply) => {
      const apply = (): void => changeReply(changes, exchange, reply, Facts.replied(around, exchange, reply))
      const waiting = looksAtReplyBody
        ? captureReply(reply, ports.maxBufferBytes, exchange.request.method === "HEAD")
        : undefined
      if (waiting !== undefined) return Effect.map(waiting, apply)
      apply()
      return undefined
    }
  return {
    kind: "Transformations",
    readsBody: [...(changesRequest ? all(request) : []), ...(changesReply ? all(response) : [])].some(readsRequestBody),
    run: (subject) => {
      if (changesReply) promise(subject.exchange, own, editOf(response, subject.exchange))
      if (changesRequest) changeRequest(request, subject, Facts.of(around, subject))
      return pass
    },
  }
}
