/** `sluice connect`: tells a client of MCP where the gateway is, takes it back, and proves that the way leads there. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isObject } from "../../protocols/json/object.ts"
import type { Printed } from "./validate.ts"

/** The name under which clients know us. */
export const entryName = "sluice"

interface Client {
  readonly label: string
  /** Below the home directory, or the working directory. */
  readonly file: (env: NodeJS.ProcessEnv, cwd: string, platform: NodeJS.Platform) => string
  readonly format:
    | { readonly _tag: "Json"; readonly section: string; readonly entry: (url: string) => unknown }
    | { readonly _tag: "Toml" }
}

const home = (env: NodeJS.ProcessEnv): string => env["HOME"] ?? env["USERPROFILE"] ?? "."

const applicationData = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string =>
  platform === "darwin"
    ? join(home(env), "Library/Application Support")
    : platform === "win32"
      ? (env["APPDATA"] ?? join(home(env), "AppData/Roaming"))
      : (env["XDG_CONFIG_HOME"] ?? join(home(env), ".config"))

const json = (section: string, entry: (url: string) => unknown): Client["format"] => ({ _tag: "Json", section, entry })

export const clients: Readonly<Record<string, Client>> = {
  claude: {
    label: "Claude Code",
    file: (env) => join(home(env), ".claude.json"),
    format: json("mcpServers", (url) => ({ type: "http", url })),
  },
  "claude-desktop": {
    label: "Claude Desktop",
    file: (env, _, platform) => join(applicationData(env, platform), "Claude/claude_desktop_config.json"),
    format: json("mcpServers", (url) => ({ command: "npx", args: ["-y", "mcp-remote", url] })),
  },
  cursor: {
    label: "Cursor",
    file: (env) => join(home(env), ".cursor/mcp.json"),
    format: json("mcpServers", (url) => ({ url })),
  },
  vscode: {
    label: "VS Code, this folder",
    file: (_, cwd) => join(cwd, ".vscode/mcp.json"),
    format: json("servers", (url) => ({ type: "http", url })),
  },
  codex: {
    label: "Codex",
    file: (env) => join(env["CODEX_HOME"] ?? join(home(env), ".codex"), "config.toml"),
    format: { _tag: "Toml" },
  },
  copilot: {
    label: "GitHub Copilot CLI",
    file: (env) => join(home(env), ".copilot/mcp-config.json"),
    format: json("mcpServers", (url) => ({ type: "http", url, tools: ["*"] })),
  },
  windsurf: {
    label: "Windsurf",
    file: (env) => join(home(env), ".codeium/windsurf/mcp_config.json"),
    format: json("mcpServers", (url) => ({ serverUrl: url })),
  },
  gemini: {
    label: "Gemini CLI",
    file: (env) => join(home(env), ".gemini/settings.json"),
    format: json("mcpServers", (url) => ({ httpUrl: url })),
  },
  opencode: {
    label: "OpenCode",
    file: (env, _, platform) =>
      join(
        platform === "win32" ? applicationData(env, platform) : join(home(env), ".config"),
        "opencode/opencode.json",
      ),
    format: json("mcp", (url) => ({ type: "remote", url, enabled: true })),
  },
}

export interface ConnectAsked {
  readonly client: string
  readonly url: string
  readonly revert: boolean
  readonly print: boolean
}

/** The text with the entry in it, or without it; a text of ours says why it cannot be done. */
export const withEntry = (
  format: Extract<Client["format"], { readonly _tag: "Json" }>,
  before: string,
  url: string | undefined,
): { readonly text: string } | { readonly problem: string } => {
  let document: unknown
  try {
    document = before.trim() === "" ? {} : JSON.parse(before)
  } catch {
    return { problem: "it is not plain JSON, so it is left alone" }
  }
  const section = isObject(document) ? (document[format.section] ?? {}) : undefined
  if (!isObject(document) || !isObject(section))
    return { problem: "it has another shape than expected, so it is left alone" }
  const { [entryName]: _, ...others } = section
  const servers = url === undefined ? others : { ...others, [entryName]: format.entry(url) }
  const next: Record<string, unknown> = { ...document, [format.section]: servers }
  if (url === undefined && Object.keys(servers).length === 0) delete next[format.section]
  const indent = /^\{\s*\n([ \t]+)/.exec(before)?.[1] ?? "  "
  return { text: `${JSON.stringify(next, null, indent)}\n` }
}

const begin = "# sluice: written by `sluice connect codex`"
const end = "# sluice: end"

export const withTomlBlock = (before: string, url: string | undefined): string => {
  const from = before.indexOf(begin)
  const to = before.indexOf(end)
  const rest =
    from >= 0 && to > from
      ? before.slice(0, from).trimEnd() + before.slice(to + end.length).replace(/^\n+/, "\n\n")
      : before
  const kept = rest.trim() === "" ? "" : `${rest.trimEnd()}\n`
  if (url === undefined) return kept
  return `${kept}${kept === "" ? "" : "\n"}${begin}\n[mcp_servers.${entryName}]\nurl = ${JSON.stringify(url)}\n${end}\n`
}

const write = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  const mode = existsSync(file) ? statSync(file).mode & 0o777 : 0o600
  const beside = `${file}.sluice-new`
  writeFileSync(beside, text, { mode })
  renameSync(beside, file)
}

