/** TLS: reads who is asked for, takes that listener's certificate, and opens the seal — or lets it pass unread. */
import * as Effect from "effect/Effect"
import { readClientHello, type ClientHello } from "../../protocols/net/clientHello.ts"
import { findHost } from "../4-route/host.ts"
import type { Accepted, Secured } from "../Connection.ts"
import { needMore, peek, seen } from "../peek.ts"
import type { CompiledBind, CompiledListener } from "../Plan.ts"
import type { Clock } from "../ports/Timer.ts"
import { rejected, type Rejected } from "../Rejected.ts"

const stage = "tls"

/** Waits for a whole ClientHello and leaves it in place. */
export const readHello = (
  clock: Clock,
  accepted: Accepted,
  timeoutMillis: number,
): Effect.Effect<ClientHello, Rejected> =>
  peek(stage, clock, accepted.socket, timeoutMillis, (bytes) => {
    const hello = readClientHello(bytes)
    switch (hello._tag) {
      case "ClientHello":
        return seen(hello)
      case "NeedMore":
        return needMore(hello.bytes)
      case "NotTls":
        return rejected(stage, "not TLS")
      case "Malformed":
        return rejected(stage, `malformed ClientHello: ${hello.reason}`)
    }
  })

export interface Terminated {
  readonly secured: Secured
  readonly listener: CompiledListener
}

/** Finds the listener of a connection by its server name and completes the handshake with its certificate. */
export const terminate = (clock: Clock, bind: CompiledBind, accepted: Accepted): Effect.Effect<Terminated, Rejected> =>
  Effect.suspend(() => {
    const deadline = clock.nowMillis() + bind.frontend.handshakeTimeoutMillis
    return Effect.flatMap(readHello(clock, accepted, bind.frontend.handshakeTimeoutMillis), (hello) => {
      const serverName = hello.serverName ?? ""
      const listener = findHost(bind.sealed, serverName)
      if (listener === undefined) return Effect.fail(rejected(stage, "no TLS listener match"))
      const { tls } = listener
      if (typeof tls === "string") return Effect.fail(rejected(stage, tls))
      if (tls === undefined) {
        const facts = { serverName, alpn: undefined, version: undefined, client: undefined }
        return Effect.succeed({ secured: { accepted, socket: accepted.socket, tls: facts }, listener })
      }
      const alpn = listener.ir.protocol === "HTTPS" ? bind.frontend.alpn : []
      const left = Math.max(0, deadline - clock.nowMillis())
      return Effect.matchEffect(accepted.socket.secure(tls, alpn, left), {
        onFailure: (failure) => Effect.fail(rejected(stage, `failed to terminate TLS: ${failure.message}`)),
        // The name is taken as the listener was chosen by it; it is not what the TLS library made of it.
        onSuccess: (opened) =>
          Effect.succeed({
            secured: { accepted, socket: opened.socket, tls: { ...opened.tls, serverName } },
            listener,
          }),
      })
    })
  })
