/** Backends of kind `ai` to the snapshot's. */
import { isMetadata } from "../../../protocols/llm/bedrockMetadata.ts"
import type { LlmProvider, ProviderFormat, Vendor } from "../../../ir/backend/Llm.ts"
import type { Backend } from "../../../ir/Backend.ts"
import type { BackendKey } from "../../../ir/Key.ts"
import type { BackendPolicy } from "../../../ir/Policy.ts"
import type { Path } from "../ConfigIssue.ts"
import type { AiBackend } from "./backends.ts"
import type { CustomProvider } from "./llmProvider.ts"
import type { Mapping } from "./Mapping.ts"
import { backendPolicies } from "./policies.ts"
import { present } from "./present.ts"

type Named = Exclude<AiBackend, { readonly groups: unknown }>

const moderationModel = "omni-moderation-latest"

export const customVendor = (
  one: typeof CustomProvider.Type,
  path: Path,
  to: Mapping,
  called?: string,
): Vendor | undefined => {
  const formats = (one.formats ?? []).map(({ path, type }): ProviderFormat => ({ type, ...present({ path }) }))
  if (formats.length === 0) {
    return to.fail(
      [...path, "formats"],
      "a custom provider needs at least one format",
      "Such as `- type: completions`.",
    )
  }
  return { _tag: "Custom", ...present({ name: one.providerOverride ?? called }), formats }
}

const vendorOf = (
  { provider }: Named,
  path: Path,
  to: Mapping,
): { readonly vendor: Vendor; readonly model: string | undefined } | undefined => {
  const { anthropic, azure, bedrock, copilot, custom, echo, gemini, openAI, vertex } = provider
  if (openAI !== undefined) {
    const { model, moderation } = openAI
    return {
      vendor: {
        _tag: "OpenAi",
        ...present({
          moderation:
            moderation === undefined
              ? undefined
              : {
                  model: moderation.model ?? moderationModel,
                  ...present({
                    policy:
                      moderation.policy === undefined
                        ? undefined
                        : present({
                            input: sideOf(moderation.policy.input),
                            output: sideOf(moderation.policy.output),
                          }),
                  }),
                },
        }),
      },
      model,
    }
  }
  if (anthropic !== undefined) return { vendor: { _tag: "Anthropic" }, model: anthropic.model }
  if (gemini !== undefined) return { vendor: { _tag: "Gemini" }, model: gemini.model }
  if (copilot !== undefined) return { vendor: { _tag: "Copilot" }, model: copilot.model }
  if (echo !== undefined) return { vendor: { _tag: "Echo" }, model: echo.model }
  if (vertex !== undefined) {
    const { model, projectId, region } = vertex
    return { vendor: { _tag: "Vertex", projectId, ...present({ region }) }, model }
  }
  if (bedrock !== undefined) {
    const { guardrailIdentifier, guardrailVersion, model, region, requestMetadata } = bedrock
    const metadata = requestMetadata?.map(({ expression, key, value }) => ({
      key,
      value:
        expression === undefined
          ? ({ _tag: "Fixed", value: value ?? "" } as const)
          : ({ _tag: "Computed", expression } as const),
    }))
    for (const [i, { key, value }] of (metadata ?? []).entries()) {
      for (const one of [key, ...(value._tag === "Fixed" ? [value.value] : [])]) {
        if (!isMetadata(one)) to.fail([...path, "bedrock", "requestMetadata", i], "AWS takes other characters only")
      }
    }
    if ((guardrailIdentifier === undefined) !== (guardrailVersion === undefined)) {
      to.fail([...path, "bedrock"], "`guardrailIdentifier` and `guardrailVersion` go together", "Set both.")
    }
    return {
      vendor: {
        _tag: "Bedrock",
        region,
        ...present({ guardrailIdentifier, guardrailVersion, requestMetadata: metadata }),
      },
      model,
    }
  }
  if (azure !== undefined) {
    const { apiVersion, model, projectName, resourceName, resourceType } = azure
    return { vendor: { _tag: "Azure", resourceName, resourceType, ...present({ apiVersion, projectName }) }, model }
  }
  if (custom === undefined) return undefined
  const vendor = customVendor(custom, [...path, "custom"], to)
  return vendor === undefined ? undefined : { vendor, model: custom.model }
}

type Side = { readonly mode?: "score" | "block" } | undefined

const sideOf = (side: Side): { readonly mode: "score" | "block" } | undefined =>
  side === undefined ? undefined : { mode: side.mode ?? "score" }

const providerOf = (one: Named, path: Path, to: Mapping): LlmProvider | undefined => {
  const found = vendorOf(one, [...path, "provider"], to)
  if (found === undefined) return undefined
  if (found.vendor._tag === "Custom" && one.hostOverride === undefined) {
    to.fail(path, "a custom provider needs `hostOverride`", "Set `hostOverride: host:port`.")
  }
  if (one.policies?.inferenceRouting !== undefined) {
    to.fail([...path, "policies", "inferenceRouting"], "`inferenceRouting` is only legal on a `service` backend")
  }
  return {
    name: one.name,
    vendor: found.vendor,
    tokenize: one.tokenize ?? false,
    ...present({
      model: found.model,
      target: one.hostOverride,
      pathOverride: one.pathOverride,
      pathPrefix: one.pathPrefix,
      idleMillis: one.idleTimeout,
    }),
    policies: one.policies === undefined ? [] : backendPolicies(one.policies, [...path, "policies"], to),
  }
}

/** Undefined where something is wrong with it, which then has been said. */
export const aiBackend = (
  one: AiBackend,
  key: BackendKey,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
  to: Mapping,
): Backend | undefined => {
  const names = new Set<string>()
  const written = "groups" in one ? one.groups.map(({ providers }) => providers) : [[one]]
  const groups = written.flatMap((providers, i) => {
    const made = providers.flatMap((each, j) => {
      const at = "groups" in one ? [...path, "groups", i, "providers", j] : path
      if (names.has(each.name)) to.fail([...at, "name"], `two providers are called \`${each.name}\``)
      names.add(each.name)
      const provider = providerOf(each, at, to)
      return provider === undefined ? [] : [provider]
    })
    const [first, ...rest] = made
    if (providers.length === 0) to.fail([...path, "groups", i], "a group needs a provider")
    return first === undefined ? [] : [[first, ...rest] as const]
  })
  const [first, ...rest] = groups
  if (first === undefined) {
    return written.length === 0 ? to.fail([...path, "groups"], "at least one group is needed") : undefined
  }
  return { _tag: "Llm", key, policies, groups: [first, ...rest] }
}
