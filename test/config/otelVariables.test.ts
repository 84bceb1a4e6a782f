/** Every variable that the SDK of OpenTelemetry reads for traces, and what it comes to here. */
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import type { AccessLog } from "../../ir/policy/AccessLog.ts"
import type { Tracing } from "../../ir/policy/Tracing.ts"
import { batchSettings, limited, spanLimits } from "../../src/telemetry/otlp/settings.ts"
import { resourceOf } from "../../src/telemetry/otlp/resource.ts"
import { readFileSync } from "node:fs"
import { issuesOf, loadedOf } from "./memoryIo.ts"

const routes = `
gateways: {default: {port: 1}}
routes: [{backends: [{host: "a:1"}]}]
`
const pem = (name: string): string => readFileSync(new URL(`../e2e/certificates/${name}`, import.meta.url), "utf8")
const files = { "/ca.pem": pem("ca.pem"), "/client.pem": pem("client.pem"), "/client.key": pem("client.key") }

type Env = Readonly<Record<string, string>>

const policiesOf = async (env: Env, config = "") => {
  const { snapshot, static: settings } = await loadedOf(`${config}\n${routes}`, { env, files })
  const all = [...snapshot.attachments.values()].flatMap(({ policy }) =>
    policy._tag === "Frontend" ? [policy.policy] : [],
  )
  return {
    settings,
    tracing: all.find((one): one is Tracing => one._tag === "Tracing"),
    log: all.find((one): one is AccessLog => one._tag === "AccessLog"),
  }
}

const on = { OTEL_TRACES_EXPORTER: "otlp" }
const fraction = (value: number) => ({ _tag: "Fraction", fraction: value })
const host = (name: string, port: number) => ({ _tag: "Backend", backend: `host/${name}:${port}` })

