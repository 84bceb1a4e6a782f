/** The configuration of LiteLLM's proxy. */
import { type Fields, fieldsOf, Findings, type Imported, secretOf, textOf, numberOf, wordOf } from "./Findings.ts"
import { providerOf } from "./providers.ts"

interface Model {
  readonly name: string
  readonly weight: number
  readonly config: Record<string, unknown>
  /** What a million tokens cost, where the file says it. */
  readonly price:
    | { readonly provider: string; readonly model: string; readonly rates: Record<string, string> }
    | undefined
}

const defaultsKnown = ["temperature", "max_tokens", "top_p", "seed"]

const paramsKnown = [
  "model",
  "api_key",
  "api_base",
  "api_version",
  "aws_region_name",
  "vertex_project",
  "vertex_location",
  ...defaultsKnown,
  "weight",
  "rpm",
  "tpm",
]

/** A decimal text, because prices are no place for binary fractions. */
const perMillion = (perToken: unknown): string | undefined =>
  typeof perToken === "number" && perToken > 0 ? (perToken * 1_000_000).toFixed(6).replace(/\.?0+$/, "") : undefined

const priceOf = (info: Fields, provider: string, model: string, path: string, findings: Findings): Model["price"] => {
  const rates: Record<string, string> = {}
  const input = perMillion(info["input_cost_per_token"])
  const output = perMillion(info["output_cost_per_token"])
  if (input !== undefined) rates["input"] = input
  if (output !== undefined) rates["output"] = output
  findings.rest(info, `${path}.model_info`, [
    "id",
    "mode",
    "base_model",
    "description",
    "input_cost_per_token",
    "output_cost_per_token",
    "max_tokens",
    "max_input_tokens",
    "max_output_tokens",
    "supports_function_calling",
    "supports_vision",
  ])
  if (Object.keys(rates).length === 0) return undefined
  findings.add("exact", `${path}.model_info`, `prices of ${model}, per million tokens`)
  return { provider: provider.toLowerCase(), model, rates }
}

const modelOf = (one: unknown, path: string, findings: Findings): Model | undefined => {
  const { litellm_params, model_info, model_name } = fieldsOf(one)
  findings.rest(one, path, ["litellm_params", "model_info", "model_name"])
  const params = findings.fields(litellm_params, `${path}.litellm_params`)
  const [model, name] = [textOf(params["model"]), textOf(model_name)]
  if (model === undefined || name === undefined) {
    findings.add("manual", path, "a model without `model_name` or `litellm_params.model`")
    return undefined
  }
  const slash = model.indexOf("/")
  const prefix = slash < 0 ? "openai" : model.slice(0, slash)
  const provider = providerOf(prefix, `${path}.litellm_params.model`, findings)
  if (provider === undefined) return undefined
  const bare = slash < 0 ? model : model.slice(slash + 1)
  const isAny = bare === "*"
  const ours: Record<string, unknown> = isAny ? {} : { model: bare }
  const apiKey = secretOf(params["api_key"], `${path}.litellm_params.api_key`, findings)
  if (apiKey !== undefined) ours["apiKey"] = apiKey
  const base = textOf(params["api_base"])
  if (provider === "azure") {
    const resource = /^https:\/\/([^.]+)\.openai\.azure\.com/.exec(base ?? "")?.[1]
    if (resource === undefined)
      findings.add("manual", `${path}.litellm_params.api_base`, "set `azureResourceName` and `azureResourceType`")
    ours["azureResourceName"] = resource ?? "CHANGE-ME"
    ours["azureResourceType"] = "openAI"
    if (textOf(params["api_version"]) !== undefined) ours["azureApiVersion"] = params["api_version"]
  } else if (base !== undefined) {
    ours["baseUrl"] = secretOf(base, `${path}.litellm_params.api_base`, new Findings())
  }
  if (provider === "bedrock") {
    ours["awsRegion"] = textOf(params["aws_region_name"]) ?? "us-east-1"
    if (params["aws_region_name"] === undefined)
      findings.add("approximate", `${path}.litellm_params`, "no region: us-east-1 is assumed")
  }
  if (provider === "vertex") {
    ours["vertexProject"] = textOf(params["vertex_project"]) ?? "CHANGE-ME"
    if (textOf(params["vertex_location"]) !== undefined) ours["vertexRegion"] = params["vertex_location"]
    if (params["vertex_project"] === undefined) findings.add("manual", `${path}.litellm_params`, "set `vertexProject`")
  }
  const defaults: Record<string, unknown> = {}
  for (const key of defaultsKnown) if (params[key] !== undefined) defaults[key] = params[key]
  findings.rest(params, `${path}.litellm_params`, paramsKnown)
  for (const limit of ["rpm", "tpm"]) {
    if (params[limit] !== undefined)
      findings.add("manual", `${path}.litellm_params.${limit}`, "write a `localRateLimit` policy")
  }
  if (isAny && name !== "*") {
    findings.add("approximate", path, `${name} names every model of ${provider}: clients' names go on as they are`)
  } else findings.add("exact", path, `model ${name}`)
  return {
    name,
    weight: numberOf(params["weight"], 1),
    config: { name, provider, params: ours, ...(Object.keys(defaults).length === 0 ? {} : { defaults }) },
    price: isAny
      ? undefined
      : priceOf(findings.fields(model_info, `${path}.model_info`), provider, bare, path, findings),
  }
}

