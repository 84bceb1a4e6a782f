/** What a call comes to, in the words of the newest revision. */
import { Fields } from "../../../../../protocols/mcp/json.ts"
import type { Outcome } from "../McpTarget.ts"

export const result = (value: unknown): Outcome => ({ _tag: "Result", result: JSON.stringify(value), era: "modern" })
export const toolError = (text: string): Outcome =>
  result({ resultType: "complete", content: [{ type: "text", text }], isError: true })

/** A question to the client, as the newest revision asks it. */
export const asking = (method: string, params: unknown, key: string, state: string): Outcome => ({
  _tag: "Result",
  era: "modern",
  result: Fields.of({
    resultType: '"input_required"',
    inputRequests: JSON.stringify({ [key]: { method, params } }),
    requestState: JSON.stringify(state),
  }).toJson(),
})
