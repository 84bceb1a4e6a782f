import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { importFrom } from "../../src/cli/import.ts"
import { litellm } from "../../src/cli/import/litellm.ts"
import { mcp } from "../../src/cli/import/mcp.ts"
import { portkey } from "../../src/cli/import/portkey.ts"

const grades = (findings: ReadonlyArray<{ readonly grade: string; readonly path: string }>) =>
  findings.map(({ grade, path }) => `${grade} ${path}`)

describe("from LiteLLM", () => {
  const document = parse(`
model_list:
- model_name: gpt
  litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, temperature: 0.2, rpm: 10}
- model_name: smart
  litellm_params: {model: anthropic/claude-sonnet, api_key: sk-in-the-open-1234567890, weight: 3}
- model_name: smart
  litellm_params: {model: bedrock/claude, aws_region_name: eu-west-1}
- model_name: odd
  litellm_params: {model: nobody/knows}
router_settings: {fallbacks: [{gpt: [smart]}], routing_strategy: least-busy}
general_settings: {master_key: os.environ/MASTER}
`)
  const { config, findings } = litellm(document)

  it("models keep their names, providers, parameters and variables", () => {
    expect(config).toMatchObject({
      llm: {
        models: [
          {
            name: "gpt-1",
            provider: "openAI",
            params: { model: "gpt-4o", apiKey: "$OPENAI_API_KEY" },
            defaults: { temperature: 0.2 },
          },
          { name: "smart-1", provider: "anthropic", visibility: "internal" },
          { name: "smart-2", provider: "bedrock", params: { awsRegion: "eu-west-1" } },
        ],
        virtualModels: [
          {
            name: "gpt",
            routing: {
              failover: {
                targets: [
                  { model: "gpt-1", priority: 0 },
                  { model: "smart-1", priority: 1 },
                  { model: "smart-2", priority: 1 },
                ],
              },
            },
          },
          {
            name: "smart",
            routing: {
              weighted: {
                targets: [
                  { model: "smart-1", weight: 3 },
                  { model: "smart-2", weight: 1 },
                ],
              },
            },
          },
        ],
        policies: { apiKey: { keys: [{ key: "$MASTER" }] } },
      },
    })
  })

  it("a finding is graded for everything that is not the same, and nothing is dropped in silence", () => {
    expect(grades(findings)).toEqual(
      expect.arrayContaining([
        "exact model_list[0]",
        "manual model_list[0].litellm_params.rpm",
        "approximate model_list[1].litellm_params.api_key",
        "unsupported model_list[3].litellm_params.model",
        "approximate model_list",
        "exact fallbacks",
        "manual router_settings.routing_strategy",
        "exact general_settings.master_key",
      ]),
    )
  })
})

describe("from Portkey", () => {
  it("targets become a virtual model by their strategy", () => {
    const { config, findings } = portkey({
      strategy: { mode: "loadbalance" },
      targets: [
        { provider: "openai", api_key: "$KEY", weight: 0.7, override_params: { model: "gpt-4o", seed: 1 } },
        { provider: "anthropic", virtual_key: "abc", weight: 0.3 },
      ],
      cache: { mode: "semantic" },
    })
    expect(config).toMatchObject({
      llm: {
        models: [
          { provider: "openAI", params: { model: "gpt-4o", apiKey: "$KEY" }, overrides: { seed: 1 } },
          { provider: "anthropic" },
        ],
        virtualModels: [{ routing: { weighted: { targets: [{ weight: 70 }, { weight: 30 }] } } }],
      },
    })
    expect(grades(findings)).toEqual(expect.arrayContaining(["manual targets[1].virtual_key", "manual cache"]))
  })
  it("a single provider takes every model", () => {
    expect(portkey({ provider: "openai", api_key: "$KEY" }).config).toMatchObject({
      llm: { models: [{ name: "*", provider: "openAI" }] },
    })
  })
})

