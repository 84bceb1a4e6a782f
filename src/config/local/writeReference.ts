/** Writes what is generated of the documentation: `npm run reference`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { celReferencePath, celReferenceText } from "../../cel/reference.ts"
import { metricsReferencePath, reference as metricsReferenceText } from "../../telemetry/reference.ts"
import { notBuiltPath, notBuiltText } from "./notBuilt.ts"
import { referencePath } from "./published.ts"
import { referenceText } from "./reference.ts"

mkdirSync(dirname(referencePath), { recursive: true })
writeFileSync(referencePath, referenceText())
writeFileSync(notBuiltPath, notBuiltText())
writeFileSync(celReferencePath, celReferenceText())
writeFileSync(metricsReferencePath, metricsReferenceText())
