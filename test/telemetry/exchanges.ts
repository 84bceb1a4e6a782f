/** A journal whose lines are kept, and exchanges to tell it about. */
import { BindKey, ListenerKey, RouteKey } from "../../ir/Key.ts"
import * as Snapshot from "../../ir/emptySnapshot.ts"
import { any } from "../../ir/Match.ts"
import type { AccessLog } from "../../ir/policy/AccessLog.ts"
import type { Snapshot as SnapshotType } from "../../ir/Snapshot.ts"
import { AttachmentKey } from "../../ir/Key.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { makeTcp } from "../../stages/4-route/tcp.ts"
import * as Tree from "../../stages/4-route/tree.ts"
import { empty } from "../../stages/Body.ts"
import type { Accepted } from "../../stages/Connection.ts"
import { Exchange, type Reply, Request, type Trail } from "../../stages/Exchange.ts"
import { nobody } from "../../stages/Call.ts"
import { type CompiledListener, type CompiledRoute, type Plan, PlanUse } from "../../stages/Plan.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import type { Socket, TlsFacts } from "../../stages/ports/Network.ts"
import type { Endpoint } from "../../stages/ports/Upstream.ts"
import { formats } from "../../src/telemetry/accessLog.ts"
import { TelemetryJournal } from "../../src/telemetry/journal.ts"
import { Levels, type Setting } from "../../src/telemetry/Levels.ts"
import { make as makeMetrics } from "../../src/telemetry/metrics.ts"
import { expose } from "../../src/telemetry/exposition.ts"
import { Timestamps } from "../../src/telemetry/Timestamps.ts"
import { FakeClock } from "../stages/exchange.ts"
import { read } from "./prometheus.ts"

export const bind = BindKey.make("bind/8080")

const serve = () => {
  throw new Error("nothing is served here")
}

export const listener: CompiledListener = {
  ir: {
    key: ListenerKey.make("gateway/default"),
    bind,
    name: { gatewayName: "default", gatewayNamespace: "ns", listenerName: "listener0" },
    hostname: "*",
    protocol: "HTTP",
  },
  serve,
  routes: Tree.make([]),
  wayOf: () => undefined,
  tcpRoutes: makeTcp([]),
  tls: undefined,
}

export const routeOf = (name: string, ruleName?: string): CompiledRoute => {
  const ir = {
    key: RouteKey.make(`gateway/default/ns/${name}`),
    parent: { _tag: "Listener", listener: listener.ir.key },
    name: { name, namespace: "ns", ...(ruleName === undefined ? {} : { ruleName }) },
    hostnames: [],
    matches: [any],
    backends: [],
    policies: [],
  } as const
  return { ir, chain: [ir], serve }
}

export const planOf = (snapshot: Partial<SnapshotType> = {}): Plan => ({
  version: 1,
  snapshot: { ...Snapshot.empty, ...snapshot },
  binds: new Map(),
  listeners: new Map([[listener.ir.key, listener]]),
  callees: nobody,
  use: new PlanUse(),
})

/** A snapshot in which fields are taken out of the access log of one gateway. */
export const removing = (...fields: ReadonlyArray<string>): Partial<SnapshotType> => {
  const policy: AccessLog = { _tag: "AccessLog", fields: { add: [], remove: fields } }
  const key = AttachmentKey.make("log")
  return {
    attachments: new Map([
      [
        key,
        {
          key,
          target: { _tag: "Gateway", name: "default", namespace: "ns" },
          inheritance: "default",
          policy: { _tag: "Frontend", policy },
        },
      ],
    ]),
  }
}

export const acceptedFrom = (host: string, port: number): Accepted => {
  const peer = { host, port }
  return {
    bind,
    socket: {} as Socket,
    peer,
    local: { host: "127.0.0.1", port: 8080 },
    rawPeer: peer,
    acceptedMillis: 0,
  }
}

export interface Told {
  readonly plan?: Plan
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly query?: string
  readonly version?: Request["version"]
  readonly trail?: Partial<Trail>
  readonly accepted?: Accepted
  readonly tls?: TlsFacts
  readonly startedMillis?: number
}

export const exchangeOf = (told: Told = {}): Exchange => {
  const accepted = told.accepted ?? acceptedFrom("10.0.0.1", 5000)
  const host = told.host ?? "example.com"
  const request = new Request(
    told.method ?? "GET",
    "http",
    host,
    host,
    told.path ?? "/a",
    told.query,
    told.version ?? "1.1",
    new Headers([]),
    empty,
    undefined,
  )
  const bound = { secured: { accepted, socket: accepted.socket, tls: told.tls }, listener: undefined }
  const exchange = new Exchange(told.plan ?? planOf(), bound, request, told.startedMillis ?? 1000, undefined, undefined)
  Object.assign(exchange.trail, { listener, ...told.trail })
  return exchange
}

export const upstream: Partial<Trail> = {
  backend: "/backend0",
  endpoint: { label: "10.1.1.1:80" } as Endpoint,
  attempts: 1,
  upstreamStartMillis: 1000.2,
  upstreamHeadMillis: 1004,
  replyMillis: 1004.5,
}

export const reply = (status = 200, more: Partial<Reply> = {}): Reply => ({
  status,
  headers: new Headers(["content-type", "text/plain"]),
  body: empty,
  origin: "upstream",
  ...more,
})

export const answered = (more: Partial<Ending> = {}): Ending => ({
  reply: reply(),
  delivered: { outcome: "complete", bytes: 64, failure: undefined },
  outcome: "answered",
  endedMillis: 1005.875,
  ...more,
})

export const world = (setting: Setting = { level: "info", targets: [] }, format: "text" | "json" = "text") => {
  const lines: Array<string> = []
  const clock = new FakeClock()
  const metrics = makeMetrics({ version: "test" })
  const levels = new Levels(setting)
  const logged: Array<string> = []
  const journal = new TelemetryJournal({
    metrics,
    levels,
    timestamps: new Timestamps(clock),
    format: formats[format],
    write: (line) => void lines.push(line),
    clock,
    witnesses: [],
    firstNumber: 0,
    log: (level, target, message, fields) =>
      void logged.push(`${level} ${target} ${message} ${JSON.stringify(fields)}`),
  })
  return {
    journal: journal.port,
    watch: (plan: Plan) => journal.watch({ current: plan }),
    levels,
    lines,
    logged,
    metrics,
    samples: () => read([...expose(metrics.registry.export())].join("")),
  }
}
