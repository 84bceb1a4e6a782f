/** What the journal costs an exchange: its metrics alone, with a text line, with a JSON line; one metric update; and
 * traces, where it has none. */
import { BackendKey, BindKey, ListenerKey, RouteKey } from "../ir/Key.ts"
import * as Snapshot from "../ir/emptySnapshot.ts"
import { any } from "../ir/Match.ts"
import { Headers } from "../protocols/http/headers.ts"
import { makeTcp } from "../stages/4-route/tcp.ts"
import * as Tree from "../stages/4-route/tree.ts"
import { empty } from "../stages/Body.ts"
import type { Bound } from "../stages/Connection.ts"
import { Exchange, Request } from "../stages/Exchange.ts"
import { nobody } from "../stages/Call.ts"
import { type CompiledListener, type CompiledRoute, type Plan, PlanUse } from "../stages/Plan.ts"
import type { Ending } from "../stages/ports/Journal.ts"
import type { Endpoint } from "../stages/ports/Upstream.ts"
import { clock } from "../src/node/timer.ts"
import { compile as compileTracing } from "../stages/5-policy/tracing.ts"
import { Exports } from "../src/telemetry/Exports.ts"
import { batchSettings, spanLimits } from "../src/telemetry/otlp/settings.ts"
import { traceWitness } from "../src/telemetry/traces.ts"
import { Stories, storyWitness } from "../src/telemetry/Stories.ts"
import { Curiosity } from "../src/telemetry/Curiosity.ts"
import type { Witness } from "../src/telemetry/Told.ts"
import { begin as beginSpan } from "../stages/6-dispatch/spanOf.ts"
import type { Try } from "../stages/6-dispatch/Target.ts"
import * as Effect from "effect/Effect"
import { formats } from "../src/telemetry/accessLog.ts"
import { TelemetryJournal } from "../src/telemetry/journal.ts"
import { Levels } from "../src/telemetry/Levels.ts"
import { LineSink } from "../src/telemetry/LineSink.ts"
import { make as makeMetrics } from "../src/telemetry/metrics.ts"
import { Timestamps } from "../src/telemetry/Timestamps.ts"

const ROUNDS = 7
const ROUND_MILLIS = 200

const serve = () => {
  throw new Error("nothing is served here")
}

const bind = BindKey.make("bind/8080")
const listener: CompiledListener = {
  ir: {
    key: ListenerKey.make("gateway/default"),
    bind,
    name: { gatewayName: "default", gatewayNamespace: "default", listenerName: "default" },
    hostname: "*",
    protocol: "HTTP",
  },
  serve,
  routes: Tree.make([]),
  wayOf: () => undefined,
  tcpRoutes: makeTcp([]),
  tls: undefined,
}
const routes = Array.from({ length: 64 }, (_, i): CompiledRoute => {
  const ir = {
    key: RouteKey.make(`gateway/default/default/route${i}`),
    parent: { _tag: "Listener", listener: listener.ir.key },
    name: { name: `route${i}`, namespace: "default" },
    hostnames: [],
    matches: [any],
    backends: [],
    policies: [],
  } as const
  return { ir, chain: [ir], serve }
})
const plan: Plan = {
  version: 1,
  snapshot: Snapshot.empty,
  binds: new Map(),
  listeners: new Map([[listener.ir.key, listener]]),
  callees: nobody,
  use: new PlanUse(),
}
const peer = { host: "127.0.0.1", port: 50_000 }
const socket = {} as Bound["secured"]["socket"]
const bound: Bound = {
  secured: {
    accepted: { bind, socket, peer, local: { host: "127.0.0.1", port: 8080 }, rawPeer: peer, acceptedMillis: 0 },
    socket,
    tls: undefined,
  },
  listener: undefined,
}
const endpoint = {
  label: "127.0.0.1:9000",
  spec: { target: { _tag: "Host", host: "127.0.0.1", port: 9000 } },
} as Endpoint

