/** Many targets as one: everything is asked of all of them at once, or of the one it belongs to. */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { mergeCapabilities, mergeInstructions } from "../../../../protocols/mcp/merge.ts"
import { isLogLevel, methods } from "../../../../protocols/mcp/methods.ts"
import { type ParamHeader, paramHeadersOf } from "../../../../protocols/mcp/paramHeaders.ts"
import { rewriteError, rewriteResult, rewriteTold } from "../../../../protocols/mcp/rewrite.ts"
import { declaresTasks, declaringTasks } from "../../../../protocols/mcp/tasks.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf } from "../capabilities.ts"
import type { Answer, Ask, Call, Caller, Discovery, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { taskSession } from "../target/LegacyTasks.ts"
import { withResult } from "../target/withResult.ts"
import type { Judge, Kind } from "./Access.ts"
import { Directory, type Owned } from "./Directory.ts"
import type { FederationSettings } from "./FederationSettings.ts"
import { followTask } from "./followTask.ts"
import { Lists } from "./Lists.ts"
import type { Listing } from "./Listing.ts"
import type { Member } from "./Member.ts"
import { Names, type Task } from "./Names.ts"
import { note } from "./note.ts"

const nouns: Readonly<Record<Kind, string>> = { tool: "tool", prompt: "prompt", resource: "resource", task: "task" }

const invalid = (message: string, data?: unknown): Outcome => ({
  _tag: "Error",
  error: errorOf(codes.invalidParams, message, data),
  era: "modern",
})

const unknown = (kind: Kind, name: string): Outcome =>
  kind === "resource"
    ? invalid(`Resource not found: ${name}`, { uri: name })
    : invalid(`Unknown ${nouns[kind]}: ${name}`)

/** Whoever may not use a thing is told that there is none; whoever looks into it afterwards is told why. */
const hidden = (
  call: Call,
  kind: Kind,
  { name: target }: Member,
  name: string,
  outcome: Outcome,
): Effect.Effect<Outcome> => {
  const { exchange } = call.caller
  exchange.trail.declined = {
    by: "the rules of MCP",
    why: `no rule lets the caller use the ${nouns[kind]} ${name} of ${target}, so there is none for it`,
  }
  exchange.inquiry?.note({ stage: "McpAuthorization", decision: `hides the ${nouns[kind]} ${name} of ${target}` })
  return Effect.succeed(outcome)
}

/** The task that a call became; undefined: it became none. */
const startedTask = (result: Json): Fields | undefined => {
  if (!result.includes('"taskId"')) return undefined
  const fields = Fields.parse(result)
  return fields?.string("resultType") === "task" ? fields : undefined
}

/** Whether a server refused because it would have to make a task of it. */
const needsTasks = (error: Json): boolean =>
  codeOf(error) === codes.missingCapability &&
  declaresTasks(Fields.parse(error)?.object("data")?.object("requiredCapabilities"))

const toValue = (text: Json | undefined): CelValue | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as CelValue)

export class Federation {
  readonly settings: FederationSettings
  readonly names: Names
  private readonly lists: Lists
  private readonly directory: Directory

  constructor(settings: FederationSettings) {
    this.settings = settings
    this.names = new Names(settings)
    this.lists = new Lists(settings, this.names)
    this.directory = new Directory(this.names, this.lists)
  }

  get isPlain(): boolean {
    return this.names.isPlain
  }

  get only(): Member | undefined {
    return this.names.only
  }

  uriFor(member: Member, uri: string): string {
    return this.names.uriFor(member, uri)
  }

  ownerOf(uri: string, caller: Caller): Effect.Effect<Owned | undefined> {
    return this.directory.ownerOf(uri, caller)
  }

