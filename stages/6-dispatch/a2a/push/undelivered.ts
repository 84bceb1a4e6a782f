/** Notifications that were given up: looked at, tried again, or forgotten. */
import * as Effect from "effect/Effect"
import { fieldsOf, parse, textOf } from "../../../../protocols/a2a/Fields.ts"
import type { DeadLetter, PostboxFailure } from "../../../ports/Postbox.ts"
import type { Push } from "./Push.ts"

const UNDELIVERED_SHOWN_MAX = 1_000

export interface Shown {
  readonly id: string
  readonly agent: string
  readonly taskId: string
  /** Scheme and host: the rest of an address may be a secret. */
  readonly receiver: string
  readonly event: string
  readonly attempts: number
  readonly postedMillis: number
  readonly why: string
}

export interface Undelivered {
  readonly list: Effect.Effect<ReadonlyArray<Shown>, string>
  /** False: there is none of that name. */
  readonly retry: (id: string) => Effect.Effect<boolean, string>
  readonly drop: (id: string) => Effect.Effect<boolean, string>
}

const receiverOf = (url: string | undefined): string => URL.parse(url ?? "")?.origin ?? ""

const shown = ({ attempts, body, number, postedMillis, registration, why }: DeadLetter): Shown => ({
  id: `${registration.id}-${number}`,
  agent: registration.agent,
  taskId: registration.taskId ?? "",
  receiver: receiverOf(textOf(registration.config["url"])),
  event: Object.keys(fieldsOf(parse(body)?.value))[0] ?? "",
  attempts,
  postedMillis,
  why,
})

/** As receivers are told it: the registration may have hyphens of its own. */
const placeOf = (id: string): readonly [registration: string, number: number] | undefined => {
  const [, registration, number] = /^(.+)-(\d{1,15})$/.exec(id) ?? []
  return registration === undefined ? undefined : [registration, Number(number)]
}

const words = ({ message }: PostboxFailure): string => message

/** `push` is undefined where notifications are no business of this gateway. */
export const undelivered = (push: () => Push | undefined): Undelivered => ({
  list: Effect.suspend(() => {
    const { postbox } = push()?.ports ?? {}
    return postbox === undefined
      ? Effect.succeed([])
      : Effect.map(Effect.mapError(postbox.dead(UNDELIVERED_SHOWN_MAX), words), (all) => all.map(shown))
  }),
  retry: (id) =>
    Effect.suspend(() => {
      const at = placeOf(id)
      const own = push()
      if (at === undefined || own === undefined) return Effect.succeed(false)
      const { clock, postbox } = own.ports
      return Effect.tap(Effect.mapError(postbox.revive(at[0], at[1], clock.wallMillis()), words), () =>
        Effect.sync(() => own.poke()),
      )
    }),
  drop: (id) =>
    Effect.suspend(() => {
      const at = placeOf(id)
      const { postbox } = push()?.ports ?? {}
      return at === undefined || postbox === undefined
        ? Effect.succeed(false)
        : Effect.mapError(postbox.drop(at[0], at[1]), words)
    }),
})
