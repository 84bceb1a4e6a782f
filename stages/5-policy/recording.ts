/** What is written of exchanges beyond the ordinary, as far as it is computed: which are written, and with which fields. */
import { type CelValue, isError } from "../../ir/cel/CelValue.ts"
import { Flattened, flattened } from "../../ir/cel/functions/general.ts"
import { type Json, toJson } from "../../ir/cel/toJson.ts"
import type { AccessLog } from "../../ir/policy/AccessLog.ts"
import type { Exchange, Reply, Service } from "../Exchange.ts"
import type { Ending } from "../ports/Journal.ts"
import { record } from "./expression/capture.ts"
import { readsReplyBody, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import { lastSlot } from "./order.ts"
import { promise } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

export type Field = readonly [name: string, value: Json]

export interface Recording {
  /** Names that are computed, so that a field of the gateway's own gives way to them. */
  readonly names: ReadonlyArray<string>
  /** The computed fields; undefined: this exchange is not to be written. */
  readonly fields: (exchange: Exchange, ending: Ending) => ReadonlyArray<Field> | undefined
  /** Keeps of the bodies what the fields will need. */
  readonly around: (inner: Service<Exchange>) => Service<Exchange>
}

/** Absent and null are the same in a log. */
const fieldsOf = (name: string, value: CelValue): ReadonlyArray<Field> => {
  if (value === null) return []
  if (!(value instanceof Flattened)) return [[name, toJson(value)]]
  return flattened(name, value).flatMap(([key, one]) => (one === null ? [] : [[key, toJson(one)] as const]))
}

/** Undefined: nothing is computed. */
export const compile = (policy: AccessLog | undefined, ports: PolicyPorts): Recording | undefined => {
  if (policy === undefined || (policy.filter === undefined && policy.fields.add.length === 0)) return undefined
  const expressions = expressionsOf(ports)
  const filter = policy.filter === undefined ? undefined : expressions.compile(policy.filter, "log", "logFilter")
  const fields = policy.fields.add.map(({ expression, name }) => ({
    name,
    expression: expressions.compile(expression, "log", "logField"),
  }))
  const all = [filter, ...fields.map(({ expression }) => expression)]
  const keepsRequest = all.some(readsRequestBody)
  const keepsReply = all.some(readsReplyBody)
  const keepReply = (reply: Reply): undefined => {
    if (reply.captured !== undefined || reply.tunnel !== undefined) return undefined
    reply.body = record(reply.body, ports.maxBufferBytes, (captured) => (reply.captured = captured))
    return undefined
  }
  return {
    names: fields.map(({ name }) => name),
    fields: (exchange, { endedMillis, reply }) => {
      const facts = Facts.replied(expressions.around, exchange, reply)
      facts.endedMillis = endedMillis
      if (filter !== undefined && filter.holds(facts) !== true) return undefined
      return fields.flatMap(({ expression, name }) => {
        const value = expression.evaluate(facts)
        return isError(value) ? [] : fieldsOf(name, value)
      })
    },
    around: (inner) =>
      !keepsRequest && !keepsReply
        ? inner
        : (exchange) => {
            const { request } = exchange
            if (keepsReply) promise(exchange, lastSlot, keepReply)
            if (keepsRequest && request.upgrade === undefined && request.method !== "CONNECT") {
              request.body = record(request.body, ports.maxBufferBytes, (captured) => (exchange.recorded = captured))
            }
            return inner(exchange)
          },
  }
}
