/** Writes the corpus anew: `node test/protocols/llm/golden/write.ts`. What changed is to be read line by line. */
import * as fs from "node:fs"
import * as path from "node:path"
import { cases } from "./cases.ts"

const byPair = new Map<string, Record<string, Record<string, unknown>>>()
for (const { kind, from, to, name, outcome } of cases()) {
  const file = `${from}-${to}`
  let pair = byPair.get(file)
  if (pair === undefined) byPair.set(file, (pair = {}))
  ;(pair[kind] ??= {})[name] = outcome
}
fs.mkdirSync(path.join(import.meta.dirname, "expected"), { recursive: true })
for (const [file, content] of byPair)
  fs.writeFileSync(
    path.join(import.meta.dirname, "expected", `${file}.json`),
    `${JSON.stringify(content, undefined, 1)}\n`,
  )
