/** Regular expressions of matches: one that does not compile would match nothing, which nobody means. */
import * as Result from "effect/Result"
import type { Match, ValueMatch } from "../../ir/Match.ts"
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

const ofValue = (value: ValueMatch): string | undefined =>
  value._tag === "Regex" ? patternProblem(value.pattern) : undefined

const ofMatch = ({
  headers,
  path,
  query,
}: Match): ReadonlyArray<readonly [place: string, problem: string | undefined]> => [
  ["path", path._tag === "Regex" ? patternProblem(path.pattern) : undefined],
  ...headers.map(({ value }, i) => [`headers.${i}.value`, ofValue(value)] as const),
  ...query.map(({ value }, i) => [`query.${i}.value`, ofValue(value)] as const),
]

/** In one line each, for whoever has no file to point into. */
export const patternProblems = ({ routes }: Pick<Snapshot, "routes">): ReadonlyArray<string> => {
  const problems: Array<string> = []
  for (const [key, { matches }] of routes) {
    for (const [i, match] of matches.entries()) {
      for (const [place, problem] of ofMatch(match)) {
        if (problem === undefined) continue
        problems.push(`routes.${key}.matches.${i}.${place}: ${problem}. Write an expression in RE2 syntax.`)
      }
    }
  }
  return problems
}
