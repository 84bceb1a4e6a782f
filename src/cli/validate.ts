/** `sluice validate`: everything that is wrong with a file, at once. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { type ConfigIssue, formatAll, hasErrors, toJson } from "../config/ConfigIssue.ts"
import { load, type Loaded } from "../config/local/load.ts"
import { nodeIo } from "../config/local/nodeIo.ts"

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

/** Loads a file (or `-` for standard input) for a command that runs once. */
export const readFor = (file: string, env: NodeJS.ProcessEnv): Promise<Read> => {
  let text: string
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8")
  } catch (error) {
    return Promise.resolve(unreadable(file, error))
  }
  return Effect.runPromise(
    Effect.match(load(text, { file, env, io: nodeIo }), {
      onFailure: (issues): Read => ({ _tag: "Refused", issues }),
      onSuccess: (loaded): Read => ({ _tag: "Loaded", loaded }),
    }),
  )
}

export interface Printed {
  readonly out: string
  readonly error: string
  readonly exitCode: number
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

export const validate = async (file: string, json: boolean, env: NodeJS.ProcessEnv): Promise<Printed> => {
  const read = await readFor(file, env)
  const issues = read._tag === "Refused" ? read.issues : read.loaded.warnings
  const failed = hasErrors(issues)
  if (json) return { out: `${toJson(issues, file)}\n`, error: "", exitCode: failed ? 1 : 0 }
  const errors = issues.filter(({ severity }) => severity === "error").length
  const text = issues.length === 0 ? "" : `${formatAll(issues, file)}\n`
  if (failed) {
    return {
      out: "",
      error: `${text}${counted(errors, "error")}, ${counted(issues.length - errors, "warning")}\n`,
      exitCode: 1,
    }
  }
  const summary =
    read._tag === "Loaded"
      ? ` (${counted(read.loaded.snapshot.binds.size, "bind")}, ${counted(read.loaded.snapshot.listeners.size, "listener")}, ${counted(read.loaded.snapshot.routes.size, "route")}, ${counted(read.loaded.snapshot.backends.size, "backend")})`
      : ""
  return { out: `Configuration is valid!${summary}\n`, error: text, exitCode: 0 }
}
