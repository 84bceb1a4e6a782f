/** TLS: reads who is asked for, takes that listener's certificate, and opens the seal — or lets it pass unread. */
import * as Effect from "effect/Effect"
import { readClientHello, type ClientHello } from "../../protocols/net/clientHello.ts"
import { findHost } from "../4-route/host.ts"
import type { Accepted, Secured } from "../Connection.ts"
import type { CompiledBind, CompiledListener } from "../Plan.ts"
import { rejected, type Rejected } from "../Rejected.ts"

const stage = "tls"

/** Waits for a whole ClientHello and leaves it in place. */
export const readHello = (accepted: Accepted, timeoutMillis: number): Effect.Effect<ClientHello, Rejected> => {
  const read = (known: number): Effect.Effect<ClientHello, Rejected> =>
    Effect.matchEffect(accepted.socket.peek(known, timeoutMillis), {
      onFailure: (closed) => Effect.fail(rejected(stage, `no ClientHello: ${closed.message}`)),
      onSuccess: (bytes) => {
        const hello = readClientHello(bytes)
        switch (hello._tag) {
          case "ClientHello":
            return Effect.succeed(hello)
          case "NeedMore":
            return bytes.byteLength > known
              ? read(bytes.byteLength)
              : Effect.fail(rejected(stage, "incomplete ClientHello"))
          case "NotTls":
            return Effect.fail(rejected(stage, "not TLS"))
          default:
            return Effect.fail(rejected(stage, "malformed ClientHello"))
        }
      },
    })
  return read(0)
}

export interface Terminated {
  readonly secured: Secured
  readonly listener: CompiledListener
}

/** Finds the listener of a connection by its server name and completes the handshake with its certificate. */
export const terminate = (bind: CompiledBind, accepted: Accepted): Effect.Effect<Terminated, Rejected> => {
  const { handshakeTimeoutMillis } = bind.frontend
  return Effect.flatMap(readHello(accepted, handshakeTimeoutMillis), (hello) => {
    const serverName = (hello.serverName ?? "").toLowerCase()
    const listener = findHost(bind.sealed, serverName)
    if (listener === undefined) return Effect.fail(rejected(stage, "no TLS listener match"))
    const { tls } = listener
    if (typeof tls === "string") return Effect.fail(rejected(stage, tls))
    if (tls === undefined) {
      const facts = { serverName, alpn: undefined, version: undefined, client: undefined }
      return Effect.succeed({ secured: { accepted, socket: accepted.socket, tls: facts }, listener })
    }
    const alpn = listener.ir.protocol === "HTTPS" ? bind.frontend.alpn : []
    return Effect.matchEffect(accepted.socket.secure(tls, alpn, handshakeTimeoutMillis), {
      onFailure: (failure) => Effect.fail(rejected(stage, `failed to terminate TLS: ${failure.message}`)),
      onSuccess: (opened) => Effect.succeed({ secured: { accepted, ...opened }, listener }),
    })
  })
}
