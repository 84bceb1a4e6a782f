/** The public conformance cases as this engine's types and values, without protobuf. */
import { tests } from "@bufbuild/cel-spec/testdata/conformance.js"
import * as Result from "effect/Result"
import { check } from "../../../ir/cel/check.ts"
import {
  CelError,
  type CelValue,
  double,
  equal,
  type Evaluated,
  int,
  isError,
  type Key,
  keyOf,
  kindOf,
  MapValue,
  TypeValue,
  typeValue,
  Uint,
  uint,
} from "../../../ir/cel/CelValue.ts"
import { compileTree } from "../../../ir/cel/compile.ts"
import type { Environment } from "../../../ir/cel/Environment.ts"
import { parse } from "../../../ir/cel/parse.ts"
import { parseDuration, parseTimestamp } from "../../../ir/cel/time.ts"
import * as T from "../../../ir/cel/Type.ts"
import { natives } from "./natives.ts"

export interface Case {
  readonly name: string
  readonly expr: string
  readonly test: Raw
}

interface Raw {
  readonly name?: string
  readonly expr: string
  readonly disableCheck?: boolean
  readonly checkOnly?: boolean
  readonly container?: string
  readonly typeEnv?: ReadonlyArray<Json>
  readonly bindings?: Readonly<Record<string, Json>>
  readonly value?: Json
  readonly typedResult?: { readonly result?: Json; readonly deducedType?: Json }
  readonly evalError?: Json
}

interface Suite {
  readonly name: string
  readonly suites?: ReadonlyArray<Suite>
  readonly tests?: ReadonlyArray<{ readonly original: Raw }>
}

// The data is protobuf JSON; its shape is known only field by field.
type Json = Readonly<Record<string, unknown>>
const at = (json: unknown, field: string): unknown =>
  typeof json === "object" && json !== null ? (json as Json)[field] : undefined
const has = (json: unknown, field: string): boolean =>
  typeof json === "object" && json !== null && Object.hasOwn(json, field)
const listAt = (json: unknown, field: string): ReadonlyArray<unknown> => {
  const found = at(json, field)
  return Array.isArray(found) ? found : []
}

/** A case that cannot be written without protobuf messages. */
class NeedsProtobuf extends Error {}

export const cases = (): ReadonlyArray<Case> => {
  const found: Array<Case> = []
  const seen = new Map<string, number>()
  const walk = (suite: Suite, path: string): void => {
    for (const { original } of suite.tests ?? []) {
      const base = `${path}/${original.name ?? original.expr}`
      const count = (seen.get(base) ?? 0) + 1
      seen.set(base, count)
      found.push({ name: count === 1 ? base : `${base}#${count}`, expr: original.expr, test: original })
    }
    for (const inner of suite.suites ?? []) walk(inner, path === "" ? inner.name : `${path}/${inner.name}`)
  }
  walk(tests as unknown as Suite, "")
  return found
}

const base64 = (text: unknown): Uint8Array => Uint8Array.from(atob(String(text ?? "")), (one) => one.charCodeAt(0))
const must = (value: Evaluated): CelValue => {
  if (isError(value)) throw new Error(value.message)
  return value
}
const number = (value: unknown): number =>
  value === "NaN" ? Number.NaN : value === "Infinity" ? Infinity : value === "-Infinity" ? -Infinity : Number(value)

const toValue = (json: unknown): CelValue => {
  if (has(json, "nullValue")) return null
  if (has(json, "boolValue")) return at(json, "boolValue") === true
  if (has(json, "int64Value")) return must(int(BigInt(String(at(json, "int64Value")))))
  if (has(json, "uint64Value")) return must(uint(BigInt(String(at(json, "uint64Value")))))
  if (has(json, "doubleValue")) return double(number(at(json, "doubleValue")))
  if (has(json, "stringValue")) return String(at(json, "stringValue"))
  if (has(json, "bytesValue")) return base64(at(json, "bytesValue"))
  if (has(json, "typeValue")) return typeValue(String(at(json, "typeValue")))
  if (has(json, "listValue")) return listAt(at(json, "listValue"), "values").map(toValue)
  if (has(json, "mapValue")) return toMap(listAt(at(json, "mapValue"), "entries"))
  if (has(json, "objectValue")) return toMessage(at(json, "objectValue"))
  throw new NeedsProtobuf(JSON.stringify(json))
}

const toMap = (entries: ReadonlyArray<unknown>): CelValue => {
  const values = new Map<Key, CelValue>()
  const originals = new Map<Key, CelValue>()
  for (const entry of entries) {
    const key = toValue(at(entry, "key"))
    const name = keyOf(key)
    if (name === undefined) throw new Error("not a key")
    values.set(name, toValue(at(entry, "value")))
    if (key instanceof Uint) originals.set(name, key)
  }
  return new MapValue(values, originals)
}

