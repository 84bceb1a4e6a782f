/**
 * The whole sentence, in the order a byte meets it:
 *
 *   accept → tls → listener → (gateway policies) → route → (route policies) → dispatch → (backend policies) → upstream
 *
 * The first three make a connection; the rest is compiled into each listener of a plan and runs once per exchange.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { BindKey } from "../ir/Key.ts"
import { detectPreface } from "../protocols/net/preface.ts"
import { refused } from "./1-accept/admission.ts"
import { tooMany } from "./1-accept/connections.ts"
import { notPermitted } from "./1-accept/permission.ts"
import { accept } from "./1-accept/accept.ts"
import { terminate } from "./2-tls/terminate.ts"
import * as http from "./3-listener/http.ts"
import type { Through } from "./3-listener/connect.ts"
import { make as serve } from "./3-listener/match.ts"
import { relay } from "./3-listener/tcp.ts"
import type { Accepted, Bound, Secured } from "./Connection.ts"
import type { CompiledBind, CompiledListener, Live } from "./Plan.ts"
import type { Journal } from "./ports/Journal.ts"
import type { HttpConnection, Socket } from "./ports/Network.ts"
import type { Clock } from "./ports/Timer.ts"
import type { Protocols } from "./6-dispatch/ports.ts"
import { needMore, peek, seen } from "./peek.ts"
import { rejected, type Rejected } from "./Rejected.ts"

export interface PipelinePorts {
  /** What every fiber of an exchange starts with. */
  readonly context: Context.Context<never>
  readonly live: Live
  readonly clock: Clock
  readonly journal: Journal["Service"]
  /** What speaks the protocols above HTTP, by now. */
  readonly protocols?: Protocols
  /** Told of every HTTP connection, so that they can be asked to finish. */
  readonly opened: (bound: Bound, connection: HttpConnection) => void
  /** Told when a raw connection is about to be copied. */
  readonly relaying?: (bound: Bound) => void
  /** Whether connections end because a drain has waited long enough. */
  readonly isCutOff?: () => boolean
}

