/** The process that reads configuration: parsing a large file must not hold up a single exchange. */
import * as Effect from "effect/Effect"
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

process.once("message", async (job: Job) => {
  const outcome = await run(job)
  process.send?.(outcome, () => process.disconnect?.())
})
// Nobody is there any more to be told.
process.once("disconnect", () => process.exit())
