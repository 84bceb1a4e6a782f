/**
 * Many targets as one: everything is asked of all of them at once, or of the one it belongs to. A target that is late or
 * gone is missing from what all answer together, which says so, and costs the others nothing.
 */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import { arrayOf, asString, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { mergeCapabilities, mergeInstructions } from "../../../../protocols/mcp/merge.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { prefixed, prefixedUri, split, splitUri } from "../../../../protocols/mcp/naming.ts"
import { type ParamHeader, paramHeadersOf } from "../../../../protocols/mcp/paramHeaders.ts"
import { rewriteError, rewriteItem, rewriteResult, rewriteTold } from "../../../../protocols/mcp/rewrite.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf } from "../capabilities.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Answer, Ask, Call, Caller, Discovery, Outcome, TargetFailure } from "../target/McpTarget.ts"
import type { Guard } from "../guardrails/Guard.ts"
import type { Access, Judge, Kind } from "./Access.ts"
import type { Listed, Listing, Member } from "./Member.ts"

export interface FederationSettings {
  readonly members: ReadonlyArray<Member>
  readonly prefixMode: "conditional" | "always" | "never" | "onConflict"
  readonly failureMode: "failClosed" | "failOpen"
  readonly access: Access
  /** Absent: nobody looks at what passes. */
  readonly guard?: Guard | undefined
  readonly runtime: McpRuntime
}

/** The targets that are missing from a result, in its `_meta`. */
export const missingKey = "dev.sluice/missing"

/** A thing by the name its clients know it by. */
interface Owned {
  readonly member: Member
  readonly name: string
}

const kindOf: Readonly<Record<string, Kind>> = {
  "tools/list": "tool",
  "tools/call": "tool",
  "prompts/list": "prompt",
  "prompts/get": "prompt",
  "resources/list": "resource",
  "resources/templates/list": "resource",
  "resources/read": "resource",
  "resources/subscribe": "resource",
  "resources/unsubscribe": "resource",
}

const listOf: Readonly<Record<string, string>> = { tool: "tools/list", prompt: "prompts/list" }

const naming: Readonly<Record<string, string>> = {
  "tools/list": "name",
  "prompts/list": "name",
  "resources/list": "uri",
  "resources/templates/list": "uriTemplate",
}

const nouns: Readonly<Record<Kind, string>> = { tool: "tool", prompt: "prompt", resource: "resource", task: "task" }

const registriesMax = 1_024

const invalid = (message: string, data?: unknown): Outcome => ({
  _tag: "Error",
  error: errorOf(codes.invalidParams, message, data),
  era: "modern",
})

const unknown = (kind: Kind, name: string): Outcome =>
  kind === "resource"
    ? invalid(`Resource not found: ${name}`, { uri: name })
    : invalid(`Unknown ${nouns[kind]}: ${name}`)

const toValue = (text: Json | undefined): CelValue | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as CelValue)

export class Federation {
  readonly settings: FederationSettings
  /** Names as they are: there is one target, and nobody wanted prefixes. */
  readonly isPlain: boolean
  private readonly byName: ReadonlyMap<string, Member>
  private readonly hasPrefixes: boolean
  /** Names that say nothing of whose they are, for each kind of caller. */
  private readonly registries = new Map<string, Map<string, Owned>>()

  constructor(settings: FederationSettings) {
    const { members, prefixMode } = settings
    this.settings = settings
    this.byName = new Map(members.map((member) => [member.name, member]))
    this.hasPrefixes = prefixMode === "always" || (prefixMode === "conditional" && members.length !== 1)
    this.isPlain = members.length === 1 && !this.hasPrefixes
  }

  get only(): Member | undefined {
    return this.isPlain ? this.settings.members[0] : undefined
  }

  /** Names of a target's things as clients see them. */
  nameFor(member: Member, name: string): string {
    return this.hasPrefixes ? prefixed(member.name, name, this.settings.runtime.sealer.digest) : name
  }

  uriFor(member: Member, uri: string): string {
    return this.isPlain ? uri : prefixedUri(member.name, uri)
  }

  taskFor(member: Member, id: string): string {
    return this.isPlain ? id : `${member.name}+${id}`
  }

