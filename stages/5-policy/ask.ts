/** A call of the gateway's own to a URL: no redirects, only so many bytes, only so long. */
import * as Effect from "effect/Effect"
import { systemTrust } from "../../ir/defaults.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { locate } from "../../protocols/http/locate.ts"
import type { DispatchPorts } from "../6-dispatch/ports.ts"
import * as Body from "../Body.ts"
import { Request } from "../Exchange.ts"

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
}

export interface Heard {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Fails with a reason in words. */
export type Ask = (question: Question) => Effect.Effect<Heard, string>

const utf8 = new TextDecoder("utf-8", { fatal: true })

export const asking =
  ({ defaults, endpoints }: Pick<DispatchPorts, "defaults" | "endpoints">): Ask =>
  ({ body, bytesMax, headers, method, publicOnly, timeoutMillis, url }) => {
    const at = locate(url)
    if (at === undefined) return Effect.fail("it is not an address that can be asked")
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
      return handle.get().send(request, { version: "1.1", replyTimeoutMillis: timeoutMillis, inform: undefined })
    }).pipe(
      Effect.mapError(({ message }) => message),
      Effect.flatMap(({ body: replied, headers: fields, status }) => {
        const coding = fields.get("content-encoding") ?? "identity"
        if (coding !== "identity") {
          Body.discard(replied)
          return Effect.fail(`the reply is coded as ${coding}`)
        }
        return Effect.flatMap(
          Effect.mapError(Body.collect(replied, bytesMax), ({ message }) => message),
          (collected): Effect.Effect<Heard, string> => {
            if (collected._tag === "Partial") {
              Body.discard(collected.body)
              return Effect.fail(`it is larger than ${bytesMax} bytes`)
            }
            try {
              return Effect.succeed({ status, headers: fields, text: utf8.decode(collected.bytes) })
            } catch {
              return Effect.fail("it is not UTF-8")
            }
          },
        )
      }),
      Effect.timeoutOrElse({ duration: timeoutMillis, orElse: () => Effect.fail("it took too long") }),
    )
  }
