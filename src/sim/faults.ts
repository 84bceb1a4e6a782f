/** Words for writing worlds by hand. Everything has a quiet default, so that a test says only what matters to it. */
import type { Answer, Change, Client, Fault, Leaving, Outage, Request, Server, World } from "./World.ts"

/** What goes wrong with a call, on the side of the server. */
export const noSuchName: Fault = { _tag: "NoSuchName" }
export const refused: Fault = { _tag: "Refused" }
export const unreachable: Fault = { _tag: "Unreachable" }
export const resetBeforeHead: Fault = { _tag: "ResetBeforeHead" }
export const resetAfter = (chunks: number): Fault => ({ _tag: "ResetAfter", chunks })
export const stallBeforeHead: Fault = { _tag: "StallBeforeHead" }
export const stallAfter = (chunks: number): Fault => ({ _tag: "StallAfter", chunks })
export const malformed: Fault = { _tag: "Malformed" }
export const deaf: Fault = { _tag: "Deaf" }

/** When a client leaves. */
export const leavesAfterMillis = (millis: number): Leaving => ({ _tag: "AfterMillis", millis })
export const leavesDuringUpload = (chunks: number): Leaving => ({ _tag: "AfterUpload", chunks })
export const leavesDuringReply = (bytes: number): Leaving => ({ _tag: "AfterReply", bytes })

export const outage = (fromMillis: number, forMillis: number): Outage => ({ fromMillis, forMillis })

/** An answer of one chunk after a moment, unless told otherwise. */
export const answer = (status = 200, more: Partial<Answer> = {}): Answer => ({
  delayMillis: 5,
  status,
  chunks: [64],
  gapMillis: 0,
  declared: true,
  ...more,
})

/** An answer that goes wrong. */
export const failing = (fault: Fault, more: Partial<Answer> = {}): Answer => answer(200, { ...more, fault })

/** A server at `host:port`; without answers it always says 200. */
export const server = (address: string, answers: ReadonlyArray<Answer> = [], more: Partial<Server> = {}): Server => {
  const colon = address.lastIndexOf(":")
  const [first = answer(), ...rest] = answers
  return {
    host: colon < 0 ? address : address.slice(0, colon),
    port: colon < 0 ? 80 : Number(address.slice(colon + 1)),
    latencyMillis: 1,
    answers: [first, ...rest],
    outages: [],
    ...more,
  }
}

/** A request to `http://authority/path`; the port belongs to the client that sends it. */
export const request = (method: string, url: string, more: Partial<Request> = {}): Request => {
  const { host, pathname, search } = new URL(url)
  return { method, authority: host, path: `${pathname}${search}`, headers: [], ...more }
}

export const get = (url: string, more: Partial<Request> = {}): Request => request("GET", url, more)

export const post = (url: string, chunks: ReadonlyArray<number>, more: Partial<Request> = {}): Request =>
  request("POST", url, { upload: { chunks, gapMillis: 1, declared: true }, ...more })

/** A client of the gateway's port that sends requests one after the other. */
export const client = (port: number, requests: ReadonlyArray<Request>, more: Partial<Client> = {}): Client => ({
  port,
  version: "1.1",
  startMillis: 0,
  latencyMillis: 1,
  thinkMillis: 0,
  readMillis: 0,
  windowBytes: 16_384,
  patienceMillis: 60_000,
  requests,
  ...more,
})

export const change = (atMillis: number, config: number): Change => ({ atMillis, config })

export const world = (more: Partial<World>): World => ({
  servers: [],
  clients: [],
  changes: [],
  takenPorts: [],
  ...more,
})
