/** Ways of breaking a gateway on purpose, by lying to it or about it through its ports. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import { discard, type Flow } from "../../stages/Body.ts"
import type { Reply, Request } from "../../stages/Exchange.ts"
import type { Incoming, Socket } from "../../stages/ports/Network.ts"
import type { Endpoint, SendOptions, UpstreamFailure } from "../../stages/ports/Upstream.ts"
import type { Ports, Scenario } from "../../src/sim/run.ts"
import { planHeader } from "../../src/sim/Trace.ts"

export type Sabotage = NonNullable<Scenario["wrap"]>

/** The same object, but for some of its methods. */
const overriding = <A extends object>(original: A, overrides: Partial<A>): A =>
  new Proxy(original, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in overrides ? overrides : target, name)
      return typeof value === "function" && !(name in overrides) ? value.bind(target) : value
    },
  })

const sockets = (ports: Ports, change: (socket: Socket) => Socket): Ports => ({
  ...ports,
  network: {
    ...ports.network,
    listen: (options, onSocket) => ports.network.listen(options, (socket) => onSocket(change(socket))),
  },
})

const requests = (ports: Ports, change: (incoming: Incoming) => Incoming): Ports =>
  sockets(ports, (socket) => {
    const changed: Socket = overriding(socket, {
      http: (version, settings, events) =>
        socket.http(version, settings, { ...events, request: (incoming) => events.request(change(incoming)) }),
      secure: (context, alpn, timeoutMillis) =>
        Effect.map(socket.secure(context, alpn, timeoutMillis), ({ tls }) => ({ socket: changed, tls })),
    })
    return changed
  })

type Send = Endpoint["send"]

const calls = (ports: Ports, change: (send: Send) => Send): Ports => ({
  ...ports,
  upstream: {
    open: (spec) => {
      const endpoint = ports.upstream.open(spec)
      return overriding(endpoint, { send: change(endpoint.send) })
    },
  },
})

export const answersTwice: Sabotage = (ports) =>
  requests(ports, (incoming) => ({
    ...incoming,
    respond: (reply) =>
      Effect.flatMap(incoming.respond(reply), (delivered) => Effect.as(incoming.respond(reply), delivered)),
  }))

export const forgetsToAnswer: Sabotage = (ports) =>
  requests(ports, (incoming) => ({
    ...incoming,
    respond: (reply) =>
      Effect.sync(() => {
        discard(reply.body)
        return { outcome: "complete", bytes: 0, failure: undefined }
      }),
  }))

export const isSilent: Sabotage = (ports) => ({ ...ports, journal: { ...ports.journal, exchange: () => {} } })

export const tellsTwice: Sabotage = (ports) => ({
  ...ports,
  journal: {
    ...ports.journal,
    exchange: (exchange, ending) => {
      ports.journal.exchange(exchange, ending)
      ports.journal.exchange(exchange, ending)
    },
  },
})

/** Calls go on when their exchange is interrupted. */
export const leaksCalls: Sabotage = (ports) =>
  calls(
    ports,
    (send) => (request, options) =>
      Effect.flatMap(Effect.forkDetach(send(request, options), { startImmediately: true }), Fiber.join),
  )

/** Replies that are not wanted are not let go of. */
export const leaksReplies: Sabotage = (ports) =>
  calls(
    ports,
    (send) => (request, options) =>
      Effect.map(send(request, options), (reply) => ({ ...reply, body: stubborn(reply) })),
  )

const stubborn = (reply: Reply): Reply["body"] => {
  const { body } = reply
  return body._tag !== "Flow"
    ? body
    : {
        _tag: "Flow",
        length: body.length,
        open: (sink) => {
          const source = body.open(sink)
          return { resume: () => source.resume(), cancel: () => {} }
        },
      }
}

export const triesTwice: Sabotage = (ports) =>
  calls(
    ports,
    (send) =>
      (request: Request, options: SendOptions): Effect.Effect<Reply, UpstreamFailure> =>
        Effect.flatMap(
          send({ ...request, target: request.target, body: { _tag: "Empty" } } as Request, options),
          (reply) => {
            discard(reply.body)
            return send(request, options)
          },
        ),
  )

/** The last byte of every chunk of a reply is another one. */
export const corruptsReplies: Sabotage = (ports) =>
  calls(
    ports,
    (send) => (request, options) =>
      Effect.map(send(request, options), (reply) => ({ ...reply, body: corrupted(reply.body) })),
  )

const corrupted = (body: Reply["body"]): Reply["body"] => (body._tag !== "Flow" ? body : corruptedFlow(body))

const corruptedFlow = (flow: Flow): Flow => ({
  _tag: "Flow",
  length: flow.length,
  open: (sink) =>
    flow.open({
      write: (chunk) => {
        const copy = chunk.slice()
        if (copy.byteLength > 0) copy[copy.byteLength - 1] = (copy[copy.byteLength - 1] ?? 0) ^ 1
        return sink.write(copy)
      },
      end: (trailers) => sink.end(trailers),
      fail: (failure) => sink.fail(failure),
    }),
})