export const make = (ports: PipelinePorts) => {
  const { clock, journal, live } = ports
  const engine = http.make(
    {
      context: ports.context,
      live,
      clock,
      told: (exchange, refusal) => ports.protocols?.llm?.inWordsOfModels(exchange, refusal),
      isCutOff: ports.isCutOff,
      journal: {
        exchange: journal.exchange,
        inquire: journal.inquire,
        malformed: (bound, status, message) =>
          journal.malformed(bound.secured.accepted.bind, bound.secured.accepted.peer, status, message),
      },
    },
    serve((key, socket, through) => connection(key, socket, through)),
  )

  /** What the first bytes are decides who reads them; an HTTP/1 connection is the common case. */
  const detect = (socket: Socket, timeoutMillis: number): Effect.Effect<"tls" | "http1" | "http2", Rejected> =>
    peek("listener", clock, socket, timeoutMillis, (bytes) => {
      const preface = detectPreface(bytes)
      return preface === "needMore" ? needMore(bytes.byteLength + 1) : seen(preface)
    })

  const serveHttp = (bound: Bound, bind: CompiledBind, version: "1" | "2"): Effect.Effect<void> =>
    Effect.suspend(() => {
      const connection = engine.connection(bound, bind, version)
      ports.opened(bound, connection)
      const { maxConnectionDurationMillis } = bind.frontend
      if (maxConnectionDurationMillis === undefined) return connection.closed
      const cancel = clock.after(maxConnectionDurationMillis, () => connection.drain())
      return Effect.ensuring(connection.closed, Effect.sync(cancel))
    })

  /** The rules first, since they cost no call; then whoever else is to be asked. */
  const admitted = (
    bind: CompiledBind,
    secured: Secured,
    inner: () => Effect.Effect<void, Rejected>,
  ): Effect.Effect<void, Rejected> =>
    bind.admission?.final(secured) === false
      ? Effect.fail(refused)
      : bind.permission === undefined
        ? inner()
        : Effect.flatMap(bind.permission(secured), (isPermitted) => (isPermitted ? inner() : Effect.fail(notPermitted)))

  const plaintext = (bind: CompiledBind, secured: Secured, seen: "http1" | "http2"): Effect.Effect<void, Rejected> =>
    admitted(bind, secured, () => serveHttp({ secured, listener: undefined }, bind, seen === "http2" ? "2" : "1"))

  const raw = (bind: CompiledBind, bound: Bound, listener: CompiledListener): Effect.Effect<void, Rejected> =>
    admitted(bind, bound.secured, () => relayed(bound, listener))

  const relayed = (bound: Bound, listener: CompiledListener): Effect.Effect<void, Rejected> =>
    Effect.suspend(() => {
      ports.relaying?.(bound)
      return relay(clock, (ending) => journal.relay(bound.secured.accepted, ending), bound, listener)
    })

  const sealed = (bind: CompiledBind, accepted: Accepted): Effect.Effect<void, Rejected> =>
    Effect.flatMap(terminate(clock, bind, accepted), ({ listener, secured }) => {
      journal.handshake(accepted.bind, clock.nowMillis() - accepted.acceptedMillis, secured.tls)
      const bound: Bound = { secured, listener: listener.ir.key }
      if (listener.ir.protocol !== "HTTPS") return raw(bind, bound, listener)
      return admitted(bind, secured, () => {
        if (secured.tls?.alpn !== undefined) return serveHttp(bound, bind, secured.tls.alpn === "h2" ? "2" : "1")
        return Effect.flatMap(detect(secured.socket, bind.frontend.http.headTimeoutMillis), (seen) =>
          serveHttp(bound, bind, seen === "http2" ? "2" : "1"),
        )
      })
    })

  /** What comes through another connection was counted with that one. */
  const counted = (
    bind: CompiledBind,
    accepted: Accepted,
    isInside: boolean,
    inner: () => Effect.Effect<void, Rejected>,
  ): Effect.Effect<void, Rejected> => {
    if (bind.entrance === undefined || isInside) return inner()
    const leave = bind.entrance(accepted)
    return leave === undefined ? Effect.fail(tooMany) : Effect.ensuring(inner(), Effect.sync(leave))
  }

  const bound = (bind: CompiledBind, accepted: Accepted): Effect.Effect<void, Rejected> => {
    const { socket } = accepted
    const unsealed: Secured = { accepted, socket, tls: undefined }
    switch (bind.ir.protocol) {
      case "tcp":
        return bind.tcp === undefined
          ? Effect.fail(rejected("listener", "no TCP listener"))
          : raw(bind, { secured: unsealed, listener: bind.tcp.ir.key }, bind.tcp)
      case "tls":
        return sealed(bind, accepted)
      case "http":
        return Effect.flatMap(detect(socket, bind.frontend.http.headTimeoutMillis), (seen) =>
          plaintext(bind, unsealed, seen === "http2" ? "http2" : "http1"),
        )
      case "auto":
        return Effect.flatMap(detect(socket, bind.frontend.handshakeTimeoutMillis), (seen) =>
          seen === "tls" ? sealed(bind, accepted) : plaintext(bind, unsealed, seen),
        )
    }
  }

  /** The life of one connection, from accept to close; the socket never outlives it. */
  const connection = (key: BindKey, socket: Socket, through?: Through): Effect.Effect<void> =>
    Effect.suspend(() => {
      const bind = live.current.binds.get(key)
      journal.accepted(key, socket.peer)
      if (bind === undefined) return Effect.void
      if (bind.ir.tunnel === "hboneGateway" || bind.ir.tunnel === "hboneWaypoint") {
        return Effect.sync(() => journal.rejected(key, socket.peer, "accept", "HBONE is not built"))
      }
      return Effect.catch(
        Effect.flatMap(accept(clock, key, bind, socket, through), (accepted) =>
          bind.admission?.early(accepted) === false
            ? Effect.fail(refused)
            : counted(bind, accepted, through !== undefined, () => bound(bind, accepted)),
        ),
        (cause) => Effect.sync(() => journal.rejected(key, socket.peer, cause.stage, cause.reason)),
      )
    }).pipe(Effect.ensuring(Effect.sync(() => socket.destroy())))

  return { connection }
}