  // Discovery ---------------------------------------------------------------------------------------------------------

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> => {
    const { members, failureMode } = this.settings
    const { only } = this
    if (only !== undefined) return only.discover(caller)
    return Effect.flatMap(
      Effect.forEach(
        members,
        (member) =>
          Effect.match(member.discover(caller), {
            onFailure: (failure) => ({ member, failure, discovery: undefined }),
            onSuccess: (discovery) => ({ member, failure: undefined, discovery }),
          }),
        { concurrency: "unbounded" },
      ),
      (found) => {
        const failure = found.find((one) => one.failure !== undefined)?.failure
        if (failureMode === "failClosed" && failure !== undefined) return Effect.fail(failure)
        const there = found.flatMap(({ discovery, member }) => (discovery === undefined ? [] : [{ discovery, member }]))
        const isWhole = failure === undefined
        return Effect.succeed<Discovery>({
          era: "modern",
          capabilities: mergeCapabilities(there.map(({ discovery }) => discovery.capabilities)),
          serverInfo: undefined,
          instructions: mergeInstructions(
            there.map(({ discovery, member }) => ({ target: member.name, instructions: discovery.instructions })),
          ),
          ttlMillis: isWhole ? Math.min(...there.map(({ discovery }) => discovery.ttlMillis), 3_600_000) : 0,
          isPublic: isWhole && there.every(({ discovery }) => discovery.isPublic),
        })
      },
    )
  }

