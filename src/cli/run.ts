/** Runs the gateway until a signal: the first asks it to finish, the second ends it. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Begun } from "./begin.ts"
import { countBuffersAsHeap } from "../node/garbage.ts"
import { readyToListen } from "../node/listening.ts"
import { serve } from "../serve.ts"

/** One Ctrl-C may arrive twice: from the terminal, and from the `npm` that the terminal told as well. */
const echoMillis = 250

export const run = (begun: Begun): void => {
  // Expected failures carry no stacks, and the others need only their top.
  Error.stackTraceLimit = 10
  countBuffersAsHeap()
  let askedAt: number | undefined
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      const now = performance.now()
      if (askedAt === undefined) askedAt = now
      else if (signal === "SIGINT" && now - askedAt > echoMillis) process.exit(130)
    })
  }
  NodeRuntime.runMain(
    Effect.catch(serve(begun), (failure) =>
      Effect.sync(() => {
        process.stderr.write(`${failure.text}\n`)
        process.exitCode = 1
      }),
    ),
    {
      disableErrorReporting: false,
      // Being told to stop is not a failure.
      teardown: (exit, onExit) =>
        onExit(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : Number(process.exitCode ?? 0)),
    },
  )
  // By now the configuration is waited for.
  readyToListen()
}
