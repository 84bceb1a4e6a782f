/** What is written of exchanges beyond the ordinary, as far as it is computed: which are written, and with which fields. */
import { type CelValue, isError } from "../../ir/cel/CelValue.ts"
import { Flattened, flattened } from "../../ir/cel/functions/general.ts"
import { type Json, toJson } from "../../ir/cel/toJson.ts"
import type { AccessLog } from "../../ir/policy/AccessLog.ts"
import type { Exchange, Reply, Service } from "../Exchange.ts"
import type { Ending } from "../ports/Journal.ts"
import { record } from "./expression/capture.ts"
import { type Expression, readsPayload, readsReplyBody, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { lastSlot } from "./order.ts"
import { promise } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

export type Field = readonly [name: string, value: Json]

/** What is written in one place: whether, which computed fields, and which of the gateway's own are left out. */
export interface Written {
  /** Names that are computed, so that a field of the gateway's own gives way to them. */
  readonly names: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  /** The computed fields; undefined: this exchange is not to be written. */
  readonly fields: (exchange: Exchange, ending: Ending) => ReadonlyArray<Field> | undefined
}

export interface Recording extends Written {
  /** What a receiver of OTLP is told. */
  readonly otlp: (Written & { readonly policy: NonNullable<AccessLog["otlp"]> }) | undefined
  /** What is added to the request log; its filter is that of the access log. */
  readonly database: (Written & { readonly llm: "metadata" | "full" }) | undefined
  /** Keeps of the bodies what the fields will need. */
  readonly around: (inner: Service<Exchange>) => Service<Exchange>
}

/** Absent and null are the same in a log. */
export const fieldsOf = (name: string, value: CelValue): ReadonlyArray<Field> => {
  if (value === null) return []
  if (!(value instanceof Flattened)) return [[name, toJson(value)]]
  return flattened(name, value).flatMap(([key, one]) => (one === null ? [] : [[key, toJson(one)] as const]))
}

interface Computed {
  readonly filter: Expression | undefined
  readonly fields: ReadonlyArray<{ readonly name: string; readonly expression: Expression }>
}

/** Undefined: everything is written as it is. */
export const compile = (policy: AccessLog | undefined, ports: PolicyPorts): Recording | undefined => {
  if (policy === undefined) return undefined
  const { database, fields, filter, otlp } = policy
  const isPlain = filter === undefined && fields.add.length === 0 && fields.remove.length === 0
  if (isPlain && otlp === undefined && database === undefined) return undefined
  const expressions = expressionsOf(ports)
  const computedOf = (condition: AccessLog["filter"], add: AccessLog["fields"]["add"]): Computed => ({
    filter: condition === undefined ? undefined : expressions.compile(condition, "log", "logFilter"),
    fields: add.map(({ expression, name }) => ({
      name,
      expression: expressions.compile(expression, "log", "logField"),
    })),
  })
  const written = (computed: Computed, removed: ReadonlyArray<string>): Written => ({
    names: computed.fields.map(({ name }) => name),
    removed,
    fields: (exchange, { endedMillis, reply }) => {
      if (computed.filter === undefined && computed.fields.length === 0) return []
      const facts = Facts.replied(expressions.around, exchange, reply)
      facts.endedMillis = endedMillis
      if (computed.filter !== undefined && computed.filter.holds(facts) !== true) return undefined
      return computed.fields.flatMap(({ expression, name }) => {
        const value = expression.evaluate(facts)
        return isError(value) ? [] : fieldsOf(name, value)
      })
    },
  })
  const line = computedOf(filter, fields.add)
  // What is not said for the receiver is as for the console.
  const exported = otlp === undefined ? undefined : computedOf(otlp.filter ?? filter, (otlp.fields ?? fields).add)
  const stored = database === undefined ? undefined : computedOf(filter, [...fields.add, ...database.add])
  const all = [line, exported, stored].flatMap((one) =>
    one === undefined ? [] : [one.filter, ...one.fields.map(({ expression }) => expression)],
  )
  const keepsRequest = all.some(readsRequestBody)
  const keepsReply = all.some(readsReplyBody)
  const keepsPayload = database?.llm === "full" || all.some(readsPayload)
  const keepReply = (reply: Reply): undefined => {
    if (reply.captured !== undefined || reply.tunnel !== undefined) return undefined
    reply.body = record(reply.body, ports.maxBufferBytes, (captured) => (reply.captured = captured))
    return undefined
  }
  return {
    ...written(line, fields.remove),
    otlp:
      otlp === undefined || exported === undefined
        ? undefined
        : { ...written(exported, (otlp.fields ?? fields).remove), policy: otlp },
    database:
      database === undefined || stored === undefined
        ? undefined
        : { ...written(stored, fields.remove), llm: database.llm },
    around: (inner) =>
      !keepsRequest && !keepsReply && !keepsPayload
        ? inner
        : (exchange) => {
            const { request } = exchange
            if (keepsPayload) exchange.keepsPayload = true
            if (keepsReply) promise(exchange, lastSlot, keepReply)
            if (keepsRequest && request.upgrade === undefined && request.method !== "CONNECT") {
              request.body = record(request.body, ports.maxBufferBytes, (captured) => (exchange.recorded = captured))
            }
            return inner(exchange)
          },
  }
}
