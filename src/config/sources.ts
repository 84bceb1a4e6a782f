/** Every way of telling a gateway what to serve. */
import * as Effect from "effect/Effect"
import { type ConfigIssue, format } from "./ConfigIssue.ts"
import * as File from "./file.ts"
import { fixed, type Source, type Told, type Unusable } from "./Source.ts"

export { fixed, type Source, type Told, type Unusable }

const unusable =
  (path: string) =>
  (issues: ReadonlyArray<ConfigIssue>): Unusable => ({
    _tag: "Unusable",
    problems: issues.map((issue) => format(issue, path)),
  })

/** A file, read now and watched from now on; `env` stands for the variables it may name. */
export const file = (
  path: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Effect.Effect<Source, Unusable> =>
  Effect.matchEffect(File.read({ path, env }), {
    onFailure: (issues) => Effect.fail(unusable(path)(issues)),
    onSuccess: (loaded) => Effect.succeed(File.source({ path, env }, loaded)),
  })

/** The text of such a file; what it refers to is watched. */
export const text = (
  content: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Effect.Effect<Source, Unusable> => {
  const options = { path: "<text>", text: content, env }
  return Effect.matchEffect(File.read(options), {
    onFailure: (issues) => Effect.fail(unusable("<text>")(issues)),
    onSuccess: (loaded) => Effect.succeed(File.source(options, loaded)),
  })
}
