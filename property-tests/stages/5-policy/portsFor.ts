/** Ports of policies that are asked of a world that answers as told. */
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { cedar } from "../../../src/node/cedar.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { type Computing, computing } from "../../../test/stages/5-policy/computing.ts"
import { type Answered, asking, credentials } from "./answers.ts"

export const portsFor = (answer: Answered): Computing => {
  const ports = computing()
  const run = (effect: Effect.Effect<void>) =>
    void Effect.runFork(Effect.provideService(effect, References.MinimumLogLevel, "None"))
  const gate = over(
    cryptography,
    {
      clock: ports.clock,
      fetch: () => (answer.fails ? Effect.fail("gone") : Effect.succeed({ text: answer.text })) as never,
      run,
    },
    undefined,
    { cedar, ask: asking(answer), credentials: credentials(answer) },
  )
  return { ...ports, gate }
}