/** Names and those that stand in for them, from wherever LiteLLM has them. */
const fallbacksIn = (top: Fields, findings: Findings): ReadonlyMap<string, ReadonlyArray<string>> => {
  const found = new Map<string, ReadonlyArray<string>>()
  for (const section of ["router_settings", "litellm_settings"]) {
    const path = `${section}.fallbacks`
    for (const one of findings.list(fieldsOf(top[section])["fallbacks"], path)) {
      for (const [name, others] of Object.entries(findings.fields(one, path)))
        found.set(name, findings.list(others, `${path}.${name}`).map(wordOf))
    }
    for (const key of ["context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"]) {
      if (fieldsOf(top[section])[key] !== undefined)
        findings.add("manual", `${section}.${key}`, "write a virtual model with `conditional` or `failover` targets")
    }
  }
  return found
}

const settingsTold: Readonly<Record<string, readonly [grade: "exact" | "approximate", message: string]>> = {
  set_verbose: ["approximate", "set `config.logging.level` to debug"],
  json_logs: ["approximate", "set `config.logging.format` to json"],
  drop_params: ["approximate", "what a provider does not know is left out when requests are translated"],
  telemetry: ["exact", "nothing is sent home"],
  request_timeout: ["approximate", "set a `timeout` policy of `llm.policies`"],
  num_retries: ["approximate", "a provider that fails is left for the next one; add a `retry` policy for the same one"],
}

/** Callbacks for what is always there, or is told to receivers of OpenTelemetry. */
const callbacks = (settings: Fields, findings: Findings): void => {
  for (const key of ["callbacks", "success_callback", "failure_callback"]) {
    for (const name of findings.list(settings[key], `litellm_settings.${key}`).map(wordOf)) {
      const path = `litellm_settings.${key}`
      if (name === "prometheus") findings.add("exact", path, "metrics are always there, at `statsAddr`")
      else if (name === "otel") findings.add("approximate", path, "set `config.tracing.otlpEndpoint`")
      else findings.add("manual", path, `${name} has no counterpart; receivers of OpenTelemetry get everything`)
    }
  }
}

const mcpServers = (value: unknown, findings: Findings): ReadonlyArray<Record<string, unknown>> =>
  Object.entries(findings.fields(value, "mcp_servers")).flatMap(([name, one]) => {
    const path = `mcp_servers.${name}`
    const fields = findings.fields(one, path)
    const url = textOf(fields["url"])
    if (url === undefined) {
      findings.add("manual", path, "a server without a URL")
      return []
    }
    const token = secretOf(
      fields["authentication_token"] ?? fields["auth_value"],
      `${path}.authentication_token`,
      findings,
    )
    findings.rest(fields, path, ["url", "transport", "authentication_token", "auth_value", "auth_type", "description"])
    findings.add("exact", path, url)
    return [
      {
        name: name.toLowerCase().replace(/[^a-z0-9.-]+/g, "-"),
        [textOf(fields["transport"]) === "sse" ? "sse" : "mcp"]: { host: url },
        ...(token === undefined ? {} : { policies: { backendAuth: { key: token } } }),
      },
    ]
  })

