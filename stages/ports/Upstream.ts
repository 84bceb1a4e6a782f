/** The way out: endpoints that requests are sent to, and raw connections. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { HostTarget } from "../../ir/Backend.ts"
import type { ClientTls } from "../../ir/Tls.ts"
import type { FlowFailure } from "../Body.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { KeepAlive, Socket } from "./Network.ts"

/** Why no reply came. */
export type UpstreamFailure =
  | { readonly _tag: "ResolutionFailed"; readonly message: string }
  | { readonly _tag: "ConnectFailed"; readonly message: string }
  | { readonly _tag: "ConnectTimeout"; readonly message: string }
  | { readonly _tag: "TlsFailed"; readonly message: string }
  | { readonly _tag: "TunnelRefused"; readonly message: string; readonly status: number }
  /** The connection broke; `sent` says whether the upstream may have seen the request. */
  | { readonly _tag: "Reset"; readonly message: string; readonly sent: boolean }
  | { readonly _tag: "ReplyTimeout"; readonly message: string }
  /** Nothing of the request was taken for as long as that may last, though there was more of it to take. */
  | { readonly _tag: "RequestUnread"; readonly message: string }
  | { readonly _tag: "MalformedReply"; readonly message: string }
  /** The upstream switched to another protocol than it was asked to. */
  | { readonly _tag: "UpgradeRefused"; readonly message: string }
  /** The request body broke off on the client's side. */
  | { readonly _tag: "RequestAborted"; readonly message: string; readonly reason?: FlowFailure["reason"] }

/** Everything that makes one upstream connection different from another. */
export interface EndpointSpec {
  readonly target: HostTarget
  readonly tls: ClientTls | undefined
  readonly connectTimeoutMillis: number
  readonly poolIdleMillis: number
  readonly poolSizeMax: number | undefined
  /** The system has its own way of probing where only the time before the first probe is said. */
  readonly keepAlive: Pick<KeepAlive, "enabled" | "timeMillis"> & Partial<KeepAlive>
  /** Nothing but addresses of the public network is connected to, whatever a name stands for. */
  readonly publicOnly?: boolean
  /** An HTTP proxy to go through. */
  readonly tunnel: { readonly proxy: HostTarget; readonly authorization: string | undefined } | undefined
}

export interface SendOptions {
  /** Either: HTTP/2 where the upstream speaks it, and HTTP/1.1 where it does not. */
  readonly version: "1.1" | "2" | "either"
  /** How long the head of the reply may take; absent means as long as it likes. */
  readonly replyTimeoutMillis: number | undefined
  /** How long it may take nothing of a request that is there for it, before the head of its reply; absent: as long as it likes. */
  readonly idleMillis?: number | undefined
  /** Takes interim replies (1xx) as they come. */
  readonly inform: ((status: number, flat: Array<string>) => void) | undefined
}

/** An open endpoint; connections are pooled behind it. */
export interface Endpoint {
  readonly spec: EndpointSpec
  /** For people: `host:port`. */
  readonly label: string
  /** Interruption aborts the call, whatever state it is in. */
  readonly send: (request: Request, options: SendOptions) => Effect.Effect<Reply, UpstreamFailure>
  /** A raw connection, for TCP routes, CONNECT and pass-through. */
  readonly dial: Effect.Effect<Socket, UpstreamFailure>
  /** Lets idle connections go at once, and the others when their calls have ended. */
  readonly close: () => void
}

export class Upstream extends Context.Service<
  Upstream,
  {
    /** Connects to nothing yet. */
    readonly open: (spec: EndpointSpec) => Endpoint
  }
>()("sluice/stages/ports/Upstream") {}
