/**
 * OTLP as JSON (opentelemetry-proto, "OTLP/HTTP", JSON Protobuf Encoding): the messages are written as protobuf once, and
 * said again in JSON for a receiver that wants it. Ids are hexadecimal there, whatever JSON makes of other bytes.
 */
import { toBase64 } from "../base64.ts"
import { BIT32, BIT64, BYTES, VARINT } from "../protobuf/Writer.ts"

type Kind =
  | "text"
  | "bool"
  | "number"
  | "signed"
  | "int64"
  | "uint64"
  | "fixed32"
  | "fixed64"
  | "double"
  | "hex"
  | "base64"
  | Message

interface Field {
  readonly name: string
  readonly kind: Kind
  readonly isMany?: boolean
}

/** Fields by their number; a function where messages hold each other. */
type Message = () => Readonly<Record<number, Field>>

const one = (name: string, kind: Kind): Field => ({ name, kind })
const many = (name: string, kind: Kind): Field => ({ name, kind, isMany: true })

const anyValueFields: Readonly<Record<number, Field>> = {
  1: one("stringValue", "text"),
  2: one("boolValue", "bool"),
  3: one("intValue", "int64"),
  4: one("doubleValue", "double"),
  5: one("arrayValue", () => ({ 1: many("values", anyValue) })),
  6: one("kvlistValue", () => ({ 1: many("values", keyValue) })),
  7: one("bytesValue", "base64"),
}
const anyValue: Message = () => anyValueFields
const keyValueFields = { 1: one("key", "text"), 2: one("value", anyValue) }
const keyValue: Message = () => keyValueFields

const resourceFields = { 1: many("attributes", keyValue), 2: one("droppedAttributesCount", "number") }
const scopeFields = { 1: one("name", "text"), 2: one("version", "text"), 3: many("attributes", keyValue) }

/** What all kinds of requests have around what they tell. */
const request = (name: string, items: string, item: Readonly<Record<number, Field>>): Message => {
  const scoped = { 1: one("scope", () => scopeFields), 2: many(items, () => item), 3: one("schemaUrl", "text") }
  const group = {
    1: one("resource", () => resourceFields),
    2: many(`scope${name}`, () => scoped),
    3: one("schemaUrl", "text"),
  }
  const all = { 1: many(`resource${name}`, () => group) }
  return () => all
}

const spanFields = {
  1: one("traceId", "hex"),
  2: one("spanId", "hex"),
  3: one("traceState", "text"),
  4: one("parentSpanId", "hex"),
  5: one("name", "text"),
  6: one("kind", "number"),
  7: one("startTimeUnixNano", "fixed64"),
  8: one("endTimeUnixNano", "fixed64"),
  9: many("attributes", keyValue),
  10: one("droppedAttributesCount", "number"),
  15: one("status", () => ({ 2: one("message", "text"), 3: one("code", "number") })),
}

const recordFields = {
  1: one("timeUnixNano", "fixed64"),
  2: one("severityNumber", "number"),
  3: one("severityText", "text"),
  5: one("body", anyValue),
  6: many("attributes", keyValue),
  7: one("droppedAttributesCount", "number"),
  8: one("flags", "fixed32"),
  9: one("traceId", "hex"),
  10: one("spanId", "hex"),
  11: one("observedTimeUnixNano", "fixed64"),
}

const times = { 2: one("startTimeUnixNano", "fixed64"), 3: one("timeUnixNano", "fixed64") }
const numberPoint = { ...times, 4: one("asDouble", "double"), 7: many("attributes", keyValue) }
const explicitPoint = {
  ...times,
  4: one("count", "fixed64"),
  5: one("sum", "double"),
  6: many("bucketCounts", "fixed64"),
  7: many("explicitBounds", "double"),
  9: many("attributes", keyValue),
}
const exponentialPoint = {
  ...times,
  1: many("attributes", keyValue),
  4: one("count", "fixed64"),
  5: one("sum", "double"),
  6: one("scale", "signed"),
  7: one("zeroCount", "fixed64"),
  8: one("positive", () => ({ 1: one("offset", "signed"), 2: many("bucketCounts", "uint64") })),
}
const points = (point: Readonly<Record<number, Field>>): Message => {
  const fields = {
    1: many("dataPoints", () => point),
    2: one("aggregationTemporality", "number"),
    3: one("isMonotonic", "bool"),
  }
  return () => fields
}

