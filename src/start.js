/**
 * What `npm start` runs. It is not TypeScript, because the cache of compiled code has to be in use before the first file of
 * TypeScript is met: with everything in the cache, what takes the types out need not be loaded at all.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

enableCompileCache({
  directory: fileURLToPath(new URL("../node_modules/.cache/sluice", import.meta.url)),
  portable: true,
})
await import("./main.ts")
