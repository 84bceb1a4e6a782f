/** What clients of MCP keep about their servers: `mcpServers`, or `servers` in VS Code. */
import { type Fields, fieldsOf, Findings, type Imported, listOf, textOf, withVariables, wordOf } from "./Findings.ts"

const nameOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "") || "server"

const isSecretName = /token|secret|passw|api[-_]?key|authorization|credential/i

/** Texts of a map; one that is a secret in the open is said. */
const textsOf = (value: Fields, path: string, findings: Findings): Record<string, string> =>
  Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const text = withVariables(wordOf(one))
      if (isSecretName.test(key) && !text.includes("$"))
        findings.add("approximate", `${path}.${key}`, "a key in the open: move it to a variable or a file")
      return [key, text]
    }),
  )

/** What a client decides for itself when it uses a server. */
const ofClient = [
  "autoApprove",
  "alwaysAllow",
  "autoApproveTools",
  "trust",
  "gallery",
  "version",
  "icon",
  "description",
]

const told = (fields: Fields, path: string, findings: Findings): void => {
  for (const key of ofClient) {
    if (fields[key] !== undefined) findings.add("approximate", `${path}.${key}`, "stays with the client")
  }
  for (const key of ["timeout", "startup_timeout_sec", "tool_timeout_sec"]) {
    if (fields[key] !== undefined) findings.add("manual", `${path}.${key}`, "set a deadline of the target")
  }
  for (const key of ["tools", "includeTools", "excludeTools", "disabledTools"]) {
    const names = listOf(fields[key]).map(wordOf)
    if (names.length > 0 && !names.includes("*"))
      findings.add(
        "manual",
        `${path}.${key}`,
        "write rules of `mcpAuthorization`, or `include` and `exclude` of the target",
      )
  }
}

const known = [
  ...ofClient,
  "timeout",
  "startup_timeout_sec",
  "tool_timeout_sec",
  "tools",
  "includeTools",
  "excludeTools",
  "disabledTools",
  "type",
  "transport",
  "disabled",
  "enabled",
]

export const mcp = (document: unknown): Imported => {
  const findings = new Findings()
  const top = fieldsOf(document)
  const written =
    top["mcpServers"] ??
    top["servers"] ??
    top["context_servers"] ??
    top["mcp_servers"] ??
    fieldsOf(top["mcp"])["servers"] ??
    top["mcp"]
  if (written === undefined)
    findings.add(
      "manual",
      "",
      "holds no servers under `mcpServers`, `servers`, `context_servers`, `mcp_servers` or `mcp`",
    )
  const servers = findings.fields(written, "mcpServers")
  const taken = new Set<string>()
  for (const input of findings.list(top["inputs"], "inputs")) {
    const id = textOf(fieldsOf(input)["id"])
    if (id !== undefined)
      findings.add(
        "manual",
        `inputs.${id}`,
        `set ${withVariables(`\${input:${id}}`).replace(/[${}]/g, "")} in the environment of the gateway`,
      )
  }
  const targets = Object.entries(servers).flatMap(([called, one]): ReadonlyArray<unknown> => {
    const path = `mcpServers.${called}`
    const fields = findings.fields(one, path)
    if (fields["disabled"] === true || fields["enabled"] === false) {
      findings.add("approximate", path, "is turned off, so it is left out")
      return []
    }
    let name = nameOf(called)
    for (let i = 2; taken.has(name); i++) name = `${nameOf(called)}-${i}`
    taken.add(name)
    if (name !== called) findings.add("approximate", path, `is called ${name} here`)
    const url = textOf(fields["url"] ?? fields["serverUrl"] ?? fields["httpUrl"])
    // OpenCode writes the program and its arguments as one list, Zed as one map.
    const inner = fieldsOf(fields["command"])
    const list = listOf(fields["command"]).map(wordOf)
    const command = textOf(fields["command"]) ?? list[0] ?? textOf(inner["path"])
    told(fields, path, findings)
    if (command !== undefined) {
      const args = list.length > 1 ? list.slice(1) : listOf(fields["args"] ?? inner["args"]).map(wordOf)
      const env = fieldsOf(fields["env"] ?? fields["environment"] ?? inner["env"])
      findings.rest(fields, path, [
        "command",
        "args",
        "env",
        "environment",
        "envFile",
        "cwd",
        "source",
        "settings",
        ...known,
      ])
      if (fields["cwd"] !== undefined) findings.add("manual", `${path}.cwd`, "processes start where the gateway does")
      if (fields["envFile"] !== undefined)
        findings.add("manual", `${path}.envFile`, "set what is in it in `env`, or in the environment of the gateway")
      findings.add("exact", path, `runs ${command}`)
      return [
        {
          name,
          stdio: {
            cmd: command,
            ...(args.length === 0 ? {} : { args: args.map(withVariables) }),
            ...(Object.keys(env).length === 0 ? {} : { env: textsOf(env, `${path}.env`, findings) }),
          },
        },
      ]
    }
    if (url === undefined || !URL.canParse(url)) {
      findings.add("manual", path, "has neither a command nor a URL")
      return []
    }
    const isSse = textOf(fields["type"] ?? fields["transport"]) === "sse" || new URL(url).pathname.endsWith("/sse")
    const headers = fieldsOf(fields["headers"] ?? fields["http_headers"])
    findings.rest(fields, path, ["url", "serverUrl", "httpUrl", "headers", "http_headers", ...known])
    findings.add("exact", path, url)
    return [
      {
        name,
        [isSse ? "sse" : "mcp"]: { host: url },
        ...(Object.keys(headers).length === 0
          ? {}
          : { policies: { requestHeaderModifier: { set: textsOf(headers, `${path}.headers`, findings) } } }),
      },
    ]
  })
  findings.rest(top, "", [
    "mcpServers",
    "servers",
    "context_servers",
    "mcp_servers",
    "mcp",
    "inputs",
    "$schema",
    ...(top["mcpServers"] === undefined && top["servers"] === undefined ? Object.keys(top) : []),
  ])
  return {
    config: { gateways: { default: { port: 3000 } }, mcp: { gateways: "default", targets } },
    findings: findings.all,
  }
}
