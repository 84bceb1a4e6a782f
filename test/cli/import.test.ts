import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { importFrom, litellm, mcp, portkey } from "../../src/cli/import.ts"

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
            name: "gpt",
            provider: "openAI",
            params: { model: "gpt-4o", apiKey: "$OPENAI_API_KEY" },
            defaults: { temperature: 0.2 },
          },
          { name: "smart-1", provider: "anthropic", visibility: "internal" },
          { name: "smart-2", provider: "bedrock", params: { awsRegion: "eu-west-1" } },
        ],
        virtualModels: [
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
        "manual fallbacks[0]",
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
