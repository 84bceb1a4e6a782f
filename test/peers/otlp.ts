/**
 * A receiver of OTLP, over HTTP and over gRPC. What it receives is decoded with the messages that OpenTelemetry generates
 * from its own descriptions, so that our encoder is not judged by itself.
 */
import { createRequire } from "node:module"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"
import { grpc } from "./grpc.ts"

interface Decoder {
  readonly decode: (bytes: Uint8Array) => unknown
  readonly toObject: (message: unknown, options: object) => unknown
  readonly verify: (message: unknown) => string | null
  readonly fromObject: (told: unknown) => unknown
}

const root = createRequire(import.meta.url)("@opentelemetry/otlp-transformer/build/src/generated/root.js") as {
  readonly opentelemetry: {
    readonly proto: { readonly collector: Record<string, { readonly v1: Record<string, Decoder> }> }
  }
}
const decoderOf = (signal: string, message: string): Decoder => {
  const decoder = root.opentelemetry.proto.collector[signal]?.v1[message]
  if (decoder === undefined) throw new Error(`no ${message}`)
  return decoder
}
/** Said in JSON, ids are hexadecimal, which the messages do not know. */
const idNames = new Set(["traceId", "spanId", "parentSpanId"])

/** JSON as OTLP has it, turned into the message that it says; whatever the messages do not know is told. */
export const messageIn = (signal: Signal, text: string): unknown => {
  const told = JSON.parse(text, (name, value: unknown) =>
    idNames.has(name) ? Buffer.from(String(value), "hex").toString("base64") : value,
  )
  const decoder = messages[signal]
  const message = decoder.fromObject(told)
  const again = decoder.toObject(message, { longs: String, bytes: String })
  for (const [path, value] of leavesOf(told)) {
    const kept = new Map(leavesOf(again)).get(path)
    if (String(kept) !== String(value))
      throw new Error(`${signal}: ${path} is ${String(value)}, read as ${String(kept)}`)
  }
  return message
}

const leavesOf = (value: unknown, path = ""): ReadonlyArray<readonly [path: string, value: unknown]> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, one]) => leavesOf(one, `${path}.${name}`))
    : [[path, value]]

const messages = {
  traces: decoderOf("trace", "ExportTraceServiceRequest"),
  logs: decoderOf("logs", "ExportLogsServiceRequest"),
  metrics: decoderOf("metrics", "ExportMetricsServiceRequest"),
}
export type Signal = keyof typeof messages

interface AnyValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string
  readonly doubleValue?: number
  readonly arrayValue?: { readonly values: ReadonlyArray<AnyValue> }
  readonly kvlistValue?: { readonly values: ReadonlyArray<KeyValue> }
}
interface KeyValue {
  readonly key: string
  readonly value: AnyValue
}

const plain = (value: AnyValue): unknown => {
  if (value.stringValue !== undefined) return value.stringValue
  if (value.boolValue !== undefined) return value.boolValue
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.doubleValue !== undefined) return value.doubleValue
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plain)
  if (value.kvlistValue !== undefined) return attributesOf(value.kvlistValue.values)
  return null
}

export const attributesOf = (all: ReadonlyArray<KeyValue> = []): Record<string, unknown> =>
  Object.fromEntries(all.map(({ key, value }) => [key, plain(value)]))

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly kind: number
  readonly millis: number
  readonly startedUnixMillis: number
  readonly attributes: Record<string, unknown>
  readonly status: { readonly code?: number; readonly message?: string } | undefined
  readonly resource: Record<string, unknown>
}

export interface ReceivedLog {
  readonly body: unknown
  readonly traceId: string
  readonly attributes: Record<string, unknown>
  readonly scope: string
}

const hex = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("hex")

export interface OtlpReceiver {
  readonly port: number
  readonly grpcPort: number
  readonly spans: ReadonlyArray<ReceivedSpan>
  readonly logs: ReadonlyArray<ReceivedLog>
  readonly metrics: ReadonlyArray<Record<string, unknown>>
  /** Of whom metrics were told. */
  readonly resources: ReadonlyArray<Record<string, unknown>>
  /** Everything as it came, for whoever looks for what must not be there. */
  readonly raw: ReadonlyArray<Buffer>
  readonly requests: ReadonlyArray<{ readonly path: string; readonly headers: Readonly<Record<string, unknown>> }>
  /** What the next requests over HTTP are answered with, and after how long. */
  answer: number
  delayMillis: number
  readonly close: () => void
}

/** A decoded message is as wide as OTLP; what tests ask for is looked up by name. */
type Loose = Readonly<Record<string, unknown>>

