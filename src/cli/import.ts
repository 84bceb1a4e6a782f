/** `sluice import`: a configuration of another gateway, in our words; with a finding for everything that was there. */
import { readFileSync, writeFileSync } from "node:fs"
import { parse, stringify } from "yaml"
import { format } from "../config/ConfigIssue.ts"
import { type Printed, readFor } from "./validate.ts"

export const sources = ["litellm", "portkey", "agentgateway", "mcp"] as const
export type Source = (typeof sources)[number]

/** How well something was carried over: as it was, nearly, or not at all because only a person can. */
export type Grade = "exact" | "approximate" | "manual" | "unsupported"

export interface Finding {
  readonly grade: Grade
  readonly path: string
  readonly message: string
}

export interface Imported {
  readonly config: Record<string, unknown>
  readonly findings: ReadonlyArray<Finding>
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

class Findings {
  readonly all: Array<Finding> = []
  add(grade: Grade, path: string, message: string): void {
    this.all.push({ grade, path, message })
  }
  /** Whatever nobody asked for is told, never dropped in silence. */
  rest(value: unknown, path: string, known: ReadonlyArray<string>): void {
    for (const key of Object.keys(fieldsOf(value))) {
      if (!known.includes(key))
        this.add("manual", `${path}.${key}`, "has no counterpart that could be written by itself")
    }
  }
}

/** `os.environ/NAME` is a variable; a key in the open is kept as it is, and said. */
const secretOf = (value: unknown, path: string, findings: Findings): string | undefined => {
  const text = textOf(value)
  if (text === undefined) return undefined
  const variable = /^os\.environ\/(\w+)$/.exec(text)?.[1] ?? /^\$\{?(\w+)\}?$/.exec(text)?.[1]
  if (variable !== undefined) return `$${variable}`
  findings.add("approximate", path, "a key in the open: move it to a variable or a file")
  return text
}

/** Providers by the prefix of a model, or by name, in our words. */
const providers: Readonly<Record<string, string>> = {
  openai: "openAI",
  anthropic: "anthropic",
  gemini: "gemini",
  google: "gemini",
  vertex_ai: "vertex",
  "vertex-ai": "vertex",
  bedrock: "bedrock",
  azure: "azure",
  "azure-openai": "azure",
  cohere: "cohere",
  ollama: "ollama",
  ollama_chat: "ollama",
  cerebras: "cerebras",
  deepinfra: "deepinfra",
  deepseek: "deepseek",
  groq: "groq",
  huggingface: "huggingface",
  mistral: "mistral",
  "mistral-ai": "mistral",
  openrouter: "openrouter",
  together_ai: "togetherai",
  "together-ai": "togetherai",
  xai: "xai",
  fireworks_ai: "fireworks",
  "fireworks-ai": "fireworks",
}

const providerOf = (name: string, path: string, findings: Findings): string | undefined => {
  const found = Object.hasOwn(providers, name) ? providers[name] : undefined
  if (found === undefined)
    findings.add("unsupported", path, `the provider ${JSON.stringify(name)} is not known here; add it as \`custom\``)
  return found
}

const litellmModel = (one: unknown, path: string, findings: Findings): Record<string, unknown> | undefined => {
  const { litellm_params, model_name } = fieldsOf(one)
  const params = fieldsOf(litellm_params)
  const [model, name] = [textOf(params["model"]), textOf(model_name)]
  if (model === undefined || name === undefined) {
    findings.add("manual", path, "a model without `model_name` or `litellm_params.model`")
    return undefined
  }
  const slash = model.indexOf("/")
  const prefix = slash < 0 ? "openai" : model.slice(0, slash)
  const provider = providerOf(prefix, `${path}.litellm_params.model`, findings)
  if (provider === undefined) return undefined
  const ours: Record<string, unknown> = { model: slash < 0 ? model : model.slice(slash + 1) }
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
  } else if (base !== undefined) ours["baseUrl"] = base
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
  for (const key of ["temperature", "max_tokens", "top_p", "seed"])
    if (params[key] !== undefined) defaults[key] = params[key]
  findings.rest(params, `${path}.litellm_params`, [
    "model",
    "api_key",
    "api_base",
    "api_version",
    "aws_region_name",
    "vertex_project",
    "vertex_location",
    "temperature",
    "max_tokens",
    "top_p",
    "seed",
    "weight",
    "rpm",
    "tpm",
  ])
  for (const limit of ["rpm", "tpm"]) {
    if (params[limit] !== undefined)
      findings.add("manual", `${path}.litellm_params.${limit}`, "write a `localRateLimit` policy")
  }
  findings.add("exact", path, `model ${name}`)
  return { name, provider, params: ours, ...(Object.keys(defaults).length === 0 ? {} : { defaults }) }
}

