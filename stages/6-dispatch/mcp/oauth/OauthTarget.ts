/**
 * A target whose server wants tokens that people grant. Who has granted none is led to a page where that is done: by a
 * question where the client can be asked to open a URL, else in words. Until then the target has one tool, which does the
 * same, and says of everything else that it is missing.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { methods } from "../../../../protocols/mcp/methods.ts"
import { atLeast, eraOf } from "../../../../protocols/mcp/revision.ts"
import { type Challenge, challengeIn } from "../../../../protocols/oauth/challenge.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { GrantKey, Kept } from "../../../ports/Grants.ts"
import type { Sealer } from "../../../ports/Sealer.ts"
import { capabilitiesOf } from "../capabilities.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { missingConsent, missingKey } from "../missing.ts"
import { broken } from "../target/Channel.ts"
import type { Bearer } from "../target/outgoing.ts"
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
import { type Connections, expiryOf, placeOf } from "./Connections.ts"
import { LINK_MILLIS, Links } from "./links.ts"
import { baseFor } from "./places.ts"
import { ownFields, tokens } from "./tokenRequests.ts"
import { gatewayUser, type User, userOf } from "./users.ts"

/** How long a call waits for somebody who is at the page, before it says that it is still waiting. */
const PATIENCE_MILLIS = 25_000
/** How often a person is asked for more within an hour, because a server says that it is not enough. */
const STEPS_MAX = 3
const STEPS_MILLIS = 3_600_000
const STEPS_KEPT_MAX = 10_000
const WATCHED_MAX = 1_000

export const CONNECT_TOOL = "connect"
const ASK_KEY = "dev.sluice/connect"
const STATE_PREFIX = "connect."
const statePurpose = "mcp-connect-state"

/** Why a call cannot go out as it is. */
interface Need {
  readonly challenge: Challenge | undefined
  /** All that has to be granted, where that is known. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** How often a person had agreed when it was not enough. */
  readonly consents: number
}

/** What is carried from one round of a call to the next. */
interface Waiting {
  readonly theirs: Json | null
  readonly responses: Json | null
  readonly consents: number
  readonly until: number
}

/** What is shown of what the server can do, as long as it cannot be asked. */
const assumed = '{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true}}'

const whats = ["tools", "prompts", "resources"] as const

const note = ({ inquiry, notes }: Exchange, target: string, event: string): void => {
  if (notes?.mcp !== undefined) notes.mcp["connection"] = event
  inquiry?.note({ stage: "oauth", decision: event, detail: target })
}

/** For whom a target is called; undefined: for nobody in particular. */
const userFor = (exchange: Exchange, oauth: McpOauth, sealer: Sealer): User | undefined =>
  oauth.grant === "gateway" ? gatewayUser : userOf(exchange, sealer, oauth.connections.anonymous)

/** What requests to the server carry. */
export const bearerOf =
  (connections: Connections, oauth: McpOauth, sealer: Sealer): Bearer =>
  (exchange) => {
    const user = userFor(exchange, oauth, sealer)
    if (user === undefined) return Effect.succeed(undefined)
    return Effect.mapBoth(connections.token({ user: user.key, place: placeOf(oauth) }, oauth), {
      onFailure: (why) => broken(`there is no token for it: ${why}`, false),
      onSuccess: (kept) => kept?.grant.accessToken,
    })
  }

export class OauthTarget implements McpTarget {
  readonly name: string
  private readonly inner: McpTarget
  private readonly oauth: McpOauth
  private readonly connections: Connections
  private readonly runtime: McpRuntime
  private readonly links: Links
  private readonly changed: (what: (typeof whats)[number]) => void
  private readonly place: string
  /** What the server said when it was asked without a token; undefined: it was never asked, or wants none. */
  private wanted: Challenge | undefined = undefined
  private readonly offered = new Map<string, { readonly url: string; readonly until: number }>()
  private readonly steps = new Map<string, Array<number>>()
  private readonly watched = new Set<string>()

  constructor(
    inner: McpTarget,
    oauth: McpOauth,
    connections: Connections,
    runtime: McpRuntime,
    changed: (what: (typeof whats)[number]) => void,
  ) {
    this.name = inner.name
    this.inner = inner
    this.oauth = oauth
    this.connections = connections
    this.runtime = runtime
    this.changed = changed
    this.place = placeOf(oauth)
    this.links = new Links(runtime.sealer, runtime.clock)
  }

  private keyOf(user: User): GrantKey {
    return { user: user.key, place: this.place }
  }

  // With a token, or why not ------------------------------------------------------------------------------------------