/** A reply that breaks off looks like one that ended. */
export const hidesBreaks: Sabotage = (ports) =>
  calls(
    ports,
    (send) => (request, options) =>
      Effect.map(send(request, options), (reply) => {
        const { body } = reply
        if (body._tag !== "Flow") return reply
        const hiding: Flow = {
          _tag: "Flow",
          length: undefined,
          open: (sink) =>
            body.open({
              write: (chunk) => sink.write(chunk),
              end: (trailers) => sink.end(trailers),
              fail: () => sink.end(undefined),
            }),
        }
        return { ...reply, body: hiding }
      }),
  )

/** Requests leave by whatever configuration is the newest. */
export const mixesPlans: Sabotage = (ports, gateway) =>
  calls(ports, (send) => (request, options) => {
    const [route] = gateway()?.live.current.snapshot.routes.values() ?? []
    const tag = route?.policies.find(
      (policy): policy is Extract<TrafficPolicy, { _tag: "ResponseHeaderModifier" }> =>
        policy._tag === "ResponseHeaderModifier",
    )?.set[0]?.value
    if (tag !== undefined) request.headers.set(planHeader, tag)
    return send(request, options)
  })

/** Nothing is said about how long a reply may take. */
export const forgetsDeadlines: Sabotage = (ports) =>
  calls(ports, (send) => (request, options) => send(request, { ...options, replyTimeoutMillis: undefined }))

/** Nobody looks whether servers take or send anything. */
export const forgetsSilence: Sabotage = (ports) => ({
  ...calls(ports, (send) => (request, options) => send(request, { ...options, idleMillis: undefined })),
  clock: {
    ...ports.clock,
    // Whoever waits for a silence to end waits for its time, and then once more for what was said meanwhile.
    after: (millis, callback) => (millis === 0 ? () => {} : ports.clock.after(millis, callback)),
  },
})

/** A silent server is blamed for something else. */
export const mistakesSilence: Sabotage = (ports) => ({
  ...ports,
  journal: {
    ...ports.journal,
    exchange: (exchange, ending) => {
      const { delivered } = ending
      const failure = delivered?.failure
      ports.journal.exchange(
        exchange,
        delivered === undefined || failure?.reason !== "stalled"
          ? ending
          : { ...ending, delivered: { ...delivered, failure: { ...failure, reason: "gone" } } },
      )
    },
  },
})

export const keepsSockets: Sabotage = (ports) => sockets(ports, (socket) => overriding(socket, { destroy: () => {} }))

export const keepsTimers: Sabotage = (ports) => ({
  ...ports,
  clock: {
    ...ports.clock,
    after: (millis, callback) => {
      ports.clock.after(3_600_000, () => {})
      return ports.clock.after(millis, callback)
    },
  },
})

/** A port that cannot be opened takes the others along. */
export const closesOnRefusal: Sabotage = (ports) => {
  const stops: Array<() => void> = []
  return {
    ...ports,
    network: {
      ...ports.network,
      listen: (options, onSocket) =>
        Effect.tapError(
          Effect.tap(ports.network.listen(options, onSocket), ({ stop }) => Effect.sync(() => void stops.push(stop))),
          () => Effect.sync(() => stops.forEach((stop) => stop())),
        ),
    },
  }
}

/** Broken replies count as answered. */
export const flatters: Sabotage = (ports) => ({
  ...ports,
  journal: {
    ...ports.journal,
    exchange: (exchange, ending) => ports.journal.exchange(exchange, { ...ending, outcome: "answered" }),
  },
})

export const neverOpens: Sabotage = (ports) => ({
  ...ports,
  network: { ...ports.network, listen: () => Effect.never },
})

/** Somebody reads a body that is not his. */
export const readsAhead: Sabotage = (ports) =>
  requests(ports, (incoming) => {
    discard(incoming.body)
    return incoming
  })

export const breaks: Sabotage = (ports) => calls(ports, () => () => Effect.die(new Error("broken on purpose")))

export const lingers: Sabotage = (ports) => ({
  ...ports,
  network: {
    ...ports.network,
    listen: (options, onSocket) =>
      Effect.tap(ports.network.listen(options, onSocket), () => Effect.addFinalizer(() => Effect.sleep("1 minute"))),
  },
})

/** Two attempts at once, and the faster one wins. */
export const hedges: Sabotage = (ports) =>
  calls(
    ports,
    (send) => (request, options) =>
      request.body._tag === "Flow"
        ? send(request, options)
        : Effect.raceFirst(send(request, options), send(request, options)),
  )

/** Of every request's body the first chunk is lost. */
export const losesUploads: Sabotage = (ports) =>
  requests(ports, (incoming) => {
    const { body } = incoming
    if (body._tag !== "Flow") return incoming
    const losing: Flow = {
      _tag: "Flow",
      length: undefined,
      open: (sink) => {
        let isFirst = true
        return body.open({
          write: (chunk) => {
            if (!isFirst) return sink.write(chunk)
            isFirst = false
            return true
          },
          end: (trailers) => sink.end(trailers),
          fail: (failure) => sink.fail(failure),
        })
      },
    }
    return { ...incoming, body: losing }
  })
