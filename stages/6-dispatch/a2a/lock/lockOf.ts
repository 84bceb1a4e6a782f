/** The lock of an agent, by the name it has in the book. */
import * as Effect from "effect/Effect"
import type { A2a } from "../../../../ir/policy/A2a.ts"
import type { DispatchPorts } from "../../ports.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Attempting, Try } from "../../Target.ts"
import { CardLock } from "./CardLock.ts"

/** Undefined: its card is under none. */
export const lockOf = ({ agents }: DispatchPorts, backend: string, policy: A2a | undefined): CardLock | undefined => {
  const lock = policy?.lock
  return lock === undefined || agents?.lock === undefined
    ? undefined
    : new CardLock(policy?.agent ?? backend, lock, agents.lock)
}

/** Whatever is asked of an agent that nobody is to know of is asked of nobody. */
export const admitting =
  (admits: (attempt: Try) => Effect.Effect<unknown, Refusal>, inner: Attempting): Attempting =>
  (attempt) =>
    attempt.exchange.notes?.a2a?.isCall === true
      ? Effect.matchEffect(admits(attempt), {
          // A card that cannot be had just now says nothing against its agent.
          onFailure: (refusal) => (refusal._tag === "UpstreamFailed" ? inner(attempt) : Effect.fail(refusal)),
          onSuccess: () => inner(attempt),
        })
      : inner(attempt)
