/**
 * Limits on the tokens that models consume. A policy puts a meter on the exchange while the request goes in; whoever
 * sends the request to a model asks it first, and tells it afterwards what was consumed.
 */
import * as Effect from "effect/Effect"
import type { Exchange, Reply, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"

export interface TokenMeter {
  /**
   * Before a model is asked: takes the tokens of the prompt where somebody counted them, and else only looks whether
   * there is anything left. Asked again for a further attempt it says the same and takes nothing.
   */
  readonly admit: (subject: Subject, counted: number | undefined) => Effect.Effect<void, Refusal>
  /**
   * Once it is known what all attempts together consumed: takes the rest, or gives back what was not needed. Of a call that
   * goes on it is told after each answer, and each time of everything so far.
   */
  readonly charge: (consumed: number, reply: Reply | undefined) => void
}

/** Whether counting the tokens of a prompt before it is sent would be of use to anybody. */
export const isMetered = ({ meters }: Exchange): boolean => meters !== undefined

const admitted: Effect.Effect<void, Refusal> = Effect.void

/** To be asked before a model is; refuses where a limit is used up. */
export const admitTokens = (subject: Subject, counted: number | undefined): Effect.Effect<void, Refusal> => {
  const { meters } = subject.exchange
  if (meters === undefined) return admitted
  return Effect.forEach(meters, (meter) => meter.admit(subject, counted), { discard: true })
}

/**
 * To be told when the last attempt is over and its usage known: 0 where no model did anything. A reply that breaks
 * off is charged what it is known to have consumed. Never fails, and is not waited for.
 */
export const chargeTokens = ({ meters }: Exchange, consumed: number, reply?: Reply): void => {
  if (meters !== undefined) for (const meter of meters) meter.charge(consumed, reply)
}

export const putMeter = (exchange: Exchange, meter: TokenMeter): void => {
  const meters = exchange.meters ?? (exchange.meters = [])
  meters.push(meter)
}
