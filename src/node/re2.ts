/** Where Node has the engine of regular expressions. */
import { createRequire } from "node:module"
import { fetchWith } from "../../stages/4-route/re2.ts"

export const provideRe2 = (): void =>
  fetchWith(() => (createRequire(import.meta.url)("re2js") as typeof import("re2js")).RE2JS)
