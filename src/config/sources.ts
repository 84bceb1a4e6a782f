/** Every way of telling a gateway what to serve. */
import * as Effect from "effect/Effect"
import { type ConfigIssue, format, hasErrors } from "./ConfigIssue.ts"
import * as File from "./file.ts"
import type { Loaded } from "./local/load.ts"
import { fromStream } from "./fromStream.ts"
import { fixed, type Source, type Told, type Unusable } from "./Source.ts"

export { fixed, fromStream, type Source, type Told, type Unusable }

type Environment = Readonly<Record<string, string | undefined>>

const problemsIn = (path: string, issues: ReadonlyArray<ConfigIssue>): ReadonlyArray<string> =>
  issues.filter((issue) => hasErrors([issue])).map((issue) => format(issue, path))

const watched = Effect.fnUntraced(function* (options: File.FileOptions) {
  const runFork = Effect.runForkWith(yield* Effect.context())
  const warn = ({ warnings }: Loaded): void => {
    for (const warning of warnings) runFork(Effect.logWarning(format(warning, options.file)))
  }
  const first = yield* Effect.mapError(File.read(options), (issues): Unusable => ({
    _tag: "Unusable",
    problems: problemsIn(options.file, issues),
  }))
  warn(first.loaded)
  return File.source({ ...options, onLoaded: warn }, first)
})

/** A file, read now and watched from now on; `env` stands for the variables it may name. */
export const file = (path: string, env: Environment = process.env): Effect.Effect<Source, Unusable> =>
  watched({ file: path, env: { ...env } })

/** The text of such a file; what it refers to is watched. */
export const text = (content: string, env: Environment = process.env): Effect.Effect<Source, Unusable> =>
  watched({ file: "<text>", text: content, env: { ...env } })
