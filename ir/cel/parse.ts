/** Text → expression tree, with the first syntax error when there is one. Length and nesting are bounded. */
import * as Result from "effect/Result"
import { type CelValue, Double, double, int, isError } from "./CelValue.ts"
import { type BinaryOperator, type Entry, type Expr, type Field, type Issue, issue, type MacroName } from "./Expr.ts"
import { lex, SyntaxProblem, type Token } from "./lex.ts"

export const EXPRESSION_LENGTH_MAX = 65_536
/** How deep a tree may be; evaluation, checking and printing recurse as deep as this and no deeper. */
export const EXPRESSION_DEPTH_MAX = 250

export const parse = (source: string): Result.Result<Expr, Issue> => {
  if (source.length > EXPRESSION_LENGTH_MAX)
    return Result.fail(
      issue(
        source,
        0,
        `the expression has ${source.length} characters, more than ${EXPRESSION_LENGTH_MAX}`,
        "split it, or move parts to customFunctions",
      ),
    )
  try {
    return Result.succeed(new Parser(lex(source)).whole())
  } catch (problem) {
    if (problem instanceof SyntaxProblem) return Result.fail(issue(source, problem.at, problem.message, problem.remedy))
    throw problem
  }
}

const reserved: ReadonlySet<string> = new Set(
  "as break const continue else false for function if import in let loop null package namespace return true var void while".split(
    " ",
  ),
)

export const isName = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !reserved.has(text)

const precedence: Readonly<Record<string, number>> = {
  "<": 1,
  "<=": 1,
  ">": 1,
  ">=": 1,
  "==": 1,
  "!=": 1,
  in: 1,
  "+": 2,
  "-": 2,
  "*": 3,
  "/": 3,
  "%": 3,
}

/** How many variables a macro binds for each number of arguments, and whether one of them is a filter. */
const macros: Readonly<
  Record<
    string,
    {
      readonly name: MacroName
      readonly shapes: Readonly<Record<number, readonly [variables: number, filter: boolean]>>
    }
  >
> = {
  all: { name: "all", shapes: { 2: [1, false], 3: [2, false] } },
  exists: { name: "exists", shapes: { 2: [1, false], 3: [2, false] } },
  exists_one: { name: "existsOne", shapes: { 2: [1, false], 3: [2, false] } },
  existsOne: { name: "existsOne", shapes: { 2: [1, false], 3: [2, false] } },
  map: { name: "map", shapes: { 2: [1, false], 3: [1, true] } },
  filter: { name: "filter", shapes: { 2: [1, false] } },
  transformList: { name: "transformList", shapes: { 3: [2, false], 4: [2, true] } },
  transformMap: { name: "transformMap", shapes: { 3: [2, false], 4: [2, true] } },
  mapValues: { name: "mapValues", shapes: { 2: [1, false] } },
  filterKeys: { name: "filterKeys", shapes: { 2: [1, false] } },
  with: { name: "with", shapes: { 2: [1, false] } },
  optMap: { name: "optMap", shapes: { 2: [1, false] } },
  optFlatMap: { name: "optFlatMap", shapes: { 2: [1, false] } },
}

/** Names that a custom function may not have, since a call of them is not a call of a function. */
export const macroNames: ReadonlySet<string> = new Set([...Object.keys(macros), "has"])

class Parser {
  readonly #tokens: ReadonlyArray<Token>
  readonly #depths = new Map<Expr, number>()
  #index = 0
  #nesting = 0

  constructor(tokens: ReadonlyArray<Token>) {
    this.#tokens = tokens
  }

  whole(): Expr {
    const expr = this.#expression()
    const token = this.#token
    if (token.kind !== "end") throw new SyntaxProblem(token.at, `unexpected ${describe(token)} after the expression`)
    return expr
  }