const toMessage = (json: unknown): CelValue => {
  const value = at(json, "value")
  switch (String(at(json, "@type")).replace("type.googleapis.com/google.protobuf.", "")) {
    case "Timestamp":
      return must(parseTimestamp(String(value)))
    case "Duration":
      return must(parseDuration(String(value)))
    case "StringValue":
      return String(value)
    case "BoolValue":
      return value === true
    case "Int64Value":
    case "Int32Value":
      return must(int(BigInt(String(value))))
    case "UInt64Value":
    case "UInt32Value":
      return must(uint(BigInt(String(value))))
    case "DoubleValue":
    case "FloatValue":
      return double(number(value))
    case "BytesValue":
      return base64(value)
    case "ListValue":
    case "Struct":
    case "Value":
      return jsonValue(value)
    default:
      throw new NeedsProtobuf(String(at(json, "@type")))
  }
}

/** As JSON is read by the language: every number is a double. */
const jsonValue = (json: unknown): CelValue => {
  if (typeof json === "number") return double(json)
  if (Array.isArray(json)) return json.map(jsonValue)
  if (typeof json !== "object" || json === null) return json as CelValue
  return new MapValue(new Map(Object.entries(json).map(([name, one]) => [name, jsonValue(one)])))
}

/** Messages that stand for plain values, and are such values wherever they are bound. */
const plain = /^google\.protobuf\.(?:(?:Bool|Bytes|Double|Float|U?Int32|U?Int64|String|List)Value|Struct|Value)$/

const primitives: Readonly<Record<string, T.Type>> = {
  BOOL: T.bool,
  INT64: T.int,
  UINT64: T.uint,
  DOUBLE: T.double,
  STRING: T.string,
  BYTES: T.bytes,
}

const toType = (json: unknown): T.Type => {
  if (has(json, "dyn")) return T.dyn
  if (has(json, "null")) return T.nullType
  if (has(json, "primitive")) return primitives[String(at(json, "primitive"))] ?? T.dyn
  if (has(json, "listType")) return T.list(toType(at(at(json, "listType"), "elemType")))
  if (has(json, "mapType"))
    return T.map(toType(at(at(json, "mapType"), "keyType")), toType(at(at(json, "mapType"), "valueType")))
  if (has(json, "type")) return T.typeOf(toType(at(json, "type")))
  if (has(json, "wellKnown"))
    return at(json, "wellKnown") === "TIMESTAMP"
      ? T.timestamp
      : at(json, "wellKnown") === "DURATION"
        ? T.duration
        : T.dyn
  if (has(json, "abstractType")) {
    const abstract = at(json, "abstractType")
    return T.named(String(at(abstract, "name")), ...listAt(abstract, "parameterTypes").map(toType))
  }
  const message = at(json, "messageType")
  if (message === "google.protobuf.Timestamp") return T.timestamp
  if (message === "google.protobuf.Duration") return T.duration
  if (plain.test(String(message))) return T.dyn
  throw new NeedsProtobuf(JSON.stringify(json))
}

/** Undefined when the case passes, else what went wrong. */
export const run = ({ test }: Case): string | undefined => {
  try {
    return attempt(test)
  } catch (problem) {
    return problem instanceof Error ? `${problem.constructor.name}: ${problem.message}` : String(problem)
  }
}

const environmentFor = (test: Raw): Environment => {
  const variables: Record<string, T.Type> = {}
  for (const one of test.typeEnv ?? []) {
    if (has(one, "ident")) variables[String(at(one, "name"))] = toType(at(at(one, "ident"), "type"))
    else throw new Error("declares functions")
  }
  for (const name of Object.keys(test.bindings ?? {})) variables[name] ??= T.dyn
  return { name: "the case", variables, elsewhere: {}, container: test.container }
}

const attempt = (test: Raw): string | undefined => {
  const environment = environmentFor(test)
  const parsed = parse(test.expr)
  const wantsError = has(test, "evalError")
  if (Result.isFailure(parsed)) return wantsError ? undefined : `parse: ${parsed.failure.message}`
  if (test.disableCheck !== true) {
    const checked = check(parsed.success, test.expr, environment)
    if (checked.issues.length > 0)
      return wantsError ? undefined : `check: ${checked.issues.map((one) => one.message).join("; ")}`
    const deduced = test.typedResult?.deducedType
    if (deduced !== undefined && T.print(checked.type) !== T.print(toType(deduced)))
      return `type ${T.print(checked.type)}, not ${T.print(toType(deduced))}`
  }
  if (test.checkOnly === true) return undefined
  const bindings = new Map(
    Object.entries(test.bindings ?? {}).map(([name, one]) => [name, toValue(at(one, "value"))] as const),
  )
  const result = compileTree(parsed.success, environment, natives).evaluate({ get: (name) => bindings.get(name) })
  if (wantsError) return isError(result) ? undefined : `no error: ${show(result)}`
  if (isError(result)) return `error: ${result.message}`
  const json = test.value ?? test.typedResult?.result
  const wanted = json === undefined ? true : toValue(json)
  return same(result, wanted) ? undefined : `${show(result)}, not ${show(wanted)}`
}

/** Equal and of the same type, through and through; NaN is NaN. */
const same = (left: CelValue, right: CelValue): boolean => {
  if (kindOf(left) !== kindOf(right)) return false
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((one: CelValue, i) => same(one, right[i] as CelValue))
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name
  return (
    (typeof left === "number" && typeof right === "number" && Number.isNaN(left) && Number.isNaN(right)) ||
    equal(left, right)
  )
}

const show = (value: CelValue): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === "bigint" ? `${one}n` : one instanceof Map ? [...one] : one instanceof CelError ? one.message : one,
  )