const metricFields = {
  1: one("name", "text"),
  2: one("description", "text"),
  3: one("unit", "text"),
  5: one("gauge", points(numberPoint)),
  7: one("sum", points(numberPoint)),
  9: one("histogram", points(explicitPoint)),
  10: one("exponentialHistogram", points(exponentialPoint)),
}

export type Signal = "traces" | "logs" | "metrics"

const requests: { readonly [S in Signal]: Message } = {
  traces: request("Spans", "spans", spanFields),
  logs: request("Logs", "logRecords", recordFields),
  metrics: request("Metrics", "metrics", metricFields),
}

const decoder = new TextDecoder()

const hexOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0")
  return text
}

/** JSON has no words for them, so proto3 says them as texts. */
const numberOf = (value: number): number | string => (Number.isFinite(value) ? value : String(value))

class Reader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.byteLength
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.view.getUint8(this.at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  blob(): Uint8Array {
    const length = Number(this.varint())
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  scalar(kind: Exclude<Kind, Message | "text" | "hex" | "base64">): unknown {
    switch (kind) {
      case "bool":
        return this.varint() !== 0n
      case "number":
        return Number(this.varint())
      case "signed": {
        const value = this.varint()
        return Number((value >> 1n) ^ -(value & 1n))
      }
      case "int64":
        return String(BigInt.asIntN(64, this.varint()))
      case "uint64":
        return String(this.varint())
      case "fixed32":
        this.at += 4
        return this.view.getUint32(this.at - 4, true)
      case "fixed64":
        this.at += 8
        return String(this.view.getBigUint64(this.at - 8, true))
      case "double":
        this.at += 8
        return numberOf(this.view.getFloat64(this.at - 8, true))
    }
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint()
    else if (wire === BIT64) this.at += 8
    else if (wire === BIT32) this.at += 4
    else if (wire === BYTES) this.blob()
    else throw new Error(`no field is written as ${wire}`)
  }
}

const valueOf = (reader: Reader, kind: Kind): unknown => {
  if (typeof kind === "function") return objectOf(reader.blob(), kind())
  if (kind === "text") return decoder.decode(reader.blob())
  if (kind === "hex") return hexOf(reader.blob())
  if (kind === "base64") return toBase64(reader.blob())
  return reader.scalar(kind)
}

const isScalar = (kind: Kind): kind is Exclude<Kind, Message | "text" | "hex" | "base64"> =>
  typeof kind === "string" && kind !== "text" && kind !== "hex" && kind !== "base64"

const objectOf = (bytes: Uint8Array, fields: Readonly<Record<number, Field>>): Record<string, unknown> => {
  const reader = new Reader(bytes)
  const told: Record<string, unknown> = {}
  while (!reader.isAtEnd) {
    const tag = Number(reader.varint())
    const wire = tag & 7
    const field = fields[tag >>> 3]
    if (field === undefined) {
      reader.skip(wire)
      continue
    }
    const { isMany, kind, name } = field
    if (isMany !== true) {
      told[name] = valueOf(reader, kind)
      continue
    }
    const list = (told[name] ??= []) as Array<unknown>
    if (isScalar(kind) && wire === BYTES) {
      const packed = new Reader(reader.blob())
      while (!packed.isAtEnd) list.push(packed.scalar(kind))
    } else list.push(valueOf(reader, kind))
  }
  return told
}

/** An export request that was written as protobuf, as JSON. */
export const toJsonText = (signal: Signal, bytes: Uint8Array): string =>
  JSON.stringify(objectOf(bytes, requests[signal]()))
