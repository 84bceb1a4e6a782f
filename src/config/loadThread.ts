/** The thread that reads configuration: parsing a large file must not hold up a single exchange. */
import "effect/schema/SchemaJITCompiler/enable"
import * as Effect from "effect/Effect"
import { parentPort, workerData } from "node:worker_threads"
import { seal } from "../../ir/transfer.ts"
import type { Job, Outcome } from "./loading.ts"
import { load } from "./local/load.ts"
import { nodeIo } from "./local/nodeIo.ts"

const { env, file, text } = workerData as Job

const outcome = await Effect.runPromise(
  Effect.match(load(text, { file, env, io: nodeIo }), {
    onFailure: (issues): Outcome => ({ _tag: "Refused", issues }),
    onSuccess: (loaded): Outcome => ({ _tag: "Loaded", loaded: seal(loaded) }),
  }),
)
parentPort?.postMessage(outcome)
