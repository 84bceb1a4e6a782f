/** An outcome that says something else now: whatever was made of its former words is left behind. */
import type { Json } from "../../../../protocols/mcp/json.ts"
import type { Outcome } from "./McpTarget.ts"

type Given = Extract<Outcome, { readonly _tag: "Result" }>

export const withResult = (given: Given, result: Json): Given => {
  if (result === given.result) return given
  const { consent, era, isTied } = given
  return {
    _tag: "Result",
    era,
    result,
    ...(consent === undefined ? {} : { consent }),
    ...(isTied === undefined ? {} : { isTied }),
  }
}
