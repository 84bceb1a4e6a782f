/**
 * Where compiled code is kept, so that it is not compiled at every start: what was shipped beside a bundle, or a folder
 * beside the code that only its owner may write to.
 */
import { existsSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

const shipped = fileURLToPath(new URL("./cache", import.meta.url))

const own = (): string =>
  existsSync(shipped) ? shipped : fileURLToPath(new URL("../../node_modules/.cache/sluice", import.meta.url))

type Environment = Readonly<Record<string, string | undefined>>

/** What a process that is started beside this one has to have in its environment to use it too. */
export const settings = (env: Environment): Readonly<Record<string, string>> =>
  env["NODE_DISABLE_COMPILE_CACHE"] === undefined && env["NODE_COMPILE_CACHE"] === undefined
    ? { NODE_COMPILE_CACHE: own(), NODE_COMPILE_CACHE_PORTABLE: "1" }
    : {}

/** Keeps what this process compiles. Node 22 takes no more than the folder, and its cache is good for that place only. */
export const keepIn = (directory: string, enable: (where: never) => unknown = enableCompileCache): void => {
  const enabled = enable as (where: string | { readonly directory: string; readonly portable: boolean }) => unknown
  try {
    enabled({ directory, portable: true })
  } catch {
    enabled(directory)
  }
}
