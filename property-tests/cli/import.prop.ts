import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Imported } from "../../src/cli/import/Findings.ts"
import { litellm } from "../../src/cli/import/litellm.ts"
import { mcp } from "../../src/cli/import/mcp.ts"
import { portkey } from "../../src/cli/import/portkey.ts"

const sources: ReadonlyArray<{
  readonly name: string
  readonly run: (document: unknown) => Imported
  readonly keys: ReadonlyArray<string>
  /** What makes a file one of theirs. */
  readonly base: Readonly<Record<string, unknown>>
}> = [
  {
    name: "LiteLLM",
    run: litellm,
    keys: [
      "model_list",
      "litellm_params",
      "model_info",
      "model_name",
      "model",
      "api_key",
      "api_base",
      "router_settings",
      "litellm_settings",
      "general_settings",
      "fallbacks",
      "mcp_servers",
      "url",
      "environment_variables",
      "weight",
      "callbacks",
      "master_key",
    ],
    base: { model_list: [] },
  },
  {
    name: "Portkey",
    run: portkey,
    keys: ["strategy", "targets", "mode", "provider", "api_key", "virtual_key", "override_params", "weight", "retry"],
    base: { provider: "openai" },
  },
  {
    name: "mcpServers",
    run: mcp,
    keys: ["mcpServers", "servers", "mcp", "command", "args", "env", "url", "headers", "disabled", "inputs", "tools"],
    base: { mcpServers: {} },
  },
]

const documentOf = (keys: ReadonlyArray<string>): fc.Arbitrary<unknown> => {
  const key = fc.oneof(
    fc.constantFrom(...keys),
    fc.string({ maxLength: 5 }),
    fc.constantFrom("toString", "constructor"),
  )
  const leaf = fc.oneof(
    fc.constantFrom("openai/gpt", "azure/x", "bedrock/y", "os.environ/K", "http://a/b", "loadbalance", "*", "@team"),
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: "large" },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 5 }),
    ),
  })).value
}

describe.each(sources)("what is imported from $name", ({ base, keys, run }) => {
  it("is a configuration and findings, whatever the file holds", () => {
    fc.assert(
      fc.property(documentOf(keys), (document) => {
        const { config, findings } = run(document)
        expect(typeof config).toBe("object")
        for (const { message } of findings) expect(message).not.toBe("")
      }),
      { numRuns: 500 },
    )
  })

  it("leaves no key of the file unmentioned that it does not know", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^zz_[a-z]{1,8}$/), fc.jsonValue(), (key, value) => {
        const { findings } = run({ ...base, [key]: value })
        expect(findings.some(({ path }) => path.endsWith(key))).toBe(true)
      }),
    )
  })
})
