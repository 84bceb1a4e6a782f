/** Splits an expression into tokens, with literals already read. */
import { Uint, type CelValue, double as doubleValue, int, isError } from "./CelValue.ts"

export type Token = { readonly at: number; readonly end: number } & (
  | { readonly kind: "literal"; readonly value: CelValue }
  /** A decimal or hexadecimal integer, whose range depends on the sign before it. */
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "name"; readonly text: string }
  /** A field name in backticks. */
  | { readonly kind: "quoted"; readonly text: string }
  | { readonly kind: "symbol"; readonly text: string }
  | { readonly kind: "end" }
)

/** Thrown inside reading an expression, caught by `parse`. */
export class SyntaxProblem {
  readonly at: number
  readonly message: string
  readonly remedy: string | undefined
  constructor(at: number, message: string, remedy?: string) {
    this.at = at
    this.message = message
    this.remedy = remedy
  }
}

const symbols = [
  "&&",
  "||",
  "==",
  "!=",
  "<=",
  ">=",
  "<",
  ">",
  "+",
  "-",
  "*",
  "/",
  "%",
  "!",
  "?",
  ":",
  ".",
  ",",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
]
const space = /[ \t\r\n\f]+|\/\/[^\n]*/y
const number = /0[xX][0-9a-fA-F]+[uU]?|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?/y
const word = /[A-Za-z_][A-Za-z0-9_]*/y
const stringStart = /(?:[rR][bB]?|[bB][rR]?)?(?:"""|'''|"|')/y
const backtick = /`[A-Za-z0-9_.\-/ ]+`/y

const at = (pattern: RegExp, source: string, offset: number): string | undefined => {
  pattern.lastIndex = offset
  return pattern.exec(source)?.[0]
}

export const lex = (source: string): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  let offset = 0
  while (true) {
    for (let skipped = at(space, source, offset); skipped !== undefined; skipped = at(space, source, offset))
      offset += skipped.length
    if (offset >= source.length) break
    const token = next(source, offset)
    tokens.push(token)
    offset = token.end
  }
  tokens.push({ kind: "end", at: source.length, end: source.length })
  return tokens
}

const next = (source: string, offset: number): Token => {
  const opening = at(stringStart, source, offset)
  if (opening !== undefined) return readString(source, offset, opening)
  const name = at(word, source, offset)
  if (name !== undefined) return { kind: "name", text: name, at: offset, end: offset + name.length }
  const digits = at(number, source, offset)
  if (digits !== undefined) return readNumber(digits, offset)
  const quoted = at(backtick, source, offset)
  if (quoted !== undefined)
    return { kind: "quoted", text: quoted.slice(1, -1), at: offset, end: offset + quoted.length }
  const symbol = symbols.find((one) => source.startsWith(one, offset))
  if (symbol !== undefined) return { kind: "symbol", text: symbol, at: offset, end: offset + symbol.length }
  const character = String.fromCodePoint(source.codePointAt(offset) ?? 0)
  const remedies: Record<string, string> = {
    "=": "write == to compare",
    "&": "write && for and",
    "|": "write || for or",
    "#": "comments begin with //",
  }
  throw new SyntaxProblem(offset, `unexpected character ${JSON.stringify(character)}`, remedies[character])
}

const readNumber = (digits: string, offset: number): Token => {
  const end = offset + digits.length
  const hexadecimal = /^0[xX]/.test(digits)
  if (/[uU]$/.test(digits)) {
    const value = BigInt(digits.slice(0, -1))
    if (value >= 2n ** 64n)
      throw new SyntaxProblem(offset, `${digits} is larger than an unsigned integer can be (2^64 - 1)`)
    const compact = int(value)
    return { kind: "literal", value: new Uint(isError(compact) ? value : compact), at: offset, end }
  }
  if (!hexadecimal && /[.eE]/.test(digits))
    return { kind: "literal", value: doubleValue(Number(digits)), at: offset, end }
  return { kind: "integer", value: BigInt(digits), at: offset, end }
}

const simpleEscapes: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  "?": 63,
  '"': 34,
  "'": 39,
  "`": 96,
}

const readString = (source: string, offset: number, opening: string): Token => {
  const prefix = opening.replace(/["']+$/, "").toLowerCase()
  const quote = opening.slice(prefix.length)
  const raw = prefix.includes("r")
  const asBytes = prefix.includes("b")
  const out: Array<number> = []
  const text: Array<string> = []
  const encoder = new TextEncoder()
  const flush = (from: number, to: number) => {
    if (from >= to) return
    const part = source.slice(from, to)
    if (asBytes) for (const byte of encoder.encode(part)) out.push(byte)
    else text.push(part)
  }
  let i = offset + opening.length
  let plain = i
  while (!source.startsWith(quote, i)) {
    const character = source[i]
    if (character === undefined || (quote.length === 1 && (character === "\n" || character === "\r")))
      throw new SyntaxProblem(offset, "this string is never closed", `add ${quote} at its end`)
    if (character !== "\\") {
      i++
      continue
    }
    if (raw) {
      i++
      continue
    }
    flush(plain, i)
    const escape = readEscape(source, i, asBytes)
    if (asBytes) out.push(escape.code)
    else text.push(String.fromCodePoint(escape.code))
    i = plain = escape.end
  }
  flush(plain, i)
  const end = i + quote.length
  return { kind: "literal", value: asBytes ? Uint8Array.from(out) : text.join(""), at: offset, end }
}

const escapeForms: Readonly<Record<string, { readonly digits: RegExp; readonly radix: number }>> = {
  x: { digits: /^[0-9a-fA-F]{2}/, radix: 16 },
  X: { digits: /^[0-9a-fA-F]{2}/, radix: 16 },
  u: { digits: /^[0-9a-fA-F]{4}/, radix: 16 },
  U: { digits: /^[0-9a-fA-F]{8}/, radix: 16 },
}

const readEscape = (
  source: string,
  offset: number,
  asBytes: boolean,
): { readonly code: number; readonly end: number } => {
  const letter = source[offset + 1] ?? ""
  const simple = simpleEscapes[letter]
  if (simple !== undefined) return { code: simple, end: offset + 2 }
  const octal = /^[0-3][0-7]{2}/.exec(source.slice(offset + 1, offset + 4))?.[0]
  if (octal !== undefined) return { code: Number.parseInt(octal, 8), end: offset + 4 }
  const form = escapeForms[letter]
  const digits = form?.digits.exec(source.slice(offset + 2, offset + 10))?.[0]
  if (form === undefined || digits === undefined || (asBytes && (letter === "u" || letter === "U")))
    throw new SyntaxProblem(
      offset,
      `unknown escape \\${letter}`,
      String.raw`write \\ for a backslash, or put r before the string: r"\d+"`,
    )
  const code = Number.parseInt(digits, form.radix)
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    throw new SyntaxProblem(offset, `\\${letter}${digits} is not a character`)
  return { code, end: offset + 2 + digits.length }
}
