/** What was asked for on the command line. */
import { parseArgs } from "node:util"
import type { CelAsked } from "./cel.ts"
import type { ConnectAsked } from "./connect.ts"
import type { KeysAsked } from "./keys.ts"
import { type LockAsked, lockActions } from "./lockAsked.ts"
import type { LogsAsked } from "./logs.ts"

export interface Usage {
  readonly _tag: "Usage"
  readonly message: string
}

export type Asked =
  | { readonly _tag: "Help" }
  | { readonly _tag: "Version"; readonly short: boolean }
  | { readonly _tag: "Init"; readonly file: string }
  | ({ readonly _tag: "Cel" } & CelAsked)
  | {
      readonly _tag: "Serve"
      readonly file: string | undefined
      readonly text: string | undefined
      readonly validateOnly: boolean
    }
  | ({ readonly _tag: "Keys" } & KeysAsked)
  | { readonly _tag: "Validate"; readonly file: string; readonly json: boolean }
  | { readonly _tag: "Story"; readonly id: string; readonly admin: string | undefined; readonly json: boolean }
  | { readonly _tag: "Stories"; readonly count: number; readonly admin: string | undefined; readonly json: boolean }
  | { readonly _tag: "Status"; readonly admin: string | undefined; readonly json: boolean }
  | ({ readonly _tag: "Lock" } & LockAsked)
  | ({ readonly _tag: "Logs" } & LogsAsked)
  | {
      readonly _tag: "Doctor"
      readonly file: string | undefined
      readonly admin: string | undefined
      readonly json: boolean
    }
  | ({ readonly _tag: "Connect" } & ConnectAsked)
  | { readonly _tag: "Import"; readonly from: string; readonly file: string; readonly to: string | undefined }
  | {
      readonly _tag: "Explain"
      readonly file: string
      readonly request: string
      readonly headers: ReadonlyArray<string>
      readonly json: boolean
    }

const subcommands = [
  "validate",
  "explain",
  "cel",
  "keys",
  "init",
  "doctor",
  "status",
  "logs",
  "lock",
  "connect",
  "import",
  "help",
] as const

export const help = `sluice — one data plane between agents and everything they call

Usage
  sluice [-f FILE | -c TEXT]              run the gateway; without a configuration, an example that works offline
  sluice validate FILE [--json]           check a configuration and print everything that is wrong with it
  sluice explain FILE --request 'GET http://host/path' [-H 'name: value'] [--json]
                                          which bind, listener, route, policies and backend a request would take, and why not the others
  sluice cel 'EXPRESSION' [--context FILE] [--place PLACE] [--json]
                                          what an expression gives with the variables of a file, its type and what it needs
  sluice explain --id ID [--json]         why an exchange of a running gateway ended as it did, by the x-sluice-id of its reply
  sluice explain --latest [-n COUNT] [--json]
                                          the latest exchanges and connections that have a story, each with why it ended so
  sluice status [--json]                  how a running gateway is
  sluice logs [-f] [-n COUNT] [--status CODE] [--json]
                                          the latest entries of the request log; with -f those to come as well
  sluice lock list|diff [SERVER [KIND [NAME]]] [--json]
                                          what servers and agents say that nobody has approved
  sluice lock approve SERVER KIND [NAME] [--hash HASH] | SERVER --all
                                          approves what is said now
  sluice lock check [FILE]                exit code 1 where something is not approved, or where a lock file is not what its hashes say
  sluice doctor [FILE] [--json]           whether ports, certificates, targets, database and clock are as a configuration needs them
  sluice connect CLIENT [--url URL] [--revert | --print]
                                          tells a client of MCP where the gateway is, and proves it: claude, claude-desktop, cursor,
                                          vscode, codex, copilot, windsurf, gemini, opencode
  sluice import --from SOURCE -f FILE [-o FILE]
                                          a configuration of litellm, portkey, agentgateway or mcp (mcpServers) in our words, with
                                          a finding for everything in it
  sluice keys create --name NAME [--model M]… [--tool T]… [--budget usd:10/24h]… [--expires 720h] [--metadata JSON] [-f FILE]
                                          gives out a key for models and tools; it is shown once. Also: keys list,
                                          keys renew ID [--grace 24h], keys revoke ID
  sluice init [FILE]                      write a first configuration to change, config.yaml unless named

FILE may be - for standard input. Without errors the exit code is 0; 1 says that the configuration or the start failed,
2 that the command line is wrong.

Options
  -f, --file FILE      configuration file, watched for changes; - reads standard input
  -c, --config TEXT    configuration text
      --validate-only  check the configuration and exit
  -V                   version
      --version        version, with what it runs on
  -h, --help           this text
      --admin URL      the admin interface of the running gateway, unix:PATH too; SLUICE_ADMIN, or localhost:15000. Its
                       token is taken from SLUICE_ADMIN_TOKEN

The configuration, its settings and the environment variables are described in docs/configuration.md.
`