const exchanges = routes.map((route, i) => {
  const fields = ["accept", "*/*", "user-agent", "bench"]
  const request = new Request(
    "GET",
    "http",
    "localhost:8080",
    "localhost",
    `/v1/items/${i}`,
    i % 4 === 0 ? "page=2" : undefined,
    "1.1",
    new Headers(fields),
    empty,
    undefined,
  )
  const exchange = new Exchange(plan, bound, request, clock.nowMillis(), undefined, undefined)
  Object.assign(exchange.trail, {
    listener,
    route,
    backend: BackendKey.make(`/backend${i % 3}`),
    endpoint,
    attempts: 1,
    upstreamStartMillis: exchange.startedMillis + 0.1,
    upstreamHeadMillis: exchange.startedMillis + 1.1,
    replyMillis: exchange.startedMillis + 1.15,
  })
  return exchange
})
const headers = new Headers(["content-type", "text/plain", "content-length", "64", "date", "today", "server", "bench"])

const journalOf = (
  level: "off" | "info",
  format: "text" | "json",
  toSink: boolean,
  witnesses: ReadonlyArray<Witness> = [],
): TelemetryJournal => {
  const levels = new Levels({ level: "info", targets: [{ target: "request", level }] })
  const sink = new LineSink({ out: (bytes) => bytes.byteLength, clock: { ...clock, after: () => () => {} } })
  let length = 0
  return new TelemetryJournal({
    metrics: makeMetrics({ version: "bench" }),
    levels,
    timestamps: new Timestamps(clock),
    format: formats[format],
    write: toSink ? (line) => sink.write(line) : (line) => void (length += line.length),
    clock,
    witnesses,
    firstNumber: 0,
    log: () => {},
  })
}

const never: Ending = { reply: undefined, delivered: undefined, outcome: "interrupted", endedMillis: 0 }

/** CPU time, so that a busy machine does not show; of all threads, because garbage is collected on others. */
const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

const nanosEach = (run: (i: number) => void): number => {
  let count = 0
  const start = cpuMicros()
  let now = start
  while (now < start + ROUND_MILLIS * 1000) {
    for (let i = 0; i < 1000; i++) run(i)
    count += 1000
    now = cpuMicros()
  }
  return ((now - start) * 1000) / count
}

const report = (name: string, run: (i: number) => void): void => {
  nanosEach(run)
  const rounds = Array.from({ length: ROUNDS }, () => nanosEach(run)).toSorted((a, b) => a - b)
  process.stdout.write(`${(rounds[Math.floor(ROUNDS / 2)] ?? 0).toFixed(0).padStart(6)} ns  ${name}\n`)
}

const telling = (journal: TelemetryJournal) => (i: number) => {
  const exchange = exchanges[i % exchanges.length] as Exchange
  const ending: Ending = {
    reply: { status: 200, headers, body: empty, origin: "upstream" },
    delivered: { outcome: "complete", bytes: 64, failure: undefined },
    outcome: "answered",
    endedMillis: exchange.startedMillis + 1.4 + i * 0.01,
  }
  journal.port.exchange(exchange, ending)
}

const metrics = makeMetrics({ version: "bench" })
const counter = metrics.retries.with("backend")
const histogram = metrics.requestDuration.with("backend")
report("one counter", () => counter.add(1))
report("one histogram", (i) => histogram.observe((i % 50) / 1000))
report("an exchange: metrics", telling(journalOf("off", "text", false)))
report("an exchange: metrics and a line of text, made", telling(journalOf("info", "text", false)))
report("an exchange: metrics and a line of text, written to nowhere", telling(journalOf("info", "text", true)))
report("an exchange: metrics and a line of JSON, written to nowhere", telling(journalOf("info", "json", true)))

const tracerOf = (fraction: number) =>
  compileTracing(
    {
      _tag: "Tracing",
      callee: { backend: { _tag: "Invalid" }, policies: [] },
      attributes: [],
      resources: [],
      remove: [],
      randomSampling: { _tag: "Fraction", fraction },
      path: "/v1/traces",
      protocol: "http",
    },
    { clock, maxBufferBytes: 0 },
  )