const manyOf = (message: Loose, name: string): ReadonlyArray<Loose> => (message[name] ?? []) as ReadonlyArray<Loose>
const oneOf = (message: Loose, name: string): Loose => (message[name] ?? {}) as Loose
const attributesIn = (message: Loose): Record<string, unknown> =>
  attributesOf((message["attributes"] ?? []) as ReadonlyArray<KeyValue>)
const textIn = (message: Loose, name: string): string => String(message[name] ?? "")

export const otlpReceiver = async (tls?: https.ServerOptions): Promise<OtlpReceiver> => {
  const spans: Array<ReceivedSpan> = []
  const logs: Array<ReceivedLog> = []
  const metrics: Array<Record<string, unknown>> = []
  const resources: Array<Record<string, unknown>> = []
  const raw: Array<Buffer> = []
  const requests: Array<OtlpReceiver["requests"][number]> = []

  const take = (signal: Signal, bytes: Buffer, isJson = false): void => {
    raw.push(bytes)
    const decoder = messages[signal]
    const message = isJson ? messageIn(signal, bytes.toString("utf8")) : decoder.decode(bytes)
    const told = decoder.toObject(message, { longs: String, bytes: String }) as Loose
    for (const group of manyOf(told, "resourceSpans")) {
      const resource = attributesIn(oneOf(group, "resource"))
      for (const scoped of manyOf(group, "scopeSpans")) {
        for (const span of manyOf(scoped, "spans")) {
          const [start, end] = [BigInt(textIn(span, "startTimeUnixNano")), BigInt(textIn(span, "endTimeUnixNano"))]
          spans.push({
            traceId: hex(textIn(span, "traceId")),
            spanId: hex(textIn(span, "spanId")),
            parentId: hex(textIn(span, "parentSpanId")),
            name: textIn(span, "name"),
            kind: Number(span["kind"]),
            millis: Number(end - start) / 1e6,
            startedUnixMillis: Number(start / 1000n) / 1000,
            attributes: attributesIn(span),
            status: span["status"] as ReceivedSpan["status"],
            resource,
          })
        }
      }
    }
    for (const group of manyOf(told, "resourceLogs")) {
      for (const scoped of manyOf(group, "scopeLogs")) {
        for (const record of manyOf(scoped, "logRecords")) {
          logs.push({
            body: plain(oneOf(record, "body") as AnyValue),
            traceId: hex(textIn(record, "traceId")),
            attributes: attributesIn(record),
            scope: textIn(oneOf(scoped, "scope"), "name"),
          })
        }
      }
    }
    for (const group of manyOf(told, "resourceMetrics")) {
      resources.push(attributesIn(oneOf(group, "resource")))
      for (const scoped of manyOf(group, "scopeMetrics")) metrics.push(...manyOf(scoped, "metrics"))
    }
  }

  const receiver = { answer: 200, delayMillis: 0 }
  const serve: http.RequestListener = (request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      requests.push({ path: request.url ?? "", headers: request.headers })
      const signal = /\/v1\/(traces|logs|metrics)$/.exec(request.url ?? "")?.[1]
      const bytes = Buffer.concat(chunks)
      const type = request.headers["content-type"] ?? ""
      if (receiver.answer === 200 && signal !== undefined) {
        const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes
        take(signal as Signal, plain, type === "application/json")
      }
      const { answer, delayMillis } = receiver
      setTimeout(
        () => response.writeHead(signal === undefined ? 404 : answer, { "content-type": type }).end(),
        delayMillis,
      )
    })
  }
  const server = tls === undefined ? http.createServer(serve) : https.createServer(tls, serve)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

  const service = (signal: Signal, path: string) => ({
    [path]: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (bytes: Buffer) => bytes,
      responseDeserialize: (bytes: Buffer) => bytes,
      originalName: signal,
    },
  })
  const grpcServer = new grpc.Server()
  for (const [signal, path] of [
    ["traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"],
    ["logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"],
    ["metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"],
  ] as const) {
    grpcServer.addService(service(signal, path) as never, {
      [path]: (
        call: { readonly request: Buffer; readonly metadata: grpc.Metadata },
        done: (error: null, bytes: Buffer) => void,
      ) => {
        requests.push({ path, headers: call.metadata.getMap() })
        take(signal, call.request)
        done(null, Buffer.alloc(0))
      },
    })
  }
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpcServer.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  )
  return Object.assign(receiver, {
    port: (server.address() as AddressInfo).port,
    grpcPort,
    spans,
    logs,
    metrics,
    resources,
    raw,
    requests,
    close: () => {
      server.closeAllConnections()
      server.close()
      grpcServer.forceShutdown()
    },
  })
}
