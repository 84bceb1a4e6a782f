/** `sluice validate`: everything that is wrong with a file, at once. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { type ConfigIssue, formatAll, hasErrors, toJson } from "../config/ConfigIssue.ts"
import { load, type Loaded } from "../config/local/load.ts"
import { nodeIo } from "../config/local/nodeIo.ts"
import type { Input } from "./input.ts"

export type Read =
  | { readonly _tag: "Loaded"; readonly loaded: Loaded }
  | { readonly _tag: "Refused"; readonly issues: ReadonlyArray<ConfigIssue> }

const unreadable = (file: string, error: unknown): Read => ({
  _tag: "Refused",
  issues: [
    {
      severity: "error",
      line: 1,
      column: 1,
      path: "",
      message: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "Check the path and its permissions.",
    },
  ],
})

const readText = (text: string, file: string, env: NodeJS.ProcessEnv): Promise<Read> =>
  Effect.runPromise(
    Effect.match(load(text, { file, env, io: nodeIo }), {
      onFailure: (issues): Read => ({ _tag: "Refused", issues }),
      onSuccess: (loaded): Read => ({ _tag: "Loaded", loaded }),
    }),
  )

/** Loads a file (or `-` for standard input) for a command that runs once. */
export const readFor = (file: string, env: NodeJS.ProcessEnv): Promise<Read> => {
  let text: string
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8")
  } catch (error) {
    return Promise.resolve(unreadable(file, error))
  }
  return readText(text, file, env)
}

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
export const validateText = async (input: Input, env: NodeJS.ProcessEnv): Promise<Printed> => {
  const read = input.text === undefined ? readFor(input.path, env) : readText(input.text, input.path, env)
  const printed = verdict(await read, input.path, false)
  return input.isEmbedded ? { ...printed, out: `No local configuration\n${printed.out}` } : printed
}
