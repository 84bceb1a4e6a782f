/**
 * Judges requests by policies in Cedar. A request is told to them as a principal, an action, a resource and a context:
 * as the configuration says, or as what is known of the caller and what is asked for. Where that cannot be told, or a
 * policy that forbids cannot be evaluated, nobody passes.
 */
import type { Json } from "effect/Schema"
import { type CelValue, isError } from "../../ir/cel/CelValue.ts"
import { toJson, toText } from "../../ir/cel/toJson.ts"
import type { Use } from "../../ir/cel/uses.ts"
import type { Context } from "../../ir/cel/variables.ts"
import type { Expression as Source, NamedExpression } from "../../ir/Expression.ts"
import type { Cedar, CedarEntity } from "../../ir/policy/Cedar.ts"
import type { Identity } from "../Identity.ts"
import type { ClientIdentity } from "../ports/Network.ts"
import type { Cedar as Engine, CedarValue, Entity, EntityId } from "../ports/Cedar.ts"
import type { Expressions } from "./expression/Expressions.ts"
import type { Facts } from "./expression/Facts.ts"

export type Judge = (facts: Facts, caller: Caller) => boolean

/** What is known of who asks. */
export interface Caller {
  readonly identity: Identity | undefined
  readonly client: ClientIdentity | undefined
  /** The port that a connection came to, where that is all that is known. */
  readonly port?: number
  /** The model that is asked for. */
  readonly model?: string
}

/** Deeper than the engine reads: nobody passes whose claims go further, but not for want of a stack. */
const DEPTH_MAX = 256

/** Cedar has whole numbers, decimals of four digits, and nothing for null. */
export const toCedar = (value: Json, depth = 0): CedarValue | undefined => {
  if (depth > DEPTH_MAX) return true
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      if (Number.isSafeInteger(value)) return value
      return Math.abs(value) < 1e14 ? { __extn: { fn: "decimal", arg: value.toFixed(4) } } : undefined
    default: {
      if (value === null) return undefined
      if (Array.isArray(value)) {
        const list: Array<CedarValue> = []
        for (const one of value as ReadonlyArray<Json>) {
          const converted = toCedar(one, depth + 1)
          if (converted !== undefined) list.push(converted)
        }
        return list
      }
      const record: Array<readonly [string, CedarValue]> = []
      for (const [name, one] of Object.entries(value)) {
        // A client must not be able to write an entity or a call where it writes a claim.
        if (name === "__entity" || name === "__extn" || name === "__expr") continue
        const converted = toCedar(one as Json, depth + 1)
        if (converted !== undefined) record.push([name, converted])
      }
      return Object.fromEntries(record)
    }
  }
}

const recordOf = (value: Json | undefined): { readonly [name: string]: CedarValue } => {
  const converted = value === undefined ? undefined : toCedar(value)
  return typeof converted === "object" && !Array.isArray(converted) && !Object.hasOwn(converted, "__extn")
    ? (converted as { readonly [name: string]: CedarValue })
    : {}
}

const namesIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string"
    ? [value]
    : Array.isArray(value)
      ? value.filter((one): one is string => typeof one === "string")
      : []

const spiffeIn = ({ subjectAltNames }: ClientIdentity): string | undefined =>
  subjectAltNames.find((name) => name.startsWith("spiffe://"))

/** The strongest thing that was proved of the caller. */
export const principalOf = ({ client, identity }: Caller): Entity => {
  const jwt = identity?.jwt
  if (jwt !== undefined) {
    const parents = [
      ...namesIn(jwt["groups"]).map((id): EntityId => ({ type: "Group", id })),
      ...namesIn(jwt["roles"]).map((id): EntityId => ({ type: "Role", id })),
    ]
    const { sub } = jwt
    // Anything else has no text of its own, or one that an issuer could make it have.
    const id = typeof sub === "string" || typeof sub === "number" ? String(sub) : ""
    return { uid: { type: "User", id }, attrs: recordOf(jwt), parents }
  }
  if (identity?.basicAuth !== undefined) {
    return { uid: { type: "User", id: identity.basicAuth.username }, attrs: {}, parents: [] }
  }
  if (identity?.apiKey !== undefined) {
    const attrs = recordOf(identity.apiKey.metadata)
    const name = attrs["name"]
    return { uid: { type: "Key", id: typeof name === "string" ? name : "" }, attrs, parents: [] }
  }
  if (client !== undefined) {
    const id = spiffeIn(client) ?? client.subject
    return { uid: { type: "Workload", id }, attrs: { subject: client.subject, issuer: client.issuer }, parents: [] }
  }
  return { uid: { type: "Anonymous", id: "anonymous" }, attrs: {}, parents: [] }
}

const typeName = /^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/

/** `Type::"id"`, as Cedar writes it. */
export const parseUid = (text: string): EntityId | undefined => {
  const [, type, quoted] = /^([\w:]+)::("(?:[^"\\]|\\.)*")$/.exec(text) ?? []
  if (type === undefined || quoted === undefined || !typeName.test(type)) return undefined
  try {
    const id: unknown = JSON.parse(quoted)
    return typeof id === "string" ? { type, id } : undefined
  } catch {
    return undefined
  }
}

