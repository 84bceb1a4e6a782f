/** Fetches a document from a URL of the configuration: no redirects, only so many bytes, only so long. */
import * as Effect from "effect/Effect"
import { systemTrust } from "../../ir/defaults.ts"
import { freshMillis } from "../../protocols/http/cacheControl.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { locate } from "../../protocols/http/locate.ts"
import * as Body from "../Body.ts"
import { Request } from "../Exchange.ts"
import type { DispatchPorts } from "../6-dispatch/ports.ts"
import type { Fetched } from "./RemoteDocument.ts"

export const DOCUMENT_BYTES_MAX = 1024 * 1024
export const FETCH_MILLIS_MAX = 5_000

const utf8 = new TextDecoder("utf-8", { fatal: true })

export interface FetchLimits {
  readonly bytesMax: number
  readonly millisMax: number
  readonly accept: string
}

const keySets: FetchLimits = { bytesMax: DOCUMENT_BYTES_MAX, millisMax: FETCH_MILLIS_MAX, accept: "application/json" }

/** Descriptions of APIs are larger than sets of keys, and not always JSON. */
export const apiDocuments: FetchLimits = {
  bytesMax: 16 * 1024 * 1024,
  millisMax: 15_000,
  accept: "application/json, application/yaml, text/yaml, text/plain;q=0.5, */*;q=0.1",
}

export const fetchDocument =
  (
    { clock, defaults, endpoints }: Pick<DispatchPorts, "clock" | "defaults" | "endpoints">,
    { accept, bytesMax, millisMax }: FetchLimits = keySets,
  ) =>
  (url: string): Effect.Effect<Fetched, string> => {
    const at = locate(url)
    if (at === undefined) return Effect.fail("it is not an address that can be asked")
    const endpoint = endpoints.handle({
      ...defaults,
      target: { _tag: "Host", host: at.host, port: at.port },
      tls: at.scheme === "https" ? systemTrust : undefined,
      tunnel: undefined,
    })
    return Effect.suspend(() => {
      const request = new Request(
        "GET",
        at.scheme,
        at.authority,
        at.host,
        at.path,
        at.query,
        "1.1",
        new Headers(["accept", accept, "accept-encoding", "identity"]),
        Body.empty,
        undefined,
      )
      return endpoint.get().send(request, { version: "1.1", replyTimeoutMillis: millisMax, inform: undefined })
    }).pipe(
      Effect.mapError(({ message }) => message),
      Effect.flatMap((reply) => {
        const { body, headers, status } = reply
        const coding = headers.get("content-encoding") ?? "identity"
        if (status !== 200 || coding !== "identity") {
          Body.discard(body)
          return Effect.fail(status === 200 ? `the reply is coded as ${coding}` : `the reply has the status ${status}`)
        }
        return Effect.flatMap(
          Effect.mapError(Body.collect(body, bytesMax), ({ message }) => message),
          (collected): Effect.Effect<Fetched, string> => {
            if (collected._tag === "Partial") {
              Body.discard(collected.body)
              return Effect.fail(`it is larger than ${bytesMax} bytes`)
            }
            try {
              const text = utf8.decode(collected.bytes)
              return Effect.succeed({ text, freshMillis: freshMillis(headers, clock.wallMillis()) })
            } catch {
              return Effect.fail("it is not UTF-8")
            }
          },
        )
      }),
      Effect.timeoutOrElse({
        duration: millisMax,
        orElse: () => Effect.fail("it took too long"),
      }),
    )
  }
