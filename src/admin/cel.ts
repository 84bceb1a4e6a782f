/** Evaluates an expression that somebody sends, with the variables they send along. */
import type { CustomFunctions } from "../../ir/cel/customFunctions.ts"
import { isObject } from "../../protocols/json/object.ts"
import { isPlace, places, tryOut } from "../cel/tryOut.ts"
import { type Answer, json, text } from "./serve.ts"

const malformed = (message: string): Answer => text(400, `${message}\n`)

export const answer = (body: string, functions: CustomFunctions | undefined): Answer => {
  let asked: unknown
  try {
    asked = JSON.parse(body)
  } catch {
    return malformed("the body is not JSON")
  }
  if (!isObject(asked) || typeof asked["expression"] !== "string") {
    return malformed('expected {"expression": "…", "data": {…}, "place": "…"}')
  }
  const { data, expression, place } = asked
  if (place !== undefined && !(typeof place === "string" && isPlace(place))) {
    return malformed(`there is no such place; there are ${places.join(", ")}`)
  }
  const outcome = tryOut({ expression, data, functions, ...(place === undefined ? {} : { place }) })
  switch (outcome._tag) {
    case "Invalid":
      return malformed(
        outcome.issues
          .map(({ column, line, message, remedy }) => `${line}:${column}: ${message}${remedy ? ` (${remedy})` : ""}`)
          .join("\n"),
      )
    case "Malformed":
      return malformed(`data.${outcome.message}`)
    case "Evaluated": {
      const { error, needs, result, type } = outcome
      return json({ result, error: error === undefined ? null : `Evaluation error: ${error}`, type, needs })
    }
  }
}
