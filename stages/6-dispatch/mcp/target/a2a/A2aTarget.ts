/**
 * An agent as a server of tools: one for each of its skills. What it says while it works is progress, what it made is the
 * result, and what it wants to know is asked of the client. Nothing is held while somebody thinks: the agent has the task,
 * and the client the name of it, so the answer may come to any worker and after any restart.
 */
import * as Effect from "effect/Effect"
import type { McpTarget as Described } from "../../../../../ir/backend/Mcp.ts"
import { defaults } from "../../../../../ir/defaults.ts"
import { type Fields as Value, fieldsOf, parse, textOf } from "../../../../../protocols/a2a/Fields.ts"
import { partsOf } from "../../../../../protocols/a2a/tool/said.ts"
import { type SkillTool, toolsOf } from "../../../../../protocols/a2a/tool/skills.ts"
import type { Json } from "../../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../../protocols/mcp/jsonrpc.ts"
import { limits } from "../../limits.ts"
import type { McpRuntime } from "../../McpRuntime.ts"
import { failureOf } from "../failure.ts"
import type { Changed } from "../makeTarget.ts"
import type {
  Call,
  Caller,
  Discovery,
  Interest,
  ListenEvents,
  McpTarget,
  Outcome,
  TargetFailure,
} from "../McpTarget.ts"
import { cardOf, type Place } from "./asking.ts"
import { Conversations } from "./Conversations.ts"
import { result, toolError } from "./outcomes.ts"
import { Turn } from "./Turn.ts"

export type A2a = Extract<Described, { readonly _tag: "A2a" }>

/** How long a card is used before it is asked for again; the bridge keeps it as long as the agent allows. */
const CARD_MILLIS = 60_000
const CARDS_MAX = 1_024

interface Catalogue {
  readonly card: Value
  readonly tools: ReadonlyMap<string, SkillTool>
  /** The result of `tools/list`. */
  readonly listing: Json
  readonly streams: boolean
}

const catalogueOf = (card: Value): Catalogue => {
  const tools = toolsOf(card)
  return {
    card,
    tools: new Map(tools.map((tool) => [tool.name, tool])),
    listing: JSON.stringify({
      resultType: "complete",
      tools: tools.map(({ tool }) => tool),
      ttlMs: CARD_MILLIS,
      cacheScope: "private",
    }),
    streams: fieldsOf(card["capabilities"])["streaming"] === true,
  }
}

const failed = (code: number, message: string): Outcome => ({
  _tag: "Error",
  error: errorOf(code, message),
  era: "modern",
})

const nothing: Interest = { tools: false, prompts: false, resources: false, updates: [], tasks: [] }

export class A2aTarget implements McpTarget {
  readonly name: string
  private readonly runtime: McpRuntime
  private readonly described: A2a
  private readonly place: Place
  private readonly changed: Changed
  private readonly conversations: Conversations
  /** By whom asked: an agent may be hidden from some, and show others more. */
  private readonly known = new Map<string, { readonly catalogue: Catalogue; readonly atMillis: number }>()
  private readonly listeners = new Set<ListenEvents>()

  constructor(described: A2a, runtime: McpRuntime, changed: Changed) {
    this.name = described.name
    this.described = described
    this.runtime = runtime
    this.changed = changed
    this.place = { callee: described.callee, base: described.path, clock: runtime.clock }
    this.conversations = new Conversations(described.name, runtime.sealer)
  }

  private catalogue({ exchange, principal }: Caller): Effect.Effect<Catalogue, TargetFailure> {
    const { clock } = this.runtime
    const known = this.known.get(principal)
    if (known !== undefined && clock.nowMillis() - known.atMillis < CARD_MILLIS) return Effect.succeed(known.catalogue)
    return Effect.mapBoth(cardOf(this.place, exchange, limits.probeMillis), {
      onFailure: (failure) => failureOf(this.name, failure),
      onSuccess: (card) => {
        const catalogue = catalogueOf(card)
        if (this.known.size >= CARDS_MAX) this.known.clear()
        this.known.set(principal, { catalogue, atMillis: clock.nowMillis() })
        if (known !== undefined && known.catalogue.listing !== catalogue.listing) this.tell()
        return catalogue
      },
    })
  }