  /** Runs something with the caller's token. What comes of it for who has none, or not enough, is for `lacking`. */
  private with<A>(
    caller: Caller,
    run: Effect.Effect<A, TargetFailure>,
    lacking: (user: User | undefined, need: Need) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    return Effect.suspend(() => {
      const { exchange } = caller
      const user = userFor(exchange, this.oauth, this.runtime.sealer)
      if (user === undefined) {
        return this.wanted === undefined
          ? this.caught(run, (challenge) => {
              this.wanted = challenge
              return lacking(undefined, { challenge, scopes: challenge.scopes, consents: 0 })
            })
          : lacking(undefined, { challenge: this.wanted, scopes: this.wanted.scopes, consents: 0 })
      }
      const key = this.keyOf(user)
      return Effect.flatMap(
        Effect.mapError(this.connections.token(key, this.oauth), (why) => this.failed(why)),
        (kept) => {
          const consents = this.connections.peek(key)?.grant.consents ?? 0
          if (kept === undefined) {
            const { wanted } = this
            if (wanted !== undefined)
              return this.without(user, { challenge: wanted, scopes: wanted.scopes, consents }, run, lacking)
            return this.caught(run, (challenge) => {
              this.wanted = challenge
              return this.without(user, { challenge, scopes: challenge.scopes, consents }, run, lacking)
            })
          }
          return this.caught(run, (challenge, status) =>
            status === 403
              ? this.stepUp(user, key, kept, challenge, lacking)
              : this.refused(user, key, kept, challenge, run, lacking),
          )
        },
      )
    })
  }

  private caught<A>(
    run: Effect.Effect<A, TargetFailure>,
    wanting: (challenge: Challenge, status: number) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    return Effect.catch(run, (failure) => {
      if (failure._tag !== "Unauthorized") return Effect.fail(failure)
      const challenge = challengeIn(failure.challenge)
      if (failure.status === 401) {
        return wanting(challenge ?? { error: undefined, scopes: undefined, resourceMetadata: undefined }, 401)
      }
      return challenge?.error === "insufficient_scope" ? wanting(challenge, 403) : Effect.fail(failure)
    })
  }

  /** Nobody has granted anything: the gateway helps itself where it may, people are led to the page. */
  private without<A>(
    user: User,
    need: Need,
    run: Effect.Effect<A, TargetFailure>,
    lacking: (user: User | undefined, need: Need) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    return this.oauth.grant === "gateway" ? Effect.andThen(this.obtain(user, need), run) : lacking(user, need)
  }

  /** The token that was sent is no longer good: the server may have moved to other authorization servers meanwhile. */
  private refused<A>(
    user: User,
    key: GrantKey,
    kept: Kept,
    challenge: Challenge,
    run: Effect.Effect<A, TargetFailure>,
    lacking: (user: User | undefined, need: Need) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    // The grant will be gone, and counting begins anew with the next one.
    const need: Need = { challenge, scopes: challenge.scopes, consents: 0 }
    this.wanted = challenge
    const forgotten = Effect.andThen(
      Effect.ignore(this.connections.discard(key, kept)),
      this.without(user, need, run, lacking),
    )
    const again = this.caught(run, (_, status) =>
      status === 403
        ? lacking(user, need)
        : this.oauth.grant === "gateway"
          ? Effect.fail(this.unauthorized(401))
          : forgotten,
    )
    return Effect.flatMap(
      Effect.mapError(this.connections.discovered(this.oauth, challenge, true), (why) => this.failed(why)),
      ({ server }) => {
        const { issuer, refreshToken } = kept.grant
        if (server.issuer !== issuer || refreshToken === undefined) return forgotten
        return Effect.flatMap(
          Effect.mapError(this.connections.renewed(key, kept, this.oauth), (why) => this.failed(why)),
          (next) => {
            if (next === undefined) return lacking(user, need)
            return next.version === kept.version ? forgotten : again
          },
        )
      },
    )
  }

  private stepUp<A>(
    user: User,
    key: GrantKey,
    kept: Kept,
    challenge: Challenge,
    lacking: (user: User | undefined, need: Need) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    const now = this.runtime.clock.nowMillis()
    const recent = (this.steps.get(key.user) ?? []).filter((one) => now - one < STEPS_MILLIS)
    if (this.oauth.grant === "gateway" || recent.length >= STEPS_MAX) return Effect.fail(this.unauthorized(403))
    if (this.steps.size >= STEPS_KEPT_MAX) this.steps.clear()
    this.steps.set(key.user, [...recent, now])
    const scopes = [...new Set([...kept.grant.scopes, ...(challenge.scopes ?? [])])]
    return lacking(user, { challenge, scopes, consents: kept.grant.consents })
  }