const usage = (message: string): Usage => ({ _tag: "Usage", message })

const readable = (error: unknown): string =>
  (error instanceof Error ? error.message.split(". To specify")[0] : String(error)) ?? ""

/** The file a command is about, named once: by place or by flag. */
const onlyFile = (positionals: ReadonlyArray<string>, flag: string | undefined): string | undefined | Usage => {
  const files = flag === undefined ? positionals : [...positionals, flag]
  return files.length > 1 ? usage(`one file at a time, got ${files.join(", ")}`) : files[0]
}

const parseValidate = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  if (typeof file === "object") return file
  return file === undefined
    ? usage("validate needs a file: sluice validate FILE")
    : { _tag: "Validate", file, json: values.json }
}

const parseExplain = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      request: { type: "string", short: "r" },
      id: { type: "string" },
      latest: { type: "boolean", default: false },
      count: { type: "string", short: "n", default: "20" },
      admin: { type: "string" },
      header: { type: "string", short: "H", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  if (values.id !== undefined) return { _tag: "Story", id: values.id, admin: values.admin, json: values.json }
  if (values.latest) {
    const count = Number(values.count)
    if (!Number.isInteger(count) || count < 1 || count > 500) return usage("--count is a number from 1 to 500")
    return { _tag: "Stories", count, admin: values.admin, json: values.json }
  }
  const file = onlyFile(positionals, values.file)
  if (typeof file === "object") return file
  if (file === undefined) return usage("explain needs a file: sluice explain FILE --request 'GET http://host/path'")
  if (values.request === undefined) return usage("explain needs --request 'METHOD http://host/path'")
  return { _tag: "Explain", file, request: values.request, headers: values.header, json: values.json }
}

const parseCel = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      context: { type: "string", short: "c" },
      place: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const [expression, ...more] = positionals
  if (expression === undefined) return usage("cel needs an expression: sluice cel '1 + 1'")
  if (more.length > 0) return usage("one expression at a time: put it in quotes")
  return { _tag: "Cel", expression, context: values.context, place: values.place, json: values.json }
}

const everywhere = {
  json: { type: "boolean", default: false },
  admin: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const

const parseStatus = (words: ReadonlyArray<string>): Asked | Usage => {
  const { values } = parseArgs({ args: [...words], options: everywhere })
  return values.help ? { _tag: "Help" } : { _tag: "Status", admin: values.admin, json: values.json }
}

const parseLogs = (words: ReadonlyArray<string>): Asked | Usage => {
  const { values } = parseArgs({
    args: [...words],
    options: {
      ...everywhere,
      follow: { type: "boolean", short: "f", default: false },
      count: { type: "string", short: "n", default: "20" },
      status: { type: "string", multiple: true, default: [] },
    },
  })
  if (values.help) return { _tag: "Help" }
  const count = /^\d{1,3}$/.test(values.count) ? Number(values.count) : 0
  if (count < 1 || count > 500) return usage("-n is a number from 1 to 500")
  if (values.status.some((code) => !/^\d{3}$/.test(code))) return usage("--status is a status of HTTP, such as 503")
  const { admin, follow, json } = values
  return { _tag: "Logs", admin, follow, json, count, status: values.status.map(Number) }
}

const parseLock = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { ...everywhere, hash: { type: "string" }, all: { type: "boolean", default: false } },
  })
  if (values.help) return { _tag: "Help" }
  const [word, first, kind, name, ...more] = positionals
  const action = lockActions.find((one) => one === word)
  if (action === undefined) return usage(`lock does one of these: ${lockActions.join(", ")}`)
  if (more.length > 0 || (action === "check" && kind !== undefined)) return usage(`too many words for lock ${action}`)
  const { admin, all, hash, json } = values
  if (action === "approve" && (first === undefined || (kind === undefined) !== all)) {
    return usage("lock approve needs SERVER KIND [NAME], or SERVER --all")
  }
  const isFile = action === "check"
  const about = isFile ? { server: undefined, file: first } : { server: first, file: undefined }
  // What has no name is named by nothing, not by anything.
  const called = action === "approve" && !all ? (name ?? "") : name
  return { _tag: "Lock", action, ...about, kind, name: called, hash, all, admin, json }
}

