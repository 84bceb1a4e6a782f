/**
 * What `npm start` runs. It is not TypeScript, because the cache of compiled code has to be in use before the first file of
 * TypeScript is met: with everything in the cache, what takes the types out need not be loaded at all.
 */
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

const { directory } = enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/sluice", import.meta.url)))
// What is started beside it finds it there.
if (directory !== undefined) process.env["NODE_COMPILE_CACHE"] ??= directory
await import("./main.ts")
