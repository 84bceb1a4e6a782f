/** Fetches a document from a URL of the configuration. */
import * as Effect from "effect/Effect"
import { freshMillis } from "../../protocols/http/cacheControl.ts"
import { type AskPorts, asking } from "./ask.ts"
import type { Fetched } from "./RemoteDocument.ts"

export const DOCUMENT_BYTES_MAX = 1024 * 1024
export const FETCH_MILLIS_MAX = 5_000

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

export const fetchDocument = (ports: AskPorts, { accept, bytesMax, millisMax }: FetchLimits = keySets) => {
  const ask = asking(ports)
  return (url: string, publicOnly = false): Effect.Effect<Fetched, string> =>
    Effect.flatMap(
      ask({ method: "GET", url, headers: ["accept", accept], bytesMax, timeoutMillis: millisMax, publicOnly }),
      ({ headers, status, text }): Effect.Effect<Fetched, string> =>
        status === 200
          ? Effect.succeed({ text, freshMillis: freshMillis(headers, ports.clock.wallMillis()) })
          : Effect.fail(`the reply has the status ${status}`),
    )
}
