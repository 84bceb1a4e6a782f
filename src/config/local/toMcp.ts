/** MCP backends to the snapshot's. */
import * as Result from "effect/Result"
import * as Redacted from "effect/Redacted"
import { type Choice, toolsOf } from "../../../protocols/openapi/document.ts"
import { parseDocument } from "../../node/openapiDocument.ts"
import type { Document } from "../../../ir/policy/Document.ts"
import * as Defaults from "../../../ir/defaults.ts"
import type {
  ArgumentShape,
  McpDeadlines,
  McpSelector as IrSelector,
  McpTarget as IrTarget,
  OperationFilter,
  StdioProcess,
  ToolShape,
  ToolShaping as IrShaping,
} from "../../../ir/backend/Mcp.ts"
import type { McpConnections as IrConnections, McpOauth as IrOauth } from "../../../ir/backend/McpOauth.ts"
import type { Backend } from "../../../ir/Backend.ts"
import type { ToolLock as IrLock } from "../../../ir/backend/ToolLock.ts"
import type { BackendKey } from "../../../ir/Key.ts"
import type { Callee as IrCallee } from "../../../ir/policy/Callee.ts"
import type { BackendPolicy } from "../../../ir/Policy.ts"
import type { Secret } from "../../../ir/Secret.ts"
import type { Path } from "../ConfigIssue.ts"
import * as TargetText from "../target.ts"
import { document, type FileInlineOrRemote, secret } from "./FileOrInline.ts"
import type { Mapping } from "./Mapping.ts"
import type {
  McpBackend,
  McpSelector,
  McpTarget,
  OpenApi,
  Operations,
  Place,
  Stdio,
  Timeouts,
  ToolLock,
  ToolShaping,
} from "./mcp.ts"
import { plainTls } from "./policy/BackendTls.ts"
import { callee, type CalleePolicies, calleePolicies } from "./policy/Callee.ts"
import { present } from "./present.ts"
import { mcpConnections, mcpOauth } from "./toMcpOauth.ts"

const patterns = (texts: ReadonlyArray<string> = [], path: Path, to: Mapping): ReadonlyArray<string> =>
  texts.filter((text, i) => {
    if (text === "") to.fail([...path, i], "a name cannot be empty")
    return text !== ""
  })

const deadlines = (one: Timeouts = {}): McpDeadlines =>
  present({ listMillis: one.list, idleMillis: one.idle, callMillis: one.call, askMillis: one.ask })

/** What a target says goes before what its backend says. */
const toolLock = (own: ToolLock | undefined, all: ToolLock | undefined): { readonly lock?: IrLock } => {
  if (own === undefined && all === undefined) return {}
  const { file, mode = "tofu", recheck } = { ...all, ...own }
  return mode === "off"
    ? {}
    : {
        lock: {
          mode,
          book: file === undefined ? { _tag: "Storage" } : { _tag: "File", path: file },
          recheckMillis: recheck ?? Defaults.defaults.toolLockRecheckMillis,
        },
      }
}

type Override = NonNullable<ToolShaping["override"]>[string]

const argumentShape = (name: string, one: NonNullable<Override["arguments"]>[string]): ArgumentShape =>
  one.expression !== undefined
    ? { _tag: "Computed", name, expression: one.expression }
    : one.value !== undefined
      ? { _tag: "Locked", name, value: one.value }
      : { _tag: "Default", name, value: one.default ?? null }

const toolShape = (tool: string, one: Override): ToolShape => ({
  tool,
  ...present({ name: one.name, title: one.title, description: one.description }),
  hidden: one.hidden ?? false,
  arguments: Object.entries(one.arguments ?? {}).map(([name, shape]) => argumentShape(name, shape)),
})

const shaping = (one: ToolShaping = {}, path: Path, to: Mapping): IrShaping => {
  const shapes = Object.entries(one.override ?? {}).map(([tool, shape]) => toolShape(tool, shape))
  const names = new Map<string, string>()
  for (const { name, tool } of shapes) {
    if (name === undefined) continue
    const other = names.get(name)
    if (other !== undefined) {
      to.fail([...path, "override", tool, "name"], `\`${other}\` is called \`${name}\` already`)
    }
    names.set(name, tool)
  }
  return {
    include: patterns(one.include, [...path, "include"], to),
    exclude: patterns(one.exclude, [...path, "exclude"], to),
    shapes,
  }
}

interface Located {
  readonly callee: IrCallee
  readonly path: string
}

