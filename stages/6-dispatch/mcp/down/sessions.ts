/** Beginning, finding and ending sessions, and what is told to them outside of requests. */
import * as Effect from "effect/Effect"
import * as Envelope from "../../../../protocols/mcp/envelope.ts"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { negotiated, type Revision } from "../../../../protocols/mcp/revision.ts"
import { capabilitiesToLegacy, withoutTasks } from "../../../../protocols/mcp/tasks.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import { tellFailure } from "../failures.ts"
import { listenAll } from "../federation/listening.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { McpState } from "../McpState.ts"
import type { Discovery, Interest, ListenEvents } from "../target/McpTarget.ts"
import { principalOf } from "./callers.ts"
import { DownSession, type Identity, type StoredStream } from "./DownSession.ts"
import { errorReply, jsonReply } from "./replies.ts"

const purpose = "mcp-session"
const streamPurpose = "mcp-stream"

/** What a session can be taken up again from, by whoever holds the key. */
interface Sealed {
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

const introduced = ({ capabilities, instructions, serverInfo }: Discovery, revision: Revision, version: string): Json =>
  Fields.of({
    protocolVersion: JSON.stringify(revision),
    capabilities: inRevision(capabilities, revision),
    serverInfo: serverInfo ?? JSON.stringify({ name: "sluice", version }),
    instructions: instructions === undefined ? undefined : JSON.stringify(instructions),
  }).toJson()

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
      return jsonReply(200, body, ["mcp-session-id", session.name])
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

/** The worker that a session belongs to, by its name. */
export const workerOf = (endpoint: McpEndpoint, name: string): string | undefined => {
  if (endpoint.state.sessions.has(name) || name.length > limits.sealedCharsMax) return undefined
  const { sealer, worker } = endpoint.state.runtime
  const opened = sealer.open(name, purpose) ?? sealer.open(name, streamPurpose)
  if (opened === undefined || !opened.startsWith("{")) return undefined
  const owner = (JSON.parse(opened) as Pick<Sealed, "worker">).worker
  return owner === worker ? undefined : owner
}

/** Whether a name is that of a session that was here and has ended. */
export const isEnded = ({ hasEnded, runtime }: Pick<McpState, "hasEnded" | "runtime">, name: string): boolean => {
  const opened = name.length > limits.sealedCharsMax ? undefined : runtime.sealer.open(name, purpose)
  return opened?.startsWith("{") === true && hasEnded((JSON.parse(opened) as Sealed).identity.uid)
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
  const opened = name.length > limits.sealedCharsMax ? undefined : state.runtime.sealer.open(name, purpose)
  if (opened === undefined || !opened.startsWith("{")) return undefined
  const { held, identity } = JSON.parse(opened) as Sealed
  if (identity.principal !== principal || identity.key !== endpoint.key || state.hasEnded(identity.uid))
    return undefined
  const session = new DownSession(identity, state.runtime, endpoint.askMillis, exchange)
  session.name = name
  for (const { name: target, target: one } of endpoint.federation.settings.members) {
    const text = held[target]
    if (text !== undefined) one.restore(session.caller(exchange), text)
  }
  state.enter(session, endpoint)
  return session
}

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
  let active = 0
  let last = 0
  const start = (): void => {
    const own = ++last
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
      acknowledged: take,
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
      ask: (ask) => session.ask({ push: (message) => session.push(message) }, ask),
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

/** GET: a stream for what belongs to no request, or the rest of one that was lost. */
export const serveGet = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  lastEventId: string | undefined,
): Reply => {
  const found = lastEventId === undefined ? undefined : session.find(lastEventId.trim())
  if (found !== undefined && !session.open.has(found.stream)) return found.stream.resume(found.after)
  const left = (stream: StoredStream) => (): void => {
    // Somebody may come back for what was sent last, but nobody is there to hear more.
    if (![...session.open].some((one) => one.isAttached)) stopListening(session)
    session.later(limits.eventsKeptMillis, () => {
      if (!stream.isAttached) session.open.delete(stream)
    })
  }
  if (found !== undefined) {
    if (session.listening === undefined) listenFor(endpoint, session, exchange)
    return found.stream.resume(found.after)
  }
  for (const one of session.open) if (!one.isAttached) session.open.delete(one)
  const stream: StoredStream = session.stream(() => left(stream)())
  session.open.add(stream)
  const reply = stream.reply()
  if (session.listening === undefined) listenFor(endpoint, session, exchange)
  return reply
}
