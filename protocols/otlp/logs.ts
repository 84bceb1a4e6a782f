/** Log records as an ExportLogsServiceRequest. */
import {
  attributes,
  type BinaryWriter,
  exportRequest,
  id,
  type Origin,
  type OtlpAttribute,
  text,
  time,
  value,
  WireType,
} from "./wire.ts"

export const logsPath = "/v1/logs"
export const logsMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

export interface OtlpLog {
  readonly unixMillis: number
  readonly body: string
  readonly attributes: ReadonlyArray<OtlpAttribute>
  readonly traceId: string | undefined
  readonly spanId: string | undefined
}

const severityInfo = 9

const record = (writer: BinaryWriter, one: OtlpLog): void => {
  time(writer, 1, one.unixMillis)
  writer.tag(2, WireType.Varint).int32(severityInfo)
  text(writer, 3, "INFO")
  value(writer, 5, one.body)
  attributes(writer, 6, one.attributes)
  if (one.traceId !== undefined) writer.tag(8, WireType.Bit32).fixed32(1)
  id(writer, 9, one.traceId)
  id(writer, 10, one.spanId)
  time(writer, 11, one.unixMillis)
}

export const encodeLogs = (logs: ReadonlyArray<OtlpLog>, origin: Origin): Uint8Array =>
  exportRequest(origin, logs, record)
