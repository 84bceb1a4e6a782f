/** What all OTLP messages are made of: values, attributes and the resource, written as protobuf (opentelemetry-proto 1.x). */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"

export type OtlpValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | ReadonlyArray<unknown>
  | { readonly [key: string]: unknown }
export type OtlpAttribute = readonly [name: string, value: unknown]

export { BinaryWriter, WireType }

/** A field that holds a message; `write` writes its fields. */
export const message = (writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => void): void => {
  writer.tag(field, WireType.LengthDelimited).fork()
  write(writer)
  writer.join()
}

export const text = (writer: BinaryWriter, field: number, value: string): void => {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value)
}

/** How deep values are told; what is deeper is told as text. */
const depthMax = 8

/** AnyValue: string 1, bool 2, int 3, double 4, array 5, kvlist 6, bytes 7. */
const anyValue = (writer: BinaryWriter, value: unknown, depth: number): void => {
  switch (typeof value) {
    case "string":
      writer.tag(1, WireType.LengthDelimited).string(value)
      return
    case "boolean":
      writer.tag(2, WireType.Varint).bool(value)
      return
    case "bigint":
      writer.tag(3, WireType.Varint).int64(BigInt.asIntN(64, value))
      return
    case "number":
      if (Number.isSafeInteger(value)) writer.tag(3, WireType.Varint).int64(value)
      else writer.tag(4, WireType.Bit64).double(value)
      return
    default:
  }
  if (value === null || typeof value !== "object") return
  if (value instanceof Uint8Array) {
    writer.tag(7, WireType.LengthDelimited).bytes(value)
  } else if (depth >= depthMax) {
    writer.tag(1, WireType.LengthDelimited).string(JSON.stringify(value))
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

/** Text whose bytes are as many as its characters. */
const ascii = /^[\u0020-\u007e]*$/
/** Lengths up to here take one byte. */
const shortMax = 0x7f

const keyValue = (writer: BinaryWriter, field: number, key: string, value: unknown, depth: number): void => {
  // Nearly all attributes are short plain texts: their lengths are known beforehand, so nothing is written twice.
  if (typeof value === "string" && key !== "") {
    const inner = value.length + 2
    const whole = key.length + inner + 4
    if (whole <= shortMax && ascii.test(value) && ascii.test(key)) {
      writer.tag(field, WireType.LengthDelimited).uint32(whole)
      writer.tag(1, WireType.LengthDelimited).string(key)
      writer.tag(2, WireType.LengthDelimited).uint32(inner)
      writer.tag(1, WireType.LengthDelimited).string(value)
      return
    }
  }
  writer.tag(field, WireType.LengthDelimited).fork()
  text(writer, 1, key)
  writer.tag(2, WireType.LengthDelimited).fork()
  anyValue(writer, value, depth)
  writer.join().join()
}

export const attributes = (writer: BinaryWriter, field: number, all: Iterable<OtlpAttribute>): void => {
  for (const [key, value] of all) keyValue(writer, field, key, value, 0)
}

/** A body of a log record, or any other value by itself. */
export const value = (writer: BinaryWriter, field: number, one: unknown): void =>
  message(writer, field, (inner) => anyValue(inner, one, 0))

const resource = (writer: BinaryWriter, field: number, all: Iterable<OtlpAttribute>): void =>
  message(writer, field, (inner) => attributes(inner, 1, all))

export interface Scope {
  readonly name: string
  readonly version: string
}

const scope = (writer: BinaryWriter, field: number, { name, version }: Scope): void =>
  message(writer, field, (inner) => {
    text(inner, 1, name)
    text(inner, 2, version)
  })

/** Who says it: the gateway, and the part of it. */
export interface Origin {
  readonly resource: Iterable<OtlpAttribute>
  readonly scope: Scope
}

/** What all requests to export have around what they export. */
export const exportRequest = <A>(
  origin: Origin,
  all: Iterable<A>,
  write: (writer: BinaryWriter, one: A) => void,
): Uint8Array => {
  const writer = new BinaryWriter()
  message(writer, 1, (group) => {
    resource(group, 1, origin.resource)
    message(group, 2, (scoped) => {
      scope(scoped, 1, origin.scope)
      for (const one of all) message(scoped, 2, (inner) => write(inner, one))
    })
  })
  return writer.finish()
}

/** Unix time in nanoseconds, to the microsecond: what a number of milliseconds with a fraction can say. */
export const time = (writer: BinaryWriter, field: number, unixMillis: number): void => {
  const micros = Math.max(0, Math.round(unixMillis * 1000))
  // In halves, because nanoseconds are more than a number holds.
  const low = (micros % half) * 1000
  const high = Math.floor(micros / half) * 1000 + Math.floor(low / half)
  writer
    .tag(field, WireType.Bit64)
    .fixed32(low % half)
    .fixed32(high % half)
}

const half = 2 ** 32

/** The value of a lower-case hexadecimal digit; NaN for anything else. */
const digit = (code: number): number =>
  code >= 0x30 && code <= 0x39 ? code - 0x30 : code >= 0x61 && code <= 0x66 ? code - 0x57 : Number.NaN

/** An id as bytes; nothing is written for one that is none. */
export const id = (writer: BinaryWriter, field: number, hex: string | undefined): void => {
  if (hex === undefined || hex === "" || hex.length % 2 !== 0) return
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const value = digit(hex.charCodeAt(2 * i)) * 16 + digit(hex.charCodeAt(2 * i + 1))
    if (Number.isNaN(value)) return
    bytes[i] = value
  }
  writer.tag(field, WireType.LengthDelimited).bytes(bytes)
}
