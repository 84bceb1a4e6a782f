/** Files that exist only in a test. */
import * as Effect from "effect/Effect"
import type { ConfigIssue } from "../../src/config/ConfigIssue.ts"
import { type Loaded, load, type Options } from "../../src/config/local/load.ts"
import type { Io } from "../../src/config/local/resolve.ts"

export const memoryIo = (files: Readonly<Record<string, string>> = {}): Io => ({
  readFile: (path) => {
    const text = files[path]
    return text === undefined ? Effect.fail("there is no such file") : Effect.succeed(text)
  },
})

export const run = (
  text: string,
  options: { readonly env?: Options["env"]; readonly files?: Readonly<Record<string, string>> } = {},
): Promise<Loaded | ReadonlyArray<ConfigIssue>> =>
  Effect.runPromise(
    Effect.match(load(text, { file: "config.yaml", env: options.env ?? {}, io: memoryIo(options.files), cpus: 4 }), {
      onFailure: (issues): Loaded | ReadonlyArray<ConfigIssue> => issues,
      onSuccess: (loaded): Loaded | ReadonlyArray<ConfigIssue> => loaded,
    }),
  )

const isRefused = (result: Loaded | ReadonlyArray<ConfigIssue>): result is ReadonlyArray<ConfigIssue> =>
  Array.isArray(result)

export const issuesOf = async (...args: Parameters<typeof run>): Promise<ReadonlyArray<ConfigIssue>> => {
  const result = await run(...args)
  return isRefused(result) ? result : result.warnings
}

export const loadedOf = async (...args: Parameters<typeof run>): Promise<Loaded> => {
  const result = await run(...args)
  if (!isRefused(result)) return result
  throw new Error(result.map((issue) => `${issue.line}:${issue.column} ${issue.path}: ${issue.message}`).join("\n"))
}

/** `line:column path: message` */
export const lineOf = ({ column, line, message, path }: ConfigIssue): string => `${line}:${column} ${path}: ${message}`

/** One of every issue. */
export const linesOf = async (...args: Parameters<typeof run>): Promise<ReadonlyArray<string>> =>
  (await issuesOf(...args)).map(lineOf)
