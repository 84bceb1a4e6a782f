/** Beginning, finding and ending sessions, and what is told to them outside of requests. */
import * as Effect from "effect/Effect"
import * as Envelope from "../../../../protocols/mcp/envelope.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import type { LogLevel } from "../../../../protocols/mcp/methods.ts"
import { negotiated, type Revision } from "../../../../protocols/mcp/revision.ts"
import { capabilitiesToLegacy, withoutTasks } from "../../../../protocols/mcp/tasks.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import { areSame, covers, powersOf, principalOf } from "../callers.ts"
import { tellFailure } from "../failures.ts"
import { listenAll } from "../federation/listening.ts"
import type { Place } from "../Kept.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { McpState } from "../McpState.ts"
import type { Discovery, Interest, ListenEvents } from "../target/McpTarget.ts"
import { silent } from "../target/silent.ts"
import { DownSession, type Identity, type StoredStream } from "./DownSession.ts"
import { errorReply, jsonReply } from "./replies.ts"

const purpose = "mcp-session"
const streamPurpose = "mcp-stream"

/** What a session can be taken up again from, by whoever holds the key. */
export interface Sealed {
  readonly identity: Identity
  readonly worker: string
  readonly begun: number
  /** What targets said their sessions are. */
  readonly held: Readonly<Record<string, Json>>
}

const begin = (endpoint: McpEndpoint, exchange: Exchange, params: Fields | undefined): DownSession => {
  const { runtime } = endpoint.state
  const clientInfo = params?.get("clientInfo")
  const session = new DownSession(
    {
      uid: runtime.sealer.secret(),
      key: endpoint.key,
      principal: principalOf(exchange, runtime.sealer),
      revision: negotiated(params?.string("protocolVersion")),
      capabilities: params?.object("capabilities")?.toJson() ?? "{}",
      clientInfo: clientInfo === undefined ? undefined : clientInfo,
    },
    runtime,
    endpoint.askMillis,
    exchange,
  )
  return session
}

const nameOf = (endpoint: McpEndpoint, session: DownSession): string => {
  const { runtime } = endpoint.state
  const held: Record<string, Json> = {}
  for (const { name, target } of endpoint.federation.settings.members) {
    const one = target.held(session.identity.uid)
    if (one !== undefined) held[name] = one
  }
  const sealed: Sealed = {
    identity: session.identity,
    worker: runtime.worker,
    begun: runtime.clock.wallMillis(),
    held,
  }
  const name = runtime.sealer.seal(JSON.stringify(sealed), purpose)
  // Too long for a header: it can be found here, but nowhere else.
  return name.length <= limits.sealedCharsMax ? name : runtime.sealer.seal(session.identity.uid, purpose)
}

const introduced = (
  { capabilities, instructions, rest, serverInfo }: Discovery,
  revision: Revision,
  version: string,
): Json =>
  Fields.of({
    protocolVersion: JSON.stringify(revision),
    capabilities: inRevision(capabilities, revision),
    serverInfo: serverInfo ?? JSON.stringify({ name: "sluice", version }),
    instructions: instructions === undefined ? undefined : JSON.stringify(instructions),
  })
    .and(rest)
    .toJson()

/** Tasks as the only revision with a handshake that has them calls them; the others know none. */
const inRevision = (capabilities: Json, revision: Revision): Json => {
  if (!capabilities.includes("tasks")) return capabilities
  const fields = Fields.parse(capabilities) ?? Fields.empty
  return (revision === "2025-11-25" ? capabilitiesToLegacy(fields) : withoutTasks(fields)).toJson()
}