const parseDoctor = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { ...everywhere, file: { type: "string", short: "f" } },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  return typeof file === "object" ? file : { _tag: "Doctor", file, admin: values.admin, json: values.json }
}

const parseConnect = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      url: { type: "string", default: "http://localhost:3000/mcp" },
      revert: { type: "boolean", default: false },
      print: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const [client, ...more] = positionals
  if (client === undefined || more.length > 0) return usage("connect needs one client: sluice connect claude")
  const { print, revert, url } = values
  return { _tag: "Connect", client, url, revert, print }
}

const parseImport = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      from: { type: "string" },
      file: { type: "string", short: "f" },
      output: { type: "string", short: "o" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  if (typeof file === "object") return file
  if (values.from === undefined || file === undefined) return usage("import needs --from SOURCE and -f FILE")
  return { _tag: "Import", from: values.from, file, to: values.output }
}

const parseKeys = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      name: { type: "string" },
      model: { type: "string", multiple: true, default: [] },
      tool: { type: "string", multiple: true, default: [] },
      grace: { type: "string" },
      budget: { type: "string", multiple: true, default: [] },
      expires: { type: "string" },
      metadata: { type: "string" },
      json: { type: "boolean", default: false },
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const [action, id, ...more] = positionals
  if (action !== "create" && action !== "list" && action !== "renew" && action !== "revoke") {
    return usage("keys does one of these: create, list, renew, revoke")
  }
  if (more.length > 0 || (id !== undefined && action !== "revoke" && action !== "renew"))
    return usage(`too many words for keys ${action}`)
  const { budget: budgets, expires, file, grace, json, metadata, model: models, name, tool: tools } = values
  return { _tag: "Keys", action, id, budgets, expires, file, grace, json, metadata, models, name, tools }
}

const parseInit = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      file: { type: "string", short: "f" },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  const file = onlyFile(positionals, values.file)
  return typeof file === "object" ? file : { _tag: "Init", file: file ?? "config.yaml" }
}

const parseServe = (words: ReadonlyArray<string>): Asked | Usage => {
  const { positionals, values } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      file: { type: "string", short: "f" },
      config: { type: "string", short: "c" },
      "validate-only": { type: "boolean", default: false },
      V: { type: "boolean", short: "V", default: false },
      version: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  })
  if (values.help) return { _tag: "Help" }
  if (values.V || values.version) return { _tag: "Version", short: values.V }
  const [word] = positionals
  if (word !== undefined) {
    const known = (subcommands as ReadonlyArray<string>).includes(word)
    return usage(
      known
        ? `the command comes first: sluice ${word} …`
        : `unknown command ${JSON.stringify(word)}; the commands are ${subcommands.join(", ")}`,
    )
  }
  if (values.file !== undefined && values.config !== undefined) return usage("only one of --config or --file")
  return { _tag: "Serve", file: values.file, text: values.config, validateOnly: values["validate-only"] }
}

/** Pure: what the words mean, or what is wrong with them. */
export const parse = (words: ReadonlyArray<string>): Asked | Usage => {
  const [first, ...rest] = words
  try {
    switch (first) {
      case "help":
        return { _tag: "Help" }
      case "validate":
        return parseValidate(rest)
      case "explain":
        return parseExplain(rest)
      case "cel":
        return parseCel(rest)
      case "keys":
        return parseKeys(rest)
      case "init":
        return parseInit(rest)
      case "status":
        return parseStatus(rest)
      case "logs":
        return parseLogs(rest)
      case "lock":
        return parseLock(rest)
      case "doctor":
        return parseDoctor(rest)
      case "connect":
        return parseConnect(rest)
      case "import":
        return parseImport(rest)
      default:
        return parseServe(words)
    }
  } catch (error) {
    return usage(readable(error))
  }
}
