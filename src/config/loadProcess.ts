/** The process that reads configuration: parsing a large file must not hold up a single exchange. */
import * as Effect from "effect/Effect"
import { readFileSync, writeSync } from "node:fs"
import { deserialize, serialize, startupSnapshot } from "node:v8"
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

/** Plain pipes, read and written in one go: Node's own channel for messages takes a tenth of this process's time to set up. */
const answer = async (): Promise<void> => {
  const job = readFileSync(IN)
  // Nobody is there any more to be told.
  if (job.byteLength === 0) process.exit()
  const told = serialize(await run(deserialize(job) as Job))
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, told.byteLength)
  write(length)
  write(told)
}

/** Code that has run once is written down compiled. */
const rehearsal: Job = {
  file: "rehearsal",
  env: {},
  text: "binds: [{ port: 80, listeners: [{ routes: [{ matches: [{ path: { exact: / } }], backends: [{ host: a:80 }] }] }] }]",
}

if (startupSnapshot.isBuildingSnapshot()) {
  startupSnapshot.setDeserializeMainFunction(() => void answer())
  void run(rehearsal)
} else void answer()
