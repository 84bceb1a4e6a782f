/** Log records as an ExportLogsServiceRequest. */
import { BIT32, VARINT, Writer } from "../protobuf/Writer.ts"
import { attributes, exportRequest, id, item, type Origin, type OtlpAttribute, text, time, value } from "./wire.ts"

export const logsMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

export interface OtlpLog {
  readonly unixMillis: number
  readonly body: string
  readonly attributes: ReadonlyArray<OtlpAttribute>
  readonly traceId: string | undefined
  readonly spanId: string | undefined
}

const severityInfo = 9

const record = (writer: Writer, one: OtlpLog): void => {
  time(writer, 1, one.unixMillis)
  writer.tag(2, VARINT).uint32(severityInfo)
  text(writer, 3, "INFO")
  value(writer, 5, one.body)
  attributes(writer, 6, one.attributes)
  if (one.traceId !== undefined) writer.tag(8, BIT32).fixed32(1)
  id(writer, 9, one.traceId)
  id(writer, 10, one.spanId)
  time(writer, 11, one.unixMillis)
}

export const writeLog = (writer: Writer, one: OtlpLog): void => item(writer, () => record(writer, one))

export const encodeLogs = (logs: ReadonlyArray<OtlpLog>, origin: Origin): Uint8Array => {
  const writer = new Writer()
  for (const one of logs) writeLog(writer, one)
  return exportRequest(origin, writer.finish())
}
