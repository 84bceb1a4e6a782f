/** Spans as an ExportTraceServiceRequest. */
import { VARINT, Writer } from "../protobuf/Writer.ts"
import { attributes, exportRequest, id, item, message, type Origin, type OtlpAttribute, text, time } from "./wire.ts"

export const tracesMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly state: string | undefined
  readonly name: string
  readonly kind: "internal" | "server" | "client"
  readonly startedUnixMillis: number
  readonly endedUnixMillis: number
  readonly attributes: ReadonlyArray<OtlpAttribute>
  /** How many more there were than may be told. */
  readonly droppedAttributes?: number
  readonly error: string | undefined
}

const kinds = { internal: 1, server: 2, client: 3 } as const
const statusError = 2

const span = (writer: Writer, one: OtlpSpan): void => {
  id(writer, 1, one.traceId)
  id(writer, 2, one.spanId)
  text(writer, 3, one.state ?? "")
  id(writer, 4, one.parentId)
  text(writer, 5, one.name)
  writer.tag(6, VARINT).uint32(kinds[one.kind])
  time(writer, 7, one.startedUnixMillis)
  time(writer, 8, one.endedUnixMillis)
  attributes(writer, 9, one.attributes)
  if (one.droppedAttributes !== undefined) writer.tag(10, VARINT).uint32(one.droppedAttributes)
  if (one.error !== undefined) {
    const { error } = one
    message(writer, 15, (status) => {
      text(status, 2, error)
      status.tag(3, VARINT).uint32(statusError)
    })
  }
}

export const writeSpan = (writer: Writer, one: OtlpSpan): void => item(writer, () => span(writer, one))

export const encodeTraces = (spans: ReadonlyArray<OtlpSpan>, origin: Origin): Uint8Array => {
  const writer = new Writer()
  for (const one of spans) writeSpan(writer, one)
  return exportRequest(origin, writer.finish())
}