describe("a variable for traces", () => {
  it.each<readonly [what: string, env: Env, tracing: object | undefined]>([
    ["no exporter: nothing is traced", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:4318" }, undefined],
    ["exporter none", { OTEL_TRACES_EXPORTER: "none" }, undefined],
    [
      "exporter otlp: all to a collector on this machine, as protobuf over HTTP",
      on,
      {
        protocol: "http",
        path: "/v1/traces",
        callee: { backend: host("localhost", 4318), policies: [] },
        randomSampling: fraction(1),
        clientSampling: fraction(1),
      },
    ],
    [
      "protocol grpc: another port",
      { ...on, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
      { protocol: "grpc", callee: { backend: host("localhost", 4317) } },
    ],
    [
      "the protocol of the signal wins",
      { ...on, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/json" },
      { protocol: "http/json" },
    ],
    [
      "a general endpoint: the path is added",
      { ...on, OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1/base/" },
      { path: "/base/v1/traces", callee: { backend: host("a", 1) } },
    ],
    [
      "an endpoint of the signal: taken as it is",
      { ...on, OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://b:2/own" },
      { path: "/own", callee: { backend: host("b", 2) } },
    ],
    [
      "an endpoint without a scheme: TLS",
      { ...on, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_EXPORTER_OTLP_ENDPOINT: "a:4317" },
      { callee: { backend: host("a", 4317), policies: [{ _tag: "BackendTls" }] } },
    ],
    [
      "an endpoint without a scheme, insecure",
      {
        ...on,
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT: "a:4317",
        OTEL_EXPORTER_OTLP_INSECURE: "true",
      },
      { callee: { backend: host("a", 4317), policies: [] } },
    ],
    ["timeout", { ...on, OTEL_EXPORTER_OTLP_TIMEOUT: "2500" }, { timeoutMillis: 2500 }],
    [
      "timeout of the signal",
      { ...on, OTEL_EXPORTER_OTLP_TIMEOUT: "2500", OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "10" },
      { timeoutMillis: 10 },
    ],
    ["compression", { ...on, OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" }, { compression: "gzip" }],
    [
      "certificates",
      {
        ...on,
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://a:1",
        OTEL_EXPORTER_OTLP_CERTIFICATE: "/ca.pem",
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: "/client.pem",
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: "/client.key",
      },
      {
        callee: {
          policies: [
            {
              _tag: "BackendTls",
              tls: { rootsPem: files["/ca.pem"], identity: { certificatePem: files["/client.pem"] } },
            },
          ],
        },
      },
    ],
    [
      "sampler always_on: whatever the client decided",
      { ...on, OTEL_TRACES_SAMPLER: "always_on" },
      { randomSampling: fraction(1), clientSampling: fraction(1), decidesAlone: true },
    ],
    [
      "sampler always_off",
      { ...on, OTEL_TRACES_SAMPLER: "always_off" },
      { randomSampling: fraction(0), clientSampling: fraction(0), decidesAlone: true },
    ],
    [
      "sampler traceidratio",
      { ...on, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" },
      { randomSampling: fraction(0.25), clientSampling: fraction(0.25), decidesAlone: true },
    ],
    [
      "sampler traceidratio without a share: all",
      { ...on, OTEL_TRACES_SAMPLER: "traceidratio" },
      { randomSampling: fraction(1), decidesAlone: true },
    ],
    [
      "sampler parentbased_always_on",
      { ...on, OTEL_TRACES_SAMPLER: "parentbased_always_on" },
      { randomSampling: fraction(1), clientSampling: fraction(1) },
    ],
    [
      "sampler parentbased_always_off",
      { ...on, OTEL_TRACES_SAMPLER: "parentbased_always_off" },
      { randomSampling: fraction(0), clientSampling: fraction(1) },
    ],
    [
      "sampler parentbased_traceidratio",
      { ...on, OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" },
      { randomSampling: fraction(0.5), clientSampling: fraction(1) },
    ],
    ["everything disabled", { ...on, OTEL_SDK_DISABLED: "TRUE" }, undefined],
  ])("%s", async (_, env, expected) => {
    const { tracing } = await policiesOf(env)
    if (expected === undefined) expect(tracing).toBeUndefined()
    else {
      expect(tracing).toMatchObject(expected)
      expect(tracing?.decidesAlone).toBe("decidesAlone" in expected ? true : undefined)
    }
  })

  it("headers are those of the signal, decoded, and secrets", async () => {
    const { tracing } = await policiesOf({
      ...on,
      OTEL_EXPORTER_OTLP_HEADERS: "x-general=1",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "Authorization=Bearer%20hidden-word, x-two=2",
    })
    expect(tracing?.headers?.map(({ name, value }) => [name, Redacted.value(value)])).toEqual([
      ["authorization", "Bearer hidden-word"],
      ["x-two", "2"],
    ])
    expect(JSON.stringify(tracing)).not.toContain("hidden-word")
  })

  it("the file is under them, and `none` turns it off", async () => {
    const file = `config: {tracing: {otlpEndpoint: "http://f:1", otlpProtocol: http/json, randomSampling: 0.5, headers: {x-file: "1"}}}`
    const { tracing } = await policiesOf(
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://e:2", OTEL_EXPORTER_OTLP_HEADERS: "x-env=2" },
      file,
    )
    expect(tracing).toMatchObject({
      protocol: "http/json",
      callee: { backend: host("e", 2) },
      randomSampling: fraction(0.5),
      headers: [{ name: "x-file" }, { name: "x-env" }],
    })
    expect((await policiesOf({ OTEL_TRACES_EXPORTER: "none" }, file)).tracing).toBeUndefined()
  })

  it("a policy says everything itself", async () => {
    const { tracing } = await policiesOf(
      { ...on, OTEL_EXPORTER_OTLP_ENDPOINT: "http://e:2", OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" },
      `frontendPolicies: {tracing: {host: "p:3", protocol: http/json}}`,
    )
    expect(tracing).toMatchObject({ protocol: "http/json", callee: { backend: host("p", 3) } })
    expect(tracing).not.toHaveProperty("compression")
  })

  it.each<readonly [name: string, value: string]>([
    ["OTEL_TRACES_EXPORTER", "zipkin"],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote"],
    ["OTEL_TRACES_SAMPLER_ARG", "2"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "thrift"],
    ["OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "soon"],
    ["OTEL_PROPAGATORS", "xray"],
  ])("%s=%s means nothing here, and is refused by name", async (name, value) => {
    const issues = await issuesOf(routes, { env: { ...on, OTEL_TRACES_SAMPLER: "traceidratio", [name]: value } })
    expect(issues.map(({ message }) => message)).toContainEqual(expect.stringContaining(`${name}=${value}`))
  })

  it("propagators, in their order", async () => {
    expect((await policiesOf({})).settings.tracing).toEqual({ isDisabled: false })
    expect((await policiesOf({ OTEL_PROPAGATORS: "b3, tracecontext,baggage" })).settings.tracing.propagators).toEqual([
      "b3",
      "tracecontext",
      "baggage",
    ])
    expect((await policiesOf({ OTEL_PROPAGATORS: "none" })).settings.tracing.propagators).toEqual([])
  })

  it("batches and limits", () => {
    expect(batchSettings({})).toEqual({ waitingMax: 2048, batchMax: 512, delayMillis: 5000, exportMillis: 30_000 })
    expect(
      batchSettings({
        OTEL_BSP_MAX_QUEUE_SIZE: "10",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "20",
        OTEL_BSP_SCHEDULE_DELAY: "7",
        OTEL_BSP_EXPORT_TIMEOUT: "9",
      }),
    ).toEqual({ waitingMax: 10, batchMax: 10, delayMillis: 7, exportMillis: 9 })
    expect(spanLimits({})).toEqual({ attributesMax: 128, valueLengthMax: Infinity })
    expect(spanLimits({ OTEL_ATTRIBUTE_COUNT_LIMIT: "3", OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "4" })).toEqual({
      attributesMax: 3,
      valueLengthMax: 4,
    })
    expect(
      spanLimits({
        OTEL_ATTRIBUTE_COUNT_LIMIT: "3",
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: "0",
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: "2",
      }),
    ).toEqual({ attributesMax: 0, valueLengthMax: 2 })
  })

  it("a span beyond its limits keeps what came first, and counts the rest", () => {
    const span = {
      traceId: "1",
      spanId: "2",
      parentId: undefined,
      state: undefined,
      name: "n",
      kind: "server",
      startedUnixMillis: 0,
      endedUnixMillis: 1,
      attributes: [
        ["a", "text"],
        ["b", ["long", 12345]],
        ["c", 1],
      ],
      error: undefined,
    } as const
    expect(limited(span, { attributesMax: 3, valueLengthMax: Infinity })).toBe(span)
    expect(limited(span, { attributesMax: 2, valueLengthMax: 2 })).toMatchObject({
      attributes: [
        ["a", "te"],
        ["b", ["lo", 12345]],
      ],
      droppedAttributes: 1,
    })
  })

  it("who we are: the name wins over the attributes, which are decoded", () => {
    const self = { version: "1", instance: "i", namespace: "n" }
    const named = Object.fromEntries(
      resourceOf(
        { OTEL_SERVICE_NAME: "edge", OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment=a%2Cb" },
        self,
      ),
    )
    expect(named).toMatchObject({ "service.name": "edge", "deployment.environment": "a,b" })
    expect(
      Object.fromEntries(resourceOf({ OTEL_RESOURCE_ATTRIBUTES: "service.name=other" }, self))["service.name"],
    ).toBe("other")
  })
})

it("the access log goes where the variables for logs say, beside what a policy says of it", async () => {
  const env = {
    OTEL_LOGS_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1",
    OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "5",
  }
  const expected = { protocol: "http", path: "/v1/logs", timeoutMillis: 5, callee: { backend: host("a", 1) } }
  expect((await policiesOf(env)).log).toMatchObject({ otlp: expected })
  expect((await policiesOf(env, `frontendPolicies: {accessLog: {remove: [src.addr]}}`)).log).toMatchObject({
    fields: { remove: ["src.addr"] },
    otlp: expected,
  })
  const own = await policiesOf(env, `frontendPolicies: {accessLog: {otlp: {host: "p:3"}}}`)
  expect(own.log?.otlp).toMatchObject({ callee: { backend: host("p", 3) }, protocol: "grpc" })
  expect(own.log?.otlp).not.toHaveProperty("timeoutMillis")
})