/** `initialize`: a session begins, once it is known what can be promised. */
export const initialize = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  { id, params: text }: JsonRpc.RpcRequest,
): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    const { state } = endpoint
    const params = Fields.parse(text)
    const session = begin(endpoint, exchange, params === undefined ? undefined : Envelope.stripped(params))
    if (!state.mayBegin(session.principal)) {
      return Effect.succeed(errorReply(429, id, JsonRpc.codes.internal, "too many sessions are open"))
    }
    return Effect.map(Effect.result(endpoint.federation.discover(session.caller(exchange))), (found) => {
      if (found._tag === "Failure") {
        const { error, retryAfterSeconds, status } = tellFailure(found.failure)
        state.runtime.run(release(endpoint, session))
        const more = retryAfterSeconds === undefined ? [] : ["retry-after", String(retryAfterSeconds)]
        return jsonReply(status, JsonRpc.encodeError(id, error), more)
      }
      const result = introduced(found.success, session.identity.revision, state.runtime.version)
      const body = JsonRpc.encodeResult(id, result)
      if (!endpoint.isStateful) {
        state.runtime.run(release(endpoint, session))
        return jsonReply(200, body)
      }
      session.name = nameOf(endpoint, session)
      state.enter(session, endpoint)
      // A page that may call at all has to read the name of its session.
      const isPage = exchange.request.headers.has("origin")
      const more = isPage ? ["access-control-expose-headers", "mcp-session-id"] : []
      return jsonReply(200, body, ["mcp-session-id", session.name, ...more])
    })
  })

/** The introduction on a stream that was there before. */
export const introduce = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  { id, params: text }: JsonRpc.RpcRequest,
): Effect.Effect<Json> =>
  Effect.suspend(() => {
    const params = Fields.parse(text)
    session.identity = {
      ...session.identity,
      revision: negotiated(params?.string("protocolVersion")),
      capabilities: params?.object("capabilities")?.toJson() ?? "{}",
      clientInfo: params?.get("clientInfo"),
    }
    return Effect.match(endpoint.federation.discover(session.caller(exchange)), {
      onFailure: (failure) => JsonRpc.encodeError(id, tellFailure(failure).error),
      onSuccess: (discovery) => {
        listenFor(endpoint, session, exchange)
        return JsonRpc.encodeResult(
          id,
          introduced(discovery, session.identity.revision, endpoint.state.runtime.version),
        )
      },
    })
  })

/** A session that begins with its stream, before its client has said who it is. */
export const beginOnStream = (endpoint: McpEndpoint, exchange: Exchange): DownSession =>
  begin(endpoint, exchange, undefined)

/** What the name of a session says that is not one of those here. */
export interface Absent {
  /** The worker it was begun by. */
  readonly worker: string
  /** Absent: it is a stream, which nobody else can take up. */
  readonly sealed: Sealed | undefined
}

/** Undefined: it is no name of ours. */
export const absent = ({ runtime }: Pick<McpState, "runtime">, name: string): Absent | undefined => {
  if (name.length > limits.sealedCharsMax) return undefined
  const { sealer } = runtime
  const opened = sealer.open(name, purpose)
  if (opened?.startsWith("{") === true) {
    const sealed = JSON.parse(opened) as Sealed
    return { worker: sealed.worker, sealed }
  }
  const ofStream = opened ?? sealer.open(name, streamPurpose)
  return ofStream?.startsWith("{") === true
    ? { worker: (JSON.parse(ofStream) as Pick<Sealed, "worker">).worker, sealed: undefined }
    : undefined
}

/** Whether a name is that of a session that was here and has ended. */
export const isEnded = (state: Pick<McpState, "hasEnded" | "runtime">, name: string): boolean => {
  const sealed = absent(state, name)?.sealed
  return sealed !== undefined && state.hasEnded(sealed.identity.uid)
}

/** The name of a session that is a stream. */
export const streamName = ({ state: { runtime } }: McpEndpoint, session: DownSession): string =>
  runtime.sealer.seal(JSON.stringify({ worker: runtime.worker, uid: session.identity.uid }), streamPurpose)

/** The session of a name, if it is this caller's; everybody else is told that there is none. */
export const findSession = (endpoint: McpEndpoint, exchange: Exchange, name: string): DownSession | undefined => {
  const { state } = endpoint
  const principal = principalOf(exchange, state.runtime.sealer)
  const known = state.sessions.get(name)
  if (known !== undefined) {
    return known.principal === principal && known.identity.key === endpoint.key ? known : undefined
  }
  return undefined
}

