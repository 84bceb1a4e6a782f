/** Small values that many sections share, each as a Schema from what the file says to what the gateway means. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { HostTarget } from "../../../ir/Backend.ts"
import { Expression, type NamedExpression } from "../../../ir/Expression.ts"
import type { Parsed } from "../Complaint.ts"
import * as Duration from "../duration.ts"
import { chooseFrom } from "../suggest.ts"
import * as TargetText from "../target.ts"

/** An optional key with its description. */
export const opt = <S extends Schema.Constraint>(schema: S, description?: string) =>
  description === undefined ? Schema.optionalKey(schema) : Schema.optionalKey(schema).annotateKey({ description })

/** A required key with its description. */
export const req = <S extends Schema.Top>(schema: S, description: string): S["Rebuild"] =>
  schema.annotateKey({ description })

const invalid = (complaint: { readonly message: string; readonly remedy: string }) =>
  Effect.fail(new SchemaIssue.InvalidValue({ message: complaint.message, remedy: complaint.remedy }))

/** Passes everything: what the check tells is for the published JSON Schema only, so it is not made unless that is. */
const published = (fragment: () => Record<string, unknown>) =>
  Schema.makeFilter<unknown>(() => true, { toJsonSchema: () => [fragment(), true] })

/** Text with a grammar of its own. */
export const parsed = <A>(
  to: Schema.Codec<A>,
  parse: (text: string) => Parsed<A>,
  print: (value: A) => string,
  fragment: () => Record<string, unknown> = () => ({}),
): Schema.Codec<A, string> =>
  Schema.String.check(published(fragment)).pipe(
    Schema.decodeTo(
      to,
      SchemaTransformation.transformEffect<A, string>({
        decode: (text) => {
          const result = parse(text)
          return Result.isSuccess(result) ? Effect.succeed(result.success) : invalid(result.failure)
        },
        encode: (value) => Effect.succeed(print(value)),
      }),
    ),
  )

const anyCasePattern = (words: ReadonlyArray<string>): string => {
  const letter = (c: string) =>
    /[a-z]/i.test(c) ? `[${c.toUpperCase()}${c.toLowerCase()}]` : c.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&")
  return `^(?:${words.map((word) => [...word].map(letter).join("")).join("|")})$`
}

/** For the published JSON Schema: these words for completion, and any letter case of them. */
export const wordsFragment = (words: ReadonlyArray<string>): Record<string, unknown> => ({
  anyOf: [{ enum: [...words] }, { pattern: anyCasePattern(words) }],
})

/** One of a few words, in any letter case, with other spellings of them. */
export const anyCase = <const Words extends ReadonlyArray<string>>(
  words: Words,
  others: Readonly<Record<string, Words[number]>> = {},
): Schema.Codec<Words[number], string> => {
  const known = new Map<string, Words[number]>()
  for (const word of words) known.set(word.toLowerCase(), word)
  for (const [other, word] of Object.entries(others)) known.set(other.toLowerCase(), word)
  return parsed<Words[number]>(
    Schema.Literals(words),
    (text) => {
      const word = known.get(text.toLowerCase())
      return word === undefined
        ? Result.fail({ message: `unknown value ${JSON.stringify(text)}`, remedy: chooseFrom(text, words, 24) })
        : Result.succeed(word)
    },
    (word) => word,
    () => wordsFragment([...words, ...Object.keys(others)]),
  )
}

/** How a receiver of OTLP is spoken to; `http` as protobuf. */
export const otlpProtocol = anyCase(["grpc", "http", "http/json"], { "http/protobuf": "http" })

export const failureMode = anyCase(["failClosed", "failOpen"])

/** A duration, in milliseconds once decoded; a bare `0` may go without a unit. */
export const Millis: Schema.Codec<number, string | number> = Schema.Union([
  Schema.String.check(published(() => ({ pattern: Duration.pattern }))),
  Schema.Finite.check(published(() => ({ const: 0 }))),
]).pipe(
  Schema.decodeTo(
    Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)),
    SchemaTransformation.transformEffect<number, string | number>({
      decode: (text) => {
        const result = Duration.parse(String(text))
        return Result.isSuccess(result) ? Effect.succeed(result.success) : invalid(result.failure)
      },
      encode: (millis) => Effect.succeed(Duration.format(millis)),
    }),
  ),
)

/** Time for something that takes some. */
export const Patience: Schema.Codec<number, string | number> = Millis.pipe(
  Schema.check(Schema.makeFilter((millis: number) => (millis > 0 ? undefined : "expected a time above 0"))),
)

/** `host:port`, `[::1]:port` or `unix:/path`. */
export const Target: Schema.Codec<HostTarget, string> = parsed(HostTarget, TargetText.parse, TargetText.format)

/** The source of a CEL expression. */
export const Cel = Expression

export const CelMap = Schema.Record(Schema.String, Cel)