describe("from mcpServers", () => {
  it("commands and addresses become targets with names that are allowed here", () => {
    const { config, findings } = mcp({
      mcpServers: {
        "My Files": { command: "npx", args: ["-y", "files", 1], env: { ROOT: "/srv" } },
        remote: { url: "https://mcp.example.com/mcp", headers: { "x-team": "blue" } },
        old: { type: "sse", url: "https://old.example.com/sse" },
        broken: {},
      },
    })
    expect(config).toMatchObject({
      mcp: {
        targets: [
          { name: "my-files", stdio: { cmd: "npx", args: ["-y", "files", "1"], env: { ROOT: "/srv" } } },
          {
            name: "remote",
            mcp: { host: "https://mcp.example.com/mcp" },
            policies: { requestHeaderModifier: { set: { "x-team": "blue" } } },
          },
          { name: "old", sse: { host: "https://old.example.com/sse" } },
        ],
      },
    })
    expect(grades(findings)).toEqual(
      expect.arrayContaining(["approximate mcpServers.My Files", "manual mcpServers.broken"]),
    )
  })
})

describe("the command", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-import-"))
  const file = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  it("takes a configuration of agentgateway as it is, comments included", async () => {
    const text = "# mine\nbinds: [{port: 3000, listeners: [{routes: [{backends: [{host: 'a:1'}]}]}]}]\n"
    const printed = await importFrom("agentgateway", file("ag.yaml", text), undefined, {})
    expect(printed).toEqual({ out: text, error: "exact: (all): works as it is\n", exitCode: 0 })
  })

  it("checks what it made, and does not write over anything", async () => {
    const source = file(
      "litellm.yaml",
      "model_list: [{model_name: gpt, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY_X}}]\n",
    )
    const target = join(folder, "out.yaml")
    const printed = await importFrom("litellm", source, target, {})
    expect(printed.error).toBe("exact: model_list[0]: model gpt\n")
    expect(printed.exitCode).toBe(0)
    expect(parse(readFileSync(target, "utf8"))).toMatchObject({ llm: { models: [{ name: "gpt" }] } })
    await expect(importFrom("litellm", source, target, {})).rejects.toThrow("EEXIST")
  })

  it("names its sources", async () => {
    expect((await importFrom("nginx", "x", undefined, {})).error).toContain(
      "the sources are litellm, portkey, agentgateway, mcp",
    )
  })
})

