/** Variables as somebody wrote them down in JSON, in the shapes that expressions know: bodies in base 64, times as text. */
import * as Result from "effect/Result"
import { type CelValue, double, isError, mapFromEntries, Timestamp, Uint } from "../../ir/cel/CelValue.ts"
import type { Activation } from "../../ir/cel/compile.ts"
import { parseDuration, parseTimestamp } from "../../ir/cel/time.ts"
import type { Type } from "../../ir/cel/Type.ts"
import { HeaderView, QueryText, RedactedText } from "../../ir/cel/views.ts"
import { isObject } from "../../protocols/json/object.ts"

class Malformed {
  readonly message: string
  constructor(path: string, message: string) {
    this.message = `${path}: ${message}`
  }
}

const text = (value: unknown, path: string): string => {
  if (typeof value === "string") return value
  throw new Malformed(path, "expected text")
}

const headers = (value: unknown, path: string): HeaderView => {
  if (!isObject(value)) throw new Malformed(path, "expected a map of names to values")
  const flat: Array<string> = []
  for (const [name, given] of Object.entries(value)) {
    for (const one of Array.isArray(given) ? given : [given])
      flat.push(name.toLowerCase(), text(one, `${path}.${name}`))
  }
  return new HeaderView(flat)
}

const numberOf = (value: unknown, path: string): number => {
  if (typeof value === "number") return value
  throw new Malformed(path, "expected a number")
}

const parsed = (
  path: string,
  value: ReturnType<typeof parseTimestamp> | ReturnType<typeof parseDuration>,
): CelValue => {
  if (isError(value)) throw new Malformed(path, value.message)
  return value
}

const named: Readonly<Record<string, (value: unknown, path: string) => CelValue>> = {
  string: text,
  query: (value, path) => new QueryText(text(value, path)),
  redacted: (value, path) => new RedactedText(text(value, path)),
  headers,
  bytes: (value, path) => {
    try {
      return Uint8Array.fromBase64(text(value, path))
    } catch (problem) {
      throw problem instanceof Malformed ? problem : new Malformed(path, "expected base 64")
    }
  },
  bool: (value, path) => {
    if (typeof value === "boolean") return value
    throw new Malformed(path, "expected true or false")
  },
  int: (value, path) => {
    const number = numberOf(value, path)
    if (Number.isSafeInteger(number)) return number
    throw new Malformed(path, "expected a whole number")
  },
  uint: (value, path) => {
    const number = numberOf(value, path)
    if (Number.isSafeInteger(number) && number >= 0) return new Uint(number)
    throw new Malformed(path, "expected a whole number that is not negative")
  },
  double: (value, path) => double(numberOf(value, path)),
  timestamp: (value, path) =>
    typeof value === "number" ? new Timestamp(Math.trunc(value), 0) : parsed(path, parseTimestamp(text(value, path))),
  duration: (value, path) => parsed(path, parseDuration(text(value, path))),
}

const converted = (type: Type, value: unknown, path: string): CelValue => {
  if (value === null) return null
  switch (type.kind) {
    case "record": {
      if (!isObject(value)) throw new Malformed(path, "expected a map")
      return mapFromEntries(
        Object.entries(value).map(([name, one]) => {
          const field = Object.hasOwn(type.fields, name) ? type.fields[name] : type.rest
          if (field === undefined) throw new Malformed(`${path}.${name}`, "there is no such field")
          return [name, converted(field, one, `${path}.${name}`)] as const
        }),
      )
    }
    case "named": {
      const convert = Object.hasOwn(named, type.name) ? named[type.name] : undefined
      if (convert !== undefined) return convert(value, path)
      const [first] = type.arguments
      if (type.name === "list" && first !== undefined) {
        if (!Array.isArray(value)) throw new Malformed(path, "expected a list")
        return value.map((one, i) => converted(first, one, `${path}[${i}]`))
      }
      return value as CelValue
    }
    case "variable":
      return value as CelValue
  }
}

/** The variables of an evaluation, or what is wrong with how they are given. */
export const given = (data: unknown, variables: Readonly<Record<string, Type>>): Result.Result<Activation, string> => {
  if (data === undefined || data === null) return Result.succeed({ get: () => undefined })
  if (!isObject(data)) return Result.fail("expected a map of variables")
  const values = new Map<string, CelValue>()
  try {
    for (const [name, value] of Object.entries(data)) {
      const type = Object.hasOwn(variables, name) ? variables[name] : undefined
      if (type === undefined) return Result.fail(`${name}: there is no such variable`)
      values.set(name, converted(type, value, name))
    }
  } catch (problem) {
    if (problem instanceof Malformed) return Result.fail(problem.message)
    throw problem
  }
  return Result.succeed({ get: (name) => values.get(name) })
}
