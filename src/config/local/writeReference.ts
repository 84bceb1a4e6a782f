/** Writes the published JSON Schema: `node src/config/local/writeReference.ts`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { referencePath } from "./published.ts"
import { referenceText } from "./reference.ts"

mkdirSync(dirname(referencePath), { recursive: true })
writeFileSync(referencePath, referenceText())
