/**
 * Carries what waits in the postbox to its receivers: letters of one registration one after the other, those of others
 * beside them, each tried again and again for as long as there is hope. A receiver that is slow holds up nobody else.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import { tokenHeader, writeNotice } from "../../../../protocols/a2a/notice.ts"
import { fieldsOf, parse, textOf } from "../../../../protocols/a2a/Fields.ts"
import type { Heard } from "../../../5-policy/ask.ts"
import type { Letter, PostboxFailure } from "../../../ports/Postbox.ts"
import { destinationOf } from "./destination.ts"
import { type Push, pushKeysPath } from "./Push.ts"
import { toBase64Url } from "../../../../protocols/base64url.ts"

/** How many letters are on their way at once, and how many of them to one place. */
const CARRIED_MAX = 64
const CARRIED_PER_ORIGIN_MAX = 8
/** How often the postbox is looked into where nobody says that there is something. */
const LOOK_MILLIS = 1_000
/** How long to wait after the first failure, and at most. */
const BACKOFF_MILLIS_MIN = 1_000
const BACKOFF_MILLIS_MAX = 3_600_000
/** A receiver that understands a letter and does not want it is not going to want it later. */
const REFUSED_ATTEMPTS_MAX = 5
/** For a place that has its share of what is under way. */
const CROWDED_MILLIS = 500
/** What a receiver may say in return; nobody reads it. */
const ANSWER_BYTES_MAX = 64 * 1024
const SWEEP_MILLIS = 60_000
/** How long a signature is good for. */
const SIGNED_SECONDS = 300

/** Longer than a letter can be under way, so that it is taken again only when its courier is gone. */
const leaseMillis = (timeoutMillis: number): number => timeoutMillis * 1.5 + 1_000

/** Doubled each time, and scattered, so that those who failed together do not come back together. */
const backoffMillis = (attempts: number, random: number): number =>
  Math.min(BACKOFF_MILLIS_MAX, BACKOFF_MILLIS_MIN * 2 ** Math.min(attempts - 1, 30)) * (0.5 + random / 2)

const refusals: ReadonlySet<number> = new Set([400, 404, 405, 406, 411, 413, 414, 415, 422])

/** What became of one try. */
type Outcome =
  | { readonly _tag: "Delivered" }
  | { readonly _tag: "Gone" }
  | { readonly _tag: "Failed"; readonly why: string; readonly isRefusal: boolean; readonly againMillis: number }

const outcomeOf = ({ headers, status }: Heard): Outcome => {
  if (status >= 200 && status <= 299) return { _tag: "Delivered" }
  if (status === 410) return { _tag: "Gone" }
  const seconds = Number(headers.get("retry-after") ?? 0)
  return {
    _tag: "Failed",
    why: `the receiver answered ${status}`,
    isRefusal: refusals.has(status),
    againMillis: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1_000, BACKOFF_MILLIS_MAX) : 0,
  }
}

/** Proves to a receiver that the gateway wrote this, to it, just now. */
const signature = (
  push: Push,
  letter: Letter,
  audience: string,
  body: string,
): Effect.Effect<string, PostboxFailure> => {
  const { clock, cryptography } = push.ports
  const { number, registration } = letter
  const now = Math.floor(clock.wallMillis() / 1_000)
  const payload = JSON.stringify({
    iss: push.callback,
    aud: audience,
    sub: registration.taskId,
    iat: now,
    exp: now + SIGNED_SECONDS,
    jti: `${registration.id}-${number}`,
    request_body_sha256: cryptography.sha256(body),
  })
  return Effect.flatMap(push.signer, (signer) =>
    Effect.map(
      Effect.promise(() => signer.sign(payload, { typ: "JWT", jku: `${push.callback}${pushKeysPath}` })),
      (made) => `${made.protected}.${toBase64Url(payload)}.${made.signature}`,
    ),
  )
}

const failed = (why: string): Outcome => ({ _tag: "Failed", why, isRefusal: false, againMillis: 0 })

const tried = (
  push: Push,
  letter: Letter,
  url: string,
  publicOnly: boolean,
  origin: string,
): Effect.Effect<Outcome> => {
  const { ask, settings } = push.ports
  const { number, registration } = letter
  const { config, version } = registration
  const written = writeNotice(fieldsOf(parse(letter.body)?.value), version)
  const body = JSON.stringify(written.body)
  const authentication = fieldsOf(config["authentication"])
  const [scheme, credentials, token] = [
    textOf(authentication["scheme"]),
    textOf(authentication["credentials"]),
    textOf(config["token"]),
  ]
  return Effect.match(
    Effect.flatMap(
      Effect.mapError(signature(push, letter, origin, body), ({ message }) => message),
      (signed) =>
        ask({
          method: "POST",
          url,
          headers: [
            "content-type",
            written.contentType,
            "a2a-version",
            version,
            // The same for every try of the same, so that a receiver can tell.
            "x-a2a-notification-id",
            `${registration.id}-${number}`,
            "x-a2a-notification-signature",
            signed,
            // Who asked for no other credential is shown this one where it is looked for first.
            "authorization",
            scheme === undefined || credentials === undefined ? `Bearer ${signed}` : `${scheme} ${credentials}`,
            ...(token === undefined ? [] : [tokenHeader, token]),
          ],
          body,
          bytesMax: ANSWER_BYTES_MAX,
          timeoutMillis: settings.timeoutMillis,
          publicOnly,
        }),
    ),
    { onFailure: failed, onSuccess: outcomeOf },
  )
}

