/**
 * The engine of regular expressions. It is large, most gateways have not one expression, and whoever compiles one cannot
 * wait: so it is fetched at once when it is first needed, by whoever knows how to do that where this runs.
 */
import type { RE2JS } from "re2js"

export type Engine = Pick<typeof RE2JS, "compile">

let fetch: () => Engine = () => {
  throw new Error("nobody told where the engine of regular expressions is")
}
let fetched: Engine | undefined

export const fetchWith = (how: () => Engine): void => {
  fetch = how
}

export const engine = (): Engine => (fetched ??= fetch())
