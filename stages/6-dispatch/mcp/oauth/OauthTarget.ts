/**
 * A target whose server wants tokens that people grant. Who has granted none is led to a page where that is done: by a
 * question where the client can be asked to open a URL, else in words. Until then the target has one tool, which does the
 * same, and says of everything else that it is missing.
 */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { atLeast, eraOf } from "../../../../protocols/mcp/revision.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf } from "../capabilities.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { missingConsent, missingKey } from "../missing.ts"
import type {
  Call,
  Caller,
  Discovery,
  Interest,
  ListenEvents,
  McpTarget,
  Outcome,
  TargetFailure,
} from "../target/McpTarget.ts"
import type { Connections } from "./Connections.ts"
import { Granted, type Lacking, type Need, userFor } from "./Granted.ts"
import { Leading, toolText, type What } from "./Leading.ts"
import { LINK_MILLIS } from "./links.ts"
import type { User } from "./users.ts"

/** How long a call waits for somebody who is at the page, before it says that it is still waiting. */
const PATIENCE_MILLIS = 25_000

const CONNECT_TOOL = "connect"
const ASK_KEY = "dev.sluice/connect"
const STATE_PREFIX = "connect."
const statePurpose = "mcp-connect-state"

/** What is carried from one round of a call to the next. */
interface Waiting {
  readonly theirs: Json | null
  readonly responses: Json | null
  readonly consents: number
  readonly until: number
}

/** What is shown of what the server can do, as long as it cannot be asked. */
const assumed = '{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true}}'

const note = ({ inquiry, notes }: Exchange, target: string, event: string): void => {
  if (notes?.mcp !== undefined) notes.mcp["connection"] = event
  inquiry?.note({ stage: "oauth", decision: event, detail: target })
}

export class OauthTarget implements McpTarget {
  readonly name: string
  private readonly inner: McpTarget
  private readonly oauth: McpOauth
  private readonly connections: Connections
  private readonly runtime: McpRuntime
  private readonly granted: Granted
  private readonly leading: Leading
  private readonly isOpen: boolean

  constructor(
    inner: McpTarget,
    oauth: McpOauth,
    connections: Connections,
    runtime: McpRuntime,
    changed: (what: What) => void,
    isOpen: boolean,
  ) {
    this.name = inner.name
    this.inner = inner
    this.oauth = oauth
    this.connections = connections
    this.runtime = runtime
    this.isOpen = isOpen
    this.granted = new Granted(inner.name, oauth, connections, runtime)
    // Whether an API would do something for nobody in particular cannot be tried out: it might do it.
    if (isOpen) this.granted.wanted = { error: undefined, scopes: undefined, resourceMetadata: undefined }
    this.leading = new Leading(inner.name, oauth, connections, runtime, changed)
  }

