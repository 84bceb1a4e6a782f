/** Spans and log records on their way to the receivers that the policies name. Loaded when the first is to be sent. */
import * as Effect from "effect/Effect"
import { logsMethod, type OtlpLog, writeLog } from "../../../protocols/otlp/logs.ts"
import { type OtlpSpan, tracesMethod, writeSpan } from "../../../protocols/otlp/traces.ts"
import { exportRequest, type Origin, type OtlpAttribute } from "../../../protocols/otlp/wire.ts"
import type { Writer } from "../../../protocols/protobuf/Writer.ts"
import type { Exchange } from "../../../stages/Exchange.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import { Batch, type BatchSettings } from "./Batch.ts"
import { Receiver, type Where } from "./Receiver.ts"
import { limited, type SpanLimits } from "./settings.ts"

export interface ExporterOptions {
  readonly clock: Clock
  readonly version: string
  readonly resource: (configured: ReadonlyArray<OtlpAttribute>) => ReadonlyArray<OtlpAttribute>
  readonly settings: BatchSettings
  readonly limits: SpanLimits
  readonly onDropped: (signal: "traces" | "logs", count: number, why: string) => void
}

/** Receivers that are remembered; those of policies long gone make room. */
const receiversMax = 64

interface Lane<A> {
  readonly receiver: Receiver
  readonly batch: Batch<A>
}

export class Exporter {
  private readonly options: ExporterOptions
  private readonly traces = new Map<object, Lane<OtlpSpan>>()
  private readonly logs = new Map<object, Lane<OtlpLog>>()

  private readonly writeSpan: (writer: Writer, span: OtlpSpan) => void

  constructor(options: ExporterOptions) {
    this.options = options
    this.writeSpan = (writer, span) => writeSpan(writer, limited(span, options.limits))
  }

  /** `policy` is what tells one receiver from another. */
  spans(
    policy: object,
    where: Where,
    resources: ReadonlyArray<OtlpAttribute>,
    exchange: Exchange,
    spans: ReadonlyArray<OtlpSpan>,
  ): void {
    const lane =
      this.traces.get(policy) ??
      this.open(this.traces, "traces", policy, where, tracesMethod, exchange, this.writeSpan, () => ({
        resource: this.options.resource(resources),
        scope: { name: "sluice", version: this.options.version },
      }))
    lane.receiver.by(exchange)
    for (let i = 0; i < spans.length; i++) lane.batch.offer(spans[i] as OtlpSpan)
  }

  log(policy: object, where: Where, exchange: Exchange, log: OtlpLog): void {
    const lane =
      this.logs.get(policy) ??
      this.open(this.logs, "logs", policy, where, logsMethod, exchange, writeLog, () => ({
        resource: this.options.resource([]),
        scope: { name: "agentgateway.access", version: this.options.version },
      }))
    lane.receiver.by(exchange)
    lane.batch.offer(log)
  }

  /** How much waits. */
  get size(): number {
    let size = 0
    for (const { batch } of [...this.traces.values(), ...this.logs.values()]) size += batch.size
    return size
  }

  async flush(): Promise<void> {
    await Promise.all([...this.traces.values(), ...this.logs.values()].map(({ batch }) => batch.flush()))
  }

  private open<A>(
    lanes: Map<object, Lane<A>>,
    signal: "traces" | "logs",
    policy: object,
    where: Where,
    grpcPath: string,
    exchange: Exchange,
    write: (writer: Writer, one: A) => void,
    origin: () => Origin,
  ): Lane<A> {
    const { clock, onDropped, settings } = this.options
    const receiver = new Receiver(where, { signal, method: grpcPath }, clock, exchange)
    let known: Origin | undefined
    const lane: Lane<A> = {
      receiver,
      batch: new Batch({
        ...settings,
        clock,
        write,
        send: (items) => Effect.suspend(() => receiver.send(exportRequest((known ??= origin()), items))),
        onDropped: (count, why) => onDropped(signal, count, why),
      }),
    }
    if (lanes.size >= receiversMax) {
      const [oldest] = lanes
      if (oldest !== undefined) {
        lanes.delete(oldest[0])
        void oldest[1].batch.flush()
      }
    }
    lanes.set(policy, lane)
    return lane
  }
}
