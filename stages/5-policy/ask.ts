/** A call of the gateway's own to a URL: no redirects, only so many bytes, only so long. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { systemTrust } from "../../ir/defaults.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { type Location, locate } from "../../protocols/http/locate.ts"
import type { DispatchPorts } from "../6-dispatch/ports.ts"
import type { UpstreamFailure } from "../ports/Upstream.ts"
import * as Body from "../Body.ts"
import { type Exchange, Request } from "../Exchange.ts"
import { spanned } from "../spanned.ts"
import type { Attribute } from "../Trace.ts"

export interface Question {
  readonly method: "GET" | "POST"
  readonly url: string
  /** Name and value in turn, names in lower case. */
  readonly headers: ReadonlyArray<string>
  readonly body?: string
  readonly bytesMax: number
  readonly timeoutMillis: number
  /** The URL came from somebody who is not to be trusted with what is not public. */
  readonly publicOnly?: boolean
  /** The reason to fail with where there was no reply to judge, for callers that tell an outage from nonsense. */
  readonly whenDown?: string
  /** For whom, where it is for one exchange: it waits, and its trace has a span of it. */
  readonly exchange?: Exchange
}

export interface Heard {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Fails with a reason in words. */
export type Ask = (question: Question) => Effect.Effect<Heard, string>

interface Unheard {
  readonly message: string
  readonly isDown: boolean
}

const down = ({ message }: { readonly message: string }): Unheard => ({ message, isDown: true })
const unusable = (message: string): Effect.Effect<never, Unheard> => Effect.fail({ message, isDown: false })

/** A reply that cannot be read is one, and so is an address that must not be asked. */
const unsent =
  (publicOnly: boolean) =>
  ({ _tag, message }: UpstreamFailure): Unheard => ({ message, isDown: !publicOnly && _tag !== "MalformedReply" })

const utf8 = new TextDecoder("utf-8", { fatal: true })

export type AskPorts = Pick<DispatchPorts, "called" | "clock" | "defaults" | "endpoints">

/** How such a call is seen: as those of all services that policies ask. */
export const attributesOf = (method: string, { authority, host, path, port }: Location): Array<Attribute> => [
  ["agentgateway.outbound.kind", "Policy"],
  ["agentgateway.outbound.subtype", "Oidc"],
  ["http.method", method],
  ["http.host", authority],
  ["http.path", path],
  ["server.address", host],
  ["server.port", port],
]

export const asking = ({ called, clock, defaults, endpoints }: AskPorts): Ask => {
  const ask = (question: Question, at: Location, tell: (headers: Headers) => void): Effect.Effect<Heard, Unheard> => {
    const { body, bytesMax, headers, method, publicOnly, timeoutMillis } = question
    const handle = endpoints.handle({
      ...defaults,
      target: { _tag: "Host", host: at.host, port: at.port },
      tls: at.scheme === "https" ? systemTrust : undefined,
      tunnel: undefined,
      ...(publicOnly === true ? { publicOnly } : {}),
    })
    return Effect.suspend(() => {
      const request = new Request(
        method,
        at.scheme,
        at.authority,
        at.host,
        at.path,
        at.query,
        "1.1",
        new Headers([...headers, "accept-encoding", "identity"]),
        body === undefined ? Body.empty : Body.text(body),
        undefined,
      )
      tell(request.headers)
      return handle.get().send(request, { version: "1.1", replyTimeoutMillis: timeoutMillis, inform: undefined })
    }).pipe(
      Effect.mapError(unsent(publicOnly === true)),
      Effect.flatMap(({ body: replied, headers: fields, status }) => {
        const coding = fields.get("content-encoding") ?? "identity"
        if (coding !== "identity") {
          Body.discard(replied)
          return unusable(`the reply is coded as ${coding}`)
        }
        return Effect.flatMap(
          Effect.mapError(Body.collect(replied, bytesMax), down),
          (collected): Effect.Effect<Heard, Unheard> => {
            if (collected._tag === "Partial") {
              Body.discard(collected.body)
              return unusable(`it is larger than ${bytesMax} bytes`)
            }
            try {
              return Effect.succeed({ status, headers: fields, text: utf8.decode(collected.bytes) })
            } catch {
              return unusable("it is not UTF-8")
            }
          },
        )
      }),
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () => Effect.fail(down({ message: "it took too long" })),
      }),
    )
  }

  return (question) => {
    const { exchange, method, url, whenDown } = question
    const at = locate(url)
    if (at === undefined) return Effect.fail("it is not an address that can be asked")
    return Effect.suspend(() => {
      const startedMillis = clock.nowMillis()
      const asked =
        exchange?.trace === undefined
          ? ask(question, at, () => {})
          : spanned(exchange, clock, {
              name: `${method} ${at.host}`,
              kind: "client",
              attributes: attributesOf(method, at),
              run: ({ trace }, span) =>
                ask(question, at, (headers) => {
                  if (span !== undefined) trace?.tell(headers, span)
                }),
              ended: (span, exit) => {
                if (Exit.isSuccess(exit)) {
                  span.set("http.status", exit.value.status)
                  return exit.value.status >= 500 ? String(exit.value.status) : undefined
                }
                return Option.getOrUndefined(Cause.findErrorOption(exit.cause))?.message
              },
            })
      const heard = Effect.mapError(asked, ({ isDown, message }) => (isDown ? (whenDown ?? message) : message))
      return Effect.onExit(heard, () => {
        const millis = clock.nowMillis() - startedMillis
        if (exchange !== undefined) exchange.trail.waitedMillis += millis
        called?.("Policy", "Oidc", millis)
        return Effect.void
      })
    })
  }
}
