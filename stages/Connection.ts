/** What is known of a connection, one fact after the other: Accepted → Secured → Bound. */
import type { BindKey, ListenerKey } from "../ir/Key.ts"
import type { Headers } from "../protocols/http/headers.ts"
import type { Socket, TlsFacts } from "./ports/Network.ts"

export interface Address {
  /** An address literal, or the path of a unix socket. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
}

/** A connection arrived, and we know between whom. */
export interface Accepted {
  readonly bind: BindKey
  readonly socket: Socket
  readonly peer: Address
  readonly local: Address
  /** The peer on the wire, where a PROXY header named another. */
  readonly rawPeer: Address
  readonly acceptedMillis: number
  /** The fields of the CONNECT request whose tunnel this connection came through. */
  readonly connectHeaders?: Headers
}

/** TLS was terminated, was found absent, or passes through unread. */
export interface Secured {
  readonly accepted: Accepted
  /** The socket that now carries plaintext (or, passing through, the sealed bytes). */
  readonly socket: Socket
  readonly tls: TlsFacts | undefined
}

/** The connection is served; over TLS its listener was fixed by the server name. */
export interface Bound {
  readonly secured: Secured
  readonly listener: ListenerKey | undefined
}
