/** Expression tree → text that parses to the same tree. */
import { type CelValue, Double, isInt, Uint } from "./CelValue.ts"
import type { Expr } from "./Expr.ts"
import { isName } from "./parse.ts"

const levels: Readonly<Record<string, number>> = {
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "==": 4,
  "!=": 4,
  in: 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6,
}
const CHOICE = 1
const OR = 2
const AND = 3
const UNARY = 7
const MEMBER = 8

const levelOf = (expr: Expr): number => {
  switch (expr.kind) {
    case "choice":
      return CHOICE
    case "logic":
      return expr.operator === "||" ? OR : AND
    case "binary":
      return levels[expr.operator] ?? 0
    case "unary":
      return UNARY
    default:
      return MEMBER
  }
}

export const print = (expr: Expr): string => write(expr, 0)

const write = (expr: Expr, least: number): string => (levelOf(expr) < least ? `(${body(expr)})` : body(expr))

const body = (expr: Expr): string => {
  switch (expr.kind) {
    case "literal":
      return printLiteral(expr.value)
    case "name":
      return expr.absolute ? `.${expr.name}` : expr.name
    case "select":
      return `${write(expr.target, MEMBER)}.${expr.optional ? "?" : ""}${fieldName(expr.field)}`
    case "has":
      return `has(${write(expr.target, MEMBER)}.${expr.optional ? "?" : ""}${fieldName(expr.field)})`
    case "index":
      return `${write(expr.target, MEMBER)}[${expr.optional ? "?" : ""}${write(expr.index, 0)}]`
    case "call": {
      const args = expr.arguments.map((one) => write(one, 0)).join(", ")
      return `${expr.target === undefined ? (expr.absolute ? "." : "") : `${write(expr.target, MEMBER)}.`}${expr.name}(${args})`
    }
    case "unary": {
      const operand = write(expr.operand, UNARY)
      // A sign directly before a number would become part of it.
      return expr.operator === "-" && /^[-.\d]/.test(operand)
        ? `-(${body(expr.operand)})`
        : `${expr.operator}${operand}`
    }
    case "binary": {
      const level = levelOf(expr)
      return `${write(expr.left, level)} ${expr.operator} ${write(expr.right, level + 1)}`
    }
    case "logic":
      return expr.operands.map((one) => write(one, levelOf(expr) + 1)).join(` ${expr.operator} `)
    case "choice":
      return `${write(expr.condition, OR)} ? ${write(expr.yes, OR)} : ${write(expr.no, CHOICE)}`
    case "list":
      return `[${expr.elements.map((one) => `${one.optional ? "?" : ""}${write(one.value, 0)}`).join(", ")}]`
    case "map":
      return `{${expr.entries.map((one) => `${one.optional ? "?" : ""}${write(one.key, 0)}: ${write(one.value, 0)}`).join(", ")}}`
    case "message":
      return `${expr.name}{${expr.fields.map((one) => `${one.optional ? "?" : ""}${fieldName(one.name)}: ${write(one.value, 0)}`).join(", ")}}`
    case "macro": {
      const args = [
        ...expr.variables,
        ...(expr.filter === undefined ? [] : [write(expr.filter, 0)]),
        write(expr.body, 0),
      ]
      return `${write(expr.target, MEMBER)}.${expr.name}(${args.join(", ")})`
    }
  }
}

const reservedFields: ReadonlySet<string> = new Set(["in", "true", "false", "null"])
const fieldName = (name: string): string =>
  isName(name) || (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !reservedFields.has(name)) ? name : `\`${name}\``

const printLiteral = (value: CelValue): string => {
  if (typeof value === "string") return quote(value)
  if (typeof value === "number")
    return isInt(value)
      ? String(value)
      : Number.isInteger(value) && Math.abs(value) < 1e21
        ? `${Object.is(value, -0) ? "-0" : value}.0`
        : String(value)
  if (value instanceof Double) return `${value.value}.0`
  if (value instanceof Uint) return `${value.value}u`
  if (value instanceof Uint8Array)
    return `b"${Array.from(value, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`
  return String(value)
}

/** A string literal; everything outside visible ASCII is escaped. */
const quote = (text: string): string => {
  let out = '"'
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (character === '"' || character === "\\") out += `\\${character}`
    else if (code >= 0x20 && code < 0x7f) out += character
    else if (code >= 0xd800 && code < 0xe000) out += "\\ufffd"
    else out += code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`
  }
  return `${out}"`
}
