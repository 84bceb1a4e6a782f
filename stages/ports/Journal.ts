/** Where everything that happened is told: access log, metrics, and later spans. Never waits, never fails. */
import * as Context from "effect/Context"
import type { BindKey } from "../../ir/Key.ts"
import type { Accepted, Address } from "../Connection.ts"
import type { Exchange, Reply } from "../Exchange.ts"
import type { Inquiry } from "../Inquiry.ts"
import type { Purpose, SpanMaker, Subtype } from "../Trace.ts"
import type { Alarm } from "../6-dispatch/lock/LockParts.ts"
import type { Delivered, TlsFacts } from "./Network.ts"

/** How an exchange ended; exactly one of these is told for each. */
export interface Ending {
  readonly reply: Reply | undefined
  readonly delivered: Delivered | undefined
  /** `interrupted`: the client left before there was a reply. `drained`: it was cut off at the deadline of a drain. */
  readonly outcome: "answered" | "clientGone" | "upstreamFailed" | "interrupted" | "drained"
  readonly endedMillis: number
}

/** How a raw connection ended. */
export interface RelayEnding {
  readonly listener: string | undefined
  readonly route: string | undefined
  readonly endpoint: string | undefined
  readonly serverName: string | undefined
  readonly startedMillis: number
  readonly endedMillis: number
  readonly sentBytes: number
  readonly receivedBytes: number
  readonly error: string | undefined
}

/** One question to one of the servers that stand behind an MCP backend. */
export interface TargetCall {
  readonly target: string
  readonly method: string
  readonly millis: number
}

export class Journal extends Context.Service<
  Journal,
  {
    readonly exchange: (exchange: Exchange, ending: Ending) => void
    /** Asked for each exchange that begins: whether somebody wants to know how it goes. */
    readonly inquire?: () => Inquiry | undefined
    /** A server behind an MCP backend was asked, for an exchange that goes on. */
    readonly target?: (exchange: Exchange, call: TargetCall) => void
    /** A server says something of itself that nobody has approved. */
    readonly alarm?: (alarm: Alarm) => void
    /** A call beside those of clients has the head of its reply, or has failed. */
    readonly called?: (purpose: Purpose, subtype: Subtype, millis: number) => void
    /** Who makes the spans of what is sampled, where it is not the gateway itself. */
    readonly spans?: SpanMaker | undefined
    readonly relay: (accepted: Accepted, ending: RelayEnding) => void
    readonly accepted: (bind: BindKey, peer: Address) => void
    readonly handshake: (bind: BindKey, millis: number, tls: TlsFacts | undefined) => void
    /** A connection ended before it became an exchange. */
    readonly rejected: (bind: BindKey, peer: Address, stage: string, reason: string) => void
    /** A request that could not be parsed. */
    readonly malformed: (bind: BindKey, peer: Address, status: number, message: string) => void
  }
>()("sluice/stages/ports/Journal") {}

/** Tells nobody; a journal of one's own begins with it. */
export const silent: Journal["Service"] = {
  exchange: () => {},
  relay: () => {},
  accepted: () => {},
  handshake: () => {},
  rejected: () => {},
  malformed: () => {},
}