export const litellm = (document: unknown): Imported => {
  const findings = new Findings()
  const top = fieldsOf(document)
  const models: Array<Record<string, unknown>> = []
  const weights = new Map<Record<string, unknown>, number>()
  for (const [i, one] of listOf(top["model_list"]).entries()) {
    const model = litellmModel(one, `model_list[${i}]`, findings)
    if (model === undefined) continue
    models.push(model)
    weights.set(model, Number(fieldsOf(fieldsOf(one)["litellm_params"])["weight"] ?? 1))
  }
  // Several deployments of one name are one virtual model in front of them.
  const virtual: Array<unknown> = []
  const byName = Map.groupBy(models, (model) => String(model["name"]))
  const all = [...byName].flatMap(([name, same]) => {
    if (same.length === 1) return same
    const parts = same.map((model, i): Record<string, unknown> => ({
      ...model,
      name: `${name}-${i + 1}`,
      visibility: "internal",
    }))
    virtual.push({
      name,
      routing: {
        weighted: { targets: same.map((model, i) => ({ model: `${name}-${i + 1}`, weight: weights.get(model) ?? 1 })) },
      },
    })
    findings.add("approximate", "model_list", `${same.length} deployments of ${name} share its requests by weight`)
    return parts
  })
  const router = fieldsOf(top["router_settings"])
  for (const [i, one] of listOf(router["fallbacks"] ?? fieldsOf(top["litellm_settings"])["fallbacks"]).entries()) {
    for (const [name, others] of Object.entries(fieldsOf(one))) {
      const names = listOf(others).map(String)
      findings.add(
        "manual",
        `fallbacks[${i}]`,
        `make a virtual model with failover from ${name} to ${names.join(", ")}`,
      )
    }
  }
  const general = fieldsOf(top["general_settings"])
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
  findings.rest(general, "general_settings", ["master_key", "database_url"])
  findings.rest(router, "router_settings", ["fallbacks"])
  findings.rest(top, "", ["model_list", "general_settings", "router_settings", "litellm_settings"])
  findings.rest(top["litellm_settings"], "litellm_settings", ["fallbacks"])
  return {
    config: {
      ...(database === undefined
        ? {}
        : { config: { database: { url: secretOf(database, "general_settings.database_url", new Findings()) } } }),
      gateways: { default: { port: 4000 } },
      llm: {
        gateways: "default",
        models: all,
        ...(virtual.length === 0 ? {} : { virtualModels: virtual }),
        ...(Object.keys(policies).length === 0 ? {} : { policies }),
      },
    },
    findings: findings.all,
  }
}

export const portkey = (document: unknown): Imported => {
  const findings = new Findings()
  const models: Array<Record<string, unknown>> = []
  const target = (one: unknown, path: string, name: string): string | undefined => {
    const fields = fieldsOf(one)
    const provider = providerOf(textOf(fields["provider"]) ?? "openai", `${path}.provider`, findings)
    if (provider === undefined) return undefined
    const overrides = fieldsOf(fields["override_params"])
    const apiKey = secretOf(fields["api_key"], `${path}.api_key`, findings)
    if (fields["virtual_key"] !== undefined)
      findings.add("manual", `${path}.virtual_key`, "a key that lives with Portkey: set `params.apiKey`")
    const base = textOf(fields["custom_host"])
    const { model, ...others } = overrides
    models.push({
      name,
      provider,
      visibility: "internal",
      params: {
        ...(textOf(model) === undefined ? {} : { model }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(base === undefined ? {} : { baseUrl: base }),
      },
      ...(Object.keys(others).length === 0 ? {} : { overrides: others }),
    })
    findings.rest(fields, path, ["provider", "api_key", "virtual_key", "override_params", "custom_host", "weight"])
    findings.add("exact", path, `provider ${provider}`)
    return name
  }
  const top = fieldsOf(document)
  const strategy = fieldsOf(top["strategy"])
  const targets = listOf(top["targets"])
  const name = "default"
  let virtual: unknown
  if (targets.length === 0) {
    target(top, "config", "*")
    for (const model of models) delete model["visibility"]
  } else {
    const named = targets.flatMap((one, i) => {
      const made = target(one, `targets[${i}]`, `${name}-${i + 1}`)
      return made === undefined ? [] : [{ made, weight: Number(fieldsOf(one)["weight"] ?? 1) }]
    })
    const mode = textOf(strategy["mode"]) ?? "fallback"
    if (mode === "loadbalance") {
      // Weights are whole numbers here.
      virtual = {
        name,
        routing: {
          weighted: {
            targets: named.map(({ made, weight }) => ({ model: made, weight: Math.max(1, Math.round(weight * 100)) })),
          },
        },
      }
    } else {
      if (mode !== "fallback")
        findings.add(
          "manual",
          "strategy.mode",
          `${JSON.stringify(mode)} becomes failover; write conditions with \`conditional\``,
        )
      virtual = {
        name,
        routing: { failover: { targets: named.map(({ made }, priority) => ({ model: made, priority })) } },
      }
    }
    findings.add("approximate", "targets", `clients ask for the model ${name}`)
  }
  for (const key of [
    "retry",
    "cache",
    "request_timeout",
    "before_request_hooks",
    "input_guardrails",
    "output_guardrails",
  ]) {
    if (top[key] !== undefined) findings.add("manual", key, "write the policy that does this here")
  }
  findings.rest(top, "", [
    "strategy",
    "targets",
    "provider",
    "api_key",
    "virtual_key",
    "override_params",
    "custom_host",
    "retry",
    "cache",
    "request_timeout",
    "before_request_hooks",
    "input_guardrails",
    "output_guardrails",
  ])
  return {
    config: {
      gateways: { default: { port: 4000 } },
      llm: { gateways: "default", models, ...(virtual === undefined ? {} : { virtualModels: [virtual] }) },
    },
    findings: findings.all,
  }
}

const mcpName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "") || "server"

