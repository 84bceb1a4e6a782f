/** TLS termination on an accepted connection. */
import * as Effect from "effect/Effect"
import type { Duplex } from "node:stream"
import type { HandshakeFailed, TlsContext, TlsContextInvalid, TlsFacts } from "../../stages/ports/Network.ts"
import type { ServerTls } from "../../ir/Tls.ts"

export interface Secured {
  readonly stream: Duplex
  readonly tls: TlsFacts
}

export const secure = (
  _socket: Duplex,
  _context: TlsContext,
  _alpn: ReadonlyArray<string>,
  _timeoutMillis: number,
): Effect.Effect<Secured, HandshakeFailed> => Effect.die(new Error("TLS is not built yet"))

export const context = (_tls: ServerTls): Effect.Effect<TlsContext, TlsContextInvalid> =>
  Effect.die(new Error("TLS is not built yet"))
