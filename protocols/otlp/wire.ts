/** What all OTLP messages are made of: values, attributes and the resource, written as protobuf (opentelemetry-proto 1.x). */
import { BIT64, BYTES, VARINT, Writer } from "../protobuf/Writer.ts"

export type OtlpAttribute = readonly [name: string, value: unknown]

/** A field that holds a message; `write` writes its fields. */
export const message = (writer: Writer, field: number, write: (writer: Writer) => void): void => {
  writer.tag(field, BYTES).fork()
  write(writer)
  writer.join()
}

export const text = (writer: Writer, field: number, value: string): void => {
  if (value !== "") writer.tag(field, BYTES).string(value)
}

/** How deep values are told; what is deeper is told as text. */
const depthMax = 8

/** AnyValue: string 1, bool 2, int 3, double 4, array 5, kvlist 6, bytes 7. */
const anyValue = (writer: Writer, value: unknown, depth: number): void => {
  switch (typeof value) {
    case "string":
      writer.tag(1, BYTES).string(value)
      return
    case "boolean":
      writer.tag(2, VARINT).bool(value)
      return
    case "bigint":
      writer.tag(3, VARINT).int64(BigInt.asIntN(64, value))
      return
    case "number":
      if (Number.isSafeInteger(value)) writer.tag(3, VARINT).int64(value)
      else writer.tag(4, BIT64).double(value)
      return
    default:
  }
  if (value === null || typeof value !== "object") return
  if (value instanceof Uint8Array) {
    writer.tag(7, BYTES).blob(value)
  } else if (depth >= depthMax) {
    writer.tag(1, BYTES).string(JSON.stringify(value))
  } else if (Array.isArray(value)) {
    message(writer, 5, (inner) => {
      for (const one of value) message(inner, 1, (item) => anyValue(item, one, depth + 1))
    })
  } else {
    message(writer, 6, (inner) => {
      for (const [key, one] of Object.entries(value)) keyValue(inner, 1, key, one, depth + 1)
    })
  }
}

const keyValue = (writer: Writer, field: number, key: string, value: unknown, depth: number): void => {
  writer.tag(field, BYTES).fork()
  text(writer, 1, key)
  writer.tag(2, BYTES).fork()
  anyValue(writer, value, depth)
  writer.join().join()
}

export const attributes = (writer: Writer, field: number, all: Iterable<OtlpAttribute>): void => {
  for (const [key, value] of all) keyValue(writer, field, key, value, 0)
}

/** A body of a log record, or any other value by itself. */
export const value = (writer: Writer, field: number, one: unknown): void =>
  message(writer, field, (inner) => anyValue(inner, one, 0))

const resource = (writer: Writer, field: number, all: Iterable<OtlpAttribute>): void =>
  message(writer, field, (inner) => attributes(inner, 1, all))

export interface Scope {
  readonly name: string
  readonly version: string
}

const scope = (writer: Writer, field: number, { name, version }: Scope): void =>
  message(writer, field, (inner) => {
    text(inner, 1, name)
    text(inner, 2, version)
  })

/** Who says it: the gateway, and the part of it. */
export interface Origin {
  readonly resource: Iterable<OtlpAttribute>
  readonly scope: Scope
}

/** The field in which all kinds of scopes hold what they tell. */
const itemsField = 2

/** One of the things that are exported, by itself: put after one another they are what `exportRequest` goes around. */
export const item = (writer: Writer, write: (writer: Writer) => void): void => {
  // Hardly any is shorter or longer than two bytes of length can say.
  writer.tag(itemsField, BYTES).fork(2)
  write(writer)
  writer.join()
}

/** What all requests to export have around what they export. */
export const exportRequest = (origin: Origin, items: Uint8Array): Uint8Array => {
  const writer = new Writer(items.byteLength + 2_048)
  // A length of four bytes is nearly always right where much is told, and a copy is all that it costs where it is not.
  const lengthBytes = items.byteLength > 2_000_000 ? 4 : 3
  writer.tag(1, BYTES).fork(lengthBytes)
  resource(writer, 1, origin.resource)
  writer.tag(2, BYTES).fork(lengthBytes)
  scope(writer, 1, origin.scope)
  writer.raw(items).join().join()
  return writer.finish()
}

/** Unix time in nanoseconds, to the microsecond: what a number of milliseconds with a fraction can say. */
export const time = (writer: Writer, field: number, unixMillis: number): void => {
  const micros = Math.max(0, Math.round(unixMillis * 1000))
  // In halves, because nanoseconds are more than a number holds.
  const low = (micros % half) * 1000
  const high = Math.floor(micros / half) * 1000 + Math.floor(low / half)
  writer
    .tag(field, BIT64)
    .fixed32(low % half)
    .fixed32(high % half)
}

const half = 2 ** 32

/** The value of a lower-case hexadecimal digit; NaN for anything else. */
const digit = (code: number): number =>
  code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : Number.NaN

/** An id as bytes; nothing is written for one that is none. */
export const id = (writer: Writer, field: number, hex: string | undefined): void => {
  if (hex === undefined || hex === "" || hex.length % 2 !== 0) return
  // What is no digit is no number, and makes the sum none.
  let all = 0
  for (let i = 0; i < hex.length; i++) all += digit(hex.charCodeAt(i))
  if (Number.isNaN(all)) return
  writer.tag(field, BYTES).uint32(hex.length / 2)
  for (let i = 0; i < hex.length; i += 2) {
    writer.byte(digit(hex.charCodeAt(i)) * 16 + digit(hex.charCodeAt(i + 1)))
  }
}
