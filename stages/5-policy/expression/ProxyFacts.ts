/** What expressions see of the gateway itself: where in it an exchange is, and how long it took so far. */
import { type CelValue, isError } from "../../../ir/cel/CelValue.ts"
import { durationFromMillis } from "../../../ir/cel/time.ts"
import type { Facts } from "./Facts.ts"
import { FieldView } from "./FieldView.ts"

const span = (fromMillis: number, toMillis: number): CelValue | undefined => {
  if (fromMillis === 0 || toMillis === 0) return undefined
  const made = durationFromMillis(Math.max(0, toMillis - fromMillis))
  return isError(made) ? undefined : made
}

const proxyFields = [
  "bind",
  "gateway",
  "listener",
  "route",
  "requestProcessingDuration",
  "upstreamDuration",
  "responseProcessingDuration",
]

export class ProxyFacts extends FieldView {
  protected readonly names = proxyFields
  private readonly facts: Facts

  constructor(facts: Facts) {
    super()
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { exchange, secured } = this.facts
    const trail = exchange?.trail
    switch (name) {
      case "bind":
        return secured?.accepted.bind
      case "gateway": {
        const listener = trail?.listener?.ir.name
        return listener === undefined ? undefined : { namespace: listener.gatewayNamespace, name: listener.gatewayName }
      }
      case "listener": {
        const listener = trail?.listener?.ir.name
        return listener === undefined ? undefined : { name: listener.listenerName }
      }
      case "route": {
        const route = trail?.route?.ir.name
        if (route === undefined) return undefined
        const { kind, name, namespace, ruleName } = route
        return {
          namespace,
          name,
          ...(kind === undefined ? {} : { kind }),
          ...(ruleName === undefined ? {} : { rule: ruleName }),
        }
      }
      case "requestProcessingDuration":
        return exchange === undefined ? undefined : span(exchange.startedMillis, exchange.trail.upstreamStartMillis)
      case "upstreamDuration":
        return trail === undefined ? undefined : span(trail.upstreamStartMillis, trail.upstreamHeadMillis)
      case "responseProcessingDuration":
        return trail === undefined ? undefined : span(trail.upstreamHeadMillis, trail.replyMillis)
      default:
        return undefined
    }
  }
}