  // Calls -------------------------------------------------------------------------------------------------------------

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { method, params } = call
    if (this.isOpen && method !== "tools/call") return this.inner.call(call)
    const waiting = this.waitingIn(params)
    const answer = params?.object("inputResponses")?.object(ASK_KEY)
    if (waiting === undefined && answer === undefined) return this.run(call)
    return this.back(call, waiting, answer?.string("action"))
  }

  private run(call: Call): Effect.Effect<Outcome, TargetFailure> {
    if (this.hasConnectTool && call.method === "tools/call" && call.params?.string("name") === CONNECT_TOOL) {
      return this.callConnect(call)
    }
    return this.granted.with(call.caller, this.inner.call(call), (user, need) => this.lacks(call, user, need))
  }

  /** Where all tools are seen from the beginning, each leads to the page, and none has to be added for that. */
  private get hasConnectTool(): boolean {
    return this.oauth.connectTool && !this.isOpen
  }

  /** The tool that leads to the page; a server may have one of that name itself. */
  private callConnect(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const user = userFor(call.caller.exchange, this.oauth, this.runtime.sealer)
    if (user === undefined || this.oauth.grant === "gateway") {
      return this.granted.with(call.caller, this.inner.call(call), (who, need) => this.lacks(call, who, need))
    }
    return Effect.flatMap(this.granted.kept(user), (kept) => {
      if (kept === undefined) {
        return this.lacks(call, user, {
          challenge: this.granted.wanted,
          scopes: this.granted.wanted?.scopes,
          consents: this.granted.consents(user),
        })
      }
      return Effect.map(
        this.granted.with(call.caller, this.inner.call(call), (who, need) => this.lacks(call, who, need)),
        // Whoever did not list the tools again calls one that is gone by now.
        (outcome) => (outcome._tag === "Error" ? this.done() : outcome),
      )
    })
  }

  private done(): Outcome {
    return toolText(`Your account at ${this.name} is connected. List the tools again.`, false)
  }

  /** What a call comes to as long as a person has not agreed. */
  private lacks(call: Call, user: User | undefined, need: Need): Effect.Effect<Outcome, TargetFailure> {
    const { caller, method } = call
    note(caller.exchange, this.name, user === undefined ? "unknown" : need.consents === 0 ? "consent" : "consent again")
    if (user === undefined) return Effect.succeed(this.leading.text(method, undefined, undefined))
    const about = methods.get(method)
    const url = this.leading.pageFor(user, caller, need)
    if (about?.lists !== undefined) return Effect.succeed(this.list(about.lists, url))
    if (url === undefined) return Effect.succeed(this.leading.text(method, user, undefined))
    // A link that leads nowhere helps nobody: why there is no login is said now.
    return Effect.matchEffect(this.connections.discovered(this.oauth, need.challenge, false), {
      onFailure: (why) =>
        Effect.as(
          Effect.logWarning(`nobody can connect to ${this.name}: ${why}`),
          method === "tools/call"
            ? toolText(`${this.name} cannot be connected: ${why}`, true)
            : ({
                _tag: "Error",
                error: errorOf(codes.internal, `${this.name} cannot be connected: ${why}`, {
                  reason: "upstream_auth",
                  target: this.name,
                }),
                era: "modern",
              } as const),
        ),
      onSuccess: () => Effect.succeed(this.asked(call, user, url, need)),
    })
  }

  private asked(call: Call, user: User, url: string, need: Need): Outcome {
    const { caller, method, params } = call
    const { elicitationUrl } = capabilitiesOf(caller.capabilities)
    if (!elicitationUrl) return this.leading.text(method, user, url)
    const message = `${this.name} needs you to connect your account.`
    if (methods.get(method)?.asks !== true) {
      const isOld = eraOf(caller.revision) === "legacy" && atLeast(caller.revision, "2025-11-25")
      return isOld ? this.required(url, message) : this.leading.error(user, url)
    }
    const ask = JSON.stringify({ method: "elicitation/create", params: { mode: "url", url, message } })
    return {
      _tag: "Result",
      era: "modern",
      result: Fields.of({
        resultType: '"input_required"',
        inputRequests: Fields.of({ [ASK_KEY]: ask }).toJson(),
        requestState: JSON.stringify(
          this.state({
            theirs: params?.get("requestState") ?? null,
            responses: params?.get("inputResponses") ?? null,
            consents: need.consents,
            until: this.runtime.clock.wallMillis() + LINK_MILLIS,
          }),
        ),
      }).toJson(),
    }
  }

  /** 2025-11-25 has an error that says where to go before calling again. */
  private required(url: string, message: string): Outcome {
    const elicitations = [{ mode: "url", elicitationId: this.runtime.sealer.digest(url).slice(0, 32), url, message }]
    return { _tag: "Error", error: errorOf(codes.urlElicitationRequired, message, { elicitations }), era: "legacy" }
  }

  private state(waiting: Waiting): string {
    return `${STATE_PREFIX}${this.runtime.sealer.seal(JSON.stringify(waiting), statePurpose)}`
  }

  private waitingIn(params: Fields | undefined): Waiting | undefined {
    const state = params?.string("requestState")
    if (state === undefined || !state.startsWith(STATE_PREFIX)) return undefined
    const opened = this.runtime.sealer.open(state.slice(STATE_PREFIX.length), statePurpose)
    return opened === undefined ? undefined : (JSON.parse(opened) as Waiting)
  }

  /** The client is back from where it was sent, or at least says so. */
  private back(
    call: Call,
    waiting: Waiting | undefined,
    action: string | undefined,
  ): Effect.Effect<Outcome, TargetFailure> {
    const { caller, method } = call
    const { clock, sealer } = this.runtime
    const user = userFor(caller.exchange, this.oauth, sealer)
    const rest = this.restored(call, waiting)
    if (user === undefined || waiting === undefined) return this.run(rest)
    if (action !== undefined && action !== "accept") {
      note(caller.exchange, this.name, "declined")
      const url = this.leading.pageFor(user, caller, {
        challenge: this.granted.wanted,
        scopes: undefined,
        consents: waiting.consents,
      })
      const isOld = eraOf(caller.revision) === "legacy" && url !== undefined
      if (isOld) return Effect.succeed(this.required(url, `${this.name} needs you to connect your account.`))
      return Effect.succeed(this.leading.text(method, user, url))
    }
    return Effect.flatMap(
      this.connections.agreed(this.granted.keyOf(user), waiting.consents, PATIENCE_MILLIS),
      (isDone): Effect.Effect<Outcome, TargetFailure> => {
        if (isDone) {
          note(caller.exchange, this.name, "went on")
          const isTool = method === "tools/call" && rest.params?.string("name") === CONNECT_TOOL
          return isTool && this.hasConnectTool ? Effect.succeed(this.done()) : this.run(rest)
        }
        if (clock.wallMillis() >= waiting.until) return this.run(rest)
        // Nothing new to ask: whoever is at the page still is.
        const result = Fields.of({ resultType: '"input_required"', requestState: JSON.stringify(this.state(waiting)) })
        return Effect.succeed({ _tag: "Result", era: "modern", result: result.toJson() })
      },
    )
  }

  /** The call as it was before it was held up, with what the server itself has asked for. */
  private restored(call: Call, waiting: Waiting | undefined): Call {
    const bare = (call.params ?? Fields.empty).without("requestState", "inputResponses")
    const params = bare
      .with("requestState", waiting?.theirs ?? undefined)
      .with("inputResponses", waiting?.responses ?? undefined)
    return { ...call, params }
  }

  // Lists -------------------------------------------------------------------------------------------------------------

  private list(member: string, url: string | undefined): Outcome {
    const tools = member === "tools" && this.oauth.connectTool && url !== undefined ? [this.tool()] : []
    return {
      _tag: "Result",
      era: "modern",
      result: JSON.stringify({
        [member]: tools,
        resultType: "complete",
        ttlMs: 0,
        cacheScope: "private",
        _meta: { [missingKey]: [missingConsent(this.name, { url })] },
      }),
      consent: { url },
    }
  }

  private tool(): object {
    return {
      name: CONNECT_TOOL,
      title: `Connect ${this.name}`,
      description: `${this.name} needs you to connect your account before its tools can be used. Call this tool to do so, then list the tools again.`,
      inputSchema: { type: "object", properties: {} },
    }
  }

  // The rest ----------------------------------------------------------------------------------------------------------

  /** Whatever is no call: where nothing but calls needs an account, it goes on as it is. */
  private granting<A>(
    caller: Caller,
    run: Effect.Effect<A, TargetFailure>,
    lacking: Lacking<A>,
  ): Effect.Effect<A, TargetFailure> {
    return this.isOpen ? run : this.granted.with(caller, run, lacking)
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.granting(caller, this.inner.discover(caller), () =>
      Effect.succeed<Discovery>({
        era: "modern",
        capabilities: assumed,
        serverInfo: undefined,
        instructions: undefined,
        ttlMillis: 0,
        isPublic: false,
      }),
    )

  readonly notify = (caller: Caller, method: string, params: Fields | undefined): Effect.Effect<void, TargetFailure> =>
    this.granting(caller, this.inner.notify(caller, method, params), () => Effect.void)

  /** Who has not agreed yet hears of it when that has changed; then it is listened to anew. */
  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.granting(caller, this.inner.listen(caller, interest, events), (user, need) => {
      events.acknowledged({ ...interest, updates: [], tasks: [] })
      if (user === undefined) return Effect.never
      const waits: Effect.Effect<void> = Effect.flatMap(
        this.connections.agreed(this.granted.keyOf(user), need.consents, LINK_MILLIS),
        (isDone) => (isDone ? Effect.void : waits),
      )
      return waits
    })

  readonly held = (session: string): Json | undefined => this.inner.held(session)
  readonly restore = (caller: Caller, held: Json): void => this.inner.restore(caller, held)
  readonly release = (caller: Caller): Effect.Effect<void> => this.inner.release(caller)
  readonly close = (): void => this.inner.close()
}
