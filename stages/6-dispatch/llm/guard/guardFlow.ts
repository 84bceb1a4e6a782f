/** A stream under guard: judged at once where all guards are at hand, else piece by piece while it waits. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Framing } from "../../../../protocols/llm/framing.ts"
import type { HeldStream } from "../../../../protocols/llm/guard/HeldStream.ts"
import type * as Body from "../../../Body.ts"
import type { Guard } from "./Guard.ts"
import { type Ending, GuardedFlow } from "./GuardedFlow.ts"
import { ask, type Asked, askNow, type Refused, type Words } from "./judge.ts"

export interface Guarded {
  readonly guards: ReadonlyArray<Guard>
  readonly asked: Asked
  /** The event that ends the stream. */
  readonly refusal: (refused: Refused) => Ending
  /** … where the guards themselves failed. */
  readonly broken: Ending
}

export const areLocal = (guards: ReadonlyArray<Guard>): boolean => guards.every(({ judge }) => judge._tag === "Local")

export const guardFlow = (
  flow: Body.Flow,
  framing: Framing,
  held: HeldStream,
  { asked, broken, guards, refusal }: Guarded,
): Effect.Effect<Body.Flow> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const runFork = Effect.runForkWith(context)
    const isLocal = areLocal(guards)
    const ending = (refused: Refused | undefined): Ending | undefined =>
      refused === undefined ? undefined : refusal(refused)
    const guarded = new GuardedFlow(flow, framing, held, {
      judge: (windows, decided) => {
        const words = windows.map(({ masked }, group): Words => ({
          masked,
          scope: "messages",
          role: "assistant",
          group,
        }))
        if (isLocal) {
          decided(ending(askNow(guards, words, asked.tell, "response")))
          return undefined
        }
        let isCalledOff = false
        const fiber = runFork(
          Effect.matchCause(ask(guards, words, asked), {
            onFailure: () => {
              if (!isCalledOff) decided(broken)
            },
            onSuccess: (refused) => {
              if (!isCalledOff) decided(ending(refused))
            },
          }),
        )
        return () => {
          isCalledOff = true
          runFork(Fiber.interrupt(fiber))
        }
      },
    })
    return Effect.succeed(guarded)
  })
