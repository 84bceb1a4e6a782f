/** `a2a`: agents, how they are spoken to, shown and guarded. */
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ToolLock } from "../../../../ir/backend/ToolLock.ts"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { BackendPolicy } from "../../../../ir/Policy.ts"
import type { MessageBudget } from "../../../../ir/policy/A2a.ts"
import type { A2aCard, A2aInterface } from "../../../../ir/policy/A2aSpoken.ts"
import type { Path } from "../../ConfigIssue.ts"
import { FileInlineOrRemote, FileOrInline, secret } from "../FileOrInline.ts"
import { anyCase, Cel, Count, FileName, Millis, opt, req, Target } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { keySet } from "./keySet.ts"
import { Bucket, bucket } from "./LocalRateLimit.ts"
import { promptGuard, RequestGuard, ResponseGuard } from "./PromptGuard.ts"

const a2aBinding = anyCase(["JSONRPC", "HTTP+JSON", "GRPC"], { REST: "HTTP+JSON" })

const a2aInterface = Schema.Struct({
  binding: req(a2aBinding, "How it is spoken to."),
  version: opt(anyCase(["1.0", "0.3"]), "1.0 unless set."),
  path: opt(Schema.String, "In front of the protocol's own paths; the root unless set."),
  target: opt(Target, "`host:port`, where it is not at the backend itself."),
  tenant: opt(Schema.NonEmptyString, "Said in every call."),
})

const a2aLockShape = Schema.Struct({
  mode: opt(
    anyCase(["off", "observe", "tofu", "locked"]),
    "`observe` tells of changes, `tofu` trusts what the card says first and judges what changes, `locked` shows nothing but what was approved; `tofu` unless set.",
  ),
  file: opt(FileName, "Where what was approved is written down; the gateway's database unless set."),
  recheck: opt(Millis, "How often the card is looked at while its agent is used; 30s unless set."),
}).annotate({ identifier: "A2aCardLock", description: "How far the card of an agent is taken on trust." })
export interface A2aCardLockSchema extends Named<typeof a2aLockShape> {}
const A2aCardLock: A2aCardLockSchema = a2aLockShape

const MessageLimits = Schema.NonEmptyArray(Bucket)
const MessageBudgets = Schema.NonEmptyArray(
  Schema.Struct({
    name: Schema.NonEmptyString,
    key: opt(Cel, "Whoever has the same value shares it; all together unless set."),
    messages: req(Count, "How many may be sent in one window."),
    window: req(Millis, "Windows begin at multiples of it since 1970: `1h`, `24h`."),
    store: opt(anyCase(["database", "redis"]), "Where it is kept: `config.database` unless set, or `config.redis`."),
  }).annotate({ identifier: "MessageBudget" }),
)

