/** Files of the machine the gateway runs on; paths are taken from its working directory. */
import * as Effect from "effect/Effect"
import { readFile, stat } from "node:fs/promises"
import { referencedBytesMax } from "../bounds.ts"
import type { ConfigIssue } from "../ConfigIssue.ts"
import type { Io } from "./resolve.ts"
import { textIn } from "./utf8.ts"

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a directory",
  ENOTDIR: "part of the path is not a directory",
}

const why = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "it cannot be read"
  const code = "code" in cause ? String(cause.code) : ""
  return reasons[code] ?? (code === "" ? cause.message : code)
}

export const nodeIo: Io = {
  readFile: (path) =>
    Effect.tryPromise({
      try: async () => {
        const { size } = await stat(path)
        if (size > referencedBytesMax) throw new Error(`it is larger than ${referencedBytesMax} bytes`)
        return await readFile(path, "utf8")
      },
      catch: why,
    }),
}

/** The text of the configuration itself. */
export const readConfig = (path: string): Effect.Effect<string, ReadonlyArray<ConfigIssue>> =>
  Effect.flatMap(
    Effect.tryPromise({ try: () => readFile(path), catch: (cause) => [unreadable(why(cause))] }),
    configText,
  )

/** The text of a configuration that was read, wherever from. */
export const configText = (bytes: Uint8Array): Effect.Effect<string, ReadonlyArray<ConfigIssue>> => {
  const text = textIn(bytes)
  return typeof text === "string" ? Effect.succeed(text) : Effect.fail([text])
}

export const unreadable = (reason: string): ConfigIssue => ({
  severity: "error",
  line: 1,
  column: 1,
  path: "",
  message: `the file cannot be read: ${reason}`,
  remedy: "Check the path and its permissions.",
})
