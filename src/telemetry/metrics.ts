/** The metrics of the gateway: their names, labels and buckets in one table, which the reference page is made from. */
import { type Counter, type Definition, type Family, type Gauge, type Histograms, Registry } from "./Registry.ts"

export const prefix = "agentgateway_"

const route = ["bind", "gateway", "listener", "route", "route_rule"] as const
const http = ["backend", "protocol", "method", "status", "reason", ...route] as const
const processing = ["backend", ...route] as const
const model = [
  "gen_ai_operation_name",
  "gen_ai_system",
  "gen_ai_request_model",
  "gen_ai_response_model",
  ...route,
] as const
const transport = ["bind", "gateway", "listener", "protocol"] as const

const requestSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 80]
const processingSeconds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25]
const connectSeconds = [0.0005, 0.0015, 0.0043, 0.0126, 0.0368, 0.108, 0.316, 0.924, 2.71, 8]

const firstTokenSeconds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const perTokenSeconds = [0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]
const callSeconds = Array.from({ length: 14 }, (_, i) => 0.01 * 2 ** i)
const tokenCounts = Array.from({ length: 14 }, (_, i) => 4 ** i)

const counter = (name: string, labels: ReadonlyArray<string>, help: string) =>
  ({ name: `${prefix}${name}`, kind: "counter", help, labels }) as const satisfies Definition

const gauge = (name: string, labels: ReadonlyArray<string>, help: string, across: Definition["across"] = "sum") =>
  ({ name: `${prefix}${name}`, kind: "gauge", help, labels, across }) as const satisfies Definition

const histogram = (name: string, labels: ReadonlyArray<string>, buckets: ReadonlyArray<number>, help: string) =>
  ({ name: `${prefix}${name}`, kind: "histogram", help, labels, buckets }) as const satisfies Definition

