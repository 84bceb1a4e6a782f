/** The thread that reads configuration: parsing a large file must not hold up a single exchange. */
import * as Effect from "effect/Effect"
import { flushCompileCache } from "node:module"
import { parentPort } from "node:worker_threads"
import { seal } from "../../ir/transfer.ts"
import type { Job, Outcome } from "./loading.ts"
import { load } from "./local/load.ts"
import { nodeIo, readConfig } from "./local/nodeIo.ts"
import { stampSync } from "./stamp.ts"

const run = ({ env, file, text }: Job): Promise<Outcome> => {
  const seen = new Map<string, string>()
  const noted =
    <E>(read: (path: string) => Effect.Effect<string, E>) =>
    (path: string): Effect.Effect<string, E> =>
      Effect.suspend(() => {
        seen.set(path, stampSync(path))
        return read(path)
      })
  return Effect.runPromise(
    Effect.match(
      Effect.flatMap(text === undefined ? noted(readConfig)(file) : Effect.succeed(text), (content) =>
        load(content, { file, env, io: { readFile: noted(nodeIo.readFile) } }),
      ),
      {
        onFailure: (issues): Outcome => ({ _tag: "Refused", issues, seen }),
        onSuccess: (loaded): Outcome => ({ _tag: "Loaded", loaded: seal(loaded), seen }),
      },
    ),
  )
}

parentPort?.once("message", async (job: Job) => {
  parentPort?.postMessage(await run(job))
  flushCompileCache()
})