/** Files as people have them; each must become a configuration that can be served, and nothing of it be dropped in silence. */
describe("a corpus", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-corpus-"))
  const run = async (from: string, text: string, env: Record<string, string> = {}) => {
    const path = join(folder, `${from}-${Math.random()}.yaml`)
    writeFileSync(path, text)
    const printed = await importFrom(from, path, undefined, env)
    return { config: parse(printed.out) as Record<string, unknown>, findings: printed.error.trimEnd().split("\n") }
  }

  it("LiteLLM: deployments, fallbacks, prices, callbacks, tools, and settings of all kinds", async () => {
    const { config, findings } = await run(
      "litellm",
      `
model_list:
- model_name: gpt
  litellm_params: {model: azure/prod, api_base: "https://shop.openai.azure.com/", api_version: "2024-10-21", api_key: os.environ/AZURE_KEY}
  model_info: {mode: chat, input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}
- model_name: gpt
  litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_KEY}
- model_name: claude
  litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/ANTHROPIC_KEY}
  model_info: {input_cost_per_token: 0.000003, output_cost_per_token: 0.000015}
- model_name: "anthropic/*"
  litellm_params: {model: "anthropic/*", api_key: os.environ/ANTHROPIC_KEY}
- model_name: local
  litellm_params: {model: ollama/llama3, api_base: "http://127.0.0.1:11434", timeout: 30}
litellm_settings:
  drop_params: true
  num_retries: 2
  request_timeout: 60
  success_callback: [langfuse, prometheus]
  callbacks: [otel]
  cache: true
  context_window_fallbacks: [{gpt: [claude]}]
router_settings: {routing_strategy: simple-shuffle, fallbacks: [{gpt: [claude, nobody]}], redis_host: r}
general_settings: {master_key: os.environ/MASTER, alerting: [slack]}
environment_variables: {LANGFUSE_KEY: x}
mcp_servers:
  deepwiki: {url: "https://mcp.deepwiki.com/mcp"}
  old: {url: "https://old.example.com/sse", transport: sse, auth_type: bearer_token, authentication_token: os.environ/OLD_TOKEN}
`,
    )
    expect(config).toMatchObject({
      config: {
        modelCatalog: [
          {
            inline: {
              providers: {
                azure: { models: { prod: { rates: { input: "2.5", output: "10" } } } },
                anthropic: { models: { "claude-sonnet-4-5": { rates: { input: "3", output: "15" } } } },
              },
            },
          },
        ],
      },
      llm: {
        virtualModels: [
          {
            name: "gpt",
            routing: {
              failover: {
                targets: [
                  { model: "gpt-1", priority: 0 },
                  { model: "gpt-2", priority: 0 },
                  { model: "claude", priority: 1 },
                ],
              },
            },
          },
        ],
      },
      mcp: { targets: [{ name: "deepwiki" }, { name: "old", policies: { backendAuth: { key: "$OLD_TOKEN" } } }] },
    })
    for (const expected of [
      "exact: fallbacks: gpt falls back to claude",
      "manual: fallbacks: gpt falls back to nobody, which is no model here",
      "exact: router_settings.routing_strategy: by weight",
      "exact: litellm_settings.success_callback: metrics are always there, at `statsAddr`",
      "manual: environment_variables.LANGFUSE_KEY: set it in the environment of the gateway",
    ]) {
      expect(findings).toContain(expected)
    }
    for (const path of [
      "litellm_settings.cache",
      "litellm_settings.context_window_fallbacks",
      "router_settings.redis_host",
      "general_settings.alerting",
      "model_list[4].litellm_params.timeout",
    ]) {
      expect(
        findings.some((one) => one.startsWith(`manual: ${path}:`)),
        path,
      ).toBe(true)
    }
    // Nothing that was made is refused.
    expect(findings.filter((one) => /imported:/.test(one))).toEqual([])
  })

  it("Portkey: strategies inside strategies, keys that live with Portkey, hosts of one's own", async () => {
    const { config, findings } = await run(
      "portkey",
      JSON.stringify({
        strategy: { mode: "fallback", on_status_codes: [429] },
        targets: [
          {
            strategy: { mode: "loadbalance" },
            targets: [
              { provider: "openai", api_key: "$A", weight: 3 },
              { provider: "azure-openai", virtual_key: "az", weight: 1, retry: { attempts: 2 } },
            ],
          },
          { provider: "anthropic", api_key: "$B", override_params: { model: "claude", max_tokens: 5 } },
          { provider: "ollama", custom_host: "http://127.0.0.1:11434" },
          { provider: "@team-groq" },
        ],
        request_timeout: 1000,
      }),
    )
    expect(config).toMatchObject({
      llm: {
        virtualModels: [
          {
            routing: {
              failover: {
                targets: [
                  { model: "default-1", priority: 0 },
                  { model: "default-2", priority: 0 },
                  { model: "default-3", priority: 1 },
                  { model: "default-4", priority: 2 },
                ],
              },
            },
          },
        ],
      },
    })
    for (const expected of [
      "manual: targets[0].targets[1].virtual_key",
      "manual: targets[0].targets[1].retry",
      "approximate: targets[0]: a loadbalance inside another",
      "unsupported: targets[3].provider",
      "manual: request_timeout",
      "approximate: strategy.on_status_codes",
    ]) {
      expect(
        findings.some((one) => one.startsWith(expected)),
        expected,
      ).toBe(true)
    }
  })

  it.each([
    [
      "Claude Desktop",
      { mcpServers: { files: { command: "npx", args: ["-y", "@scope/files"], env: { FILES_TOKEN: "abc" } } } },
      [/^approximate: mcpServers\.files\.env\.FILES_TOKEN: a key in the open/],
    ],
    [
      "VS Code",
      {
        inputs: [{ id: "gh-token", type: "promptString", password: true }],
        servers: {
          github: {
            type: "http",
            url: "https://api.githubcopilot.com/mcp/",
            headers: { Authorization: "Bearer ${input:gh-token}" },
          },
          local: { type: "stdio", command: "node", args: ["${env:HOME}/server.js"], envFile: ".env" },
        },
      },
      [/^manual: inputs\.gh-token: set GH_TOKEN /, /^manual: mcpServers\.local\.envFile/],
    ],
    [
      "Cline",
      {
        mcpServers: {
          db: { command: "uvx", args: ["db"], disabled: false, autoApprove: ["read"], timeout: 60 },
          off: { command: "x", disabled: true },
        },
      },
      [
        /^approximate: mcpServers\.db\.autoApprove/,
        /^manual: mcpServers\.db\.timeout/,
        /^approximate: mcpServers\.off: is turned off/,
      ],
    ],
    [
      "OpenCode",
      {
        $schema: "x",
        mcp: { one: { type: "local", command: ["bun", "x", "srv"], environment: { A: "1" }, enabled: true } },
      },
      [/^exact: mcpServers\.one: runs bun/],
    ],
    [
      "Copilot",
      {
        mcpServers: {
          "Big One": { type: "http", url: "https://a.example/mcp", tools: ["read"] },
          big_one: { url: "https://b.example/sse" },
        },
      },
      [/^manual: mcpServers\.Big One\.tools/, /^approximate: mcpServers\.big_one: is called big-one-2 here/],
    ],
  ])("MCP servers of %s", async (_, document, expected) => {
    const { config, findings } = await run("mcp", JSON.stringify(document))
    expect((config["mcp"] as { targets: ReadonlyArray<unknown> }).targets.length).toBeGreaterThan(0)
    for (const one of expected)
      expect(
        findings.some((finding) => one.test(finding)),
        `${String(one)} in ${findings.join("\n")}`,
      ).toBe(true)
    expect(findings.filter((one) => /imported:/.test(one))).toEqual([])
    expect(JSON.stringify(config)).not.toContain("{input:")
  })

  it("LiteLLM: every section that its own examples have, each key that is left to a person by its name", async () => {
    const { config, findings } = await run(
      "litellm",
      `
model_list:
- model_name: plain
  litellm_params: {model: gpt-5-mini, region_name: eu}
  model_info: {id: "1"}
- model_name: "*"
  litellm_params: {model: openai/*, api_key: os.environ/OPENAI_API_KEY}
- model_name: "openai/*"
  litellm_params: {model: openai/*, api_key: os.environ/OPENAI_API_KEY}
- model_name: tagged
  litellm_params: {model: openai/one, api_key: fake-key-in-the-open, api_base: "https://a.example/", tags: [teamA]}
  model_info: {id: team-a, team_id: a}
- model_name: tagged
  litellm_params: {model: openai/one, api_key: fake-key-in-the-open, api_base: "https://a.example/", tags: [teamB]}
- model_name: hosted
  litellm_params: {model: openai/llava-hf/llava, api_base: "http://localhost:8000", api_key: os.environ/K}
  model_info: {supports_vision: true}
- model_name: batch
  litellm_params: {model: bedrock/us.model-v1:0, s3_bucket_name: b, aws_batch_role_arn: "arn:aws:iam::1:role/r"}
  model_info: {mode: batch}
guardrails:
- guardrail_name: before
  litellm_params: {guardrail: bedrock, mode: pre_call, guardrailIdentifier: x}
general_settings:
  master_key: os.environ/MASTER
  custom_auth: custom.auth
  pass_through_endpoints: [{path: /pass, target: "https://b.example"}]
litellm_settings:
  include_cost_in_streaming_usage: true
  default_team_settings: [{team_id: one, success_callback: [langfuse]}]
  cache: true
  callbacks: [otel]
finetune_settings: [{custom_llm_provider: azure}]
files_settings: [{custom_llm_provider: azure}]
vector_store_registry: [{vector_store_name: v}]
`,
    )
    for (const path of [
      "model_list[0].litellm_params.region_name",
      "model_list[3].litellm_params.tags",
      "model_list[3].model_info.team_id",
      "model_list[6].litellm_params.s3_bucket_name",
      "model_list[6].litellm_params.aws_batch_role_arn",
      "guardrails",
      "general_settings.custom_auth",
      "general_settings.pass_through_endpoints",
      "litellm_settings.include_cost_in_streaming_usage",
      "litellm_settings.default_team_settings",
      "litellm_settings.cache",
      "finetune_settings",
      "files_settings",
      "vector_store_registry",
    ]) {
      expect(
        findings.some((one) => one.startsWith(`manual: ${path}:`)),
        `${path} in\n${findings.join("\n")}`,
      ).toBe(true)
    }
    expect(config).toMatchObject({
      llm: {
        models: expect.arrayContaining([
          { name: "plain", provider: "openAI", params: { model: "gpt-5-mini" } },
          expect.objectContaining({ name: "hosted", params: expect.objectContaining({ model: "llava-hf/llava" }) }),
        ]),
        virtualModels: [expect.objectContaining({ name: "tagged" })],
      },
    })
    expect(findings.filter((one) => /imported:/.test(one))).toEqual([])
  })

  it.each<readonly [from: string, what: string, document: unknown, path: string]>([
    ["litellm", "a map of models", { model_list: { gpt: {} } }, "model_list"],
    ["litellm", "settings that are a word", { model_list: [], litellm_settings: "on" }, "litellm_settings"],
    ["litellm", "fallbacks that are a word", { router_settings: { fallbacks: "gpt" } }, "router_settings.fallbacks"],
    [
      "litellm",
      "a fallback to a word",
      { router_settings: { fallbacks: [{ gpt: "claude" }] } },
      "router_settings.fallbacks.gpt",
    ],
    ["litellm", "a model that is a word", { model_list: ["gpt"] }, "model_list[0]"],
    ["litellm", "servers in a list", { mcp_servers: [{ url: "http://a" }] }, "mcp_servers"],
    ["litellm", "callbacks that are a word", { litellm_settings: { callbacks: "otel" } }, "litellm_settings.callbacks"],
    ["portkey", "targets in a map", { targets: { a: 1 } }, "targets"],
    ["portkey", "a strategy that is a word", { strategy: "fallback", targets: [{ provider: "openai" }] }, "strategy"],
    ["portkey", "a key nobody knows", { provider: "openai", forward_headers: ["x"] }, "config.forward_headers"],
    ["mcp", "servers in a list", { mcpServers: [{ url: "http://a" }] }, "mcpServers"],
    ["mcp", "a server that is a word", { mcpServers: { a: "npx" } }, "mcpServers.a"],
    ["mcp", "no servers at all", { theme: "dark" }, "(all)"],
    [
      "mcp",
      "a key nobody knows",
      { mcpServers: { a: { url: "http://a/mcp", oauth: { id: 1 } } } },
      "mcpServers.a.oauth",
    ],
  ])("of %s: %s is named, not dropped and no crash", async (from, _, document, path) => {
    const { findings } = await run(from, JSON.stringify(document))
    expect(findings).toContainEqual(
      expect.stringMatching(new RegExp(`^manual: ${path.replaceAll(/[[\]().]/g, "\\$&")}:`)),
    )
  })

  it.each(["litellm", "portkey", "mcp", "agentgateway"])("what is no map is no configuration of %s", async (from) => {
    const path = join(folder, `${from}-list.yaml`)
    writeFileSync(path, "[1, 2]")
    expect(await importFrom(from, path, undefined, {})).toMatchObject({
      exitCode: 1,
      out: "",
      error: expect.stringContaining(`it holds no configuration of ${from}`),
    })
  })

  it("agentgateway: what is not here is named with its place, and everything else stays as it is", async () => {
    const text = `
# A comment that stays.
config: {statsAddr: "127.0.0.1:19002"}
binds:
- port: 3000
  listeners:
  - routes:
    - matches: [{path: {exact: /stdio/mcp}}, {path: {exact: /.well-known/oauth-protected-resource/stdio/mcp}}]
      policies:
        cors: {allowHeaders: [mcp-protocol-version], allowOrigins: ["*"], exposeHeaders: [Mcp-Session-Id]}
        mcpAuthentication:
          issuer: http://localhost:9000
          audiences: ["http://localhost:3000/stdio/mcp"]
          jwks: {url: "http://localhost:9000/.well-known/jwks.json"}
          resourceMetadata: {resource: "http://localhost:3000/stdio/mcp", scopesSupported: [read:all]}
      backends: [{mcp: {targets: [{name: everything, stdio: {cmd: npx, args: ["@modelcontextprotocol/server-everything"]}}]}}]
    - name: signed
      policies: {aauth: {requiredScheme: agentJwt}}
      backends: [{host: localhost:18080}]
`
    const path = join(folder, "agentgateway-own.yaml")
    writeFileSync(path, text)
    const printed = await importFrom("agentgateway", path, undefined, {})
    expect(printed.out).toBe(text)
    expect(printed.exitCode).toBe(1)
    expect(printed.error.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^manual: binds\[0\]\.listeners\[0\]\.routes\[1\]\.policies\.aauth: .*aauth/),
    ])
  })
})
