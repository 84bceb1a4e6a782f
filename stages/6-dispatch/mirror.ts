/** Sends copies of requests elsewhere, body included, and ignores what comes back. */
import * as Effect from "effect/Effect"
import { type Body, lengthOf } from "../Body.ts"
import { type Request, type Reply, type Routed, whenOver } from "../Exchange.ts"
import { MIRROR_MILLIS_MAX, MIRROR_REPLY_BYTES_MAX, type Mirrors } from "./Mirrors.ts"
import type { DispatchPorts } from "./ports.ts"
import type { Resolved, ResolvedMirror } from "./resolve.ts"
import { shadowOf } from "./shadow.ts"
import { type Target, Try } from "./Target.ts"
import { Copy, Tee } from "./Tee.ts"

interface Copying {
  readonly fraction: number
  readonly target: Target
}

/** Reads a little, so that the connection can be used again, and gives up where there is more. */
const drained = (reply: Reply): Effect.Effect<void> => {
  const { body, tunnel } = reply
  if (tunnel !== undefined) {
    tunnel.destroy?.()
    return Effect.void
  }
  if (body._tag !== "Flow") return Effect.void
  return Effect.callback<void>((resume) => {
    let left = MIRROR_REPLY_BYTES_MAX
    let isOver = false
    const done = (): void => {
      isOver = true
      resume(Effect.void)
    }
    const source = body.open({
      write: (chunk) => {
        left -= chunk.byteLength
        if (left < 0 && !isOver) queueMicrotask(() => source.cancel())
        if (left < 0) done()
        return !isOver
      },
      end: done,
      fail: done,
    })
    return Effect.sync(() => source.cancel())
  })
}

const copyOf = (
  ports: DispatchPorts,
  mirrors: Mirrors,
  exchange: Routed,
  request: Request,
  body: Body,
  target: Target,
): void => {
  const copied = request.copy()
  copied.body = body
  // What the original's backend is called is nothing to the mirror.
  copied.isNamed = exchange.request.isNamed
  const now = ports.clock.nowMillis()
  const shadow = shadowOf(exchange, copied, now, now + MIRROR_MILLIS_MAX, "Mirror")
  const sent = Effect.matchEffect(
    Effect.suspend(() => target.attempt(new Try(shadow, copied))),
    {
      onFailure: () => Effect.succeed(false),
      onSuccess: (reply) => {
        ports.called?.("Mirror", "Http", ports.clock.nowMillis() - now)
        return Effect.as(drained(reply), true)
      },
    },
  )
  const bounded = Effect.raceFirst(sent, expiry(ports))
  mirrors.begin(body._tag === "Bytes" ? body.bytes.byteLength : 0, Effect.ensuring(bounded, letGo(body)))
}

/** A copy of a body that nobody came to read keeps nothing. */
const letGo = (body: Body): Effect.Effect<void> =>
  body instanceof Copy ? Effect.sync(() => body.cancel()) : Effect.void

const expiry = ({ clock }: DispatchPorts): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const cancel = clock.after(MIRROR_MILLIS_MAX, () => resume(Effect.succeed(false)))
    return Effect.sync(cancel)
  })

/**
 * Starts the copies that are drawn and gives back the body the original goes on with. Neither a copy that cannot be
 * sent nor one that is slow is noticed by the original.
 */
export const copier = (
  ports: DispatchPorts,
  resolved: ReadonlyArray<ResolvedMirror>,
  make: (backend: Resolved) => Target,
): ((exchange: Routed, request: Request) => Body) => {
  const all: ReadonlyArray<Copying> = resolved.map(({ backend, fraction }) => ({ fraction, target: make(backend) }))
  const { clock, mirrors } = ports
  const isDrawn = ({ fraction }: Copying): boolean => fraction >= 1 || (fraction > 0 && clock.random() < fraction)
  return (exchange, request) => {
    const { body } = request
    // A tunnel is no message: there is nothing to copy.
    if (mirrors === undefined || request.method === "CONNECT" || request.upgrade !== undefined) return body
    const copies: Array<Copy> = []
    for (const one of all) {
      if (!isDrawn(one)) continue
      const kept = body._tag === "Bytes" ? body.bytes.byteLength : 0
      if (!mirrors.admit(kept)) continue
      exchange.trail.mirrors++
      if (body._tag !== "Flow") copyOf(ports, mirrors, exchange, request, body, one.target)
      else {
        const copy = new Copy(lengthOf(body), mirrors.room)
        copies.push(copy)
        copyOf(ports, mirrors, exchange, request, copy, one.target)
      }
    }
    if (copies.length === 0 || body._tag !== "Flow") return body
    const tee = new Tee(body, copies)
    whenOver(exchange, () => tee.abandon())
    return tee
  }
}