const byUrl = (text: string, path: Path, to: Mapping) => {
  if (!text.includes("://")) {
    const target = TargetText.parse(text)
    return Result.isSuccess(target) && target.success._tag === "Host"
      ? { target: target.success, tls: false, path: undefined }
      : to.fail(path, "`host` alone is a URL", "Write `http://host:port/path`, or add `port` and `path`.")
  }
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return to.fail(path, `${JSON.stringify(text)} is not an http:// or https:// URL`)
  }
  if (url.username !== "" || url.password !== "") {
    return to.fail(path, "a URL cannot carry credentials", "Use `policies.backendAuth`.")
  }
  const tls = url.protocol === "https:"
  const host = url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port)
  // A URL that ends with its authority has no path of its own, whatever the parser makes of it.
  const bare = /^[a-z]+:\/\/[^/?#]*$/i.test(text)
  return { target: { _tag: "Host", host, port } as const, tls, path: bare ? undefined : `${url.pathname}${url.search}` }
}

/** Where a target stands, and how it is called. */
const located = (
  at: Place,
  written: CalleePolicies | undefined,
  fallback: string,
  path: Path,
  kind: "mcp" | "sse" | "openapi" | "a2a",
  to: Mapping,
): Located | undefined => {
  const where = [...path, kind]
  if (at.backend !== undefined) {
    if (written !== undefined) {
      to.fail([...path, "policies"], "`policies` do not apply to a target that names a backend", "Set them there.")
    }
    if (kind !== "openapi" && kind !== "a2a" && at.path === undefined)
      to.fail(where, "a target that names a backend needs a `path`")
    const called = callee({ backend: at.backend }, where, to)
    return called === undefined ? undefined : { callee: called, path: slashed(at.path, fallback) }
  }
  if (at.port !== undefined) {
    const target = to.accept(TargetText.parse(`${at.host ?? ""}:${at.port}`), [...where, "host"])
    const policies = calleePolicies(written ?? {}, [...path, "policies"], to)
    return target === undefined
      ? undefined
      : { callee: { backend: to.host(target), policies }, path: slashed(at.path, fallback) }
  }
  const url = byUrl(at.host ?? "", [...where, "host"], to)
  const policies = calleePolicies(written ?? {}, [...path, "policies"], to)
  if (url === undefined) return undefined
  const secured = url.tls && !policies.some((policy) => policy._tag === "BackendTls")
  return {
    callee: {
      backend: to.host(url.target),
      policies: secured ? [...policies, { _tag: "BackendTls", tls: plainTls }] : policies,
    },
    path: slashed(url.path, fallback),
  }
}

const slashed = (path: string | undefined, fallback: string): string =>
  path === undefined || path === "" ? fallback : path.startsWith("/") ? path : `/${path}`

const stdio = (one: Stdio, path: Path, to: Mapping): StdioProcess => {
  const env: Record<string, Secret> = {}
  for (const [name, source] of Object.entries(one.env ?? {})) {
    const at = [...path, "env", name]
    if (!/^[^=\0]+$/.test(name)) to.fail(at, `${JSON.stringify(name)} cannot be the name of a variable`)
    const value = variable(source, at, to)
    if (value !== undefined) env[name] = value
  }
  for (const [i, text] of [one.cmd, ...(one.args ?? [])].entries()) {
    if (text.includes("\0"))
      to.fail(i === 0 ? [...path, "cmd"] : [...path, "args", i - 1], "a null byte cannot be passed")
  }
  if (one.processes === 0) to.fail([...path, "processes"], "a target needs one process at least")
  const cleared = one.clearEnv ?? one.clear_env
  return {
    command: one.cmd,
    args: one.args ?? [],
    env,
    inherit: cleared === undefined ? "basics" : cleared ? "nothing" : "everything",
    ...present({ workingDirectory: one.cwd }),
    shared: one.shared ?? false,
    processesMax: one.processes ?? Defaults.defaults.stdioProcessesMax,
    idleMillis: one.idleTimeout ?? Defaults.defaults.stdioIdleMillis,
  }
}

/** An empty variable is a value too. */
const variable = (source: NonNullable<Stdio["env"]>[string], path: Path, to: Mapping): Secret | undefined => {
  if (typeof source !== "string") return secret(source, path, to)
  if (source.includes("\0")) return to.fail(path, "a variable cannot hold a null byte")
  return Redacted.make(source)
}

const operations = (one: Operations = {}, path: Path, to: Mapping): OperationFilter => ({
  tags: patterns(one.tags, [...path, "tags"], to),
  operations: patterns(one.operations, [...path, "operations"], to),
})

