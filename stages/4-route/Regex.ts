/**
 * Regular expressions of the configuration: RE2 dialect, always over the whole text, linear in its length.
 * re2js runs them all (60–200 ns on a path). A native expression would be quicker, but proving that it cannot
 * backtrack is harder than what it saves.
 */
import * as Result from "effect/Result"
import type { RE2JS } from "re2js"
import { engine } from "./re2.ts"

export interface Regex {
  readonly pattern: string
  /** Every text that matches begins with it; empty when nothing is known. */
  readonly prefix: string
  /** Texts longer than this are not looked at. A caller for whom "no match" is the lenient answer compares first. */
  readonly textLengthMax: number
  test(text: string): boolean
}

/** Twice what header and path patterns of the Gateway API may hold. */
export const patternLengthMax = 4096

/** Bounds the time to compile, and the memory that an expression holds. */
export const programSizeMax = 1024

/** No request line or header is longer. */
export const textLengthMax = 65_536

/** Program size × text length: a tenth of a second for the worst expression there is, microseconds for a usual one. */
export const workMax = 2_097_152

class Re2 implements Regex {
  readonly pattern: string
  readonly prefix: string
  readonly textLengthMax: number
  private readonly program: RE2JS

  constructor(pattern: string, program: RE2JS) {
    this.pattern = pattern
    this.prefix = literalPrefix(pattern)
    this.textLengthMax = textBound(program.programSize())
    this.program = program
  }

  test(text: string): boolean {
    return text.length <= this.textLengthMax && text.startsWith(this.prefix) && this.program.testExact(text)
  }
}

/** How long a text may be for a program of that size. */
export const textBound = (programSize: number): number => Math.min(textLengthMax, Math.floor(workMax / programSize))

/** The bare program of a pattern that keeps the bounds; a message says what is wrong in words that fit behind the path of the field. */
export const compileProgram = (pattern: string): Result.Result<RE2JS, string> => {
  if (pattern.length > patternLengthMax)
    return Result.fail(`the pattern has ${pattern.length} characters, at most ${patternLengthMax} are allowed`)
  if (repetitions(pattern) > programSizeMax)
    return Result.fail(`the counted repetitions of the pattern add up to more than ${programSizeMax}`)
  try {
    const program = engine().compile(pattern)
    const size = program.programSize()
    if (size > programSizeMax)
      return Result.fail(`the pattern compiles to ${size} steps, at most ${programSizeMax} are allowed`)
    return Result.succeed(program)
  } catch (error) {
    return Result.fail(reason(error instanceof Error ? error.message : String(error)))
  }
}

export const compile = (pattern: string): Result.Result<Regex, string> =>
  Result.map(compileProgram(pattern), (program) => new Re2(pattern, program))

/** Stands in for a pattern that does not compile: what cannot be understood matches nothing. */
export const never = (pattern: string): Regex => ({ pattern, prefix: "", textLengthMax, test: () => false })

const reason = (message: string): string => {
  const text = message.replace(/^error parsing regexp: /, "")
  if (/`\(\?<?[=!]/.test(text)) return `look-around is not part of the RE2 dialect: ${text}`
  if (/^invalid escape sequence: `\\[1-9k]/.test(text))
    return `back-references are not part of the RE2 dialect: ${text}`
  return text
}

/** Counting them first keeps a pattern such as `x{1000}x{1000}…` from being compiled at all. */
const repetitions = (pattern: string): number => {
  let sum = 0
  for (const [, least, most] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) sum += Number(most || least)
  return sum
}

/** The plain text that a pattern begins with: lets most texts fail after one comparison. */
export const literalPrefix = (pattern: string): string => {
  if (hasOuterAlternation(pattern)) return ""
  let prefix = ""
  let at = pattern.startsWith("^") ? 1 : 0
  while (at < pattern.length) {
    let char = pattern[at] as string
    at++
    if (char === "\\") {
      char = pattern[at] ?? ""
      at++
      if (!/[-./_~!@#%&=:;,'"+*?()[\]{}|^$\\]/.test(char)) break
    } else if (!/[-\w/~!@#%&=:;,'"<> ]/.test(char)) break
    const next = pattern[at]
    if (next === "*" || next === "?" || next === "{") break
    prefix += char
    if (next === "+") break
  }
  return prefix
}

/** Errs towards yes. */
const hasOuterAlternation = (pattern: string): boolean => {
  if (!pattern.includes("|")) return false
  if (pattern.includes("\\Q")) return true
  let depth = 0
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === "\\") at++
    else if (char === "[") at = classEnd(pattern, at)
    else if (char === "(") depth++
    else if (char === ")") depth--
    else if (char === "|" && depth === 0) return true
  }
  return false
}

/** The place of the bracket that closes a character class; a bracket right after the opening one is a member. */
const classEnd = (pattern: string, start: number): number => {
  let at = start + 1
  if (pattern[at] === "^") at++
  if (pattern[at] === "]") at++
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    if (pattern[at] === "\\") at++
    else if (pattern.startsWith("[:", at)) {
      const end = pattern.indexOf(":]", at)
      if (end !== -1) at = end + 1
    }
  }
  return at
}