export const definitions = {
  buildInfo: gauge("build_info", ["tag"], "Always 1; the label says which build this is.", "max"),
  requests: counter("requests_total", http, "HTTP requests, whichever way they ended."),
  requestDuration: histogram(
    "request_duration_seconds",
    http,
    requestSeconds,
    "From the head of a request to the end of its reply's body.",
  ),
  requestProcessing: histogram(
    "request_processing_seconds",
    processing,
    processingSeconds,
    "From the head of a request to the first call of an upstream.",
  ),
  responseProcessing: histogram(
    "response_processing_seconds",
    processing,
    processingSeconds,
    "From the head of an upstream's reply to the sending of ours.",
  ),
  overhead: histogram(
    "request_overhead_seconds",
    processing,
    processingSeconds,
    "Time in the gateway that was not spent waiting for anybody: on the way in and on the way out together.",
  ),
  responseBytes: counter("response_bytes_total", http, "Bytes of reply bodies sent to clients."),
  retries: counter("retries_total", http, "Further attempts at requests."),
  mcpRequests: counter(
    "mcp_requests_total",
    ["method", "resource_type", "server", "resource", ...route],
    "Messages of MCP, by what they were about.",
  ),
  mcpTarget: histogram(
    "mcp_target_duration_seconds",
    ["method", "server", ...route],
    requestSeconds,
    "How long a message of MCP waited for the servers behind the gateway.",
  ),
  toolLock: counter(
    "tool_lock_findings_total",
    ["server", "kind", "grade", "action"],
    "Definitions of servers that are not what was approved: cosmetic, suspicious or another identity; passed on or hidden.",
  ),
  mcpConnections: counter(
    "mcp_connections_total",
    ["event", ...route],
    "What became of accounts at MCP servers while requests waited: consent, consent again, went on, declined, and of logins: connected, refused, failed.",
  ),
  tokenUsage: histogram(
    "gen_ai_client_token_usage",
    ["gen_ai_token_type", ...model],
    tokenCounts,
    "Tokens of one call of a model, by type: input, output, input_cache_read, input_cache_write.",
  ),
  tokenCost: counter("gen_ai_client_cost_usd_total", model, "US dollars that calls of models cost."),
  modelDuration: histogram(
    "gen_ai_server_request_duration",
    model,
    callSeconds,
    "Seconds from the request to the end of the answer of a model.",
  ),
  firstToken: histogram(
    "gen_ai_server_time_to_first_token",
    model,
    firstTokenSeconds,
    "Seconds from the request to the first token of a streamed answer.",
  ),
  perToken: histogram(
    "gen_ai_server_time_per_output_token",
    model,
    perTokenSeconds,
    "Seconds between one token of a streamed answer and the next.",
  ),
  costLookups: counter(
    "cost_catalog_lookups_total",
    ["status", ...model],
    "Questions to the catalogue of prices, by what it knew: Exact, Missing, Unpriced, NoCatalog.",
  ),
  cachedReplies: counter(
    "gen_ai_cached_replies_total",
    ["result", ...model],
    "Calls of models that a cache of replies was asked about, by what it knew: hit, similar, miss, bypass.",
  ),
  guardrailChecks: counter(
    "guardrail_checks_total",
    ["phase", "action", "guard", ...route],
    "Guards that looked at a call of a model or an agent, once for everything that each did: Allow, Mask, Reject, FailOpen, FailClosed.",
  ),
  downstreamConnections: counter("downstream_connections_total", transport, "Accepted connections."),
  downstreamRejected: counter(
    "downstream_connections_rejected_total",
    ["bind", "stage"],
    "Connections that ended before they carried anything, by the stage that ended them.",
  ),
  downstreamReceivedBytes: counter(
    "downstream_received_bytes_total",
    transport,
    "Bytes received from clients on raw connections.",
  ),
  downstreamSentBytes: counter("downstream_sent_bytes_total", transport, "Bytes sent to clients on raw connections."),
  tlsHandshake: histogram(
    "tls_handshake_duration_seconds",
    transport,
    connectSeconds,
    "From the arrival of a connection to the end of its TLS handshake.",
  ),
  upstreamConnect: histogram(
    "upstream_connect_duration_seconds",
    ["transport"],
    connectSeconds,
    "From the wish for a connection to one that can be used: names, addresses, proxies and TLS included.",
  ),
  upstreamCall: histogram(
    "upstream_call_duration_seconds",
    ["kind", "subtype"],
    requestSeconds,
    "From the first call of an upstream to the head of the reply that was used, or to the failure.",
  ),
  configSynchronized: gauge(
    "config_synchronized",
    [],
    "1 when the configuration told last is the one that serves, 0 when it was refused.",
    "max",
  ),
  connectionsOpen: gauge("downstream_connections_open", [], "Client connections that are open."),
  exchangesOpen: gauge("exchanges_open", [], "Requests that are being served."),
  endpointsOpen: gauge("upstream_endpoints_open", [], "Upstream endpoints with a pool of connections."),
  targetEvicted: gauge(
    "target_evicted",
    ["kind", "target", "service"],
    "1 while a target is left out because it failed, 0 while it takes part; in any thread.",
    "max",
  ),
  targetHealth: gauge(
    "target_health_ratio",
    ["kind", "target", "service"],
    "How well a target has answered lately, from 0 to 1; in the thread where it did worst.",
    "min",
  ),
  eventLoopDelay: gauge(
    "event_loop_delay_seconds",
    ["quantile"],
    "How late the event loop was since the last reading; the worst thread.",
    "max",
  ),
  eventLoopUtilization: gauge(
    "event_loop_utilization_ratio",
    [],
    "Share of time the event loop was busy since the last reading; the busiest thread.",
    "max",
  ),
  heapUsed: gauge("heap_used_bytes", [], "Memory of live and not yet collected objects."),
  heapTotal: gauge("heap_total_bytes", [], "Memory set aside for objects."),
  residentMemory: gauge("resident_memory_bytes", [], "Memory of the process, everything counted.", "max"),
  logLinesDropped: counter(
    "log_lines_dropped_total",
    [],
    "Log lines that were dropped, because too many waited or there was nowhere to write them.",
  ),
  expressionFailures: counter(
    "expression_failures_total",
    ["use"],
    "Evaluations of expressions that failed, by what they were for.",
  ),
  storiesForgotten: counter(
    "stories_forgotten_total",
    [],
    "Stories of exchanges that made room for newer ones in memory.",
  ),
  exportsDropped: counter("exports_dropped_total", ["signal"], "Spans and log records that no receiver took."),
  requestLogDropped: counter("request_log_dropped_total", [], "Rows of the request log that were not written."),
  queueSize: gauge("queue_size", ["queue"], "What waits to be written or sent, by queue."),
  seriesOverflow: counter(
    "metric_series_overflow_total",
    ["metric"],
    "Label sets that found no room of their own and share the series `overflow`.",
  ),
} as const

export interface Metrics {
  readonly registry: Registry
  readonly requests: Family<Counter>
  readonly requestDuration: Histograms
  readonly requestProcessing: Histograms
  readonly responseProcessing: Histograms
  readonly overhead: Histograms
  readonly responseBytes: Family<Counter>
  readonly retries: Family<Counter>
  readonly mcpRequests: Family<Counter>
  readonly mcpTarget: Histograms
  readonly toolLock: Family<Counter>
  readonly mcpConnections: Family<Counter>
  readonly tokenUsage: Histograms
  readonly tokenCost: Family<Counter>
  readonly modelDuration: Histograms
  readonly firstToken: Histograms
  readonly perToken: Histograms
  readonly costLookups: Family<Counter>
  readonly cachedReplies: Family<Counter>
  readonly guardrailChecks: Family<Counter>
  readonly downstreamConnections: Family<Counter>
  readonly downstreamRejected: Family<Counter>
  readonly downstreamReceivedBytes: Family<Counter>
  readonly downstreamSentBytes: Family<Counter>
  readonly tlsHandshake: Histograms
  readonly upstreamConnect: Histograms
  readonly upstreamCall: Histograms
  readonly configSynchronized: Family<Gauge>
  readonly connectionsOpen: Family<Gauge>
  readonly exchangesOpen: Family<Gauge>
  readonly endpointsOpen: Family<Gauge>
  readonly targetEvicted: Family<Gauge>
  readonly targetHealth: Family<Gauge>
  readonly eventLoopDelay: Family<Gauge>
  readonly eventLoopUtilization: Family<Gauge>
  readonly heapUsed: Family<Gauge>
  readonly heapTotal: Family<Gauge>
  readonly residentMemory: Family<Gauge>
  readonly logLinesDropped: Family<Counter>
  readonly expressionFailures: Family<Counter>
  readonly storiesForgotten: Family<Counter>
  readonly exportsDropped: Family<Counter>
  readonly requestLogDropped: Family<Counter>
  readonly queueSize: Family<Gauge>
}