const openapi = (
  one: McpTarget,
  at: OpenApi,
  common: Pick<IrTarget, "name" | "tools" | "deadlines" | "lock">,
  connections: IrConnections,
  path: Path,
  to: Mapping,
): IrTarget | undefined => {
  const where = [...path, "openapi"]
  const found = located(at, one.policies, "", path, "openapi", to)
  const { basePath, outputSchema = false } = at
  const choice = {
    include: operations(at.include, [...where, "include"], to),
    exclude: operations(at.exclude, [...where, "exclude"], to),
    basePath,
    outputSchema,
  }
  const text = openapiDocument(at.schema, choice, [...where, "schema"], to)
  if (found === undefined || text === undefined) return undefined
  if (basePath !== undefined && basePath !== "" && !basePath.startsWith("/")) {
    to.fail([...where, "basePath"], "a path begins with `/`")
  }
  return {
    _tag: "OpenApi",
    ...common,
    callee: found.callee,
    document: text,
    ...present({ basePath }),
    include: choice.include,
    exclude: choice.exclude,
    outputSchema,
    ...granted(one, at, found, connections, path, to),
  }
}

/** How many operations that cannot be used are named one by one. */
const unusableNamedMax = 20

/** A document that is there is judged now; what is fetched later can only be judged then. */
const openapiDocument = (source: OpenApi["schema"], choice: Choice, path: Path, to: Mapping): Document | undefined => {
  const isMap = typeof source === "object" && Object.hasOwn(source, "openapi")
  const found = isMap
    ? ({ _tag: "Inline", text: JSON.stringify(source) } as const)
    : document(source as FileInlineOrRemote, path, to)
  if (found === undefined || found._tag === "Remote") return found
  try {
    const value = parseDocument(found.text)
    const tools = toolsOf(value, choice)
    for (const { operation, why } of tools.unusable.slice(0, unusableNamedMax)) {
      to.warn(path, `the operation ${operation} is left out: ${why}`)
    }
    const more = tools.unusable.length - unusableNamedMax
    if (more > 0) to.warn(path, `${more} more operations are left out`)
    if (tools.operations.length === 0) to.warn(path, "the document gives no tools")
    return { _tag: "Inline", text: JSON.stringify(value) }
  } catch (cause) {
    return to.fail(path, cause instanceof Error ? cause.message : String(cause))
  }
}

/** The URL of a server that is placed by its address. */
const serverOf = (at: Place, { path }: Located, to: Mapping, where: Path): string | undefined => {
  if (at.host === undefined) return undefined
  if (at.port !== undefined) {
    const target = to.accept(TargetText.parse(`${at.host}:${at.port}`), where)
    if (target?._tag !== "Host") return undefined
    const host = target.host.includes(":") ? `[${target.host}]` : target.host
    return URL.parse(`http://${host}:${target.port}${path}`)?.href
  }
  const origin = URL.parse(at.host)?.origin
  return origin === undefined ? undefined : `${origin}${path}`
}

/** What a target says of tokens, if anything. */
const granted = (
  one: McpTarget,
  at: Place,
  found: Located,
  connections: IrConnections,
  path: Path,
  to: Mapping,
): { readonly oauth?: IrOauth } => {
  if (one.oauth === undefined) return {}
  const server = serverOf(at, found, to, path)
  return present({ oauth: mcpOauth(one.oauth, server, connections, [...path, "oauth"], to) })
}

/** How an agent is spoken to is learned from its card, which is below the path it is given by. */
const agent = (
  one: McpTarget,
  at: Place,
  common: Pick<IrTarget, "name" | "tools" | "deadlines" | "lock">,
  path: Path,
  to: Mapping,
): IrTarget | undefined => {
  const found = located(at, one.policies, "", path, "a2a", to)
  if (found === undefined) return undefined
  const base = found.path.replace(/\/+$/, "")
  if (base.includes("?")) to.fail([...path, "a2a"], "the path of an agent has no query")
  if (at.backend !== undefined) return { _tag: "A2a", ...common, callee: found.callee, path: base }
  const cardPath = base === "" ? {} : { cardPath: `${base}/.well-known/agent-card.json` }
  const spoken = { _tag: "A2a", bridge: { interfaces: [], ...cardPath } } as const
  const { backend, policies } = found.callee
  return { _tag: "A2a", ...common, callee: { backend, policies: [...policies, spoken] }, path: "" }
}

const target = (
  one: McpTarget,
  connections: IrConnections,
  lock: ToolLock | undefined,
  path: Path,
  to: Mapping,
): IrTarget | undefined => {
  const common = {
    name: one.name,
    ...toolLock(one.toolLock, lock),
    tools: shaping(one.tools, [...path, "tools"], to),
    deadlines: deadlines(one.timeouts),
  }
  const passing = present({ passVersion: one.passVersion })
  const era = one.protocol ?? "auto"
  if (one.mcp !== undefined) {
    const found = located(one.mcp, one.policies, "/mcp", path, "mcp", to)
    if (found === undefined) return undefined
    return {
      _tag: "Http",
      ...common,
      ...passing,
      ...found,
      ...granted(one, one.mcp, found, connections, path, to),
      era,
    }
  }
  if (one.sse !== undefined) {
    const found = located(one.sse, one.policies, "/sse", path, "sse", to)
    if (found === undefined) return undefined
    return { _tag: "Sse", ...common, ...passing, ...found, ...granted(one, one.sse, found, connections, path, to) }
  }
  if (one.openapi !== undefined) return openapi(one, one.openapi, common, connections, path, to)
  if (one.a2a !== undefined) return agent(one, one.a2a, common, path, to)
  return one.stdio === undefined
    ? undefined
    : { _tag: "Stdio", ...common, ...passing, process: stdio(one.stdio, [...path, "stdio"], to), era }
}