  /** A token of the gateway's own. */
  private obtain(user: User, need: Need): Effect.Effect<void, TargetFailure> {
    const { client, scopes } = this.oauth
    const { clock } = this.runtime
    const { connections, oauth } = this
    if (client === undefined) return Effect.fail(this.failed("it has no client to ask as"))
    return Effect.mapError(
      Effect.flatMap(
        connections.discovered(oauth, need.challenge, false),
        ({ resource, scopes: described, server }) => {
          const wanted = scopes.length > 0 ? scopes : (need.scopes ?? described ?? [])
          const taken = server.tokenEndpointAuthMethods
          const method =
            client.clientSecret === undefined || client.method === "none"
              ? ("none" as const)
              : client.method === "clientSecretPost" ||
                  (client.method === undefined &&
                    taken.includes("client_secret_post") &&
                    !taken.includes("client_secret_basic"))
                ? ("client_secret_post" as const)
                : ("client_secret_basic" as const)
          const asking = {
            clientId: client.clientId,
            clientSecret: client.clientSecret === undefined ? undefined : Redacted.value(client.clientSecret),
            method,
          }
          const at = { issuer: server.issuer, tokenEndpoint: server.tokenEndpoint ?? "", client: asking }
          return Effect.flatMap(
            Effect.mapError(
              tokens(connections.parts.tokens, oauth, at, ownFields(wanted, resource)),
              ({ detail }) => `${server.issuer} gave no token: ${detail}`,
            ),
            (got) =>
              connections.connect({
                ...this.keyOf(user),
                label: user.label,
                target: this.name,
                ...at,
                revocationEndpoint: undefined,
                redirectUri: "",
                resource,
                scopes: got.scopes ?? wanted,
                accessToken: got.accessToken,
                expiresMillis: expiryOf(got, clock),
                refreshToken: undefined,
                consents: 1,
                connectedMillis: clock.wallMillis(),
              }),
          )
        },
      ),
      (why) => this.failed(why),
    )
  }

  private failed(message: string): TargetFailure {
    return { _tag: "Unreachable", target: this.name, message, began: false }
  }

  private unauthorized(status: number): TargetFailure {
    return { _tag: "Unauthorized", target: this.name, status, challenge: undefined }
  }

  // Leading people to the page ----------------------------------------------------------------------------------------

  /** The same for as long as it is good, so that nobody is asked to open one page twice. */
  private pageFor(user: User, caller: Caller, need: Need): string | undefined {
    const base = baseFor(this.oauth.connections, caller.exchange)
    if (base === undefined) return undefined
    const { clock } = this.runtime
    const name = JSON.stringify([user.key, base, need.scopes ?? null, need.challenge?.resourceMetadata ?? null])
    const known = this.offered.get(name)
    // One that is about to end is not handed out again.
    if (known !== undefined && known.until - clock.nowMillis() > LINK_MILLIS / 2) return known.url
    const link = this.links.link({
      user: user.key,
      label: user.label,
      place: this.place,
      scopes: need.scopes,
      metadata: need.challenge?.resourceMetadata,
      asker: askerOf(caller),
    })
    const url = `${base}/start?link=${link}`
    if (this.offered.size >= WATCHED_MAX) this.offered.clear()
    this.offered.set(name, { url, until: clock.nowMillis() + LINK_MILLIS })
    this.watch(user, need.consents)
    return url
  }

  /** Tells everybody who listens once the person has agreed, wherever that was. */
  private watch(user: User, consents: number): void {
    if (this.watched.has(user.key) || this.watched.size >= WATCHED_MAX) return
    this.watched.add(user.key)
    this.runtime.run(
      Effect.ensuring(
        Effect.map(this.connections.agreed(this.keyOf(user), consents, LINK_MILLIS), (isDone) => {
          if (isDone) for (const what of whats) this.changed(what)
        }),
        Effect.sync(() => this.watched.delete(user.key)),
      ),
    )
  }

  private told(user: User | undefined, url: string | undefined): string {
    if (user === undefined) return `${this.name} needs to know who you are: this gateway has not been told`
    return url === undefined
      ? `${this.name} needs you to connect your account, but this gateway does not know the address of its own pages`
      : `${this.name} needs you to connect your account: ${url}`
  }

  private error(user: User | undefined, url: string | undefined): Outcome {
    const data = { reason: "consent_required", target: this.name, ...(url === undefined ? {} : { url }) }
    return { _tag: "Error", error: errorOf(codes.internal, this.told(user, url), data), era: "modern" }
  }

  private text(method: string, user: User | undefined, url: string | undefined): Outcome {
    return method === "tools/call" ? toolText(this.told(user, url), true) : this.error(user, url)
  }

