/** A configuration ("config") of Portkey's gateway. */
import { type Fields, fieldsOf, Findings, type Imported, secretOf, textOf, numberOf } from "./Findings.ts"
import { providerOf } from "./providers.ts"

/** The name that clients ask for. */
const name = "default"

interface Leaf {
  readonly fields: Fields
  readonly path: string
  readonly weight: number
  /** Of the targets that stand in for each other; equal ones share. */
  readonly priority: number
}

/** Strategies may stand inside each other; what is at their ends is put in one row. */
const leavesOf = (
  one: unknown,
  path: string,
  weight: number,
  priority: number,
  findings: Findings,
): ReadonlyArray<Leaf> => {
  const at = (key: string): string => (path === "" ? key : `${path}.${key}`)
  const fields = findings.fields(one, path === "" ? "config" : path)
  const targets = findings.list(fields["targets"], at("targets"))
  if (targets.length === 0) return [{ fields, path, weight, priority }]
  const mode = textOf(findings.fields(fields["strategy"], at("strategy"))["mode"]) ?? "fallback"
  if (path !== "")
    findings.add("approximate", path, `a ${mode} inside another: its targets take part in the one around it`)
  return targets.flatMap((target, i) => {
    const own = numberOf(fieldsOf(target)["weight"], 1)
    return leavesOf(
      target,
      `${path === "" ? "" : `${path}.`}targets[${i}]`,
      mode === "loadbalance" ? weight * own : weight,
      mode === "loadbalance" ? priority : priority + i / 10 ** (path.split(".").length - 1),
      findings,
    )
  })
}

const leafKeys = ["provider", "api_key", "virtual_key", "override_params", "custom_host", "weight", "name"]

const manual: Readonly<Record<string, string>> = {
  retry: "write a `retry` policy, or rely on failover between targets",
  cache: "write the policy that does this here",
  request_timeout: "write a `timeout` policy of `llm.policies`",
  before_request_hooks: "write `guardrails`",
  after_request_hooks: "write `guardrails`",
  input_guardrails: "write `guardrails`",
  output_guardrails: "write `guardrails`",
}

export const portkey = (document: unknown): Imported => {
  const findings = new Findings()
  const models: Array<Record<string, unknown>> = []
  const modelOf = ({ fields, path }: Leaf, called: string, isAlone: boolean): boolean => {
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`)
    const said = textOf(fields["provider"])
    if (said?.startsWith("@") === true || fields["virtual_key"] !== undefined) {
      findings.add(
        "manual",
        at(said?.startsWith("@") === true ? "provider" : "virtual_key"),
        "a key that lives with Portkey: set `provider` and `params.apiKey`",
      )
    }
    const provider = providerOf((said ?? "openai").replace(/^@/, "").replace(/^.*\//, ""), at("provider"), findings)
    if (provider === undefined) return false
    const { model, ...others } = findings.fields(fields["override_params"], at("override_params"))
    const apiKey = secretOf(fields["api_key"], at("api_key"), findings)
    const base = textOf(fields["custom_host"])
    models.push({
      name: called,
      provider,
      ...(isAlone ? {} : { visibility: "internal" }),
      params: {
        ...(textOf(model) === undefined ? {} : { model }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(base === undefined ? {} : { baseUrl: base }),
      },
      ...(Object.keys(others).length === 0 ? {} : { overrides: others }),
    })
    for (const [key, message] of Object.entries(manual)) {
      if (path !== "" && fields[key] !== undefined) findings.add("manual", at(key), message)
    }
    findings.rest(fields, path === "" ? "config" : path, [...leafKeys, ...Object.keys(manual), "strategy", "targets"])
    findings.add(said === undefined ? "approximate" : "exact", path === "" ? "config" : path, `provider ${provider}`)
    return true
  }
  const top = fieldsOf(document)
  const isAlone = findings.list(top["targets"], "targets").length === 0
  const mode = textOf(fieldsOf(top["strategy"])["mode"]) ?? "fallback"
  let virtual: unknown
  if (isAlone) modelOf({ fields: top, path: "", weight: 1, priority: 0 }, "*", true)
  else {
    const leaves = leavesOf(top, "", 1, 0, findings).flatMap((leaf, i) => {
      const called = `${name}-${i + 1}`
      return modelOf(leaf, called, false) ? [{ ...leaf, called }] : []
    })
    const priorities = [...new Set(leaves.map(({ priority }) => priority))].sort((a, b) => a - b)
    // Weights are whole numbers here.
    const weighted = leaves.map(({ called, weight }) => ({
      model: called,
      weight: Math.max(1, Math.round(weight * 100)),
    }))
    const failover = leaves.map(({ called, priority }) => ({ model: called, priority: priorities.indexOf(priority) }))
    if (mode !== "fallback" && mode !== "loadbalance")
      findings.add(
        "manual",
        "strategy.mode",
        `${JSON.stringify(mode)} becomes failover; write conditions with \`conditional\``,
      )
    virtual = {
      name,
      routing: mode === "loadbalance" ? { weighted: { targets: weighted } } : { failover: { targets: failover } },
    }
    findings.add("approximate", "targets", `clients ask for the model ${name}`)
    const codes = fieldsOf(top["strategy"])["on_status_codes"]
    if (codes !== undefined)
      findings.add(
        "approximate",
        "strategy.on_status_codes",
        "the next target is asked after 429 and 5xx, and when there is no answer",
      )
    findings.rest(top["strategy"], "strategy", ["mode", "on_status_codes", "conditions", "default"])
    findings.rest(top, "", ["strategy", "targets", ...leafKeys, ...Object.keys(manual)])
  }
  for (const [key, message] of Object.entries(manual)) {
    if (top[key] !== undefined) findings.add("manual", key, message)
  }
  return {
    config: {
      gateways: { default: { port: 4000 } },
      llm: { gateways: "default", models, ...(virtual === undefined ? {} : { virtualModels: [virtual] }) },
    },
    findings: findings.all,
  }
}
