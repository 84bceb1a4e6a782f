/** The way in: listening, and what may be done with one accepted connection. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RelayedRequest } from "../../protocols/http/hopByHop.ts"
import type { ListenAddress } from "../../ir/Bind.ts"
import type { ServerTls } from "../../ir/Tls.ts"
import type { Body, FlowFailure } from "../Body.ts"
import type { Address } from "../Connection.ts"
import type { Reply } from "../Exchange.ts"

export interface ListenFailed {
  readonly _tag: "ListenFailed"
  readonly message: string
}

export interface SocketClosed {
  readonly _tag: "SocketClosed"
  readonly reason: "ended" | "timeout" | "error"
  readonly message: string
}

/** Who the other side of a TLS connection proved to be. */
export interface ClientIdentity {
  readonly subject: string
  readonly subjectCn: string | undefined
  readonly issuer: string
  readonly subjectAltNames: ReadonlyArray<string>
  readonly certificatePem: string
}

export interface TlsFacts {
  /** Empty when the client named none. */
  readonly serverName: string
  readonly alpn: string | undefined
  /** Absent while the bytes pass through unread. */
  readonly version: string | undefined
  readonly client: ClientIdentity | undefined
}

export interface HandshakeFailed {
  readonly _tag: "HandshakeFailed"
  readonly reason: "closed" | "timeout" | "protocol" | "clientCertificate"
  readonly message: string
}

/** Certificates made ready for handshakes; belongs to the platform that made it. */
export interface TlsContext {
  readonly _tag: "TlsContext"
  readonly source: ServerTls
}

export interface TlsContextInvalid {
  readonly _tag: "TlsContextInvalid"
  readonly message: string
}

/** Limits of an HTTP connection. */
export interface HttpSettings {
  readonly headBytesMax: number
  readonly headersMax: number
  readonly headTimeoutMillis: number
  /** How long a client may pause in the middle of a body that is waited for. */
  readonly bodyIdleTimeoutMillis: number
  /** How long a client may leave a reply unread that is ready for it. */
  readonly writeStallTimeoutMillis: number
  readonly idleTimeoutMillis: number
  readonly headerCase: "lowercase" | "preserve"
  readonly http2: {
    readonly windowBytes: number | undefined
    readonly connectionWindowBytes: number | undefined
    readonly frameBytes: number | undefined
    readonly headBytesMax: number | undefined
    readonly keepaliveIntervalMillis: number | undefined
    readonly keepaliveTimeoutMillis: number | undefined
    readonly streamsMax: number
  }
}

/** How the sending of a reply ended. */
export interface Delivered {
  readonly outcome: "complete" | "clientGone" | "upstreamFailed"
  readonly bytes: number
  readonly failure: FlowFailure | undefined
}

/** A request as the parser gives it. */
export interface Incoming {
  readonly method: string
  /** The request target as written, or `:path`. */
  readonly target: string
  readonly version: "1.0" | "1.1" | "2"
  /** Name, value, name, value … as received; without pseudo-headers. */
  readonly flat: Array<string>
  /** The same, made ready for the next hop; may say that they are malformed. */
  readonly fields: RelayedRequest
  /** `:authority` and `:scheme`, where the version has them. */
  readonly authority: string | undefined
  readonly scheme: string | undefined
  /** The protocol that an extended CONNECT asks for (RFC 8441). */
  readonly protocol: string | undefined
  readonly body: Body
  /** Sends the reply and waits until its last byte is handed over; interruption aborts it. */
  readonly respond: (reply: Reply) => Effect.Effect<Delivered>
  /** An interim answer (1xx) ahead of the reply. */
  readonly inform: (status: number, flat: Array<string>) => void
  /** Calls back when the client leaves before the reply has begun. */
  readonly gone: (listener: () => void) => void
}

/** What the HTTP engine of a connection reports. */
export interface HttpEvents {
  readonly request: (incoming: Incoming) => void
  /** The parser could not make a request of the bytes; it has answered and closes. */
  readonly malformed: (status: number, message: string) => void
}

/** Running HTTP on a connection. */
export interface HttpConnection {
  /** Completes when the connection is closed. */
  readonly closed: Effect.Effect<void>
  /** No new requests: GOAWAY, or close after the reply in progress. */
  readonly drain: () => void
}

/** A raw byte stream in both directions. */
export interface Socket {
  readonly peer: Address
  readonly local: Address
  /** Waits for more bytes than `known` without consuming any; fewer come back only at the end of the stream. */
  readonly peek: (known: number, timeoutMillis: number) => Effect.Effect<Uint8Array, SocketClosed>
  /** Drops the first bytes of what was peeked. */
  readonly skip: (bytes: number) => void
  readonly secure: (
    context: TlsContext,
    alpn: ReadonlyArray<string>,
    timeoutMillis: number,
  ) => Effect.Effect<SecuredSocket, HandshakeFailed>
  readonly http: (version: "1" | "2", settings: HttpSettings, events: HttpEvents) => HttpConnection
  /**
   * Copies both ways until both sides have ended; an end on one side is passed on, and a reset as a reset. `overhearing`
   * is shown what comes from the other side.
   */
  readonly relay: (other: Socket, overhearing?: Overhearing) => Effect.Effect<Relayed>
  readonly keepAlive: (keepAlive: KeepAlive) => void
  /** Completes when the connection is closed. */
  readonly closed: Effect.Effect<void>
  readonly destroy: () => void
}

/** Reads along with what comes from the other side of a relay, and may put an end to it. */
export interface Overhearing {
  /** What this side gets of a chunk. */
  readonly heard: (chunk: Uint8Array) => Uint8Array
  /** Called first; `finish` writes the last that this side gets, ends it, and breaks the other side off. */
  readonly begun: (finish: (last: Uint8Array) => void) => void
}

export interface Relayed {
  /** To this socket, and from it. */
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Why it ended before both sides had ended. */
  readonly error: string | undefined
}

export interface SecuredSocket {
  readonly socket: Socket
  readonly tls: TlsFacts
}

/** When to probe an idle connection, how often, and when to give it up. */
export interface KeepAlive {
  readonly enabled: boolean
  readonly timeMillis: number
  readonly intervalMillis: number
  readonly retries: number
}

export interface ListenOptions {
  readonly address: ListenAddress
  readonly ipv6: boolean
  readonly connectionsMax: number
}

export interface Listening {
  readonly address: Address
  /** No further connections; those that are open stay. */
  readonly stop: () => void
}

export class Network extends Context.Service<
  Network,
  {
    /** Opens a socket; it closes with the scope. The callback takes ownership of the connection. */
    readonly listen: (
      options: ListenOptions,
      onSocket: (socket: Socket) => void,
    ) => Effect.Effect<Listening, ListenFailed, Scope.Scope>
    readonly tlsContext: (tls: ServerTls) => Effect.Effect<TlsContext, TlsContextInvalid>
  }
>()("sluice/stages/ports/Network") {}
