/** `sluice validate`: everything that is wrong with a file, at once. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { type ConfigIssue, formatAll, hasErrors, toJson } from "../config/ConfigIssue.ts"
import { load, type Loaded } from "../config/local/load.ts"
import { configText, nodeIo, readConfig, unreadable } from "../config/local/nodeIo.ts"
import { withoutSample } from "../embedded/config.ts"
import type { Input } from "./input.ts"

export type Read =
  | { readonly _tag: "Loaded"; readonly loaded: Loaded }
  | { readonly _tag: "Refused"; readonly issues: ReadonlyArray<ConfigIssue> }

/** Loads a file (or `-` for standard input), or a text that stands for one, for a command that runs once. */
export const readFor = (file: string, env: NodeJS.ProcessEnv, text?: string): Promise<Read> =>
  Effect.runPromise(
    Effect.match(
      Effect.flatMap(text === undefined ? textOf(file) : Effect.succeed(text), (content) =>
        load(content, { file, env, io: nodeIo }),
      ),
      {
        onFailure: (issues): Read => ({ _tag: "Refused", issues }),
        onSuccess: (loaded): Read => ({ _tag: "Loaded", loaded }),
      },
    ),
  )

const textOf = (file: string): Effect.Effect<string, ReadonlyArray<ConfigIssue>> =>
  file === "-"
    ? Effect.flatMap(
        Effect.try({
          try: () => readFileSync(0),
          catch: (error) => [unreadable(error instanceof Error ? error.message : String(error))],
        }),
        configText,
      )
    : readConfig(file)

export interface Printed {
  readonly out: string
  readonly error: string
  readonly exitCode: number
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const summary = ({ backends, binds, listeners, routes }: Loaded["snapshot"]): string =>
  [
    counted(binds.size, "bind"),
    counted(listeners.size, "listener"),
    counted(routes.size, "route"),
    counted(backends.size, "backend"),
  ].join(", ")

const verdict = (read: Read, file: string, json: boolean): Printed => {
  const issues = read._tag === "Refused" ? read.issues : read.loaded.warnings
  const failed = hasErrors(issues)
  if (json) return { out: `${toJson(issues, file)}\n`, error: "", exitCode: failed ? 1 : 0 }
  const text = issues.length === 0 ? "" : `${formatAll(issues, file)}\n`
  if (read._tag === "Refused") {
    const errors = issues.filter(({ severity }) => severity === "error").length
    const counts = `${counted(errors, "error")}, ${counted(issues.length - errors, "warning")}`
    return { out: "", error: `${text}${counts}\n`, exitCode: 1 }
  }
  return { out: `Configuration is valid! (${summary(read.loaded.snapshot)})\n`, error: text, exitCode: 0 }
}

/** `sluice validate FILE`. */
export const validate = async (file: string, json: boolean, env: NodeJS.ProcessEnv): Promise<Printed> =>
  verdict(await readFor(file, env), file, json)

/** `sluice --validate-only`. */
export const validateInput = async (input: Input, env: NodeJS.ProcessEnv): Promise<Printed> => {
  const printed = verdict(await readFor(input.path, { ...env, ...withoutSample }, input.text), input.path, false)
  return input.isEmbedded ? { ...printed, out: `No local configuration\n${printed.out}` } : printed
}