  // Calls -------------------------------------------------------------------------------------------------------------

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { method, params } = call
    const about = methods.get(method)
    if (about?.lists !== undefined) {
      const listing = this.list(call, about.lists)
      const { guard, members } = this.settings
      return guard === undefined || !guard.looksAt(method)
        ? listing
        : guard.all(
            members.map(({ name }) => name),
            call,
            listing,
          )
    }
    switch (method) {
      case "tools/call":
      case "prompts/get":
        return this.named(call, kindOf[method] as Kind)
      case "resources/read":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.addressed(call)
      case "completion/complete":
        return this.complete(call)
      case "logging/setLevel":
        return this.all(call)
      case "tasks/get":
      case "tasks/result":
      case "tasks/cancel":
      case "tasks/update":
        return this.task(call, params?.string("taskId"))
      default: {
        const { only } = this
        return only === undefined
          ? Effect.succeed({
              _tag: "Error",
              error: errorOf(codes.methodNotFound, `Method not found: ${method}`),
              era: "modern",
            })
          : only.call(call)
      }
    }
  }

  private judge(exchange: Exchange): Judge {
    return this.settings.access.of(exchange)
  }

  /** A call in the target's own words, once whoever guards it has looked at it. */
  private guarded(
    { name }: Member,
    call: Call,
    run: (call: Call) => Effect.Effect<Outcome, TargetFailure>,
  ): Effect.Effect<Outcome, TargetFailure> {
    const { guard } = this.settings
    return guard === undefined || !guard.looksAt(call.method) ? run(call) : guard.call([name], call, run)
  }

  /** Sends a call on in the target's own words, and what comes of it back in the client's. */
  private forward(member: Member, call: Call): Effect.Effect<Outcome, TargetFailure> {
    note(call, member)
    if (this.isPlain) return member.call(call)
    const uri = (one: string): string => this.uriFor(member, one)
    const { events, method } = call
    return Effect.map(
      member.call({
        ...call,
        events: {
          ...events,
          ask: (ask: Ask): Effect.Effect<Answer> =>
            events.ask(ask.params === undefined ? ask : { ...ask, params: rewriteTold(ask.method, ask.params, uri) }),
        },
      }),
      (outcome): Outcome =>
        outcome._tag === "Error"
          ? { ...outcome, error: rewriteError(outcome.error, uri) }
          : { ...outcome, result: this.rewriteTask(member, rewriteResult(method, outcome.result, uri)) },
    )
  }

  /** Tasks are found again by whose they are. */
  private rewriteTask(member: Member, result: Json): Json {
    if (!result.includes('"taskId"')) return result
    const fields = Fields.parse(result)
    const id = fields?.string("taskId")
    if (fields !== undefined && id !== undefined) {
      return fields.with("taskId", JSON.stringify(this.taskFor(member, id))).toJson()
    }
    const task = fields?.object("task")
    const inner = task?.string("taskId")
    if (fields === undefined || task === undefined || inner === undefined) return result
    return fields.with("task", task.with("taskId", JSON.stringify(this.taskFor(member, inner))).toJson()).toJson()
  }

  private named(call: Call, kind: Kind): Effect.Effect<Outcome, TargetFailure> {
    const name = call.params?.string("name")
    if (name === undefined) return Effect.succeed(invalid("`name` is missing"))
    return Effect.flatMap(this.owner(kind, name, call.caller), (owned) => {
      if (owned === undefined) return Effect.succeed(unknown(kind, name))
      const native =
        owned.name === name ? call : { ...call, params: call.params?.with("name", JSON.stringify(owned.name)) }
      return this.guarded(owned.member, native, (checked) => {
        if (!this.settings.access.isOpen) {
          const { params } = checked
          const args = toValue(params?.get("arguments")) ?? {}
          const asked = params?.string("name") ?? ""
          if (!this.judge(call.caller.exchange).permits(kind, owned.member.name, asked, args)) {
            return Effect.succeed(unknown(kind, name))
          }
        }
        return this.forward(owned.member, checked)
      })
    })
  }

  /** Whose a name is: by what was listed, by its prefix, and at last by listing again. */
  private owner(kind: Kind, name: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const { only } = this
    if (only !== undefined) return Effect.succeed({ member: only, name })
    const registry = this.registry(kind, caller)
    const known = registry.get(name)
    if (known !== undefined) return Effect.succeed(known)
    if (this.hasPrefixes) {
      const parts = split(name)
      const member = parts === undefined ? undefined : this.byName.get(parts.target)
      if (parts !== undefined && member !== undefined) return Effect.succeed({ member, name: parts.name })
      if (parts === undefined) return Effect.succeed(undefined)
    }
    return Effect.map(this.everything(listOf[kind] as string, caller), (found) => {
      this.rename(kind, caller, found)
      return this.registry(kind, caller).get(name)
    })
  }

  private registry(kind: Kind, caller: Caller): Map<string, Owned> {
    const key = `${kind} ${caller.principal} ${capabilitiesOf(caller.capabilities).fingerprint}`
    let registry = this.registries.get(key)
    if (registry === undefined) {
      if (this.registries.size >= registriesMax) this.registries.clear()
      this.registries.set(key, (registry = new Map()))
    }
    return registry
  }

  private addressed(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const uri = call.params?.string("uri")
    if (uri === undefined) return Effect.succeed(invalid("`uri` is missing"))
    return Effect.flatMap(this.ownerOf(uri, call.caller), (owned) => {
      if (owned === undefined) return Effect.succeed(unknown("resource", uri))
      const native =
        owned.name === uri ? call : { ...call, params: call.params?.with("uri", JSON.stringify(owned.name)) }
      return this.guarded(owned.member, native, (checked) => {
        if (!this.settings.access.isOpen) {
          const asked = checked.params?.string("uri") ?? ""
          if (!this.judge(call.caller.exchange).permits("resource", owned.member.name, asked, undefined)) {
            return Effect.succeed(unknown("resource", uri))
          }
        }
        return this.forward(owned.member, checked)
      })
    })
  }

  /** Whose an address is. One that was left as it is belongs to whoever lists it, or has a template for it. */
  ownerOf(uri: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const { only } = this
    if (only !== undefined) return Effect.succeed({ member: only, name: uri })
    const parts = splitUri(uri)
    const member = parts === undefined ? undefined : this.byName.get(parts.target)
    if (parts !== undefined && member !== undefined) return Effect.succeed({ member, name: parts.uri })
    const listed = (method: string, field: string, matches: (text: string) => boolean) =>
      Effect.map(this.everything(method, caller), (found) => {
        for (const { listed: one, member: candidate } of found) {
          if (one._tag === "Missing") continue
          const isHere = one.listing.items.some((item) => {
            const text = Fields.parse(item)?.string(field)
            return text !== undefined && matches(text)
          })
          if (isHere) return { member: candidate, name: uri }
        }
        return undefined
      })
    return Effect.flatMap(
      listed("resources/list", "uri", (one) => one === uri),
      (found) =>
        found === undefined
          ? listed("resources/templates/list", "uriTemplate", (one) => mayMatch(one, uri))
          : Effect.succeed(found),
    )
  }

  private complete(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const { only } = this
    const ref = call.params?.object("ref")
    if (ref === undefined) return Effect.succeed(invalid("`ref` is missing"))
    const field = ref.string("type") === "ref/resource" ? "uri" : "name"
    const name = ref.string(field)
    if (name === undefined) return Effect.succeed(invalid(`\`ref.${field}\` is missing`))
    const kind: Kind = field === "uri" ? "resource" : "prompt"
    const found =
      only !== undefined
        ? Effect.succeed<Owned | undefined>({ member: only, name })
        : kind === "resource"
          ? this.templateOwner(name, call.caller)
          : this.owner(kind, name, call.caller)
    return Effect.flatMap(found, (owned) => {
      if (owned === undefined) return Effect.succeed(unknown(kind, name))
      const isOpen = this.settings.access.isOpen
      if (!isOpen && !this.judge(call.caller.exchange).lists(kind, owned.member.name, owned.name)) {
        return Effect.succeed(unknown(kind, name))
      }
      const params = call.params?.with("ref", ref.with(field, JSON.stringify(owned.name)).toJson())
      const native = owned.name === name ? call : { ...call, params }
      return this.guarded(owned.member, native, (checked) => this.forward(owned.member, checked))
    })
  }

  private templateOwner(template: string, caller: Caller): Effect.Effect<Owned | undefined> {
    const parts = splitUri(template)
    const member = parts === undefined ? undefined : this.byName.get(parts.target)
    if (parts !== undefined && member !== undefined) return Effect.succeed({ member, name: parts.uri })
    return Effect.map(this.everything("resources/templates/list", caller), (found) => {
      for (const { listed, member: candidate } of found) {
        if (listed._tag === "Missing") continue
        if (listed.listing.items.some((item) => Fields.parse(item)?.string("uriTemplate") === template)) {
          return { member: candidate, name: template }
        }
      }
      return undefined
    })
  }

  /** Good if it was good for any: whoever has no such thing cannot be told. */
  private all(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const { only } = this
    if (only !== undefined) return only.call(call)
    return Effect.map(
      Effect.forEach(this.settings.members, (member) => Effect.result(member.call(call)), { concurrency: "unbounded" }),
      (found): Outcome => {
        const outcomes = found.flatMap((one) => (one._tag === "Success" ? [one.success] : []))
        return (
          outcomes.find(({ _tag }) => _tag === "Result") ??
          outcomes[0] ?? { _tag: "Result", result: "{}", era: "legacy" }
        )
      },
    )
  }

  private task(call: Call, id: string | undefined): Effect.Effect<Outcome, TargetFailure> {
    const { only } = this
    if (id === undefined) return Effect.succeed(invalid("`taskId` is missing"))
    const at = id.indexOf("+")
    const member = only ?? (at <= 0 ? undefined : this.byName.get(id.slice(0, at)))
    if (member === undefined) return Effect.succeed(invalid(`Unknown task: ${id}`))
    const native = only === undefined ? id.slice(at + 1) : id
    if (
      !this.settings.access.isOpen &&
      !this.judge(call.caller.exchange).permits("task", member.name, native, undefined)
    ) {
      return Effect.succeed(invalid(`Unknown task: ${id}`))
    }
    return this.guarded(
      member,
      native === id ? call : { ...call, params: call.params?.with("taskId", JSON.stringify(native)) },
      (checked) => this.forward(member, checked),
    )
  }

  // Lists -------------------------------------------------------------------------------------------------------------

  private everything(
    method: string,
    caller: Caller,
  ): Effect.Effect<ReadonlyArray<{ readonly member: Member; readonly listed: Listed }>> {
    return Effect.forEach(
      this.settings.members,
      (member) => Effect.map(member.list(method, caller), (listed) => ({ member, listed })),
      { concurrency: "unbounded" },
    )
  }

  private list(call: Call, member: string): Effect.Effect<Outcome, TargetFailure> {
    const { caller, method, params } = call
    const { only } = this
    const kind = kindOf[method] as Kind
    if (only !== undefined) {
      note(call, only)
      return Effect.map(only.call(call), (outcome) => this.page(only, kind, member, method, caller, params, outcome))
    }
    // Everything is on the first page, so no cursor of ours exists.
    if (params?.has("cursor") === true) return Effect.succeed(invalid("unknown cursor"))
    return Effect.flatMap(this.everything(method, caller), (found) => {
      const missing = found.flatMap(({ listed, member: { name } }) =>
        listed._tag === "Fresh"
          ? []
          : [{ target: name, stale: listed._tag === "Stale", reason: reasonOf(listed.failure) }],
      )
      const failed = found.find(({ listed }) => listed._tag === "Missing")
      if (this.settings.failureMode === "failClosed" && failed !== undefined) {
        return Effect.succeed<Outcome>({
          _tag: "Error",
          error: errorOf(
            codes.internal,
            `not every target answered: ${missing.map(({ target }) => target).join(", ")}`,
            {
              reason: "upstream_missing",
              targets: missing.map(({ target }) => target),
            },
          ),
          era: "modern",
        })
      }
      const items = this.rename(kind, caller, found, method)
      const now = this.settings.runtime.clock.nowMillis()
      const listings = found.flatMap(({ listed }) => (listed._tag === "Missing" ? [] : [listed.listing]))
      const left = listings.map(({ atMillis, ttlMillis }) => Math.max(0, Math.floor(ttlMillis - (now - atMillis))))
      const isPublic = missing.length === 0 && this.settings.access.isOpen && listings.every((one) => one.isPublic)
      const result = Fields.of({
        [member]: arrayOf(items),
        resultType: '"complete"',
        ttlMs: String(missing.length > 0 || left.length === 0 ? 0 : Math.min(...left)),
        cacheScope: isPublic && listings.length > 0 ? '"public"' : '"private"',
        _meta: missing.length === 0 ? undefined : JSON.stringify({ [missingKey]: missing }),
      })
      return Effect.succeed<Outcome>({ _tag: "Result", result: result.toJson(), era: "modern" })
    })
  }

  /** A page of the only target: as it is, unless somebody may not see all of it. */
  private page(
    only: Member,
    kind: Kind,
    member: string,
    method: string,
    caller: Caller,
    params: Fields | undefined,
    outcome: Outcome,
  ): Outcome {
    if (outcome._tag === "Error") return outcome
    const listing = only.listingOf(method, outcome)
    const fields = Fields.parse(outcome.result)
    const isWhole = params?.has("cursor") !== true && fields?.has("nextCursor") !== true
    if (isWhole) only.keep(method, caller, listing)
    const judge = this.settings.access.isOpen ? undefined : this.judge(caller.exchange)
    if (fields === undefined || (judge === undefined && !outcome.result.includes("x-mcp-header"))) return outcome
    const items = listing.items.filter(
      (item) =>
        judge === undefined ||
        judge.lists(kind, only.name, asString(Fields.parse(item)?.get(naming[method] ?? "name")) ?? ""),
    )
    let next = fields.with(member, arrayOf(items))
    if (judge !== undefined && next.has("cacheScope")) next = next.with("cacheScope", '"private"')
    return { ...outcome, result: next.toJson() }
  }

  /** The items of all targets in the order of the configuration, under the names that clients know them by. */
  private rename(
    kind: Kind,
    caller: Caller,
    found: ReadonlyArray<{ readonly member: Member; readonly listed: Listed }>,
    method: string = listOf[kind] as string,
  ): ReadonlyArray<Json> {
    const judge = this.settings.access.isOpen ? undefined : this.judge(caller.exchange)
    const field = naming[method] as string
    const isNamed = field === "name"
    const there = found.flatMap(({ listed, member }) =>
      listed._tag === "Missing" ? [] : [{ member, listing: listed.listing }],
    )
    const clashing = isNamed && !this.hasPrefixes ? clashes(there, field) : undefined
    const registry = isNamed ? this.registry(kind, caller) : undefined
    registry?.clear()
    const { prefixMode, runtime } = this.settings
    const items: Array<Json> = []
    const seen = new Set<string>()
    for (const { listing, member } of there) {
      for (const item of listing.items) {
        const fields = Fields.parse(item)
        const native = fields?.string(field)
        if (fields === undefined || native === undefined) continue
        if (judge !== undefined && !judge.lists(kind, member.name, native)) continue
        const isClashing = clashing?.has(native) === true
        if (isClashing && prefixMode === "never") continue
        const name = !isNamed
          ? prefixedUri(member.name, native)
          : isClashing
            ? prefixed(member.name, native, runtime.sealer.digest)
            : this.nameFor(member, native)
        if (seen.has(name)) continue
        seen.add(name)
        registry?.set(name, { member, name: native })
        const renamed = name === native ? item : fields.with(field, JSON.stringify(name)).toJson()
        items.push(isNamed ? rewriteItem(method, renamed, (uri) => prefixedUri(member.name, uri)) : renamed)
      }
    }
    return items
  }

  /** Which arguments of a tool are to be mirrored in headers; undefined: nobody knows. */
  readonly paramHeaders = (
    name: string,
    caller: Caller,
    asks: boolean,
  ): Effect.Effect<ReadonlyArray<ParamHeader> | undefined> =>
    Effect.flatMap(this.owner("tool", name, caller), (owned) => {
      if (owned === undefined) return Effect.succeed(undefined)
      const find = (listing: Listing | undefined): ReadonlyArray<ParamHeader> | undefined => {
        for (const item of listing?.items ?? []) {
          const fields = Fields.parse(item)
          if (fields?.string("name") === owned.name) return paramHeadersOf(fields.get("inputSchema")) ?? []
        }
        return undefined
      }
      const known = find(owned.member.known("tools/list", caller))
      // A call that mirrors nothing does not wait for a list that may be long in coming.
      if (known !== undefined || !asks) return Effect.succeed(known)
      return Effect.map(owned.member.list("tools/list", caller), (listed) =>
        listed._tag === "Missing" ? undefined : find(listed.listing),
      )
    })
}