  private tell(): void {
    this.changed("tools")
    for (const events of this.listeners) events.changed("tools")
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    Effect.map(this.catalogue(caller), ({ card }) => ({
      era: "modern",
      capabilities: '{"tools":{"listChanged":true}}',
      serverInfo: JSON.stringify({
        name: textOf(card["name"]) ?? this.name,
        version: textOf(card["version"]) ?? this.runtime.version,
      }),
      instructions: textOf(card["description"]),
      ttlMillis: CARD_MILLIS,
      isPublic: false,
    }))

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    switch (call.method) {
      case "tools/list":
        return Effect.map(this.catalogue(call.caller), ({ listing }): Outcome => ({
          _tag: "Result",
          result: listing,
          era: "modern",
        }))
      case "tools/call":
        return Effect.flatMap(this.catalogue(call.caller), (catalogue) => this.callTool(call, catalogue))
      case "ping":
      case "logging/setLevel":
        return Effect.succeed(result({}))
      default:
        return Effect.succeed(failed(codes.methodNotFound, `this server does not offer ${call.method}`))
    }
  }

  private callTool(call: Call, { card, streams, tools }: Catalogue): Effect.Effect<Outcome, TargetFailure> {
    const name = call.params?.string("name") ?? ""
    const tool = tools.get(name)
    if (tool === undefined) return Effect.succeed(failed(codes.invalidParams, `Unknown tool: ${name}`))
    const { conversations, described, place, runtime } = this
    const { deadlines } = described
    const turn = new Turn({
      call,
      target: this.name,
      agent: textOf(card["name"]) ?? this.name,
      tool,
      streams,
      place,
      conversations,
      runtime,
      idleMillis: deadlines.idleMillis ?? defaults.mcpIdleTimeoutMillis,
      callMillis: deadlines.callMillis ?? defaults.mcpCallTimeoutMillis,
    })
    const state = call.params?.string("requestState")
    if (state !== undefined) {
      const waiting = conversations.waitingIn(call.caller, state)
      if (waiting === undefined) return Effect.succeed(toolError("The question that was answered is not known here."))
      return turn.back(waiting, fieldsOf(parse(call.params?.get("inputResponses") ?? "{}")?.value))
    }
    const args = fieldsOf(parse(call.params?.get("arguments") ?? "{}")?.value)
    const parts = partsOf(args)
    if (typeof parts === "string") return Effect.succeed(toolError(parts))
    const told = textOf(args["conversation"])
    const earlier = told === undefined ? undefined : conversations.open(call.caller, told)
    if (told !== undefined && earlier === undefined) {
      return Effect.succeed(toolError("`conversation` is none of yours. Leave it out to begin a new one."))
    }
    if (parts.length > 0) return turn.say(parts, earlier)
    return earlier?.taskId === undefined
      ? Effect.succeed(toolError("There is nothing to say: see the input schema of the tool."))
      : turn.wait(earlier.taskId)
  }

  /** Nothing a client says outside a call is of interest to an agent. */
  readonly notify = (): Effect.Effect<void> => Effect.void

  readonly listen = (_caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void> =>
    Effect.suspend(() => {
      events.acknowledged({ ...nothing, tools: interest.tools })
      this.listeners.add(events)
      return Effect.ensuring(
        Effect.never,
        Effect.sync(() => this.listeners.delete(events)),
      )
    })

  readonly held = (session: string): Json | undefined => this.conversations.held(session)
  readonly restore = (caller: Caller, held: Json): void => this.conversations.restore(caller, held)
  readonly release = (caller: Caller): Effect.Effect<void> => Effect.sync(() => this.conversations.release(caller))
  readonly close = (): void => this.listeners.clear()
}