const deliver = (push: Push, letter: Letter, room: Room): Effect.Effect<void, PostboxFailure> => {
  const { clock, postbox, settings } = push.ports
  const { registration } = letter
  const bury = (why: string): Effect.Effect<void, PostboxFailure> =>
    Effect.andThen(
      Effect.logWarning(`A notification is given up: ${why}`, { agent: registration.agent, task: registration.taskId }),
      postbox.bury(letter, why, clock.wallMillis()),
    )
  const url = textOf(registration.config["url"]) ?? ""
  const at = destinationOf(url, settings.allowedHosts)
  if (typeof at === "string") return bury(at)
  const leave = room.enter(at.origin)
  if (leave === undefined) return postbox.postpone(letter, letter.attempts, clock.wallMillis() + CROWDED_MILLIS)
  const settled = Effect.flatMap(
    tried(push, letter, url, at.publicOnly, at.origin),
    (outcome): Effect.Effect<void, PostboxFailure> => {
      if (outcome._tag === "Delivered") return postbox.delivered(letter)
      if (outcome._tag === "Gone") return postbox.remove(registration.id)
      const attempts = letter.attempts + 1
      const now = clock.wallMillis()
      const attemptsMax = outcome.isRefusal
        ? Math.min(REFUSED_ATTEMPTS_MAX, settings.attemptsMax)
        : settings.attemptsMax
      if (attempts >= attemptsMax || now - letter.postedMillis >= settings.giveUpMillis) {
        return bury(`${outcome.why} (tried ${attempts} times)`)
      }
      const wait = Math.max(backoffMillis(attempts, clock.random()), outcome.againMillis)
      return postbox.postpone(letter, attempts, now + wait)
    },
  )
  return Effect.ensuring(settled, Effect.sync(leave))
}

/** How much is under way, and where to. */
class Room {
  private readonly origins = new Map<string, number>()
  count = 0

  enter(origin: string): (() => void) | undefined {
    const before = this.origins.get(origin) ?? 0
    if (before >= CARRIED_PER_ORIGIN_MAX) return undefined
    this.origins.set(origin, before + 1)
    return () => {
      const now = (this.origins.get(origin) ?? 1) - 1
      if (now <= 0) this.origins.delete(origin)
      else this.origins.set(origin, now)
    }
  }
}

const told = ({ message }: PostboxFailure): Effect.Effect<void> =>
  Effect.logWarning(`The postbox of notifications cannot be used now: ${message}`)

/** Works until its scope closes; what it carried by then is carried again by whoever comes next. */
export const courier = Effect.fnUntraced(function* (push: Push): Effect.fn.Return<void, never, Scope.Scope> {
  const { clock, postbox, settings } = push.ports
  const run = yield* FiberSet.makeRuntime<never, void, never>()
  const room = new Room()
  let sweptMillis = -Infinity
  let isBroken = false
  /** Said once, however long it lasts. */
  const broken = (failure: PostboxFailure): Effect.Effect<void> => {
    if (isBroken) return Effect.void
    isBroken = true
    return told(failure)
  }

  const carry = (letter: Letter): void => {
    room.count++
    run(
      Effect.ensuring(
        Effect.catch(deliver(push, letter, room), told),
        Effect.sync(() => {
          room.count--
          push.poke()
        }),
      ),
    )
  }

  const look = Effect.suspend((): Effect.Effect<void> => {
    const free = CARRIED_MAX - room.count
    if (free <= 0) return Effect.void
    const now = clock.wallMillis()
    const taken = postbox.take(free, now, now + leaseMillis(settings.timeoutMillis))
    return Effect.matchEffect(taken, {
      onFailure: broken,
      onSuccess: (letters) =>
        Effect.sync(() => {
          isBroken = false
          for (const letter of letters) carry(letter)
          if (letters.length > 0) push.poke()
        }),
    })
  })

  const sweep = Effect.suspend(() => {
    const now = clock.nowMillis()
    if (now - sweptMillis < SWEEP_MILLIS) return Effect.void
    sweptMillis = now
    return Effect.catch(postbox.sweep(clock.wallMillis()), broken)
  })

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(Effect.andThen(sweep, look), Effect.raceFirst(push.poked, Effect.sleep(LOOK_MILLIS))),
    ),
  )
})
