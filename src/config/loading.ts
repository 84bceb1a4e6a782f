/**
 * Loads configuration in a process of its own. The schemas, the YAML parser and what they leave behind go when it does,
 * so a gateway that serves does not carry them. Nothing of Effect is needed to start it, so that it can be started before
 * the rest of the program is there.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import type { Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { deserialize, serialize } from "node:v8"
import { settings as compileCache } from "../node/compileCache.ts"
import type { ConfigIssue } from "./ConfigIssue.ts"
import type { Loaded } from "./local/load.ts"

export interface Job {
  /** Name of the file, read by that process unless the text is given. */
  readonly file: string
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What was read, whether or not it could be used: the stamp that each file had just before. */
interface Seen {
  readonly seen: ReadonlyMap<string, string>
}

/** Secrets are still sealed. */
export type Outcome =
  | ({ readonly _tag: "Loaded"; readonly loaded: Loaded } & Seen)
  | ({
      readonly _tag: "Refused"
      readonly issues: ReadonlyArray<ConfigIssue>
      /** Nothing was read: there was no process to read it, for instance. */
      readonly isUnread?: true
    } & Seen)

export interface Loading {
  /** Asked once; the process ends with its answer. */
  readonly load: (job: Job) => void
  /** Never fails. */
  readonly outcome: Promise<Outcome>
  readonly cancel: () => void
}

const broken = (message: string): Outcome => ({
  _tag: "Refused",
  issues: [
    {
      severity: "error",
      line: 1,
      column: 1,
      path: "",
      message: `the configuration could not be read: ${message}`,
      remedy: "",
    },
  ],
  seen: new Map(),
  isUnread: true,
})

const besides = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const program = [besides(import.meta.url.endsWith(".ts") ? "./loadProcess.ts" : "./loadProcess.js")]

/** A bundle has the process as it is when it has loaded its code; only the very program that wrote that down can go on from it. */
const ready = besides(`./loadProcess-${process.version}-${process.arch}.blob`)
let startingWith = existsSync(ready) ? ["--snapshot-blob", ready] : program

const outcomeIn = (bytes: Uint8Array): Outcome => {
  try {
    return deserialize(bytes) as Outcome
  } catch (error) {
    return broken(String(error))
  }
}

/** What Node needs; what the configuration may name comes with the job. */
const passedOn = [
  "NODE_COMPILE_CACHE",
  "NODE_COMPILE_CACHE_PORTABLE",
  "NODE_DISABLE_COMPILE_CACHE",
  "SystemRoot",
] as const

/** Nothing told: the process ended, or could not begin. */
interface Reader {
  readonly told: Promise<Outcome | undefined>
  readonly cancel: () => void
}

const start = (begunWith: ReadonlyArray<string>, asked: Promise<Job>): Reader => {
  const child = spawn(process.execPath, begunWith, {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...compileCache(process.env),
      ...Object.fromEntries(
        passedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
      ),
    },
  })
  const failed = new Promise<Outcome>((resolve) => child.once("error", (error) => resolve(broken(error.message))))
  // Where no files may be opened any more there are no pipes either.
  if ((child.stdin as Writable | undefined) === undefined) return { told: failed, cancel: () => {} }
  // A failure to send is the end of the process, which is told below.
  child.stdin.on("error", () => {})
  void asked.then((job) => child.stdin.end(serialize(job)))
  return {
    told: new Promise((resolve) => {
      const told: Array<Buffer> = []
      let bytesTold = 0
      child.stdout.on("data", (bytes: Buffer) => {
        told.push(bytes)
        bytesTold += bytes.byteLength
        const [head] = told
        // It says first how long its answer is, because it takes a while to end after it.
        if (head === undefined || head.byteLength < 4 || bytesTold - 4 < head.readUInt32BE(0)) return
        resolve(outcomeIn(Buffer.concat(told).subarray(4)))
      })
      child.stdout.once("error", (error) => resolve(broken(error.message)))
      void failed.then(resolve)
      child.once("close", () => resolve(undefined))
    }),
    cancel: () => void child.kill("SIGKILL"),
  }
}

/** Starts the process, which makes itself ready while it waits for its job. */
export const begin = (): Loading => {
  const { promise: asked, resolve: load } = Promise.withResolvers<Job>()
  let isCancelled = false
  const begunWith = startingWith
  let reader = start(begunWith, asked)
  const outcome = reader.told.then(async (told) => {
    if (told !== undefined) return told
    if (begunWith !== program && !isCancelled) {
      startingWith = program
      reader = start(program, asked)
    }
    return (await reader.told) ?? broken("its reader ended early")
  })
  return {
    load,
    outcome,
    cancel: () => {
      isCancelled = true
      reader.cancel()
    },
  }
}