export interface MetricsOptions {
  readonly version: string
  readonly remove?: ReadonlyArray<string>
  readonly seriesMax?: number
  /** Whether histograms have exponential buckets beside the fixed ones. */
  readonly exponential?: boolean
  /** Further labels of whatever is counted by route. */
  readonly labels?: ReadonlyArray<string>
}

/** Whether the labels of a metric name the route, so that those of the configuration come after them. */
const byRoute = ({ labels }: Definition): boolean => labels.includes("route_rule")

/** The labels that any metric by route has already. */
export const ownLabels: ReadonlySet<string> = new Set(
  Object.values<Definition>(definitions).flatMap((one) => (byRoute(one) ? [...one.labels, "le"] : [])),
)

type Definitions = { readonly [K in keyof typeof definitions]: (typeof definitions)[K] }

const withLabels = (more: ReadonlyArray<string>): Definitions =>
  Object.fromEntries(
    Object.entries<Definition>(definitions).map(([key, one]) => [
      key,
      byRoute(one) ? { ...one, labels: [...one.labels, ...more] } : one,
    ]),
  ) as unknown as Definitions

export const make = ({ labels = [], version, ...options }: MetricsOptions): Metrics => {
  const registry = new Registry({ ...options, prefix })
  const at = withLabels(labels)
  registry.gauge(at.buildInfo).with(version).set(1)
  const metrics: Metrics = {
    registry,
    requests: registry.counter(at.requests),
    requestDuration: registry.histogram(at.requestDuration),
    requestProcessing: registry.histogram(at.requestProcessing),
    responseProcessing: registry.histogram(at.responseProcessing),
    overhead: registry.histogram(at.overhead),
    responseBytes: registry.counter(at.responseBytes),
    retries: registry.counter(at.retries),
    mcpRequests: registry.counter(at.mcpRequests),
    mcpTarget: registry.histogram(at.mcpTarget),
    toolLock: registry.counter(at.toolLock),
    mcpConnections: registry.counter(at.mcpConnections),
    tokenUsage: registry.histogram(at.tokenUsage),
    tokenCost: registry.counter(at.tokenCost),
    modelDuration: registry.histogram(at.modelDuration),
    firstToken: registry.histogram(at.firstToken),
    perToken: registry.histogram(at.perToken),
    costLookups: registry.counter(at.costLookups),
    cachedReplies: registry.counter(at.cachedReplies),
    guardrailChecks: registry.counter(at.guardrailChecks),
    downstreamConnections: registry.counter(at.downstreamConnections),
    downstreamRejected: registry.counter(at.downstreamRejected),
    downstreamReceivedBytes: registry.counter(at.downstreamReceivedBytes),
    downstreamSentBytes: registry.counter(at.downstreamSentBytes),
    tlsHandshake: registry.histogram(at.tlsHandshake),
    upstreamConnect: registry.histogram(at.upstreamConnect),
    upstreamCall: registry.histogram(at.upstreamCall),
    configSynchronized: registry.gauge(at.configSynchronized),
    connectionsOpen: registry.gauge(at.connectionsOpen),
    exchangesOpen: registry.gauge(at.exchangesOpen),
    endpointsOpen: registry.gauge(at.endpointsOpen),
    targetEvicted: registry.gauge(at.targetEvicted),
    targetHealth: registry.gauge(at.targetHealth),
    eventLoopDelay: registry.gauge(at.eventLoopDelay),
    eventLoopUtilization: registry.gauge(at.eventLoopUtilization),
    heapUsed: registry.gauge(at.heapUsed),
    heapTotal: registry.gauge(at.heapTotal),
    residentMemory: registry.gauge(at.residentMemory),
    logLinesDropped: registry.counter(at.logLinesDropped),
    expressionFailures: registry.counter(at.expressionFailures),
    storiesForgotten: registry.counter(at.storiesForgotten),
    exportsDropped: registry.counter(at.exportsDropped),
    requestLogDropped: registry.counter(at.requestLogDropped),
    queueSize: registry.gauge(at.queueSize),
  }
  const overflowed = registry.counter(at.seriesOverflow)
  registry.onOverflow = (metric) => overflowed.with(metric).add(1)
  return metrics
}
