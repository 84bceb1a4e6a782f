/** Starts a child that ends for nothing but a kill, and tells its number; as a program, or in a thread. */
import * as Effect from "effect/Effect"
import { isMainThread, parentPort } from "node:worker_threads"
import { make as makeProcesses } from "../../src/node/processes.ts"

const processes = makeProcesses()

const deaf =
  "process.on('SIGTERM', () => {}); process.on('SIGHUP', () => {}); setInterval(() => {}, 1000); console.log('pid ' + process.pid)"

const tell = (text: string): void => {
  if (isMainThread) console.log(text)
  else parentPort?.postMessage(text)
}

await Effect.runPromise(
  processes.start(
    { command: process.execPath, args: ["-e", deaf], env: {}, inherit: "basics" },
    { output: (chunk) => tell(Buffer.from(chunk).toString().trim()), errorOutput: () => {}, exited: () => {} },
  ),
)