const clashes = (
  there: ReadonlyArray<{ readonly member: Member; readonly listing: Listing }>,
  field: string,
): ReadonlySet<string> => {
  const owners = new Map<string, Member>()
  const clashing = new Set<string>()
  for (const { listing, member } of there) {
    for (const item of listing.items) {
      const name = Fields.parse(item)?.string(field)
      if (name === undefined) continue
      const owner = owners.get(name)
      if (owner === undefined) owners.set(name, member)
      else if (owner !== member) clashing.add(name)
    }
  }
  return clashing
}

export const reasonOf = (failure: TargetFailure): string => {
  switch (failure._tag) {
    case "Unreachable":
      return "unreachable"
    case "TimedOut":
      return "timeout"
    case "Unauthorized":
      return "unauthorized"
    case "Busy":
      return "busy"
    case "Suspended":
      return "suspended"
  }
}

/** Whether a template may stand for an address: its fixed parts occur in that order. */
export const mayMatch = (template: string, uri: string): boolean => {
  let at = 0
  const parts = template.split(/\{[^}]*\}/)
  for (const [i, part] of parts.entries()) {
    const found = i === 0 ? (uri.startsWith(part) ? 0 : -1) : uri.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return parts.at(-1) === "" || uri.endsWith(parts.at(-1) as string)
}

/** What logs and metrics say of the call. */
const note = ({ caller, method, params }: Call, member: Member): void => {
  const mcp = caller.exchange.notes?.mcp
  if (mcp === undefined) return
  mcp["target"] = member.name
  const kind = kindOf[method]
  const name = params?.string(kind === "resource" ? "uri" : "name")
  if (kind === undefined || name === undefined) return
  mcp[kind] =
    kind === "tool" || kind === "prompt"
      ? new Used(member.name, name, params?.get("arguments"))
      : { target: member.name, name }
}

/** Arguments are only read where somebody wants to see them. */
class Used {
  readonly [name: string]: CelValue
  readonly target: string
  readonly name: string

  constructor(target: string, name: string, args: Json | undefined) {
    this.target = target
    this.name = name
    Object.defineProperty(this, "arguments", {
      enumerable: true,
      get: () => (args === undefined ? {} : (JSON.parse(args) as CelValue)),
    })
  }
}
