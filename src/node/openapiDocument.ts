/** The text of an API's document, JSON or YAML, as a value. */
import { parseDocument as parseYaml } from "yaml"
import type { Json } from "../../protocols/openapi/json.ts"

/** How many values aliases may stand for. */
const aliasesMax = 10_000

/** Throws an error that says what is wrong, and where. */
export const parseDocument = (text: string): Json => {
  const trimmed = text.trimStart()
  if (trimmed.startsWith("{")) {
    try {
      return JSON.parse(trimmed) as Json
    } catch {
      // YAML may begin with a brace too.
    }
  }
  const document = parseYaml(text, { logLevel: "silent", uniqueKeys: false, version: "1.2" })
  const [error] = document.errors
  if (error !== undefined) throw new Error(`it is neither JSON nor YAML: ${error.message.split("\n")[0] ?? ""}`)
  // Dates and the like come out as text, as JSON would have them.
  return JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: aliasesMax }) ?? null)) as Json
}