export const expressions = (map: Readonly<Record<string, Expression>> = {}): ReadonlyArray<NamedExpression> =>
  Object.entries(map).map(([name, expression]) => ({ name, expression }))

/** A map that holds nothing: that it is there says it all. */
export const Nothing = Schema.Record(Schema.String, Schema.Never)

export const Texts = Schema.Array(Schema.String)
export const TextMap = Schema.Record(Schema.String, Schema.String)
export const JsonMap = Schema.Record(Schema.String, Schema.Json)

const integer = (min: number, max: number, expected: string) =>
  Schema.Finite.check(
    Schema.makeFilter((n: number) => Number.isInteger(n) && n >= min && n <= max, {
      message: `expected ${expected}`,
      toJsonSchema: () => ({ type: "integer", minimum: min, maximum: max }),
      arbitraryConstraint: { number: "integer", minimum: min, maximum: max },
    }),
  )

const natural = (max: number, expected: string) => integer(0, max, expected)

export const between = (min: number, max: number) => integer(min, max, `a whole number from ${min} to ${max}`)

export const Count = natural(0xffff_ffff, "a whole number, 0 or more")

export const Byte = natural(0xff, "a byte, 0 to 255")

/** As a handshake can carry it. */
export const AlpnName = Schema.String.check(
  Schema.makeFilter((name: string) => {
    const bytes = Buffer.byteLength(name)
    return bytes >= 1 && bytes <= 255 ? undefined : "the name of a protocol has 1 to 255 bytes"
  }),
)

export const utf8 = new TextDecoder("utf-8", { fatal: false })

/** A text, or the list of its bytes. */
export const TextOrBytes = Schema.Union([Schema.String, Schema.Array(Byte)]).pipe(
  Schema.decodeTo(Schema.String, {
    decode: SchemaGetter.transform((text) => (typeof text === "string" ? text : utf8.decode(Uint8Array.from(text)))),
    encode: SchemaGetter.transform((text): string | ReadonlyArray<number> => text),
  }),
)

export const Port = Schema.Finite.check(
  Schema.makeFilter((n: number) => Number.isInteger(n) && n >= 1 && n <= 65_535, {
    message: "expected a port number from 1 to 65535",
    toJsonSchema: () => ({ type: "integer", minimum: 1, maximum: 65_535 }),
  }),
)

/** 0 stands for “any” where a bind is only reachable from inside. */
export const PortOrZero = natural(65_535, "a port number from 0 to 65535")

export const Status = Schema.Finite.check(
  Schema.makeFilter((n: number) => Number.isInteger(n) && n >= 100 && n <= 999, {
    message: "expected an HTTP status from 100 to 999",
    toJsonSchema: () => ({ type: "integer", minimum: 100, maximum: 999 }),
  }),
)

/** A number from 0 to 1. */
export const Fraction = Schema.Finite.check(
  Schema.makeFilter((n: number) => n >= 0 && n <= 1, {
    message: "expected a number from 0.0 to 1.0",
    toJsonSchema: () => ({ minimum: 0, maximum: 1 }),
  }),
)

export const FileName = Schema.NonEmptyString

/** Adds “exactly one of these keys” to a struct. */
export const exactlyOne = <S extends Schema.Top>(
  schema: S,
  keys: ReadonlyArray<string>,
  message = `exactly one of ${keys.map((key) => `\`${key}\``).join(", ")} must be set`,
): S["Rebuild"] =>
  schema.check(
    Schema.makeFilter<S["Type"]>((value: unknown) => {
      const set = typeof value === "object" && value !== null ? keys.filter((key) => Object.hasOwn(value, key)) : []
      return set.length === 1
        ? undefined
        : set.length === 0
          ? message
          : `${message}; found ${set.map((key) => `\`${key}\``).join(" and ")}`
    }),
  )

export const atMostOne = <S extends Schema.Top>(schema: S, keys: ReadonlyArray<string>): S["Rebuild"] =>
  schema.check(
    Schema.makeFilter<S["Type"]>((value: unknown) => {
      const set = typeof value === "object" && value !== null ? keys.filter((key) => Object.hasOwn(value, key)) : []
      return set.length > 1 ? `only one of ${set.map((key) => `\`${key}\``).join(", ")} may be set` : undefined
    }),
  )

/** Adds “not both of these spellings”. */
export const oneSpelling = <S extends Schema.Top>(
  schema: S,
  pairs: ReadonlyArray<readonly [string, string]>,
): S["Rebuild"] =>
  schema.check(
    Schema.makeFilter<S["Type"]>((value: unknown) => {
      for (const [name, alias] of pairs) {
        if (typeof value === "object" && value !== null && Object.hasOwn(value, name) && Object.hasOwn(value, alias)) {
          return `\`${name}\` and \`${alias}\` are two spellings of one field; set one`
        }
      }
      return undefined
    }),
  )
