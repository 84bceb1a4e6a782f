/** What the processes that are measured tell over their channel. */
import type { ChildProcess } from "node:child_process"
import { join } from "node:path"
import type { Memory } from "./collect.ts"

/** The next message that has the name. */
export const told = <A>(child: ChildProcess, name: string): Promise<A> =>
  new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process ended early (${code})`))
    const heard = (message: object): void => {
      if (!(name in message)) return
      child.off("message", heard)
      child.off("exit", ended)
      resolve((message as Record<string, A>)[name] as A)
    }
    child.on("message", heard)
    child.once("exit", ended)
  })

/** Start a process with these for it to answer what it holds. */
export const collecting: ReadonlyArray<string> = ["--expose-gc", "--import", join(import.meta.dirname, "collect.ts")]

export const memoryOf = (child: ChildProcess): Promise<Memory> => {
  const memory = told<Memory>(child, "memory")
  child.send("memory")
  return memory
}