export const A2a = Schema.Struct({
  guardrails: opt(
    Schema.Struct({
      request: opt(Schema.Array(RequestGuard)),
      response: opt(Schema.Array(ResponseGuard)),
    }).annotate({ identifier: "MessageGuard" }),
    "Look at the words, data and files of messages, and of what the agent makes.",
  ),
  foreignTasks: opt(Cel, "When true, tasks that another caller began exist as well; they do not unless set."),
  rateLimits: opt(MessageLimits, "How many messages may be sent in a time; each limit is this agent's alone."),
  budgets: opt(MessageBudgets, "How many messages may be sent in a window; kept where it outlives the gateway."),
  toolLock: opt(A2aCardLock),
  card: opt(
    Schema.Struct({
      verify: opt(
        Schema.Struct({
          mode: opt(anyCase(["ifPresent", "required"]), "required unless set."),
          jwks: FileInlineOrRemote,
        }),
        "Which signatures on the agent's card are believed.",
      ),
      sign: opt(
        Schema.Struct({
          key: req(FileOrInline, "A private key: PEM (PKCS #8), or a JWK."),
          keyId: opt(Schema.NonEmptyString, "The thumbprint of the key unless set."),
        }),
        "Signs the cards that clients get; the key is published at `/.well-known/jwks.json` below the agent's root.",
      ),
    }),
  ),
  bridge: opt(
    Schema.Struct({
      card: opt(Schema.NonEmptyString, "Path of the agent's card; `/.well-known/agent-card.json` unless set."),
      interfaces: opt(Schema.Array(a2aInterface), "How the agent is spoken to; what its card says unless set."),
      offers: opt(Schema.NonEmptyArray(a2aBinding), "Bindings that clients are shown; all that lead here unless set."),
    }),
    "Lets clients speak any binding and version, whatever the agent speaks.",
  ),
  publish: opt(
    Schema.Struct({
      name: req(Schema.NonEmptyString, "What the agent is called."),
      description: opt(Schema.NonEmptyString),
      version: opt(Schema.NonEmptyString, "1.0.0 unless set."),
      model: opt(Schema.NonEmptyString, "The model that is asked; the backend's own unless set."),
      instructions: opt(Schema.NonEmptyString, "What the model is told before anything else."),
      skills: opt(
        Schema.NonEmptyArray(
          Schema.Struct({
            id: Schema.NonEmptyString,
            name: opt(Schema.NonEmptyString),
            description: opt(Schema.NonEmptyString),
            tags: opt(Schema.Array(Schema.NonEmptyString)),
            examples: opt(Schema.Array(Schema.NonEmptyString)),
          }),
        ),
        "What a model is said to be good at; the skills of MCP servers are their tools.",
      ),
    }),
    "Makes an agent of the models or MCP servers of the backend.",
  ),
}).annotate({ identifier: "A2a" })
export type A2a = typeof A2a.Type

const a2aCard = ({ sign, verify }: NonNullable<A2a["card"]>, path: Path, to: Mapping): A2aCard => {
  const keys = verify === undefined ? undefined : keySet(verify.jwks, [...path, "verify", "jwks"], to)
  const key = sign === undefined ? undefined : secret(sign.key, [...path, "sign", "key"], to)
  const text = key === undefined ? "" : Redacted.value(key).trimStart()
  if (key !== undefined && !text.startsWith("{") && !/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(text)) {
    to.fail([...path, "sign", "key"], "expected a private key, in PEM or as a JWK")
  }
  return present({
    verify: verify === undefined || keys === undefined ? undefined : { mode: verify.mode ?? "required", keys },
    sign: sign === undefined || key === undefined ? undefined : { key, ...present({ keyId: sign.keyId }) },
  })
}

const a2aLock = (lock: A2a["toolLock"]): { readonly lock?: ToolLock } => {
  if (lock === undefined || lock.mode === "off") return {}
  const { file, mode = "tofu", recheck } = lock
  const book = file === undefined ? ({ _tag: "Storage" } as const) : ({ _tag: "File", path: file } as const)
  return { lock: { mode, book, recheckMillis: recheck ?? defaults.toolLockRecheckMillis } }
}

