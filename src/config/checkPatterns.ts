/** Regular expressions of matches: one that does not compile would match nothing, which nobody means. */
import * as Result from "effect/Result"
import type { RouteKey } from "../../ir/Key.ts"
import type { PathMatch, ValueMatch } from "../../ir/Match.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { compileProgram } from "../../stages/4-route/Regex.ts"

/** Many routes share one. */
const judged = new Map<string, string | undefined>()
const JUDGED_MAX = 4_096

/** Why it cannot be used. */
export const patternProblem = (pattern: string): string | undefined => {
  if (!judged.has(pattern)) {
    if (judged.size >= JUDGED_MAX) judged.clear()
    const compiled = compileProgram(pattern)
    judged.set(pattern, Result.isFailure(compiled) ? compiled.failure : undefined)
  }
  return judged.get(pattern)
}

/** In one line each, for whoever has no file to point into. */
export const patternProblems = ({ routes }: Pick<Snapshot, "routes">): ReadonlyArray<string> => {
  const problems: Array<string> = []
  const judge = (key: RouteKey, i: number, one: PathMatch | ValueMatch, field: string, j?: number): void => {
    const problem = one._tag === "Regex" ? patternProblem(one.pattern) : undefined
    if (problem === undefined) return
    const place = j === undefined ? field : `${field}.${j}.value`
    problems.push(`routes.${key}.matches.${i}.${place}: ${problem}. Write an expression in RE2 syntax.`)
  }
  for (const [key, { matches }] of routes) {
    for (const [i, { headers, path, query }] of matches.entries()) {
      judge(key, i, path, "path")
      for (const [j, { value }] of headers.entries()) judge(key, i, value, "headers", j)
      for (const [j, { value }] of query.entries()) judge(key, i, value, "query", j)
    }
  }
  return problems
}