  get #token(): Token {
    return this.#tokens[this.#index] as Token
  }

  #is(symbol: string): boolean {
    const token = this.#token
    return token.kind === "symbol" && token.text === symbol
  }

  #take(symbol: string): boolean {
    if (!this.#is(symbol)) return false
    this.#index++
    return true
  }

  #expect(symbol: string, why: string): void {
    const token = this.#token
    if (!this.#take(symbol)) throw new SyntaxProblem(token.at, `expected ${symbol} ${why}, found ${describe(token)}`)
  }

  #made(expr: Expr, ...parts: ReadonlyArray<Expr>): Expr {
    let depth = 1
    for (const part of parts) depth = Math.max(depth, (this.#depths.get(part) ?? 0) + 1)
    if (depth > EXPRESSION_DEPTH_MAX) throw tooDeep(expr.at)
    this.#depths.set(expr, depth)
    return expr
  }

  #expression(): Expr {
    if (++this.#nesting > EXPRESSION_DEPTH_MAX) throw tooDeep(this.#token.at)
    const condition = this.#logic("||")
    const at = this.#token.at
    if (!this.#take("?")) {
      this.#nesting--
      return condition
    }
    const yes = this.#logic("||")
    this.#expect(":", "between the two results of ?")
    const no = this.#expression()
    this.#nesting--
    return this.#made({ kind: "choice", at, condition, yes, no }, condition, yes, no)
  }

  #logic(operator: "&&" | "||"): Expr {
    const operand = () => (operator === "||" ? this.#logic("&&") : this.#binary(1))
    const first = operand()
    const at = this.#token.at
    if (!this.#is(operator)) return first
    const operands = [first]
    while (this.#take(operator)) operands.push(operand())
    return this.#made({ kind: "logic", at, operator, operands }, ...operands)
  }

  #binary(level: number): Expr {
    if (level > 3) return this.#unary()
    let left = this.#binary(level + 1)
    while (true) {
      const token = this.#token
      const operator = token.kind === "symbol" || (token.kind === "name" && token.text === "in") ? token.text : ""
      if (precedence[operator] !== level) return left
      this.#index++
      const right = this.#binary(level + 1)
      left = this.#made(
        { kind: "binary", at: token.at, operator: operator as BinaryOperator, left, right },
        left,
        right,
      )
    }
  }

  #unary(): Expr {
    const token = this.#token
    if (token.kind !== "symbol" || (token.text !== "!" && token.text !== "-")) return this.#member()
    const following = this.#tokens[this.#index + 1]
    const negative =
      token.text === "-" &&
      (following?.kind === "integer" || (following?.kind === "literal" && isNumber(following.value)))
    if (negative) return this.#member()
    if (++this.#nesting > EXPRESSION_DEPTH_MAX) throw tooDeep(token.at)
    this.#index++
    const operand = this.#unary()
    this.#nesting--
    return this.#made({ kind: "unary", at: token.at, operator: token.text, operand }, operand)
  }

  #member(): Expr {
    let expr = this.#primary()
    while (true) {
      const at = this.#token.at
      if (this.#take(".")) expr = this.#selected(expr, at)
      else if (this.#take("[")) {
        const optional = this.#take("?")
        const index = this.#expression()
        this.#expect("]", "after the index")
        expr = this.#made({ kind: "index", at, target: expr, index, optional }, expr, index)
      } else if (this.#is("{") && typeName(expr) !== undefined) expr = this.#message(typeName(expr) ?? "", expr.at)
      else return expr
    }
  }

  #selected(target: Expr, dot: number): Expr {
    const optional = this.#take("?")
    const token = this.#token
    this.#index++
    if (token.kind === "quoted")
      return this.#made({ kind: "select", at: token.at, target, field: token.text, optional }, target)
    if (
      token.kind !== "name" ||
      token.text === "in" ||
      token.text === "true" ||
      token.text === "false" ||
      token.text === "null"
    )
      throw new SyntaxProblem(
        token.kind === "end" ? dot : token.at,
        `expected a field name after the dot, found ${describe(token)}`,
        'other names go in brackets: a["b-c"]',
      )
    if (!optional && this.#take("(")) return this.#call(token.text, target, token.at)
    return this.#made({ kind: "select", at: token.at, target, field: token.text, optional }, target)
  }

  #primary(): Expr {
    const token = this.#token
    this.#index++
    switch (token.kind) {
      case "literal":
        return this.#made({ kind: "literal", at: token.at, value: token.value })
      case "integer":
        return this.#integer(token.value, token.at)
      case "name":
        return this.#named(token.text, token.at, false)
      case "symbol":
        return this.#bracketed(token.text, token.at)
      default:
        throw new SyntaxProblem(
          token.at,
          token.kind === "end" ? "the expression ends too early" : `unexpected ${describe(token)}`,
        )
    }
  }

  #integer(value: bigint, at: number): Expr {
    const fitting = int(value)
    if (isError(fitting))
      throw new SyntaxProblem(
        at,
        `${value} is outside what an integer can be (-2^63 to 2^63 - 1)`,
        "write u after it for an unsigned integer",
      )
    return this.#made({ kind: "literal", at, value: fitting })
  }

  #named(name: string, at: number, absolute: boolean): Expr {
    if (!absolute && (name === "true" || name === "false"))
      return this.#made({ kind: "literal", at, value: name === "true" })
    if (!absolute && name === "null") return this.#made({ kind: "literal", at, value: null })
    if (reserved.has(name)) throw new SyntaxProblem(at, `${name} is a reserved word`)
    if (this.#take("(")) return this.#call(name, undefined, at, absolute)
    return this.#made({ kind: "name", at, name, absolute })
  }

  #bracketed(symbol: string, at: number): Expr {
    if (symbol === "(") {
      const expr = this.#expression()
      this.#expect(")", "to close the parenthesis")
      return expr
    }
    if (symbol === "[") return this.#list(at)
    if (symbol === "{") return this.#map(at)
    if (symbol === "-") return this.#negative(at)
    const following = this.#token
    if (symbol === "." && following.kind === "name") {
      this.#index++
      return this.#named(following.text, at, true)
    }
    throw new SyntaxProblem(at, `unexpected ${symbol}`)
  }

  #negative(at: number): Expr {
    const token = this.#token
    this.#index++
    if (token.kind === "integer") return this.#integer(-token.value, at)
    const value = token.kind === "literal" ? negated(token.value) : undefined
    if (value === undefined) throw new SyntaxProblem(at, "an unsigned integer has no sign")
    return this.#made({ kind: "literal", at, value })
  }

  #list(at: number): Expr {
    const elements: Array<{ readonly value: Expr; readonly optional: boolean }> = []
    while (!this.#is("]")) {
      const optional = this.#take("?")
      elements.push({ value: this.#expression(), optional })
      if (!this.#take(",")) break
    }
    this.#expect("]", "to close the list")
    return this.#made({ kind: "list", at, elements }, ...elements.map((one) => one.value))
  }

  #map(at: number): Expr {
    const entries: Array<Entry> = []
    while (!this.#is("}")) {
      const optional = this.#take("?")
      const key = this.#expression()
      this.#expect(":", "between a key and its value")
      entries.push({ key, value: this.#expression(), optional })
      if (!this.#take(",")) break
    }
    this.#expect("}", "to close the map")
    return this.#made({ kind: "map", at, entries }, ...entries.flatMap((one) => [one.key, one.value]))
  }

  #message(name: string, at: number): Expr {
    this.#expect("{", "")
    const fields: Array<Field> = []
    while (!this.#is("}")) {
      const optional = this.#take("?")
      const token = this.#token
      this.#index++
      if (token.kind !== "name" && token.kind !== "quoted")
        throw new SyntaxProblem(token.at, `expected a field name, found ${describe(token)}`)
      this.#expect(":", "between a field and its value")
      fields.push({ name: token.text, value: this.#expression(), optional })
      if (!this.#take(",")) break
    }
    this.#expect("}", "to close the fields")
    return this.#made({ kind: "message", at, name, fields }, ...fields.map((one) => one.value))
  }

  #call(name: string, target: Expr | undefined, at: number, absolute = false): Expr {
    const args: Array<Expr> = []
    while (!this.#is(")")) {
      args.push(this.#expression())
      if (!this.#take(",")) break
    }
    this.#expect(")", `to close the arguments of ${name}`)
    if (target === undefined && name === "has") return this.#has(args, at)
    const bound = target?.kind === "name" && target.name === "cel" && name === "bind" && args.length === 3
    const [first, value, body] = args
    if (bound && value !== undefined && body !== undefined)
      return this.#macro("with", value, [first as Expr], undefined, body, at)
    const macro = target === undefined || !Object.hasOwn(macros, name) ? undefined : macros[name]
    const shape = macro?.shapes[args.length]
    if (target !== undefined && macro !== undefined && shape !== undefined) {
      const [count, filtered] = shape
      return this.#macro(
        macro.name,
        target,
        args.slice(0, count),
        filtered ? args[count] : undefined,
        args.at(-1) as Expr,
        at,
      )
    }
    return this.#made(
      { kind: "call", at, name, target, arguments: args, absolute },
      ...(target === undefined ? args : [target, ...args]),
    )
  }

  #has(args: ReadonlyArray<Expr>, at: number): Expr {
    const [selected] = args
    if (args.length !== 1 || selected?.kind !== "select")
      throw new SyntaxProblem(
        at,
        "has() takes one field selection, such as has(jwt.role)",
        'ask for a key with in: "x-id" in request.headers',
      )
    return this.#made(
      { kind: "has", at, target: selected.target, field: selected.field, optional: selected.optional },
      selected.target,
    )
  }

  #macro(
    name: MacroName,
    target: Expr,
    names: ReadonlyArray<Expr>,
    filter: Expr | undefined,
    body: Expr,
    at: number,
  ): Expr {
    const variables = names.map((one) => {
      if (one.kind !== "name" || one.absolute)
        throw new SyntaxProblem(one.at, `${name} needs a plain name for its variable`)
      return one.name
    })
    if (new Set(variables).size < variables.length)
      throw new SyntaxProblem(at, `the variables of ${name} have the same name`)
    return this.#made(
      { kind: "macro", at, name, target, variables, filter, body },
      target,
      ...(filter === undefined ? [body] : [filter, body]),
    )
  }
}

const tooDeep = (at: number) =>
  new SyntaxProblem(
    at,
    `the expression is nested more than ${EXPRESSION_DEPTH_MAX} deep`,
    "name parts of it with with(), or in customFunctions",
  )

const isNumber = (value: CelValue): boolean => negated(value) !== undefined

const negated = (value: CelValue): CelValue | undefined => {
  if (typeof value === "number") return double(-value)
  return value instanceof Double ? double(-value.value) : undefined
}

/** The dotted name an expression spells, which before { is the name of a message type. */
const typeName = (expr: Expr): string | undefined => {
  if (expr.kind === "name") return expr.absolute ? `.${expr.name}` : expr.name
  if (expr.kind !== "select" || expr.optional) return undefined
  const prefix = typeName(expr.target)
  return prefix === undefined ? undefined : `${prefix}.${expr.field}`
}

const describe = (token: Token): string => {
  switch (token.kind) {
    case "end":
      return "the end"
    case "literal":
      return "a literal"
    case "integer":
      return String(token.value)
    default:
      return JSON.stringify(token.text)
  }
}