/** What messages there may be, and what may be in them. */
const messageRules = (
  { bridge, budgets: spending, foreignTasks, guardrails, publish, rateLimits }: A2a,
  path: Path,
  to: Mapping,
): Pick<Extract<BackendPolicy, { readonly _tag: "A2a" }>, "guard" | "limit" | "budgets" | "foreignTasks"> => {
  const names = new Set<string>()
  const budgets = (spending ?? []).map((one, i): MessageBudget => {
    const at = [...path, "budgets", i]
    if (names.has(one.name)) to.fail([...at, "name"], `two budgets are called \`${one.name}\``)
    names.add(one.name)
    if (one.window <= 0) to.fail([...at, "window"], "the window is longer than nothing")
    if (one.store === "redis" && !to.names.hasRedis) {
      to.fail([...at, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
    }
    return {
      name: one.name,
      ...present({ key: one.key }),
      messages: one.messages,
      windowMillis: Math.max(1, one.window),
      ...(one.store === "redis" ? { store: "redis" as const } : {}),
    }
  })
  const limits = (rateLimits ?? []).map((one, i) => {
    const at = [...path, "rateLimits", i]
    if (one.type === "tokens") to.fail([...at, "type"], "agents are sent messages, not tokens", "Leave it out.")
    return bucket(one, at, to)
  })
  if (guardrails !== undefined && bridge === undefined && publish === undefined) {
    to.fail(
      [...path, "guardrails"],
      "messages that are only passed on are not looked into",
      "Set `bridge: {}` beside it: then the gateway reads them.",
    )
  }
  for (const [i, { scope, webhook }] of (guardrails?.request ?? []).entries()) {
    const at = [...path, "guardrails", "request", i]
    if (webhook?.messageFormat === "raw") {
      to.fail([...at, "webhook", "messageFormat"], "agents have no messages of models", "Leave it out.")
    }
    if (scope !== undefined && !scope.includes("messages")) {
      to.fail([...at, "scope"], "what is said to an agent is messages", "Leave it out.")
    }
  }
  if (foreignTasks !== undefined && publish !== undefined) {
    to.fail([...path, "foreignTasks"], "tasks of what the gateway publishes are their callers' alone", "Leave it out.")
  }
  const [firstBudget, ...moreBudgets] = budgets
  return {
    ...present({ foreignTasks }),
    ...(guardrails === undefined
      ? {}
      : { guard: promptGuard({ ...guardrails, streaming: "Enabled" }, [...path, "guardrails"], to) }),
    ...(limits.length === 0 ? {} : { limit: { _tag: "LocalRateLimit" as const, id: path.join("/"), limits } }),
    ...(firstBudget === undefined ? {} : { budgets: [firstBudget, ...moreBudgets] as const }),
  }
}

export const a2a = (policy: A2a, path: Path, to: Mapping): BackendPolicy => {
  const { bridge } = policy
  const own = {
    ...messageRules(policy, path, to),
    ...(policy.card === undefined ? {} : { card: a2aCard(policy.card, [...path, "card"], to) }),
    ...a2aLock(policy.toolLock),
  }
  const { publish } = policy
  const card =
    publish === undefined
      ? own
      : {
          ...own,
          publish: {
            name: publish.name,
            ...present({
              description: publish.description,
              version: publish.version,
              model: publish.model,
              instructions: publish.instructions,
            }),
            skills: (publish.skills ?? []).map(({ id, ...skill }) => ({ id, ...present(skill) })),
          },
        }
  if (publish !== undefined && (bridge?.interfaces !== undefined || bridge?.card !== undefined)) {
    to.fail([...path, "bridge"], "what the gateway publishes itself has no card or interfaces of its own")
  }
  if (publish !== undefined && policy.toolLock !== undefined) {
    to.fail([...path, "toolLock"], "the card of what the gateway publishes is its own; nobody else can change it")
  }
  if (publish !== undefined && policy.card?.verify !== undefined) {
    to.fail([...path, "card", "verify"], "the card of what the gateway publishes is its own")
  }
  if (bridge === undefined) return { _tag: "A2a", ...card }
  const interfaces = (bridge.interfaces ?? []).flatMap(({ target, ...one }, i): ReadonlyArray<A2aInterface> => {
    const at = [...path, "bridge", "interfaces", i]
    if (target?._tag === "Unix") to.fail([...at, "target"], "expected `host:port`")
    if (one.binding === "GRPC" && one.path !== undefined) to.fail([...at, "path"], "gRPC interfaces have no path")
    if (one.path !== undefined && !one.path.startsWith("/")) to.fail([...at, "path"], "a path begins with `/`")
    return [
      {
        binding: one.binding,
        version: one.version ?? "1.0",
        ...present({
          path: one.path,
          tenant: one.tenant,
          target: target?._tag === "Host" ? { host: target.host, port: target.port } : undefined,
        }),
      },
    ]
  })
  return {
    _tag: "A2a",
    ...card,
    bridge: { interfaces, ...present({ cardPath: bridge.card, offers: bridge.offers }) },
  }
}
