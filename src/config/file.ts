/** Configuration from a file: read at the start, and again whenever it or something it refers to changes. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFile } from "node:fs/promises"
import { type ConfigIssue, format } from "./ConfigIssue.ts"
import { load } from "./loading.ts"
import type { Loaded } from "./local/load.ts"
import type { Source, Told, Unusable } from "./Source.ts"
import { changes } from "./watch.ts"

export interface FileOptions {
  readonly path: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Static text has no file to watch; what it refers to is watched all the same. */
  readonly text?: string
  /** Told of everything worth a line in the log after a successful load. */
  readonly onLoaded?: (loaded: Loaded) => void
}

const readText = (options: FileOptions): Effect.Effect<string, ReadonlyArray<ConfigIssue>> =>
  options.text !== undefined
    ? Effect.succeed(options.text)
    : Effect.tryPromise({
        try: () => readFile(options.path, "utf8"),
        catch: (cause): ReadonlyArray<ConfigIssue> => [
          {
            severity: "error",
            line: 1,
            column: 1,
            path: "",
            message: `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
            remedy: "Check the path and its permissions.",
          },
        ],
      })

/** One complete load, with every problem at once. */
export const read = (options: FileOptions): Effect.Effect<Loaded, ReadonlyArray<ConfigIssue>> =>
  Effect.flatMap(readText(options), (text) => load({ text, file: options.path, env: options.env }))

/** Begins with what was loaded already and goes on with every change. */
export const source = (options: FileOptions, first: Loaded): Source => {
  let dependencies = first.dependencies
  const again = Effect.match(read(options), {
    onFailure: (issues): Told | Unusable => ({
      _tag: "Unusable",
      problems: issues.filter(({ severity }) => severity === "error").map((issue) => format(issue, options.path)),
    }),
    onSuccess: (loaded): Told | Unusable => {
      dependencies = loaded.dependencies
      options.onLoaded?.(loaded)
      return { _tag: "Told", snapshot: loaded.snapshot }
    },
  })
  const watched = (): ReadonlyArray<string> =>
    options.text === undefined ? [options.path, ...dependencies] : dependencies
  return {
    name: options.path,
    updates: Stream.concat(
      Stream.succeed<Told | Unusable>({ _tag: "Told", snapshot: first.snapshot }),
      Stream.mapEffect(changes(watched), () => again),
    ),
  }
}