/** Whether a session that is not here may be taken up by this caller. */
export const isCallers = (endpoint: McpEndpoint, exchange: Exchange, { begun, identity }: Sealed): boolean => {
  const { state } = endpoint
  return (
    identity.principal === principalOf(exchange, state.runtime.sealer) &&
    identity.key === endpoint.key &&
    !state.hasEnded(identity.uid) &&
    state.runtime.clock.wallMillis() - begun < sessionMillisMax
  )
}

/** Takes up a session that was begun elsewhere, with what its client has said since. */
export const takeUp = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  name: string,
  { held, identity }: Sealed,
  { level, subscribed }: Facts,
): void => {
  const { state } = endpoint
  const session = new DownSession(identity, state.runtime, endpoint.askMillis, exchange)
  session.name = name
  session.takeUp(state.runtime.clock.wallMillis())
  session.level = level
  for (const uri of subscribed) session.subscribed.add(uri)
  for (const { name: target, target: one } of endpoint.federation.settings.members) {
    const text = held[target]
    if (text !== undefined) one.restore(session.caller(exchange), text)
  }
  state.enter(session, endpoint)
  if (level !== undefined || subscribed.length > 0) state.runtime.run(tellAgain(endpoint, session))
}

/** What a server was told that may have forgotten it, as processes do that were begun anew. */
const tellAgain = (endpoint: McpEndpoint, session: DownSession): Effect.Effect<void> => {
  const call = (method: string, params: Readonly<Record<string, string>>): Effect.Effect<unknown, unknown> =>
    endpoint.federation.call({
      caller: session.caller(session.exchange),
      method,
      params: Fields.of(Object.fromEntries(Object.entries(params).map(([key, text]) => [key, JSON.stringify(text)]))),
      wantsProgress: false,
      logLevel: session.level,
      paramHeaders: [],
      events: silent,
    })
  const calls = [
    ...(session.level === undefined ? [] : [call("logging/setLevel", { level: session.level })]),
    ...Array.from(session.subscribed, (uri) => call("resources/subscribe", { uri })),
  ]
  return Effect.forEach(calls, (one) => Effect.ignore(one), { concurrency: 4, discard: true })
}

// What outlives the worker -----------------------------------------------------------------------------------------------

/** What a client has said in a session since it began, or that it is over. */
export interface Facts {
  readonly level: LogLevel | undefined
  readonly subscribed: ReadonlyArray<string>
  readonly isOver: boolean
}

export const noFacts: Facts = { level: undefined, subscribed: [], isOver: false }

/** How old a session may be that is taken up elsewhere, and how long it is known that one is over. */
const sessionMillisMax = 30 * 24 * 3_600_000

const placeOf = (uid: string): Place => ({ kind: "session", owner: uid, name: "facts" })

export const factsOf = (state: McpState, { identity: { uid } }: Sealed): Effect.Effect<Facts> =>
  state.isShared
    ? Effect.map(state.kept.find<Facts>(placeOf(uid)), (found) => found?.value ?? noFacts)
    : Effect.succeed(noFacts)

/** Written down before the client hears that it was done. */
export const keepFacts = (state: McpState, session: DownSession, isOver = false): Effect.Effect<void> =>
  Effect.suspend(() =>
    state.isShared && session.channel === undefined && session.name !== ""
      ? state.kept.put(
          placeOf(session.identity.uid),
          { level: session.level, subscribed: isOver ? [] : [...session.subscribed], isOver } satisfies Facts,
          state.runtime.clock.wallMillis() + sessionMillisMax,
        )
      : Effect.void,
  )

/** Lets go of what targets hold for a session. */
export const release = (endpoint: McpEndpoint, session: DownSession): Effect.Effect<void> =>
  Effect.forEach(
    endpoint.federation.settings.members,
    ({ target }) => Effect.ignore(target.release(session.caller(session.exchange))),
    { concurrency: "unbounded", discard: true },
  )

const everything = (session: DownSession): Interest => ({
  tools: true,
  prompts: true,
  resources: true,
  updates: [...session.subscribed],
  tasks: [],
})