export const mcp = (document: unknown): Imported => {
  const findings = new Findings()
  const top = fieldsOf(document)
  const servers = fieldsOf(top["mcpServers"] ?? top["servers"] ?? fieldsOf(top["mcp"])["servers"] ?? top["mcp"])
  const taken = new Set<string>()
  const targets = Object.entries(servers).flatMap(([written, one]): ReadonlyArray<unknown> => {
    const path = `mcpServers.${written}`
    const fields = fieldsOf(one)
    let name = mcpName(written)
    while (taken.has(name)) name = `${name}-2`
    taken.add(name)
    if (name !== written) findings.add("approximate", path, `is called ${name} here`)
    const url = textOf(fields["url"] ?? fields["serverUrl"] ?? fields["httpUrl"])
    const command = textOf(fields["command"])
    if (command !== undefined) {
      const env = fieldsOf(fields["env"])
      findings.rest(fields, path, ["command", "args", "env", "type", "disabled", "cwd"])
      if (fields["cwd"] !== undefined) findings.add("manual", `${path}.cwd`, "processes start where the gateway does")
      findings.add("exact", path, `runs ${command}`)
      return [
        {
          name,
          stdio: {
            cmd: command,
            ...(fields["args"] === undefined ? {} : { args: listOf(fields["args"]).map(String) }),
            ...(Object.keys(env).length === 0
              ? {}
              : { env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])) }),
          },
        },
      ]
    }
    if (url === undefined || !URL.canParse(url)) {
      findings.add("manual", path, "has neither a command nor a URL")
      return []
    }
    const isSse = textOf(fields["type"]) === "sse" || new URL(url).pathname.endsWith("/sse")
    const headers = fieldsOf(fields["headers"])
    findings.rest(fields, path, ["url", "serverUrl", "httpUrl", "type", "headers", "disabled"])
    findings.add("exact", path, url)
    return [
      {
        name,
        [isSse ? "sse" : "mcp"]: { host: url },
        ...(Object.keys(headers).length === 0
          ? {}
          : {
              policies: {
                requestHeaderModifier: {
                  set: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, String(value)])),
                },
              },
            }),
      },
    ]
  })
  return {
    config: { gateways: { default: { port: 3000 } }, mcp: { gateways: "default", targets } },
    findings: findings.all,
  }
}

const failed = (message: string): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode: 1 })

export const importFrom = async (
  from: string,
  file: string,
  to: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Printed> => {
  if (!(sources as ReadonlyArray<string>).includes(from))
    return failed(`nothing can be imported from ${JSON.stringify(from)}; the sources are ${sources.join(", ")}`)
  let text: string
  let document: unknown
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8")
    document = parse(text)
  } catch (error) {
    return failed(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const imported: Imported =
    from === "litellm"
      ? litellm(document)
      : from === "portkey"
        ? portkey(document)
        : from === "mcp"
          ? mcp(document)
          : { config: fieldsOf(document), findings: [] }
  // Their own configuration works as it is, comments included.
  const out = from === "agentgateway" ? text : stringify(imported.config, { lineWidth: 0 })
  const read = await readFor("imported", { ...env, ...placeholders(out, env) }, out)
  const issues = read._tag === "Refused" ? read.issues : read.loaded.warnings
  const checked = issues.map((issue): Finding => ({
    grade: issue.severity === "error" ? "manual" : "approximate",
    path: issue.path,
    message: format(issue, "imported").split("\n")[0] ?? issue.message,
  }))
  const all: ReadonlyArray<Finding> = [
    ...(from === "agentgateway" && checked.length === 0
      ? [{ grade: "exact" as const, path: "", message: "works as it is" }]
      : imported.findings),
    ...checked,
  ]
  const error = all
    .map(({ grade, message, path }) => `${grade}: ${path === "" ? "(all)" : path.replace(/^\./, "")}: ${message}\n`)
    .join("")
  const exitCode = all.some(({ grade }) => grade === "manual" || grade === "unsupported") ? 1 : 0
  if (to === undefined || to === "-") return { out, error, exitCode }
  writeFileSync(to, out, { flag: "wx", mode: 0o600 })
  return { out: `${to} written\n`, error, exitCode }
}

/** What is only named is there for the check. */
const placeholders = (text: string, env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/\$\{?([A-Z][A-Z0-9_]*)\}?/g)].flatMap(([, name]) =>
      name === undefined || env[name] !== undefined ? [] : [[name, "placeholder"]],
    ),
  )
