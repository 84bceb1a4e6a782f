/** A server without handshake: all it needs to know goes into every request, and what it asks comes back as a result. */
import * as Effect from "effect/Effect"
import { keys, withMeta } from "../../../../protocols/mcp/envelope.ts"
import { encode } from "../../../../protocols/mcp/header.ts"
import { asNumber, asString, Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { mirrored, type ParamHeader, paramHeadersOf } from "../../../../protocols/mcp/paramHeaders.ts"
import { latest } from "../../../../protocols/mcp/revision.ts"
import { inMeta } from "../hopInMeta.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken } from "./Channel.ts"
import { failureOf } from "./failure.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { silent } from "./silent.ts"
import type { StatelessAnswer, StatelessWire } from "./StatelessHttp.ts"

export interface ModernSettings {
  readonly name: string
  readonly runtime: McpRuntime
  readonly wire: StatelessWire
  /** Whether what is sent has headers. */
  readonly hasHeaders: boolean
  readonly idleMillis: number
  readonly changed: (what: "tools" | "prompts" | "resources") => void
  readonly close: () => void
}

/** How many tools' schemas are remembered for the sake of their headers. */
const schemasMax = 20_000

export class ModernTarget implements McpTarget {
  readonly name: string
  private readonly settings: ModernSettings
  private readonly headers = new Map<string, ReadonlyArray<ParamHeader>>()
  private lastId = 0
  /** The page of the list of tools that was looked at last. */
  private learned: Json | undefined = undefined

  constructor(settings: ModernSettings) {
    this.name = settings.name
    this.settings = settings
  }

  private envelope(
    call: Pick<Call, "caller" | "logLevel" | "wantsProgress">,
    params: Fields | undefined,
    id: number,
  ): Json {
    const { caller, logLevel, wantsProgress } = call
    const said = params ?? Fields.empty
    return withMeta(this.settings.hasHeaders ? said : inMeta(said, caller.exchange), {
      [keys.protocolVersion]: JSON.stringify(latest),
      [keys.clientInfo]:
        caller.clientInfo ?? JSON.stringify({ name: "sluice", version: this.settings.runtime.version }),
      [keys.clientCapabilities]: caller.capabilities,
      [keys.logLevel]: logLevel === undefined ? undefined : JSON.stringify(logLevel),
      progressToken: wantsProgress ? String(id) : undefined,
    }).toJson()
  }

  private fields(
    method: string,
    params: Fields | undefined,
    paramHeaders: ReadonlyArray<string>,
  ): ReadonlyArray<string> {
    if (!this.settings.hasHeaders) return []
    const named = methods.get(method)?.named
    const name = named === undefined ? undefined : params?.string(named)
    return [
      "mcp-protocol-version",
      latest,
      "mcp-method",
      encode(method),
      ...(name === undefined ? [] : ["mcp-name", encode(name)]),
      ...paramHeaders,
    ]
  }

  private answer(call: Call, paramHeaders: ReadonlyArray<string>): Effect.Effect<StatelessAnswer, Broken> {
    return Effect.suspend(() => {
      const { events, method, params } = call
      const id = ++this.lastId
      return this.settings.wire({
        id,
        message: JsonRpc.encodeRequest(String(id), method, this.envelope(call, params, id)),
        exchange: call.caller.exchange,
        fields: this.fields(method, params, paramHeaders),
        idleMillis: this.settings.idleMillis,
        headMillis: this.settings.idleMillis,
        beside: (message) => tell(events, message),
      })
    })
  }

  private request(call: Call, paramHeaders: ReadonlyArray<string>): Effect.Effect<Outcome, Broken> {
    return Effect.map(this.answer(call, paramHeaders), ({ error, result }): Outcome =>
      error === undefined
        ? { _tag: "Result", result: result ?? "{}", era: "modern" }
        : { _tag: "Error", error, era: "modern" },
    )
  }

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { method, params } = call
    switch (method) {
      case "tools/list":
        return this.named(Effect.tap(this.request(call, []), (outcome) => Effect.sync(() => this.learn(outcome))))
      case "tools/call":
        // Here it is the server that decides what becomes a task.
        return this.named(this.callTool({ ...call, params: params?.without("task") }, params?.string("name") ?? ""))
      case "logging/setLevel":
      case "ping":
        return done
      case "resources/subscribe":
        return this.named(this.subscribable(call))
      case "resources/unsubscribe":
        return done
      default:
        return this.named(this.request(call, []))
    }
  }

  /** Such a server is listened to; whoever subscribes has that done by listening. */
  private subscribable({ caller }: Call): Effect.Effect<Outcome, Broken> {
    return Effect.map(this.request(plain(caller, "server/discover", undefined), []), (outcome): Outcome => {
      const capabilities = outcome._tag === "Result" ? Fields.parse(outcome.result)?.object("capabilities") : undefined
      return capabilities?.object("resources")?.get("subscribe") === "true"
        ? { _tag: "Result", result: "{}", era: "modern" }
        : {
            _tag: "Error",
            error: JsonRpc.errorOf(JsonRpc.codes.methodNotFound, "this server does not tell of single resources"),
            era: "modern",
          }
    })
  }

  /** A schema that has changed since shows in a refusal, which is worth one look and one more try. */
  private callTool(call: Call, tool: string): Effect.Effect<Outcome, Broken> {
    const args = call.params?.object("arguments")
    const known = this.headers.get(tool)
    const first = known === undefined ? call.paramHeaders : mirroredBeside(call.paramHeaders, known, args)
    return Effect.flatMap(this.request(call, first), (outcome) => {
      if (outcome._tag !== "Error" || JsonRpc.codeOf(outcome.error) !== JsonRpc.codes.headerMismatch) {
        return Effect.succeed(outcome)
      }
      return Effect.flatMap(this.learnAll(call), () =>
        this.request(call, mirroredBeside(call.paramHeaders, this.headers.get(tool) ?? [], args)),
      )
    })
  }

  private learnAll(call: Call): Effect.Effect<void, Broken> {
    const page = (cursor: Json | undefined, pages: number): Effect.Effect<void, Broken> =>
      Effect.flatMap(
        this.request(
          {
            ...call,
            method: "tools/list",
            params: cursor === undefined ? undefined : Fields.of({ cursor }),
            wantsProgress: false,
            events: silent,
          },
          [],
        ),
        (outcome) => {
          this.learn(outcome)
          const next = outcome._tag === "Result" ? Fields.parse(outcome.result)?.get("nextCursor") : undefined
          return next === undefined || pages >= limits.pagesMax ? Effect.void : page(next, pages + 1)
        },
      )
    return page(undefined, 1)
  }

  private learn(outcome: Outcome): void {
    // A page that says what it said before teaches nothing.
    if (outcome._tag !== "Result" || outcome.result === this.learned) return
    this.learned = outcome.result
    for (const item of itemsOf(Fields.parse(outcome.result)?.get("tools")) ?? []) {
      const tool = Fields.parse(item)
      const name = tool?.string("name")
      if (name === undefined) continue
      if (this.headers.size >= schemasMax) this.headers.clear()
      this.headers.set(name, paramHeadersOf(tool?.get("inputSchema")) ?? [])
    }
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.named(
      Effect.flatMap(this.answer(plain(caller, "server/discover", undefined), []), ({ error, result, status }) => {
        if (error !== undefined) {
          const told = Fields.parse(error)?.string("message") ?? "no reason"
          // Whoever is out of order says nothing about what it speaks when it is not.
          const more = status !== undefined && status >= 500 ? { status } : { code: JsonRpc.codeOf(error) }
          return Effect.fail(broken(`the server does not say what it can: ${told}`, false, more))
        }
        const found = Fields.parse(result)
        if (found === undefined || !found.has("supportedVersions")) {
          return Effect.fail(broken("the server does not say what it can", false, { code: 0 }))
        }
        return Effect.succeed<Discovery>({
          era: "modern",
          capabilities: found.get("capabilities") ?? "{}",
          serverInfo: found.object("_meta")?.get(keys.serverInfo) ?? found.get("serverInfo"),
          instructions: found.string("instructions"),
          rest: restOf(found),
          ttlMillis: asNumber(found.get("ttlMs")) ?? 0,
          isPublic: asString(found.get("cacheScope")) === "public",
        })
      }),
    )

  /** Nothing of the core can be said to such a server outside a request. */
  readonly notify = (): Effect.Effect<void> => Effect.void

  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.named(
      Effect.suspend(() => {
        const id = ++this.lastId
        const params = Fields.of({ notifications: filterOf(interest).toJson() })
        return Effect.asVoid(
          this.settings
            .wire({
              id,
              message: JsonRpc.encodeRequest(
                String(id),
                "subscriptions/listen",
                this.envelope({ caller, logLevel: undefined, wantsProgress: false }, params, id),
              ),
              exchange: caller.exchange,
              fields: this.fields("subscriptions/listen", params, []),
              idleMillis: Infinity,
              headMillis: limits.listMillis,
              beside: (message) => this.told(message, events),
            })
            .pipe(
              Effect.flatMap(({ error }) =>
                error === undefined
                  ? Effect.void
                  : Effect.sync(() => events.acknowledged(nothing)).pipe(Effect.andThen(Effect.never)),
              ),
            ),
        )
      }),
    )

  private told(message: JsonRpc.RpcMessage, events: ListenEvents): void {
    if (message._tag !== "Notification") return
    const params = Fields.parse(message.params) ?? Fields.empty
    switch (message.method) {
      case "notifications/subscriptions/acknowledged":
        return events.acknowledged(interestOf(params.object("notifications") ?? Fields.empty))
      case "notifications/tools/list_changed":
        this.settings.changed("tools")
        return events.changed("tools")
      case "notifications/prompts/list_changed":
        this.settings.changed("prompts")
        return events.changed("prompts")
      case "notifications/resources/list_changed":
        this.settings.changed("resources")
        return events.changed("resources")
      case "notifications/resources/updated":
        return events.updated(params)
      case "notifications/tasks":
        return events.task(message.method, params)
      default:
        return events.notify(message.method, message.params)
    }
  }

  private named<A>(effect: Effect.Effect<A, Broken>): Effect.Effect<A, TargetFailure> {
    return Effect.mapError(effect, (failure) => failureOf(this.name, failure))
  }

  readonly held = (): undefined => undefined
  readonly restore = (): void => {}
  readonly release = (): Effect.Effect<void> => Effect.void
  readonly close = (): void => this.settings.close()
}

/** What the schema asks for, and beside it what the client sent of its own accord. */
const mirroredBeside = (
  sent: ReadonlyArray<string>,
  known: ReadonlyArray<ParamHeader>,
  args: Fields | undefined,
): ReadonlyArray<string> => {
  const flat = [...mirrored(known, args)]
  for (let i = 0; i < sent.length; i += 2) {
    const name = sent[i] as string
    if (!known.some(({ header }) => name === `mcp-param-${header}`)) flat.push(name, sent[i + 1] as string)
  }
  return flat
}

const restOf = (found: Fields): Fields => {
  const meta = found.object("_meta")?.without(keys.serverInfo)
  return found
    .without("resultType", "supportedVersions", "capabilities", "serverInfo", "instructions", "ttlMs", "cacheScope")
    .with("_meta", meta === undefined || meta.size === 0 ? undefined : meta.toJson())
}

const done: Effect.Effect<Outcome> = Effect.succeed({ _tag: "Result", result: "{}", era: "modern" })

const nothing: Interest = { tools: false, prompts: false, resources: false, updates: [], tasks: [] }

const plain = (caller: Caller, method: string, params: Fields | undefined): Call => ({
  caller,
  method,
  params,
  wantsProgress: false,
  logLevel: undefined,
  paramHeaders: [],
  events: silent,
})

const tell = (events: Call["events"], message: JsonRpc.RpcMessage): void => {
  // A request of the server has no place in this revision, and nobody to answer it.
  if (message._tag !== "Notification") return
  const params = Fields.parse(message.params)
  switch (message.method) {
    case "notifications/progress":
      return params === undefined ? undefined : events.progress(params)
    case "notifications/message":
      return params === undefined ? undefined : events.log(params)
    default:
      return events.notify(message.method, message.params)
  }
}

/** An interest as `subscriptions/listen` says it. */
export const filterOf = ({ prompts, resources, tasks, tools, updates }: Interest): Fields =>
  Fields.of({
    toolsListChanged: tools ? "true" : undefined,
    promptsListChanged: prompts ? "true" : undefined,
    resourcesListChanged: resources ? "true" : undefined,
    resourceSubscriptions: updates.length === 0 ? undefined : JSON.stringify(updates),
    taskIds: tasks.length === 0 ? undefined : JSON.stringify(tasks),
  })

const textsOf = (text: Json | undefined): ReadonlyArray<string> =>
  (itemsOf(text) ?? []).map(asString).filter((one) => one !== undefined)

export const interestOf = (filter: Fields): Interest => ({
  tools: filter.get("toolsListChanged") === "true",
  prompts: filter.get("promptsListChanged") === "true",
  resources: filter.get("resourcesListChanged") === "true",
  updates: textsOf(filter.get("resourceSubscriptions")),
  tasks: textsOf(filter.get("taskIds")),
})
