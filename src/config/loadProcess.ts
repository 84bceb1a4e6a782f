/** The process that reads configuration: parsing a large file must not hold up a single exchange. */
import * as Effect from "effect/Effect"
import { readFileSync, writeSync } from "node:fs"
import { deserialize, serialize } from "node:v8"
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

/** By number: to ask `process` for the streams would make them wait for nothing, and a read that waits is what is wanted. */
const [IN, OUT] = [0, 1]

/** A pipe takes as much at once as it likes. */
const write = (bytes: Uint8Array): void => {
  for (let at = 0; at < bytes.byteLength;) at += writeSync(OUT, bytes, at)
}

// Plain pipes, read and written in one go: Node's own channel for messages takes a tenth of this process's time to set up.
const job = readFileSync(IN)
// Nobody is there any more to be told.
if (job.byteLength === 0) process.exit()
write(serialize(await run(deserialize(job) as Job)))