const timeoutMillis = 5_000

/** What a server of MCP says to a first word; a text says why there was none. */
export const prove = async (
  url: string,
): Promise<{ readonly server: string; readonly tools: number | undefined } | string> => {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
  const call = async (id: number, method: string, params: unknown, more: Record<string, string>) => {
    const reply = await fetch(url, {
      method: "POST",
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
      signal: AbortSignal.timeout(timeoutMillis),
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`it answered ${reply.status}`)
    const data = /^data: ?(.*)$/m.exec(text)?.[1] ?? text
    return {
      session: reply.headers.get("mcp-session-id"),
      answer: JSON.parse(data) as {
        readonly result?: Record<string, unknown>
        readonly error?: { readonly message?: string }
      },
    }
  }
  try {
    const first = await call(
      1,
      "initialize",
      {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "sluice connect", version: "1" },
      },
      {},
    )
    if (first.answer.result === undefined) return first.answer.error?.message ?? "it did not understand the first word"
    const session: Record<string, string> = first.session === null ? {} : { "mcp-session-id": first.session }
    const info = isObject(first.answer.result["serverInfo"]) ? first.answer.result["serverInfo"] : {}
    await fetch(url, {
      method: "POST",
      headers: { ...headers, ...session },
      body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }),
      signal: AbortSignal.timeout(timeoutMillis),
    })
    const listed = await call(2, "tools/list", {}, session)
    const tools = listed.answer.result?.["tools"]
    if (first.session !== null) await fetch(url, { method: "DELETE", headers: session }).catch(() => undefined)
    return {
      server: `${String(info["name"] ?? "a server")} ${String(info["version"] ?? "")}`.trim(),
      tools: Array.isArray(tools) ? tools.length : undefined,
    }
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error
        ? error.cause.message
        : error instanceof Error
          ? error.message
          : String(error)
    return cause
  }
}

const failed = (message: string): Printed => ({ out: "", error: `sluice: ${message}\n`, exitCode: 1 })

export const connect = async (
  { client: name, print, revert, url }: ConnectAsked,
  env: NodeJS.ProcessEnv,
  cwd: string = process.cwd(),
  platform: NodeJS.Platform = process.platform,
): Promise<Printed> => {
  const client = Object.hasOwn(clients, name) ? clients[name] : undefined
  if (client === undefined)
    return failed(`no client is called ${JSON.stringify(name)}; there are ${Object.keys(clients).join(", ")}`)
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    return failed(`${JSON.stringify(url)} is not a URL of a gateway`)
  const file = client.file(env, cwd, platform)
  const before = existsSync(file) ? readFileSync(file, "utf8") : ""
  const wanted = revert ? undefined : url
  const next =
    client.format._tag === "Toml" ? { text: withTomlBlock(before, wanted) } : withEntry(client.format, before, wanted)
  if ("problem" in next) {
    const snippet =
      client.format._tag === "Json"
        ? JSON.stringify({ [client.format.section]: { [entryName]: client.format.entry(url) } }, null, 2)
        : ""
    return failed(
      `${file}: ${next.problem}. ${revert ? `Take out the entry ${entryName} yourself.` : `Put this into it yourself:\n${snippet}`}`,
    )
  }
  if (print) return { out: next.text, error: "", exitCode: 0 }
  const isEmpty = next.text.trim() === "" || next.text.trim() === "{}"
  if (revert && isEmpty && before !== "") rmSync(file)
  else if (next.text !== before && !(revert && before === "")) write(file, next.text)
  if (revert) return { out: `${client.label} does not know the gateway any more (${file})\n`, error: "", exitCode: 0 }
  const proof = await prove(url)
  const written = `${client.label} finds the gateway at ${url} (${file})\n`
  if (typeof proof === "string") {
    return {
      out: written,
      error: `sluice: nothing of MCP answers at ${url} yet: ${proof}. Start the gateway, then try again; \`sluice connect ${name} --revert\` takes this back.\n`,
      exitCode: 1,
    }
  }
  const tools = proof.tools === undefined ? "" : ` with ${proof.tools} tool${proof.tools === 1 ? "" : "s"}`
  return { out: `${written}it answers: ${proof.server}${tools}\n`, error: "", exitCode: 0 }
}
