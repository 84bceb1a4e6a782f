/** The gateway that stands between hostile clients and the recorder, and the question whether it is itself again. */
import { expect } from "vitest"
import type { BackendKey } from "../../../ir/Key.ts"
import type { Match } from "../../../ir/Match.ts"
import type { BackendPolicy, TrafficPolicy } from "../../../ir/Policy.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import { connect, snapshotOf, type Started, startGateway, until } from "../harness.ts"
import { Recorder } from "./Recorder.ts"

export const HEAD_BYTES_MAX = 16 * 1024
export const HEADERS_MAX = 100

/** Of a gateway that gives up soon; every other test gets one that a slow machine cannot hurry. */
export const IMPATIENT_MILLIS = 250
const PATIENT_MILLIS = 20_000

const under = (path: string): Match => ({ path: { _tag: "Prefix", path }, headers: [], query: [] })

const redirect: TrafficPolicy = {
  _tag: "RequestRedirect",
  scheme: "https",
  path: { _tag: "Prefix", prefix: "/moved" },
  status: 302,
}
const rewrite: TrafficPolicy = { _tag: "UrlRewrite", path: { _tag: "Prefix", prefix: "/rewritten" } }
const answer: TrafficPolicy = { _tag: "DirectResponse", status: 200, body: { _tag: "Text", text: "mine" }, headers: [] }

/** HTTP/2 would hide from the recorder what other servers would make of the bytes. */
const http1: BackendPolicy = { _tag: "BackendHttp", version: "HTTP/1.1" }

const http2: BackendPolicy = { _tag: "BackendHttp", version: "HTTP/2.0" }

const speaking =
  (version: BackendPolicy) =>
  (snapshot: Snapshot): Snapshot => ({
    ...snapshot,
    backends: new Map(
      [...snapshot.backends].map(([key, backend]) => [key as BackendKey, { ...backend, policies: [version] }]),
    ),
  })

export const speakingHttp1 = speaking(http1)
export const speakingHttp2 = speaking(http2)

export interface Front {
  readonly gateway: Started
  readonly recorder: Recorder
  readonly close: () => Promise<void>
}

export const start = async (patience: "patient" | "impatient"): Promise<Front> => {
  const timeoutMillis = patience === "patient" ? PATIENT_MILLIS : IMPATIENT_MILLIS
  const recorder = await Recorder.start()
  const to = recorder.port
  const snapshot = snapshotOf({
    binds: [
      {
        listeners: [
          {
            routes: [
              { to },
              { to, matches: [under("/redirect")], policies: [redirect] },
              { to, matches: [under("/rewrite")], policies: [rewrite] },
              { to, matches: [under("/answer")], policies: [answer] },
            ],
          },
        ],
      },
    ],
    frontend: [{ _tag: "Http", http1MaxHeaders: HEADERS_MAX, http1IdleTimeoutMillis: 4 * timeoutMillis }],
  })
  const gateway = await startGateway(speakingHttp1(snapshot), {
    limits: {
      headBytesMax: HEAD_BYTES_MAX,
      headTimeoutMillis: timeoutMillis,
      bodyIdleTimeoutMillis: timeoutMillis,
      writeStallTimeoutMillis: timeoutMillis,
    },
  })
  return {
    gateway,
    recorder,
    close: async () => {
      await gateway.close()
      await recorder.close()
    },
  }
}

/** No connection, no exchange and no unfinished upstream call is left, and a good request is served as ever. */
export const isItselfAgain = async ({ gateway, recorder }: Front): Promise<void> => {
  await until("every connection and exchange ended", () => {
    const { connections, exchanges } = gateway.gateway.open()
    return connections === 0 && exchanges === 0
  })
  await until("every upstream call ended", () => recorder.owing === 0)
  const mark = recorder.mark()
  const client = await connect(gateway.port)
  client.write("GET /good HTTP/1.1\r\nhost: x.test\r\n\r\n")
  expect(await client.answer()).toMatchObject({ status: 200, body: "GET /good HTTP/1.1" })
  client.close()
  const [text = "", ...more] = recorder.since(mark)
  expect(more).toEqual([])
  expect(text.startsWith("GET /good HTTP/1.1\r\n")).toBe(true)
  await until("the last connection ended", () => gateway.gateway.open().connections === 0)
}
