/** The access log for a receiver of OTLP: with a filter and fields of its own. */
import type { Exports } from "./Exports.ts"
import { arranged, type Witness } from "./Told.ts"

/** They are fields of the record itself. */
const traceFields = ["trace.id", "span.id"]

export const logWitness = (exports: Exports): Witness => ({
  wants: ({ trail }) => trail.listener?.recording?.otlp !== undefined,
  tell: ({ ending, endedUnixMillis, exchange, fields }) => {
    const otlp = exchange.trail.listener?.recording?.otlp
    const computed = otlp?.fields(exchange, ending)
    if (otlp === undefined || computed === undefined) return
    const attributes = arranged(fields, [...otlp.removed, ...traceFields], computed)
    const { trace } = exchange
    exports.use((exporter) =>
      exporter.log(otlp.policy, otlp.policy, exchange, {
        unixMillis: endedUnixMillis,
        body: "request",
        attributes,
        traceId: trace?.traceId,
        spanId: trace?.spanId,
      }),
    )
  },
})
