/** The way out, simulated: servers that answer, fail, stall and restart as the world says. */
import * as Effect from "effect/Effect"
import { addressOf } from "../../stages/6-dispatch/Endpoints.ts"
import type { Reply } from "../../stages/Exchange.ts"
import type { Endpoint, EndpointSpec, Upstream, UpstreamFailure } from "../../stages/ports/Upstream.ts"
import type { Recorder } from "./Recorder.ts"
import { startMillis, type Scheduler } from "./Scheduler.ts"
import { type CallPorts, type Met, recordOf, SimulatedCall } from "./SimulatedCall.ts"
import type { Server } from "./World.ts"

class Running {
  readonly server: Server
  readonly calls = new Set<SimulatedCall>()
  private answered = 0

  constructor(server: Server) {
    this.server = server
  }

  meet(sinceStartMillis: number): Met {
    const { answers, latencyMillis, outages } = this.server
    const isDown = outages.some(
      ({ forMillis, fromMillis }) => fromMillis <= sinceStartMillis && sinceStartMillis < fromMillis + forMillis,
    )
    const answer = answers[isDown ? 0 : this.answered++ % answers.length] ?? answers[0]
    return { latencyMillis, isDown, answer }
  }
}

export class SimulatedUpstream {
  /** Calls that have not ended. */
  readonly calls = new Set<SimulatedCall>()
  openEndpoints = 0
  private readonly servers = new Map<string, Running>()
  private readonly scheduler: Scheduler
  private readonly recorder: Recorder

  constructor(servers: ReadonlyArray<Server>, scheduler: Scheduler, recorder: Recorder) {
    this.scheduler = scheduler
    this.recorder = recorder
    for (const server of servers) this.servers.set(`${server.host}:${server.port}`, new Running(server))
  }

  /** Outages begin when their time comes. */
  start(): ReadonlyArray<() => void> {
    return [...this.servers.values()].flatMap((running) =>
      running.server.outages.map(({ fromMillis }) =>
        this.scheduler.after(fromMillis, () => {
          const calls = [...running.calls]
          for (const call of calls) call.reset()
        }),
      ),
    )
  }

  readonly service: Upstream["Service"] = { open: (spec) => this.open(spec) }

  private open(spec: EndpointSpec): Endpoint {
    const label = addressOf(spec.target)
    const running = this.servers.get(label)
    const waiting: Array<SimulatedCall> = []
    let active = 0
    let isOpen = true
    this.openEndpoints++
    const ports: CallPorts = {
      scheduler: this.scheduler,
      recorder: this.recorder,
      meet: () => running?.meet(this.scheduler.nowMillis - startMillis),
      ended: (call) => {
        running?.calls.delete(call)
        this.calls.delete(call)
        const queued = waiting.indexOf(call)
        if (queued >= 0) return void waiting.splice(queued, 1)
        active--
        const next = waiting.shift()
        if (next === undefined) return
        active++
        this.scheduler.post(() => next.start())
      },
    }
    return {
      spec,
      label,
      send: (request, options) =>
        Effect.callback<Reply, UpstreamFailure>((resume) => {
          const record = recordOf(this.recorder, label, request, options, !isOpen)
          const call = new SimulatedCall(ports, spec, request, options, record, resume)
          this.calls.add(call)
          running?.calls.add(call)
          call.begin()
          if (active >= (spec.poolSizeMax ?? Infinity)) waiting.push(call)
          else {
            active++
            call.start()
          }
          return Effect.sync(() => call.abort())
        }),
      dial: Effect.fail({ _tag: "ConnectFailed", message: "raw connections are not simulated" }),
      close: () => {
        if (!isOpen) return this.recorder.breach(`the endpoint ${label} was closed twice`)
        isOpen = false
        this.openEndpoints--
      },
    }
  }
}
