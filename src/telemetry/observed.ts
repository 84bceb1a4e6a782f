/** What expressions of the process itself compute about an exchange that is over: labels of metrics, and who is behind it. */
import { isError } from "../../ir/cel/CelValue.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import type { Expression, Expressions } from "../../stages/5-policy/expression/Expressions.ts"
import { Facts } from "../../stages/5-policy/expression/Facts.ts"
import type { ObservedSettings } from "./labels.ts"
import { type Standard, standardOf } from "./requestLog/record.ts"
import type { Told } from "./Told.ts"

export interface Observed {
  /** In the order of the settings; absent where an expression gives no text. Undefined: there are none. */
  readonly labels: ((exchange: Exchange, ending: Ending) => ReadonlyArray<string | undefined>) | undefined
  readonly standard: (told: Told) => Standard
}

const factsOf = (expressions: Expressions, exchange: Exchange, { endedMillis, reply }: Ending): Facts => {
  const facts = Facts.replied(expressions.around, exchange, reply)
  facts.endedMillis = endedMillis
  return facts
}

const textOf = (expression: Expression | undefined, facts: Facts): string | undefined => {
  if (expression === undefined) return undefined
  const value = expression.evaluate(facts)
  return !isError(value) && typeof value === "string" ? value : undefined
}

export const observe = (settings: ObservedSettings, expressions: Expressions): Observed => {
  const labels = settings.labels.map(({ expression }) => expressions.compile(expression, "log", "metricLabel"))
  const compiled = (source: string | undefined): Expression | undefined =>
    source === undefined ? undefined : expressions.compile(source, "log", "logField")
  const user = compiled(settings.user)
  const group = compiled(settings.group)
  return {
    labels:
      labels.length === 0
        ? undefined
        : (exchange, ending) => {
            const facts = factsOf(expressions, exchange, ending)
            return labels.map((one) => textOf(one, facts))
          },
    standard: (told) => {
      const usual = standardOf(told.exchange)
      if (user === undefined && group === undefined) return usual
      const facts = factsOf(expressions, told.exchange, told.ending)
      return {
        user: user === undefined ? usual.user : textOf(user, facts),
        group: group === undefined ? usual.group : textOf(group, facts),
      }
    },
  }
}