/** Which server tokens are for is known with each service, unless it is said for all of them. */
const selectedOauth = (
  { oauth }: McpSelector,
  connections: IrConnections,
  path: Path,
  to: Mapping,
): Pick<IrSelector, "oauth"> => {
  if (oauth === undefined) return {}
  const mapped = mcpOauth(oauth, "http://service", connections, [...path, "oauth"], to)
  if (mapped === undefined) return {}
  const { server, ...rest } = mapped
  return { oauth: oauth.resource === undefined ? rest : { ...rest, server } }
}

const selector = (
  one: McpSelector,
  connections: IrConnections,
  lock: ToolLock | undefined,
  path: Path,
  to: Mapping,
): IrSelector => {
  if (Object.keys(one.labels).length === 0) to.fail([...path, "labels"], "no labels would select every service")
  if (one.transport === "sse" && one.protocol !== undefined) {
    to.fail([...path, "protocol"], "`protocol` goes with the `mcp` transport only")
  }
  return {
    labels: one.labels,
    ...present({ namespace: one.namespace, port: one.port }),
    transport: one.transport === "sse" ? "Sse" : "Http",
    path: slashed(one.path, one.transport === "sse" ? "/sse" : "/mcp"),
    era: one.protocol ?? "auto",
    policies: calleePolicies(one.policies ?? {}, [...path, "policies"], to),
    tools: shaping(one.tools, [...path, "tools"], to),
    deadlines: deadlines(one.timeouts),
    ...toolLock(undefined, lock),
    ...selectedOauth(one, connections, path, to),
  }
}

export const mcpBackend = (
  one: McpBackend,
  key: BackendKey,
  policies: ReadonlyArray<BackendPolicy>,
  path: Path,
  to: Mapping,
): Extract<Backend, { readonly _tag: "Mcp" }> => {
  const { bundles = [], selectors = [], targets = [] } = one
  if (one.targets === undefined && one.selectors === undefined) to.fail(path, "no targets are set", "Set `targets`.")
  const connections = mcpConnections(one.connections, [...path, "connections"], to)
  const isGranted = [...targets, ...selectors].some(({ oauth }) => oauth !== undefined && oauth.grant !== "gateway")
  if (one.connections !== undefined && !isGranted) {
    to.fail([...path, "connections"], "no target has an account to connect", "Set `oauth` of a target, or remove this.")
  }
  if (isGranted && one.connections?.url === undefined) {
    to.warn(path, "only callers on this machine can connect their accounts", "Set `connections.url`.")
  }
  if (one.pageSize !== undefined && one.pagination === "composite") {
    to.fail([...path, "pageSize"], "goes with lists that come whole: with `pagination: composite` the servers decide")
  }
  for (const [i, bundle] of bundles.entries()) {
    if (bundle.when === undefined && i < bundles.length - 1) {
      to.fail([...path, "bundles", i], "a bundle without `when` is for everybody and must be the last")
    }
  }
  return {
    _tag: "Mcp",
    key,
    policies,
    targets: targets.flatMap((each, i) => target(each, connections, one.toolLock, [...path, "targets", i], to) ?? []),
    selectors: selectors.map((each, i) => selector(each, connections, one.toolLock, [...path, "selectors", i], to)),
    bundles: bundles.map((bundle, i) => {
      const at = [...path, "bundles", i]
      return {
        name: bundle.name,
        ...present({ condition: bundle.when }),
        tools: patterns(bundle.tools, [...at, "tools"], to),
        prompts: patterns(bundle.prompts, [...at, "prompts"], to),
        resources: patterns(bundle.resources, [...at, "resources"], to),
      }
    }),
    stateful: one.statefulMode !== "stateless",
    prefixMode: one.prefixMode ?? Defaults.defaults.mcpPrefixMode,
    failureMode: one.failureMode ?? Defaults.defaults.mcpFailureMode,
    ...present({ pagination: one.pagination, pageSize: one.pageSize, rebindingProtection: one.dnsRebindingProtection }),
    allowedHosts: patterns(one.allowedHosts, [...path, "allowedHosts"], to),
    allowedOrigins: patterns(one.allowedOrigins, [...path, "allowedOrigins"], to),
  }
}
