/** Fetches the card of an agent: from where the agent is, in the clear, only so much and only so long. */
import * as Effect from "effect/Effect"
import { freshMillis } from "../../../protocols/http/cacheControl.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { cardPaths } from "../../../protocols/a2a/detect.ts"
import type { Fetched } from "../../5-policy/RemoteDocument.ts"
import * as Body from "../../Body.ts"
import { Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Endpoint } from "../../ports/Upstream.ts"

export const CARD_BYTES_MAX = 1024 * 1024
export const CARD_MILLIS_MAX = 5_000

/** Whoever was asked for it would have had to ask here again. */
export const circling = "it is needed to answer for itself"

const utf8 = new TextDecoder("utf-8", { fatal: true })

interface Failed {
  readonly why: string
  readonly status?: number
}

const requestFor = (scheme: string, authority: string, path: string, chain: ReadonlyArray<string>): Request =>
  new Request(
    "GET",
    scheme,
    authority,
    authority,
    path,
    undefined,
    "1.1",
    // Agents of both versions show an agent of 1.0 the card that says everything.
    new Headers(["accept", "application/json", "accept-encoding", "identity", "a2a-version", "1.0", ...chain]),
    Body.empty,
    undefined,
  )

const read = (clock: Clock, body: Body.Body, headers: Headers): Effect.Effect<Fetched, Failed> =>
  Effect.flatMap(
    Effect.mapError(Body.collect(body, CARD_BYTES_MAX), ({ message }): Failed => ({ why: message })),
    (collected): Effect.Effect<Fetched, Failed> => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return Effect.fail({ why: `it is larger than ${CARD_BYTES_MAX} bytes` })
      }
      try {
        const text = utf8.decode(collected.bytes)
        return Effect.succeed({ text, freshMillis: freshMillis(headers, clock.wallMillis()) })
      } catch {
        return Effect.fail({ why: "it is not UTF-8" })
      }
    },
  )

export interface CardAt {
  readonly scheme: string
  readonly authority: string
  readonly path: string
  /** Undefined: there is no endpoint to ask right now. */
  readonly endpoint: () => Endpoint | undefined
}

export const fetchCard = (
  clock: Clock,
  { authority, endpoint, path, scheme }: CardAt,
  /** Fields that say on whose way here it is asked for, name and value in turn. */
  chain: ReadonlyArray<string> = [],
): Effect.Effect<Fetched, string> => {
  const from = (at: string): Effect.Effect<Fetched, Failed> =>
    Effect.suspend(() => {
      const open = endpoint()
      if (open === undefined) return Effect.fail<Failed>({ why: "no endpoint is healthy" })
      const options = { version: "1.1", replyTimeoutMillis: CARD_MILLIS_MAX, inform: undefined } as const
      return Effect.flatMap(
        Effect.mapError(open.send(requestFor(scheme, authority, at, chain), options), ({ message }): Failed => ({
          why: message,
        })),
        ({ body, headers, status }) => {
          if (status === 200) return read(clock, body, headers)
          Body.discard(body)
          return Effect.fail<Failed>({ why: status === 508 ? circling : `the reply has the status ${status}`, status })
        },
      )
    })
  const [usual, older] = cardPaths
  const found =
    path === usual
      ? Effect.catch(from(usual), (failure) => (failure.status === 404 ? from(older) : Effect.fail(failure)))
      : from(path)
  return Effect.mapError(found, ({ why }) => why).pipe(
    Effect.timeoutOrElse({ duration: 2 * CARD_MILLIS_MAX, orElse: () => Effect.fail("it took too long") }),
  )
}