/** Tells a session what belongs to no request, as long as somebody is there to hear it. */
export const listenFor = (endpoint: McpEndpoint, session: DownSession, exchange: Exchange): void => {
  const { runtime } = endpoint.state
  session.listening?.interruptUnsafe()
  session.listeningFor = powersOf(exchange)
  let active = 0
  let last = 0
  const waiting: Array<() => void> = []
  const start = (heard?: () => void): void => {
    const own = ++last
    if (heard !== undefined) waiting.push(heard)
    const before = own === 1 ? undefined : session.listening
    const isActive = (): boolean => active === own
    const take = (): void => {
      if (own < last || isActive()) return
      active = own
      before?.interruptUnsafe()
    }
    // The old one speaks until the new one is there, and then no more: nothing is missed, and nothing told twice.
    if (own === 1) take()
    const events: ListenEvents = {
      acknowledged: () => {
        take()
        if (isActive()) for (const one of waiting.splice(0)) one()
      },
      changed: (what) => {
        if (isActive()) session.push(JsonRpc.encodeNotification(`notifications/${what}/list_changed`, undefined))
      },
      updated: (params) => {
        const uri = params.string("uri")
        if (!isActive() || uri === undefined || !session.subscribed.has(uri)) return
        session.push(JsonRpc.encodeNotification("notifications/resources/updated", params.toJson()))
      },
      task: (method, params) => {
        if (isActive()) session.push(JsonRpc.encodeNotification(method, params.toJson()))
      },
      notify: (method, params) => {
        if (isActive()) session.push(JsonRpc.encodeNotification(method, params))
      },
      ask: (ask) => session.ask({ canSpeak: true, push: (message) => session.push(message) }, ask),
    }
    session.listening = runtime.run(
      listenAll(endpoint.federation, session.caller(exchange), everything(session), events),
    )
  }
  start()
  session.relisten = start
}

export const stopListening = (session: DownSession): void => {
  session.listening?.interruptUnsafe()
  session.listening = undefined
  session.relisten = undefined
}

/** Listens, and by what whoever is there now may be told. */
const listenAs = (endpoint: McpEndpoint, session: DownSession, exchange: Exchange): void => {
  const { listening, listeningFor } = session
  if (listening === undefined || listeningFor === undefined || !areSame(listeningFor, powersOf(exchange))) {
    listenFor(endpoint, session, exchange)
  }
}

/** Whether what is on a stream is for this token, too: nobody gets by asking again what asking would not give. */
const isFor = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  { about, powers }: StoredStream,
): Effect.Effect<boolean> => {
  const { federation } = endpoint
  const own = powersOf(exchange)
  if (areSame(own, powers)) return Effect.succeed(true)
  if (!covers(own, powers.scopes)) return Effect.succeed(false)
  if (federation.settings.access.isOpenTo(exchange)) return Effect.succeed(true)
  if (about === undefined) return Effect.succeed(false)
  const caller = session.caller(exchange)
  return about.kind === "task"
    ? Effect.succeed(federation.showsTask(about.name, caller))
    : federation.shows(about.kind, about.name, caller)
}

/** GET: a stream for what belongs to no request, or the rest of one that was lost. */
export const serveGet = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  lastEventId: string | undefined,
): Effect.Effect<Reply> => {
  const found = lastEventId === undefined ? undefined : session.find(lastEventId.trim())
  if (found === undefined) return Effect.sync(() => begun(endpoint, session, exchange))
  const { after, stream } = found
  return Effect.map(isFor(endpoint, session, exchange, stream), (isOpen) => {
    if (!isOpen) return begun(endpoint, session, exchange)
    if (session.open.has(stream)) listenAs(endpoint, session, exchange)
    return stream.resume(after)
  })
}

/** A stream for what belongs to no request. */
const begun = (endpoint: McpEndpoint, session: DownSession, exchange: Exchange): Reply => {
  for (const one of session.open) if (!one.isAttached) session.open.delete(one)
  const stream: StoredStream = session.stream(exchange, undefined, () => {
    // Somebody may come back for what was sent last, but nobody is there to hear more.
    if (![...session.open].some((one) => one.isAttached)) stopListening(session)
    session.later(limits.eventsKeptMillis, () => {
      if (!stream.isAttached) session.open.delete(stream)
    })
  })
  session.open.add(stream)
  const reply = stream.reply()
  listenAs(endpoint, session, exchange)
  return reply
}
