/**
 * Functions of the configuration: `name(a, b) { expr }`, `this.name(a, rest...) { expr }`, `#` comments.
 * They may call each other in any order, but not themselves, however indirectly.
 */
import * as Result from "effect/Result"
import { type Expr, type Issue, issue } from "./Expr.ts"
import { functions, specialForms } from "./functions.ts"
import { isName, macroNames, parse } from "./parse.ts"
import { children } from "./walk.ts"

export interface CustomFunction {
  readonly name: string
  /** Called as a member, with the receiver as `this`. */
  readonly member: boolean
  readonly parameters: ReadonlyArray<string>
  /** The last parameter is the list of all further arguments. */
  readonly variadic: boolean
  readonly body: Expr
  readonly at: number
}

export interface CustomFunctions {
  readonly source: string
  readonly functions: ReadonlyMap<string, CustomFunction>
}

const CUSTOM_FUNCTIONS_LENGTH_MAX = 262_144

export const parseFunctions = (source: string): Result.Result<CustomFunctions, ReadonlyArray<Issue>> => {
  if (source.length > CUSTOM_FUNCTIONS_LENGTH_MAX)
    return Result.fail([
      issue(source, 0, `the functions have ${source.length} characters, more than ${CUSTOM_FUNCTIONS_LENGTH_MAX}`),
    ])
  const issues: Array<Issue> = []
  const found = new Map<string, CustomFunction>()
  let offset = skip(source, 0)
  while (offset < source.length) {
    const definition = readDefinition(source, offset)
    if (Result.isFailure(definition)) return Result.fail([...issues, definition.failure])
    const { made, end } = definition.success
    if (found.has(made.name)) issues.push(issue(source, made.at, `${made.name} is defined twice`))
    if (functions.has(made.name) || specialForms.has(made.name) || macroNames.has(made.name))
      issues.push(issue(source, made.at, `${made.name} is already a function of the language`, "choose another name"))
    found.set(made.name, made)
    offset = skip(source, end)
  }
  issues.push(...recursions(source, found))
  return issues.length > 0 ? Result.fail(issues) : Result.succeed({ source, functions: found })
}

const skip = (source: string, offset: number): number => {
  const pattern = /(?:\s|(?:#|\/\/)[^\n]*)*/y
  pattern.lastIndex = offset
  return offset + (pattern.exec(source)?.[0].length ?? 0)
}

const readDefinition = (
  source: string,
  offset: number,
): Result.Result<{ readonly made: CustomFunction; readonly end: number }, Issue> => {
  const head = /(this\s*\.\s*)?([A-Za-z_][A-Za-z0-9_]*)\s*\(([^()]*)\)\s*\{/y
  head.lastIndex = offset
  const match = head.exec(source)
  if (match === null)
    return Result.fail(
      issue(source, offset, "expected a function", "write name(a, b) { expression } or this.name(a) { expression }"),
    )
  const [whole, receiver, name = "", list = ""] = match
  const listed = list.trim() === "" ? [] : list.split(",").map((one) => one.trim())
  const variadic = listed.at(-1)?.endsWith("...") ?? false
  const parameters = listed.map((one, i) => (i === listed.length - 1 ? one.replace(/\s*\.\.\.$/, "") : one))
  const wrong = parameters.find((one) => !isName(one) || one === "this")
  if (wrong !== undefined)
    return Result.fail(
      issue(source, offset, `${wrong === "" ? "an empty name" : wrong} cannot be a parameter of ${name}`),
    )
  if (new Set(parameters).size < parameters.length)
    return Result.fail(issue(source, offset, `two parameters of ${name} have the same name`))
  if (!isName(name)) return Result.fail(issue(source, offset, `${name} is a reserved word`))
  const start = offset + whole.length
  const end = closing(source, start)
  if (end === undefined) return Result.fail(issue(source, offset, `the body of ${name} is never closed`, "add }"))
  // Blanks keep the offsets of the body those of the whole text.
  const body = parse(withoutComments(source.slice(start, end)))
  if (Result.isFailure(body))
    return Result.fail(issue(source, start + body.failure.at, `${name}: ${body.failure.message}`, body.failure.remedy))
  return Result.succeed({
    made: { name, member: receiver !== undefined, parameters, variadic, body: body.success, at: offset },
    end: end + 1,
  })
}

const quoted = /[rRbB]{0,2}("""|'''|"|')/y

/** The offset after a string that starts here, or undefined when none does. */
const stringEnd = (source: string, offset: number): number | undefined => {
  quoted.lastIndex = offset
  const match = quoted.exec(source)
  if (match === null) return undefined
  const quote = match[1] ?? '"'
  const raw = /r/i.test(match[0].slice(0, -quote.length))
  let i = offset + match[0].length
  while (i < source.length && !source.startsWith(quote, i)) i += source[i] === "\\" && !raw ? 2 : 1
  return i + quote.length
}

const closing = (source: string, start: number): number | undefined => {
  let depth = 1
  let i = start
  while (i < source.length) {
    const after = stringEnd(source, i)
    if (after !== undefined) {
      i = after
      continue
    }
    if (source[i] === "#" || source.startsWith("//", i)) {
      const line = source.indexOf("\n", i)
      if (line < 0) return undefined
      i = line
    } else if (source[i] === "{") depth++
    else if (source[i] === "}" && --depth === 0) return i
    i++
  }
  return undefined
}

const withoutComments = (body: string): string => {
  let out = ""
  let i = 0
  while (i < body.length) {
    const after = stringEnd(body, i)
    if (after !== undefined) {
      out += body.slice(i, after)
      i = after
      continue
    }
    if (body[i] === "#") {
      const line = body.indexOf("\n", i)
      const end = line < 0 ? body.length : line
      out += " ".repeat(end - i)
      i = end
      continue
    }
    out += body[i]
    i++
  }
  return out
}

const recursions = (source: string, found: ReadonlyMap<string, CustomFunction>): ReadonlyArray<Issue> => {
  const calls = new Map<string, ReadonlySet<string>>()
  for (const [name, one] of found) calls.set(name, new Set(called(one.body).filter((other) => found.has(other))))
  const issues: Array<Issue> = []
  for (const [name, one] of found) {
    const seen = new Set<string>()
    const waiting = [...(calls.get(name) ?? [])]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      waiting.push(...(calls.get(next) ?? []))
    }
    if (seen.has(name)) issues.push(issue(source, one.at, `${name} calls itself`, "recursion is not possible"))
  }
  return issues
}

const called = (expr: Expr): ReadonlyArray<string> => [
  ...(expr.kind === "call" ? [expr.name] : []),
  ...children(expr).flatMap(called),
]