const dropped = { spans: 0 }
let exportedBytes = 0
const exportsOf = (): Exports =>
  new Exports({
    clock,
    version: "bench",
    resource: () => [["service.name", "bench"]],
    settings: batchSettings({ OTEL_BSP_MAX_QUEUE_SIZE: "1000000" }),
    limits: spanLimits({}),
    onDropped: (_, count) => (dropped.spans += count),
  })

/** What an exchange pays for traces that are configured, and that it has none of. */
const seldom = tracerOf(1e-9)
const wants = traceWitness(exportsOf()).wants
report("an exchange: not sampled, asked at its beginning and at its end", (i) => {
  const exchange = exchanges[i % exchanges.length] as Exchange
  seldom?.begin(exchange)
  if (wants(exchange, never)) throw new Error("it was sampled")
})

/** One that is: its spans, its story, and its way to a receiver that costs nothing. */
const always = tracerOf(1)
Object.assign(listener, { tracer: always })
Object.assign(plan, {
  callees: {
    to: () => (_: Exchange, request: Request) =>
      Effect.sync(() => {
        if (request.body._tag === "Bytes") exportedBytes += request.body.bytes.byteLength
        return { status: 200, headers: new Headers(), body: empty, origin: "upstream" }
      }),
  },
})
const tracedExchange = (journal: TelemetryJournal) => (i: number) => {
  const exchange = exchanges[i % exchanges.length] as Exchange
  exchange.request.headers.remove("traceparent")
  exchange.trace = undefined
  exchange.inquiry = undefined
  exchange.id = undefined
  always?.begin(exchange)
  const { request } = exchange
  const { inquiry, trace } = exchange as Pick<Exchange, "inquiry" | "trace">
  if (trace === undefined) throw new Error("it was not sampled")
  inquiry?.note({ stage: "route", decision: "r", detail: any })
  inquiry?.note({ stage: "dispatch", decision: "d" })
  const span = beginSpan(trace, { exchange, number: 0 } as Try, request, endpoint, clock)
  inquiry?.note({ stage: "attempt", decision: `${request.method} to ${endpoint.label}`, detail: { number: 0 } })
  span.set("http.status", 200)
  span.end(clock.nowMillis(), undefined)
  inquiry?.note({ stage: "attempt", decision: "answered 200" })
  if (inquiry !== undefined) exchange.id = trace.traceId
  telling(journal)(i)
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const reportSending = async (name: string, run: (i: number) => void): Promise<void> => {
  const nanos: Array<number> = []
  for (let round = 0; round <= ROUNDS; round++) {
    const start = cpuMicros()
    let count = 0
    while (cpuMicros() < start + ROUND_MILLIS * 1000) {
      // As many as a turn of the loop could bring.
      for (let turns = 0; turns < 32; turns++) {
        for (let i = 0; i < 32; i++) run(count++)
        await turn()
      }
    }
    nanos.push(((cpuMicros() - start) * 1000) / count)
  }
  nanos.shift()
  nanos.sort((a, b) => a - b)
  process.stdout.write(`${(nanos[Math.floor(ROUNDS / 2)] ?? 0).toFixed(0).padStart(6)} ns  ${name}\n`)
}
const withTraces = (): ReadonlyArray<Witness> => [traceWitness(exportsOf())]
const withStories = (): ReadonlyArray<Witness> => [storyWitness(new Stories(), new Curiosity(clock))]
await reportSending("an exchange: metrics and a line of JSON, in turns", telling(journalOf("info", "json", true)))
await reportSending("… sampled, told to nobody", tracedExchange(journalOf("info", "json", true, [])))
await reportSending("… sampled, its story kept", tracedExchange(journalOf("info", "json", true, withStories())))
await reportSending("… sampled, exported", tracedExchange(journalOf("info", "json", true, withTraces())))
await reportSending(
  "… sampled, exported, its story kept",
  tracedExchange(journalOf("info", "json", true, [...withTraces(), ...withStories()])),
)
process.stdout.write(`${dropped.spans} dropped, ${exportedBytes} bytes exported\n`)
process.exit(0)
