/** What a call came to is written down sooner or later: a storage that fails is asked again, each time a while later. */
import * as Effect from "effect/Effect"
import type { Account } from "../../stages/ports/Spending.ts"

const TRIES_MAX = 6
const PAUSE_MILLIS = 500

export const untilWritten = (
  write: Effect.Effect<void, { readonly message: string }>,
  account: Account,
  amount: number,
  tries = 0,
): Effect.Effect<void> =>
  Effect.catch(write, ({ message }) =>
    tries >= TRIES_MAX
      ? Effect.logError(`What a call cost could not be written down: ${message}`, { budget: account.budget, amount })
      : Effect.delay(
          Effect.suspend(() => untilWritten(write, account, amount, tries + 1)),
          PAUSE_MILLIS * 2 ** tries,
        ),
  )
