/** What came of one leg, and where everything is. */
import * as path from "node:path"

export interface Verdict {
  readonly leg: string
  /** How many scenarios passed. */
  readonly passed: number
  readonly failed: ReadonlyArray<string>
}

export const root = path.join(import.meta.dirname, "../..")
export const suite = path.join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js")
