/** Expressions as the parser gives them; `at` is the offset of the character an error about that part should point at. */
import type { CelValue } from "./CelValue.ts"

export type UnaryOperator = "!" | "-"
export type ArithmeticOperator = "+" | "-" | "*" | "/" | "%"
export type Relation = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in"
export type BinaryOperator = ArithmeticOperator | Relation

export type MacroName =
  | "all"
  | "exists"
  | "existsOne"
  | "map"
  | "filter"
  | "transformList"
  | "transformMap"
  | "mapValues"
  | "filterKeys"
  | "with"
  | "optMap"
  | "optFlatMap"

export interface Entry {
  readonly key: Expr
  readonly value: Expr
  readonly optional: boolean
}

export interface Field {
  readonly name: string
  readonly value: Expr
  readonly optional: boolean
}

export type Expr = { readonly at: number } & (
  | { readonly kind: "literal"; readonly value: CelValue }
  | { readonly kind: "name"; readonly name: string; readonly absolute: boolean }
  | { readonly kind: "select"; readonly target: Expr; readonly field: string; readonly optional: boolean }
  | { readonly kind: "has"; readonly target: Expr; readonly field: string; readonly optional: boolean }
  | { readonly kind: "index"; readonly target: Expr; readonly index: Expr; readonly optional: boolean }
  | {
      readonly kind: "call"
      readonly name: string
      readonly target: Expr | undefined
      readonly arguments: ReadonlyArray<Expr>
      readonly absolute: boolean
    }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expr }
  | { readonly kind: "binary"; readonly operator: BinaryOperator; readonly left: Expr; readonly right: Expr }
  /** Two or more operands of one chain. */
  | { readonly kind: "logic"; readonly operator: "&&" | "||"; readonly operands: ReadonlyArray<Expr> }
  | { readonly kind: "choice"; readonly condition: Expr; readonly yes: Expr; readonly no: Expr }
  | { readonly kind: "list"; readonly elements: ReadonlyArray<{ readonly value: Expr; readonly optional: boolean }> }
  | { readonly kind: "map"; readonly entries: ReadonlyArray<Entry> }
  | { readonly kind: "message"; readonly name: string; readonly fields: ReadonlyArray<Field> }
  /** `target.name(variables…, filter?, body)`; `filter` only where the macro has one. */
  | {
      readonly kind: "macro"
      readonly name: MacroName
      readonly target: Expr
      readonly variables: ReadonlyArray<string>
      readonly filter: Expr | undefined
      readonly body: Expr
    }
)

export interface Position {
  readonly line: number
  readonly column: number
}

/** Line and column, both from 1, of an offset. */
const positionOf = (source: string, offset: number): Position => {
  const before = source.slice(0, offset)
  const line = before.split("\n").length
  return { line, column: offset - (before.lastIndexOf("\n") + 1) + 1 }
}

/** What is wrong with an expression, where, and what to do about it. */
export interface Issue {
  readonly message: string
  readonly at: number
  readonly line: number
  readonly column: number
  readonly remedy?: string
}

export const issue = (source: string, at: number, message: string, remedy?: string): Issue => ({
  message,
  at,
  ...positionOf(source, at),
  ...(remedy === undefined ? {} : { remedy }),
})