type Compiled<A> = (facts: Facts) => A | undefined

export const compile = (
  policy: Cedar,
  engine: Engine,
  expressions: Expressions,
  context: Context,
  use: Use = "cedar",
): Judge => {
  const valueOf = (source: Source): Compiled<CedarValue> => {
    const expression = expressions.compile(source, context, use)
    return (facts) => {
      const value = expression.evaluate(facts)
      return isError(value) ? undefined : toCedar(toJson(value))
    }
  }
  const textOf = (source: string): Compiled<string> => {
    const expression = expressions.compile(source, context, use)
    return (facts) => expression.as(facts, (value: CelValue) => toText(value))
  }
  const record = (fields: ReadonlyArray<NamedExpression>): Compiled<{ readonly [name: string]: CedarValue }> => {
    const compiled = fields.map(({ expression, name }) => ({ name, value: valueOf(expression) }))
    return (facts) => {
      const found: Record<string, CedarValue> = {}
      for (const { name, value } of compiled) {
        const one = value(facts)
        if (one !== undefined) found[name] = one
      }
      return found
    }
  }
  const entity = ({ attributes, id, parents, type }: CedarEntity): Compiled<Entity> => {
    const idOf = textOf(id)
    const attrsOf = record(attributes)
    const parentsOf = parents === undefined ? undefined : valueOf(parents)
    return (facts) => {
      const found = idOf(facts)
      if (found === undefined) return undefined
      const above = parentsOf?.(facts)
      const uids = namesIn(above).map(parseUid)
      if (uids.includes(undefined)) return undefined
      return {
        uid: { type, id: found },
        attrs: attrsOf(facts) ?? {},
        parents: uids.filter((one) => one !== undefined),
      }
    }
  }

  const isMcp = context === "mcpAuthorization"
  const actionOf = textOf(policy.action ?? usualActions[context] ?? "request.method")
  const principal = policy.principal === undefined ? undefined : entity(policy.principal)
  const resource: (facts: Facts, caller: Caller) => Entity | undefined =
    policy.resource !== undefined
      ? entity(policy.resource)
      : isMcp
        ? mcpResource(textOf)
        : context === "networkAuthorization"
          ? portResource
          : context === "llm"
            ? modelResource
            : pathResource(textOf)
  const contextOf = record(policy.context)
  const set = engine.set(policy.policies, policy.entities)

  return (facts, caller) => {
    const who = principal === undefined ? principalOf(caller) : principal(facts)
    const action = actionOf(facts)
    const what = resource(facts, caller)
    if (who === undefined || action === undefined || what === undefined) return false
    const judgement = set.judge({
      principal: who.uid,
      action: { type: "Action", id: action },
      resource: what.uid,
      context: contextOf(facts) ?? {},
      entities: who.uid.type === what.uid.type && who.uid.id === what.uid.id ? [who] : [who, what],
    })
    return (
      typeof judgement !== "string" && judgement.isAllowed && !judgement.failed.some(({ isForbidding }) => isForbidding)
    )
  }
}

const mcpKind = `has(mcp.tool) ? "tool" : has(mcp.prompt) ? "prompt" : has(mcp.resource) ? "resource" : "task"`

/** What is done, where it is not a method of HTTP. */
const usualActions: { readonly [C in Context]?: string } = {
  mcpAuthorization: mcpKind,
  networkAuthorization: '"connect"',
  llm: '"call"',
}

const portResource = (_: Facts, { port }: Caller): Entity | undefined =>
  port === undefined ? undefined : { uid: { type: "Port", id: String(port) }, attrs: { port }, parents: [] }

const modelResource = (_: Facts, { model }: Caller): Entity | undefined =>
  model === undefined ? undefined : { uid: { type: "Model", id: model }, attrs: { name: model }, parents: [] }

const mcpTypes: Readonly<Record<string, string>> = {
  tool: "Tool",
  prompt: "Prompt",
  resource: "Resource",
  task: "Task",
}

const mcpResource = (textOf: (source: string) => Compiled<string>): Compiled<Entity> => {
  const kindOf = textOf(mcpKind)
  const fields = Object.fromEntries(
    Object.keys(mcpTypes).map((kind) => [
      kind,
      { target: textOf(`mcp.${kind}.target`), name: textOf(`mcp.${kind}.name`) },
    ]),
  )
  return (facts) => {
    const kind = kindOf(facts) ?? ""
    const target = fields[kind]?.target(facts)
    const name = fields[kind]?.name(facts)
    if (target === undefined || name === undefined) return undefined
    return {
      uid: { type: mcpTypes[kind] ?? "Task", id: `${target}/${name}` },
      attrs: { target, name },
      parents: [{ type: "Target", id: target }],
    }
  }
}

const pathResource = (textOf: (source: string) => Compiled<string>): Compiled<Entity> => {
  const pathOf = textOf("request.path")
  const hostOf = textOf("request.host")
  return (facts) => {
    const path = pathOf(facts)
    if (path === undefined) return undefined
    return { uid: { type: "Path", id: path }, attrs: { path, host: hostOf(facts) ?? "" }, parents: [] }
  }
}
