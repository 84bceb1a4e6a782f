import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { definitions, prefix } from "../../src/telemetry/metrics.ts"
import type { Definition } from "../../src/telemetry/Registry.ts"
import { metricsReferencePath, reference } from "../../src/telemetry/reference.ts"

describe("the reference of the metrics", () => {
  it("is current; `npm run reference` writes it", () => {
    assert.equal(readFileSync(metricsReferencePath, "utf8"), reference())
  })

  it("names metrics as Prometheus wants them named", () => {
    for (const { kind, labels, name } of Object.values(definitions)) {
      assert.isTrue(name.startsWith(prefix))
      assert.match(name, /^[a-z_]+$/)
      assert.equal(name.endsWith("_total"), kind === "counter", name)
      // Those of models are called as OpenTelemetry calls them, without a unit.
      if (kind === "histogram" && !name.includes("gen_ai")) assert.match(name, /_seconds$/)
      for (const label of labels) assert.match(label, /^[a-z_]+$/)
      assert.lengthOf(labels, new Set(labels).size)
    }
  })

  const route = ["bind", "gateway", "listener", "route", "route_rule"]
  const http = ["backend", "protocol", "method", "status", "reason", ...route]
  const model = ["gen_ai_operation_name", "gen_ai_system", "gen_ai_request_model", "gen_ai_response_model", ...route]
  const tcp = ["bind", "gateway", "listener", "protocol"]
  const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 80]
  const processing = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25]
  const connecting = [0.0005, 0.0015, 0.0043, 0.0126, 0.0368, 0.108, 0.316, 0.924, 2.71, 8]

  it.each<readonly [name: string, kind: string, labels: ReadonlyArray<string>, buckets?: ReadonlyArray<number>]>([
    ["build_info", "gauge", ["tag"]],
    ["requests_total", "counter", http],
    ["request_duration_seconds", "histogram", http, seconds],
    ["request_processing_seconds", "histogram", ["backend", ...route], processing],
    ["response_processing_seconds", "histogram", ["backend", ...route], processing],
    ["response_bytes_total", "counter", http],
    ["retries_total", "counter", http],
    ["mcp_requests_total", "counter", ["method", "resource_type", "server", "resource", ...route]],
    [
      "gen_ai_client_token_usage",
      "histogram",
      ["gen_ai_token_type", ...model],
      Array.from({ length: 14 }, (_, i) => 4 ** i),
    ],
    ["gen_ai_client_cost_usd_total", "counter", model],
    [
      "gen_ai_server_request_duration",
      "histogram",
      model,
      Array.from({ length: 14 }, (_, i) => Number((0.01 * 2 ** i).toFixed(2))),
    ],
    [
      "gen_ai_server_time_to_first_token",
      "histogram",
      model,
      [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    ],
    [
      "gen_ai_server_time_per_output_token",
      "histogram",
      model,
      [0.001, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
    ],
    ["cost_catalog_lookups_total", "counter", ["status", ...model]],
    ["downstream_connections_total", "counter", tcp],
    ["downstream_received_bytes_total", "counter", tcp],
    ["downstream_sent_bytes_total", "counter", tcp],
    ["tls_handshake_duration_seconds", "histogram", tcp, connecting],
    ["upstream_connect_duration_seconds", "histogram", ["transport"], connecting],
    ["upstream_call_duration_seconds", "histogram", ["kind", "subtype"], seconds],
    ["config_synchronized", "gauge", []],
  ])("%s is what dashboards made for agentgateway expect", (name, kind, labels, buckets) => {
    const found: Definition | undefined = Object.values<Definition>(definitions).find(
      (one) => one.name === `${prefix}${name}`,
    )
    assert.deepEqual([found?.kind, found?.labels, found?.buckets], [kind as "counter", labels, buckets])
  })

  it("a guard is counted with the labels that agentgateway has, and with more", () => {
    const { labels } = definitions.guardrailChecks
    for (const label of ["phase", "action"]) assert.include(labels, label)
  })
})