  // Calls -------------------------------------------------------------------------------------------------------------

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { params } = call
    const waiting = this.waitingIn(params)
    const answer = params?.object("inputResponses")?.object(ASK_KEY)
    if (waiting === undefined && answer === undefined) return this.run(call)
    return this.back(call, waiting, answer?.string("action"))
  }

  private run(call: Call): Effect.Effect<Outcome, TargetFailure> {
    if (call.method === "tools/call" && call.params?.string("name") === CONNECT_TOOL) return this.callConnect(call)
    return this.with(call.caller, this.inner.call(call), (user, need) => this.lacks(call, user, need))
  }

  /** The tool that leads to the page; a server may have one of that name itself. */
  private callConnect(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const user = userFor(call.caller.exchange, this.oauth, this.runtime.sealer)
    if (user === undefined || this.oauth.grant === "gateway" || !this.oauth.connectTool) {
      return this.with(call.caller, this.inner.call(call), (who, need) => this.lacks(call, who, need))
    }
    return Effect.flatMap(
      Effect.mapError(this.connections.token(this.keyOf(user), this.oauth), (why) => this.failed(why)),
      (kept) => {
        if (kept === undefined) {
          return this.lacks(call, user, {
            challenge: this.wanted,
            scopes: this.wanted?.scopes,
            consents: this.consents(user),
          })
        }
        return Effect.map(
          this.with(call.caller, this.inner.call(call), (who, need) => this.lacks(call, who, need)),
          // Whoever did not list the tools again calls one that is gone by now.
          (outcome) => (outcome._tag === "Error" ? this.done() : outcome),
        )
      },
    )
  }

  private done(): Outcome {
    return toolText(`Your account at ${this.name} is connected. List the tools again.`, false)
  }

  private consents(user: User): number {
    return this.connections.peek(this.keyOf(user))?.grant.consents ?? 0
  }

  /** What a call comes to as long as a person has not agreed. */
  private lacks(call: Call, user: User | undefined, need: Need): Effect.Effect<Outcome, TargetFailure> {
    const { caller, method } = call
    note(caller.exchange, this.name, user === undefined ? "unknown" : need.consents === 0 ? "consent" : "consent again")
    if (user === undefined) return Effect.succeed(this.text(method, undefined, undefined))
    const about = methods.get(method)
    const url = this.pageFor(user, caller, need)
    if (about?.lists !== undefined) return Effect.succeed(this.list(about.lists, url))
    if (url === undefined) return Effect.succeed(this.text(method, user, undefined))
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
    if (!elicitationUrl) return this.text(method, user, url)
    const message = `${this.name} needs you to connect your account.`
    if (methods.get(method)?.asks !== true) {
      const isOld = eraOf(caller.revision) === "legacy" && atLeast(caller.revision, "2025-11-25")
      return isOld ? this.required(url, message) : this.error(user, url)
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
      const url = this.pageFor(user, caller, { challenge: this.wanted, scopes: undefined, consents: waiting.consents })
      const isOld = eraOf(caller.revision) === "legacy" && url !== undefined
      if (isOld) return Effect.succeed(this.required(url, `${this.name} needs you to connect your account.`))
      return Effect.succeed(this.text(method, user, url))
    }
    return Effect.flatMap(
      this.connections.agreed(this.keyOf(user), waiting.consents, PATIENCE_MILLIS),
      (isDone): Effect.Effect<Outcome, TargetFailure> => {
        if (isDone) {
          note(caller.exchange, this.name, "went on")
          const isTool = method === "tools/call" && rest.params?.string("name") === CONNECT_TOOL
          return isTool && this.oauth.connectTool ? Effect.succeed(this.done()) : this.run(rest)
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

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.with(caller, this.inner.discover(caller), () =>
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
    this.with(caller, this.inner.notify(caller, method, params), () => Effect.void)

  /** Who has not agreed yet hears of it when that has changed; then it is listened to anew. */
  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.with(caller, this.inner.listen(caller, interest, events), (user, need) => {
      events.acknowledged({ ...interest, updates: [], tasks: [] })
      if (user === undefined) return Effect.never
      const waits: Effect.Effect<void> = Effect.flatMap(
        this.connections.agreed(this.keyOf(user), need.consents, LINK_MILLIS),
        (isDone) => (isDone ? Effect.void : waits),
      )
      return waits
    })

  readonly held = (session: string): Json | undefined => this.inner.held(session)
  readonly restore = (caller: Caller, held: Json): void => this.inner.restore(caller, held)
  readonly release = (caller: Caller): Effect.Effect<void> => this.inner.release(caller)
  readonly close = (): void => this.inner.close()
}

const toolText = (text: string, isError: boolean): Outcome => ({
  _tag: "Result",
  era: "modern",
  result: JSON.stringify({ resultType: "complete", content: [{ type: "text", text }], isError }),
})

const nameMax = 64

/** What a program calls itself; anybody could say so. */
const askerOf = ({ clientInfo }: Caller): string | undefined => {
  const info = clientInfo === undefined ? undefined : Fields.parse(clientInfo)
  return (info?.string("title") ?? info?.string("name"))?.slice(0, nameMax)
}
