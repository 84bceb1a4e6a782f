/** Everything that happened in a simulation, as each side saw it. Checkers read this and nothing else. */
import type { Address } from "../../stages/Connection.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import type { Stop } from "./Scheduler.ts"

/** Orders what happened within one moment. */
export interface When {
  readonly atMillis: number
  readonly step: number
}

export const isAfter = (a: When, b: When): boolean => a.step > b.step

/** Names under which the two sides find one another's records. */
export const requestIdHeader = "x-sim-request"
export const callIdHeader = "x-sim-call"
/** A configuration may tag its requests and replies with this; whoever sees two tags on one exchange has seen two. */
export const planHeader = "x-sim-plan"

/** A reply as the gateway handed it to the network. */
export interface Responded extends When {
  readonly status: number
  readonly origin: "upstream" | "gateway"
  readonly call: string | undefined
  readonly plan: string | undefined
  /** What the reply says of its own length. */
  readonly declaredBytes: number | undefined
}

/** How a request ended, for the client that sent it. */
export type RequestEnd =
  | "complete"
  /** The client left, or was never heard of again. */
  | "left"
  | "vanished"
  /** The connection broke after the head of the reply, and before. */
  | "broken"
  | "unanswered"
  /** It never came to sending it. */
  | "notSent"

export interface RequestRecord {
  readonly id: string
  readonly client: number
  readonly method: string
  readonly authority: string
  readonly path: string
  sent: When | undefined
  /** When the gateway was told of it; undefined: it never was, so there is no exchange. */
  arrived: When | undefined
  uploadedBytes: number
  uploadComplete: boolean
  /** How often somebody opened its body. */
  bodyOpened: number
  readonly responded: Array<Responded>
  /** Whether the gateway broke its own reply off. */
  brokenOff: boolean
  head: When | undefined
  status: number | undefined
  receivedBytes: number
  /** Whether what was received is the beginning of what the server sent. */
  intact: boolean
  informs: number
  end: RequestEnd | undefined
  ended: When | undefined
  /** When the connection was lost, whoever closed it, as far as the gateway could know. */
  lost: When | undefined
}

export type CallEnd = "complete" | "aborted" | `failed ${string}`

/** A request as a server saw it. */
export interface CallRecord {
  readonly id: string
  /** Of the request that caused it. */
  readonly request: string | undefined
  readonly server: string
  readonly method: string
  readonly plan: string | undefined
  readonly started: When
  readonly replyTimeoutMillis: number | undefined
  /** Whether the endpoint was closed already. */
  readonly afterClose: boolean
  receivedBytes: number
  receivedIntact: boolean
  requestComplete: boolean
  head: When | undefined
  status: number | undefined
  /** Since when the server takes nothing more of the request, though there is more of it. */
  unreadSince: When | undefined
  /** Since when nothing of its reply came, while it was waited for and by nobody else's fault; until it ended, if it did. */
  quietSince: When | undefined
  /** The longest of such times. */
  quietMillis: number
  sentBytes: number
  replyBytes: number
  end: CallEnd | undefined
  ended: When | undefined
}

/** A line of the journal. */
export interface Line extends When {
  readonly request: string | undefined
  readonly exchange: Exchange
  readonly ending: Ending
}

/** A configuration was offered. */
export interface Offer extends When {
  readonly problems: ReadonlyArray<string> | undefined
  /** The plan that served before, and the one that serves now. */
  readonly planBefore: number
  readonly planAfter: number
  readonly listeningBefore: ReadonlyArray<string>
  readonly listeningAfter: ReadonlyArray<string>
}

/** What is still there. */
export interface Left {
  readonly connections: number
  readonly exchanges: number
  readonly endpoints: number
  readonly fibers: number
  readonly timers: number
  readonly tasks: number
  readonly sockets: number
  readonly listening: number
  readonly calls: number
  readonly openEndpoints: number
}

export interface Rejection {
  readonly peer: Address
  readonly stage: string
  readonly reason: string
}

export interface LogLine {
  readonly atMillis: number
  readonly level: string
  readonly text: string
}

export interface Trace {
  readonly seed: number
  readonly requests: ReadonlyArray<RequestRecord>
  readonly calls: ReadonlyArray<CallRecord>
  readonly journal: ReadonlyArray<Line>
  readonly offers: ReadonlyArray<Offer>
  readonly rejections: ReadonlyArray<Rejection>
  /** Breaches of a port's contract that the simulated world noticed by itself. */
  readonly breaches: ReadonlyArray<string>
  readonly log: ReadonlyArray<LogLine>
  readonly drainStarted: When | undefined
  readonly drainEnded: When | undefined
  readonly drainMaxMillis: number
  readonly left: Left
  readonly stopped: Stop
  /** How often the host had to be waited for: not 0 means that the run may differ next time. */
  readonly hostTurns: number
  readonly fingerprint: string
}