export const litellm = (document: unknown): Imported => {
  const findings = new Findings()
  const top = fieldsOf(document)
  const models = findings
    .list(top["model_list"], "model_list")
    .flatMap((one, i) => modelOf(one, `model_list[${i}]`, findings) ?? [])
  const fallbacks = fallbacksIn(top, findings)
  const byName = Map.groupBy(models, ({ name }) => name)
  const isVirtual = (name: string): boolean => (byName.get(name)?.length ?? 0) > 1 || fallbacks.has(name)
  /** The models behind a name, as they are called here. */
  const partsOf = (name: string): ReadonlyArray<string> =>
    (byName.get(name) ?? []).map((_, i) => (isVirtual(name) ? `${name}-${i + 1}` : name))
  const written: Array<Record<string, unknown>> = []
  const virtual: Array<unknown> = []
  for (const [name, same] of byName) {
    const parts = partsOf(name)
    for (const [i, { config }] of same.entries()) {
      written.push(isVirtual(name) ? { ...config, name: parts[i], visibility: "internal" } : config)
    }
    if (!isVirtual(name)) continue
    const others = fallbacks.get(name)
    if (others === undefined) {
      virtual.push({
        name,
        routing: {
          weighted: { targets: parts.map((model, i) => ({ model, weight: same[i]?.weight ?? 1 })) },
        },
      })
      findings.add("approximate", "model_list", `${same.length} deployments of ${name} share its requests by weight`)
      continue
    }
    const known = others.filter((other) => byName.has(other))
    for (const other of others) {
      if (!byName.has(other))
        findings.add("manual", "fallbacks", `${name} falls back to ${other}, which is no model here`)
    }
    virtual.push({
      name,
      routing: {
        failover: {
          targets: [
            ...parts.map((model) => ({ model, priority: 0 })),
            ...known.flatMap((other, i) => partsOf(other).map((model) => ({ model, priority: i + 1 }))),
          ],
        },
      },
    })
    findings.add(
      same.some(({ weight }) => weight !== 1) ? "approximate" : "exact",
      "fallbacks",
      `${name} falls back to ${known.join(", ") || "nobody"}`,
    )
  }
  const general = findings.fields(top["general_settings"], "general_settings")
  const policies: Record<string, unknown> = {}
  const master = secretOf(general["master_key"], "general_settings.master_key", findings)
  if (master !== undefined) {
    policies["apiKey"] = { keys: [{ key: master, metadata: { name: "master" } }], mode: "strict" }
    findings.add("exact", "general_settings.master_key", "an API key that is asked of everybody")
  }
  const database = textOf(general["database_url"])
  if (database !== undefined)
    findings.add(
      "approximate",
      "general_settings.database_url",
      "becomes the database of the request log; keys that were made in it are not carried over",
    )
  const router = findings.fields(top["router_settings"], "router_settings")
  const strategy = textOf(router["routing_strategy"])
  if (strategy === "simple-shuffle") findings.add("exact", "router_settings.routing_strategy", "by weight")
  else if (strategy !== undefined)
    findings.add(
      "manual",
      "router_settings.routing_strategy",
      `${strategy}: requests are shared by weight and health here`,
    )
  for (const limit of ["allowed_fails", "cooldown_time"]) {
    if (router[limit] !== undefined)
      findings.add(
        "approximate",
        `router_settings.${limit}`,
        "a provider that fails three times in a row is left alone",
      )
  }
  const settings = findings.fields(top["litellm_settings"], "litellm_settings")
  callbacks(settings, findings)
  for (const [section, fields] of [
    ["litellm_settings", settings],
    ["router_settings", router],
  ] as const) {
    for (const [key, [grade, message]] of Object.entries(settingsTold)) {
      if (fields[key] !== undefined) findings.add(grade, `${section}.${key}`, message)
    }
  }
  const fallbackKeys = ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"]
  findings.rest(general, "general_settings", ["master_key", "database_url"])
  findings.rest(router, "router_settings", [
    ...fallbackKeys,
    ...Object.keys(settingsTold),
    "routing_strategy",
    "allowed_fails",
    "cooldown_time",
  ])
  findings.rest(settings, "litellm_settings", [
    ...fallbackKeys,
    ...Object.keys(settingsTold),
    "callbacks",
    "success_callback",
    "failure_callback",
  ])
  for (const name of Object.keys(findings.fields(top["environment_variables"], "environment_variables")))
    findings.add("manual", `environment_variables.${name}`, "set it in the environment of the gateway")
  findings.rest(top, "", [
    "model_list",
    "general_settings",
    "router_settings",
    "litellm_settings",
    "environment_variables",
    "mcp_servers",
  ])
  const targets = mcpServers(top["mcp_servers"], findings)
  const prices: Record<string, { models: Record<string, unknown> }> = {}
  for (const { price } of models) {
    if (price === undefined) continue
    const ofProvider = (prices[price.provider] ??= { models: {} })
    ofProvider.models[price.model] = { rates: price.rates }
  }
  const config: Record<string, unknown> = {
    ...(Object.keys(prices).length === 0 ? {} : { modelCatalog: [{ inline: { providers: prices } }] }),
    ...(database === undefined
      ? {}
      : { database: { url: secretOf(database, "general_settings.database_url", new Findings()) } }),
  }
  return {
    config: {
      ...(Object.keys(config).length === 0 ? {} : { config }),
      gateways: {
        default: { port: 4000 },
        ...(targets.length === 0 ? {} : { tools: { port: 3000 } }),
      },
      llm: {
        gateways: "default",
        models: written,
        ...(virtual.length === 0 ? {} : { virtualModels: virtual }),
        ...(Object.keys(policies).length === 0 ? {} : { policies }),
      },
      ...(targets.length === 0 ? {} : { mcp: { gateways: "tools", targets } }),
    },
    findings: findings.all,
  }
}
