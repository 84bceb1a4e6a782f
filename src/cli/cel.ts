/** `sluice cel`: what an expression gives, of which type it is, and what it makes the gateway capture. */
import { readFileSync } from "node:fs"
import { parse as parseYaml } from "yaml"
import type { Issue } from "../../ir/cel/Expr.ts"
import { isPlace, type Outcome, places, tryOut } from "../cel/tryOut.ts"
import type { Printed } from "./validate.ts"

export interface CelAsked {
  readonly expression: string
  /** A file with variables, `-` for standard input. */
  readonly context: string | undefined
  readonly place: string | undefined
  readonly json: boolean
}

const failed = (message: string): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode: 1 })

const described = (source: string, { column, line, message, remedy }: Issue): string => {
  const shown = source.split("\n")[line - 1] ?? ""
  return `${line}:${column}: ${message}${remedy === undefined ? "" : ` (${remedy})`}\n  ${shown}\n  ${" ".repeat(column - 1)}^\n`
}

const printed = (outcome: Outcome, { expression, json }: CelAsked): Printed => {
  if (json) {
    const { _tag, ...told } = outcome
    const isGood = _tag === "Evaluated" && outcome.error === undefined
    return { out: `${JSON.stringify(told, null, 2)}\n`, error: "", exitCode: isGood ? 0 : 1 }
  }
  switch (outcome._tag) {
    case "Invalid":
      return { out: "", error: outcome.issues.map((issue) => described(expression, issue)).join(""), exitCode: 1 }
    case "Malformed":
      return failed(outcome.message)
    case "Evaluated": {
      const { error, needs, result, type } = outcome
      const first = error === undefined ? `value: ${JSON.stringify(result)}` : `error: ${error}`
      return {
        out: `${first}\ntype:  ${type}\nneeds: ${needs.length === 0 ? "nothing" : needs.join(", ")}\n`,
        error: "",
        exitCode: error === undefined ? 0 : 1,
      }
    }
  }
}

export const cel = (asked: CelAsked): Printed => {
  const { context, expression, place } = asked
  if (place !== undefined && !isPlace(place)) {
    return failed(`there is no place called ${JSON.stringify(place)}; there are ${places.join(", ")}`)
  }
  let data: unknown
  if (context !== undefined) {
    try {
      data = parseYaml(readFileSync(context === "-" ? 0 : context, "utf8"))
    } catch (error) {
      return failed(`${context}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return printed(tryOut({ expression, data, ...(place === undefined ? {} : { place }) }), asked)
}