  // Discovery ---------------------------------------------------------------------------------------------------------

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> => {
    const { members, failureMode } = this.settings
    const { only } = this
    if (only !== undefined) return only.discover(caller, true)
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
      const listing = this.lists.list(call, about.lists, (kind) => this.directory.registry(kind, call.caller))
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
        return this.named(call, "tool")
      case "prompts/get":
        return this.named(call, "prompt")
      case "resources/read":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.addressed(call)
      case "completion/complete":
        return this.complete(call)
      case "logging/setLevel":
        return this.all(call)
      case "tasks/get":
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
          : withResult(outcome, rewriteResult(method, outcome.result, uri)),
    )
  }

  private named(call: Call, kind: Kind): Effect.Effect<Outcome, TargetFailure> {
    const name = call.params?.string("name")
    if (name === undefined) return Effect.succeed(invalid("`name` is missing"))
    const known = this.directory.knownOwner(kind, name, call.caller)
    if (known !== undefined) return this.owned(call, kind, name, known)
    return Effect.flatMap(this.directory.owner(kind, name, call.caller), (found) =>
      found === undefined ? Effect.succeed(unknown(kind, name)) : this.owned(call, kind, name, found),
    )
  }

  /** A call of something by its name, once it is known whose it is. */
  private owned(call: Call, kind: Kind, name: string, owned: Owned): Effect.Effect<Outcome, TargetFailure> {
    const native =
      owned.name === name ? call : { ...call, params: call.params?.with("name", JSON.stringify(owned.name)) }
    return this.guarded(owned.member, native, (checked) => {
      if (!this.settings.access.isOpenTo(call.caller.exchange)) {
        const { params } = checked
        const args = toValue(params?.get("arguments")) ?? {}
        const asked = params?.string("name") ?? ""
        if (!this.judge(call.caller.exchange).permits(kind, owned.member.name, asked, args)) {
          return hidden(call, kind, owned.member, asked, unknown(kind, name))
        }
      }
      return kind === "tool" ? this.callTool(owned.member, checked) : this.forward(owned.member, checked)
    })
  }

  /** A call that becomes a task is followed to its end for whoever cannot do that. */
  private callTool(member: Member, call: Call): Effect.Effect<Outcome, TargetFailure> {
    const { caller, params } = call
    const { fields } = capabilitiesOf(caller.capabilities)
    const wants = params?.has("task") === true
    // The extension is one of requests without a session: whoever has one could not read such a task.
    const takes = wants || (caller.session === undefined && declaresTasks(fields))
    const able: Call = { ...call, caller: { ...caller, capabilities: declaringTasks(fields).toJson() } }
    return Effect.flatMap(this.forward(member, wants ? able : call), (outcome) => {
      if (outcome._tag === "Result") {
        const task = startedTask(outcome.result)
        const id = task?.string("taskId")
        if (task === undefined || id === undefined) return Effect.succeed(outcome)
        if (!takes) return this.follow(member, able, id, task)
        const sealed = task.with(
          "taskId",
          JSON.stringify(this.names.taskFor(member, id, params?.string("name") ?? "", caller, outcome.isTied === true)),
        )
        return Effect.succeed<Outcome>(withResult(outcome, sealed.toJson()))
      }
      // A client of that generation is told what it would need; an older one has no way to have it.
      return takes || caller.session === undefined || !needsTasks(outcome.error)
        ? Effect.succeed(outcome)
        : Effect.flatMap(this.forward(member, able), (second) => {
            const task = second._tag === "Result" ? startedTask(second.result) : undefined
            const id = task?.string("taskId")
            return id === undefined ? Effect.succeed(second) : this.follow(member, able, id, task)
          })
    })
  }

  private follow(
    member: Member,
    call: Call,
    id: string,
    task: Fields | undefined,
  ): Effect.Effect<Outcome, TargetFailure> {
    const { runtime } = this.settings
    const about = (method: string, params: Fields): Effect.Effect<Outcome, TargetFailure> =>
      this.forward(member, { ...call, method, params, wantsProgress: false, paramHeaders: [] })
    const { ask } = call.events
    const asked = (one: Ask): Effect.Effect<Answer> =>
      ask(
        one.params === undefined || this.isPlain
          ? one
          : { ...one, params: rewriteTold(one.method, one.params, (uri) => this.uriFor(member, uri)) },
      )
    return Effect.onInterrupt(followTask({ runtime, target: member.name, call: about, ask: asked }, id, task), () =>
      Effect.sync(() => {
        runtime.run(Effect.ignore(about("tasks/cancel", Fields.of({ taskId: JSON.stringify(id) }))))
      }),
    )
  }

  private addressed(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const uri = call.params?.string("uri")
    if (uri === undefined) return Effect.succeed(invalid("`uri` is missing"))
    return Effect.flatMap(this.ownerOf(uri, call.caller), (owned) => {
      if (owned === undefined) return Effect.succeed(unknown("resource", uri))
      const native =
        owned.name === uri ? call : { ...call, params: call.params?.with("uri", JSON.stringify(owned.name)) }
      return this.guarded(owned.member, native, (checked) => {
        if (!this.settings.access.isOpenTo(call.caller.exchange)) {
          const asked = checked.params?.string("uri") ?? ""
          if (!this.judge(call.caller.exchange).permits("resource", owned.member.name, asked, undefined)) {
            return hidden(call, "resource", owned.member, asked, unknown("resource", uri))
          }
        }
        return this.forward(owned.member, checked)
      })
    })
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
          ? this.directory.templateOwner(name, call.caller)
          : this.directory.owner(kind, name, call.caller)
    return Effect.flatMap(found, (owned) => {
      if (owned === undefined) return Effect.succeed(unknown(kind, name))
      const isOpen = this.settings.access.isOpenTo(call.caller.exchange)
      if (!isOpen && !this.judge(call.caller.exchange).lists(kind, owned.member.name, owned.name)) {
        return Effect.succeed(unknown(kind, name))
      }
      const params = call.params?.with("ref", ref.with(field, JSON.stringify(owned.name)).toJson())
      const native = owned.name === name ? call : { ...call, params }
      return this.guarded(owned.member, native, (checked) => this.forward(owned.member, checked))
    })
  }

  /** Good if it was good for any: whoever has no such thing cannot be told. */
  private all(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const { only } = this
    if (!isLogLevel(call.params?.string("level"))) return Effect.succeed(invalid("`level` is none of the eight levels"))
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

  /** A task is for whoever may ask after tasks, and may use the tool that it came of. */
  private isOpen({ id, member, tool }: Task, { exchange }: Caller): boolean {
    if (this.settings.access.isOpenTo(exchange)) return true
    const judge = this.judge(exchange)
    return (
      judge.permits("task", member.name, id, undefined) &&
      (tool === undefined || judge.lists("tool", member.name, tool))
    )
  }

  /** The same for what clients call by its name, or by the address of a resource. */
  shows(kind: Exclude<Kind, "task">, name: string, caller: Caller): Effect.Effect<boolean> {
    const { access } = this.settings
    if (access.isOpenTo(caller.exchange)) return Effect.succeed(true)
    const owner = kind === "resource" ? this.ownerOf(name, caller) : this.directory.owner(kind, name, caller)
    return Effect.map(
      owner,
      (owned) => owned !== undefined && this.judge(caller.exchange).lists(kind, owned.member.name, owned.name),
    )
  }

  /** The task of that name, where the caller may ask after it. */
  openTask(sealed: string, caller: Caller): Task | undefined {
    const task = this.names.taskOf(sealed, caller)
    return task !== undefined && this.isOpen(task, caller) ? task : undefined
  }

  /** Whether the caller may ask after a task: its server is here, and so is its session; and no rule hides it. */
  showsTask(sealed: string, caller: Caller): boolean {
    const task = this.openTask(sealed, caller)
    if (task === undefined) return false
    const { held, session } = task
    return session === undefined || held !== undefined || session === taskSession(caller)
  }

  private task(call: Call, sealed: string | undefined): Effect.Effect<Outcome, TargetFailure> {
    if (sealed === undefined) return Effect.succeed(invalid("`taskId` is missing"))
    const task = this.names.taskOf(sealed, call.caller)
    if (task === undefined) return Effect.succeed(unknown("task", sealed))
    if (!this.isOpen(task, call.caller)) {
      return hidden(call, "task", task.member, task.id, unknown("task", sealed))
    }
    const native: Call = {
      ...call,
      caller: this.whoBegan(task, call.caller),
      params: call.params?.with("taskId", JSON.stringify(task.id)),
    }
    return Effect.map(
      this.guarded(task.member, native, (checked) => this.forward(task.member, checked)),
      (outcome): Outcome => {
        if (outcome._tag === "Error" || !outcome.result.includes('"taskId"')) return outcome
        const fields = Fields.parse(outcome.result)
        return fields?.has("taskId") === true
          ? withResult(outcome, fields.with("taskId", JSON.stringify(sealed)).toJson())
          : outcome
      },
    )
  }

  /** The caller in the session that a task was begun in, which is taken up again where it is not known any more. */
  private whoBegan({ held, member, session }: Task, caller: Caller): Caller {
    if (session === undefined || held === undefined || caller.session === session) return caller
    const { target } = member
    const known = target.held(session)
    const isOurs = session.startsWith("tasks ")
    // Another one may have been begun under the same name since; and that of a client is not begun for somebody else.
    const name =
      known === held || (known === undefined && isOurs)
        ? session
        : `${isOurs ? "" : "tasks "}${session} ${this.settings.runtime.sealer.digest(held)}`
    const inSession = { ...caller, session: name }
    if (target.held(name) === undefined) target.restore(inSession, held)
    return inSession
  }

  /** Which arguments of a tool are to be mirrored in headers; undefined: nobody knows. */
  readonly paramHeaders = (
    name: string,
    caller: Caller,
    asks: boolean,
  ): Effect.Effect<ReadonlyArray<ParamHeader> | undefined> =>
    Effect.flatMap(this.directory.owner("tool", name, caller), (owned) => {
      if (owned === undefined) return Effect.succeed(undefined)
      const isOpen = this.settings.access.isOpenTo(caller.exchange)
      // What headers a tool wants would say that it is there.
      if (!isOpen && !this.judge(caller.exchange).lists("tool", owned.member.name, owned.name)) {
        return Effect.succeed(undefined)
      }
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
