/**
 * One request to an MCP backend. Which of the protocol's generations its client speaks is decided for each request by
 * itself, so one address serves them all.
 */
import * as Effect from "effect/Effect"
import { encodeSse } from "../../../protocols/http/sse.ts"
import * as Envelope from "../../../protocols/mcp/envelope.ts"
import { Fields, isJson, itemsOf } from "../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../protocols/mcp/jsonrpc.ts"
import { eraOf, isKnown, negotiated, assumed, revisions } from "../../../protocols/mcp/revision.ts"
import * as Body from "../../Body.ts"
import type { Exchange, Reply, Request } from "../../Exchange.ts"
import { message as explain, type Refusal } from "../../Refusal.ts"
import type { Try } from "../Target.ts"
import { principalOf } from "./callers.ts"
import { DownSession } from "./down/DownSession.ts"
import { EventStream, streamReply } from "./down/EventStream.ts"
import { formsOf } from "./down/forms.ts"
import { serveBatch, serveOnStream, servePost } from "./down/legacy.ts"
import { serveModern, supported } from "./down/modern.ts"
import { rebindingProblem, refusedFor } from "./down/rebinding.ts"
import { accepted, errorReply, textReply } from "./down/replies.ts"
import { adopt } from "./hopInMeta.ts"
import { fromHome } from "./homes.ts"
import { passTo } from "./passOn.ts"
import * as Sessions from "./down/sessions.ts"
import { limits } from "./limits.ts"
import type { McpEndpoint } from "./McpEndpoint.ts"

const { codes } = JsonRpc
const decoder = new TextDecoder("utf-8", { fatal: true })

const isModernVersion = (text: string | undefined): boolean => text !== undefined && eraOf(text.trim()) === "modern"

export const serve = (endpoint: McpEndpoint, attempt: Try): Effect.Effect<Reply, Refusal> => {
  const { exchange, request } = attempt
  const problem = rebindingProblem(attempt, endpoint.rebinding)
  if (problem !== undefined) return Effect.succeed(refusedFor(request, problem))
  exchange.notes = { ...exchange.notes, mcp: {} }
  const page = endpoint.pages?.serve(exchange, request)
  if (page !== undefined) return page
  const name = request.headers.get("mcp-session-id") ?? streamSession(request.query)
  return name === undefined ||
    endpoint.state.sessions.has(name) ||
    isModernVersion(request.headers.get("mcp-protocol-version"))
    ? serveHere(endpoint, exchange, request)
    : elsewhere(endpoint, exchange, request, name)
}

/** A session lives with one worker; where that one is gone, another one takes it up. */
const elsewhere = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  request: Request,
  name: string,
): Effect.Effect<Reply, Refusal> => {
  const { state } = endpoint
  const { siblings, worker } = state.runtime
  const absent = Sessions.absent(state, name)
  if (absent === undefined) return serveHere(endpoint, exchange, request)
  const { sealed } = absent
  const takeUp = (facts: Sessions.Facts): void => {
    if (sealed === undefined || facts.isOver || state.sessions.has(name)) return
    if (Sessions.isCallers(endpoint, exchange, sealed)) Sessions.takeUp(endpoint, exchange, name, sealed, facts)
  }
  const isForeign = sealed === undefined || !Sessions.isCallers(endpoint, exchange, sealed)
  const facts = isForeign ? Effect.succeed(Sessions.noFacts) : Sessions.factsOf(state, sealed)
  if (siblings === undefined || (isForeign && absent.worker === worker)) {
    return Effect.flatMap(facts, (found) => {
      takeUp(found)
      return serveHere(endpoint, exchange, request)
    })
  }
  return withText(request, (text, bytes) => {
    const pass = (to: string): Effect.Effect<Reply | "Gone" | undefined> =>
      passTo(endpoint, to, exchange, request, text, { _tag: "Session", name })
    return Effect.flatMap(pass(absent.worker), (reply): Effect.Effect<Reply, Refusal> => {
      if (reply !== undefined && reply !== "Gone") return Effect.succeed(reply)
      return Effect.flatMap(facts, (found): Effect.Effect<Reply, Refusal> => {
        const isLost = isForeign || found.isOver
        const home =
          isLost || sealed === undefined
            ? Effect.succeed(undefined)
            : fromHome(state, "session", sealed.identity.uid, pass)
        return Effect.flatMap(home, (answer): Effect.Effect<Reply, Refusal> => {
          if (answer !== undefined) return Effect.succeed(answer)
          takeUp(found)
          request.body = Body.bytes(bytes)
          return serveHere(endpoint, exchange, request)
        })
      })
    })
  })
}

/** What is sent, where it is a text that may be read. */
const withText = (
  request: Request,
  read: (text: string, bytes: Uint8Array) => Effect.Effect<Reply, Refusal>,
): Effect.Effect<Reply, Refusal> =>
  Effect.matchEffect(Body.collect(request.body, limits.requestBytesMax), {
    onFailure: ({ message }): Effect.Effect<Reply, Refusal> => Effect.fail({ _tag: "InvalidRequest", detail: message }),
    onSuccess: (collected): Effect.Effect<Reply, Refusal> => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return Effect.succeed(tooLarge())
      }
      let text: string
      try {
        text = decoder.decode(collected.bytes)
      } catch {
        return Effect.succeed(errorReply(400, undefined, codes.parse, "it is not UTF-8"))
      }
      return read(text, collected.bytes)
    },
  })

/** Answers by what is known in this worker. */
export const serveHere = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  request: Request,
): Effect.Effect<Reply, Refusal> => {
  switch (request.method) {
    case "POST":
      return post(endpoint, exchange, request)
    case "GET":
      return get(endpoint, exchange, request)
    case "DELETE":
      return remove(endpoint, exchange, request)
    default:
      Body.discard(request.body)
      return Effect.succeed(textReply(405, "method not allowed", ["allow", "POST, GET, DELETE"]))
  }
}

const tooLarge = (): Reply =>
  errorReply(413, undefined, codes.invalidRequest, `a message has at most ${limits.requestBytesMax} bytes`)

// POST ----------------------------------------------------------------------------------------------------------------

const post = (endpoint: McpEndpoint, exchange: Exchange, request: Request): Effect.Effect<Reply, Refusal> => {
  const { headers } = request
  const forms = formsOf(headers.get("accept"))
  if (!forms.document && !forms.events) {
    Body.discard(request.body)
    return Effect.succeed(errorReply(406, undefined, codes.invalidRequest, "the answer is JSON or a stream of events"))
  }
  if (!/^application\/json(?:\s*;|\s*$)/i.test(headers.get("content-type") ?? "")) {
    Body.discard(request.body)
    return Effect.succeed(errorReply(415, undefined, codes.invalidRequest, "messages are application/json"))
  }
  const coding = headers.get("content-encoding")
  if (coding !== undefined && !/^\s*(?:identity)?\s*$/i.test(coding)) {
    Body.discard(request.body)
    const why = "messages come as they are, and not packed"
    return Effect.succeed(
      errorReply(415, undefined, codes.invalidRequest, why, undefined, ["accept-encoding", "identity"]),
    )
  }
  const replied = withText(request, (text) => messages(endpoint, exchange, request, text.trim()))
  return forms.document ? replied : Effect.flatMap(replied, asEvents)
}

/** For whoever takes nothing but a stream: a stream of one event. */
const asEvents = (reply: Reply): Effect.Effect<Reply> => {
  const { body, headers, status } = reply
  if (status !== 200 || headers.get("content-type") !== "application/json") return Effect.succeed(reply)
  return Effect.match(Body.collect(body, Infinity), {
    onFailure: () => reply,
    onSuccess: (collected) => {
      if (collected._tag === "Partial") return { ...reply, body: collected.body }
      const data = decoder.decode(collected.bytes)
      const streamed = headers.copy()
      streamed.set("content-type", "text/event-stream")
      return { ...reply, headers: streamed, body: Body.text(encodeSse({ event: "message", data })) }
    },
  })
}

const messages = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  request: Request,
  text: string,
): Effect.Effect<Reply, Refusal> => {
  const isModernHeader = isModernVersion(request.headers.get("mcp-protocol-version"))
  exchange.hop = endpoint.hop
  if (text.startsWith("[")) {
    return isModernHeader
      ? Effect.succeed(errorReply(400, undefined, codes.invalidRequest, "one message at a time"))
      : batch(endpoint, exchange, request, text)
  }
  const message = JsonRpc.parse(text)
  if (message._tag === "Malformed") {
    return Effect.succeed(errorReply(400, message.id, message.code, message.message))
  }
  if (message._tag !== "Answer") {
    const mcp = exchange.notes?.mcp
    if (mcp !== undefined) mcp["methodName"] = message.method
    const meta = Fields.parse(message.params)?.object("_meta")
    const traceparent = meta?.string("traceparent")
    if (traceparent !== undefined) exchange.listener?.tracer?.adopt(exchange, traceparent)
    if (meta !== undefined) adopt(exchange.request.headers, meta)
    const circling = circlingIn(endpoint, exchange)
    if (circling !== undefined) {
      return Effect.succeed(
        errorReply(200, message._tag === "Request" ? message.id : undefined, codes.internal, circling),
      )
    }
    if (meta !== undefined && (message.params as string).length > limits.metaCharsMax) {
      const size = Fields.parse(message.params)?.get("_meta")?.length ?? 0
      if (size > limits.metaCharsMax) {
        const id = message._tag === "Request" ? message.id : undefined
        return Effect.succeed(errorReply(400, id, codes.invalidParams, "`_meta` is too large"))
      }
    }
    if (isModernHeader || Envelope.claims(meta)) return serveModern(endpoint, exchange, message)
    if (message._tag === "Request" && message.method === "initialize" && streamSession(request.query) === undefined) {
      return Sessions.initialize(endpoint, exchange, message)
    }
  } else if (isModernHeader) return serveModern(endpoint, exchange, message)
  const session = sessionOf(endpoint, exchange, request, message._tag === "Request" ? message.id : undefined)
  return session instanceof DownSession ? within(endpoint, session, exchange, message) : Effect.succeed(session)
}

/** The answer to one message of a session; a session for one request ends with it. */
const within = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  message: JsonRpc.RpcMessage,
): Effect.Effect<Reply> => {
  if (session.channel !== undefined) {
    if (message._tag === "Request" && message.method === "initialize") {
      return Effect.as(
        Effect.map(Sessions.introduce(endpoint, session, exchange, message), (text) => session.channel?.message(text)),
        accepted(),
      )
    }
    return serveOnStream(endpoint, session, exchange, message)
  }
  return servePost(endpoint, session, exchange, message)
}

/** The session a request belongs to, or why there is none. */
const sessionOf = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  { headers, query }: Request,
  id: string | undefined,
): DownSession | Reply => {
  const version = headers.get("mcp-protocol-version")?.trim()
  if (version !== undefined && !isKnown(version)) {
    return errorReply(400, id, codes.unsupportedVersion, "Unsupported protocol version", {
      supported: [...supported, ...revisions.filter((one) => !supported.includes(one))],
      requested: version,
    })
  }
  const name = headers.get("mcp-session-id") ?? streamSession(query)
  if (name !== undefined) {
    const session = Sessions.findSession(endpoint, exchange, name)
    if (session === undefined) return errorReply(404, id, -32001, "Session not found")
    session.touch(exchange)
    endpoint.state.at(session, endpoint)
    const mcp = exchange.notes?.mcp
    if (mcp !== undefined) mcp["sessionId"] = name
    return session
  }
  if (endpoint.isStateful) {
    return errorReply(400, id, codes.invalidRequest, "Mcp-Session-Id is missing: begin with `initialize`")
  }
  const { runtime } = endpoint.state
  return new DownSession(
    {
      // Without a session there is nobody to ask, so the client is taken for one that cannot be asked.
      uid: "",
      key: endpoint.key,
      principal: principalOf(exchange, runtime.sealer),
      revision: negotiated(version ?? assumed),
      capabilities: "{}",
      clientInfo: undefined,
    },
    runtime,
    endpoint.askMillis,
    exchange,
  )
}

const streamSession = (query: string | undefined): string | undefined =>
  query === undefined ? undefined : (new URLSearchParams(query).get("sessionId") ?? undefined)

/** Why nobody further is asked: told as an answer, so that each gateway on the way back passes it on in its own words. */
const circlingIn = ({ hop }: McpEndpoint, exchange: Exchange): string | undefined => {
  const circling = hop.judge(exchange.request.headers)
  if (circling === undefined) return undefined
  exchange.trail.declined = { by: "the guard against loops", why: explain(circling) }
  return explain(circling)
}

const batch = (endpoint: McpEndpoint, exchange: Exchange, request: Request, text: string): Effect.Effect<Reply> => {
  if (!isJson(text)) return Effect.succeed(errorReply(400, undefined, codes.parse, "it is not JSON"))
  const circling = circlingIn(endpoint, exchange)
  if (circling !== undefined) return Effect.succeed(errorReply(200, undefined, codes.internal, circling))
  const session = sessionOf(endpoint, exchange, request, undefined)
  if (!(session instanceof DownSession)) return Effect.succeed(session)
  if (session.identity.revision !== "2025-03-26") {
    return Effect.succeed(errorReply(400, undefined, codes.invalidRequest, "one message at a time"))
  }
  const parsed = (itemsOf(text) ?? []).map((item) => JsonRpc.parse(item))
  const wrong = parsed.find((one) => one._tag === "Malformed")
  if (parsed.length === 0 || wrong !== undefined) {
    return Effect.succeed(
      errorReply(400, wrong?.id, wrong?.code ?? codes.invalidRequest, wrong?.message ?? "an empty batch"),
    )
  }
  const messages = parsed.filter((one) => one._tag !== "Malformed")
  if (messages.some((one) => one._tag === "Request" && one.method === "initialize")) {
    return Effect.succeed(errorReply(400, undefined, codes.invalidRequest, "`initialize` comes by itself"))
  }
  return session.channel === undefined
    ? serveBatch(endpoint, session, exchange, messages)
    : Effect.as(
        Effect.forEach(messages, (one) => serveOnStream(endpoint, session, exchange, one), {
          concurrency: "unbounded",
          discard: true,
        }),
        accepted(),
      )
}

// GET -----------------------------------------------------------------------------------------------------------------

const get = (endpoint: McpEndpoint, exchange: Exchange, request: Request): Effect.Effect<Reply> => {
  Body.discard(request.body)
  const { headers } = request
  if (!endpoint.isStateful || isModernVersion(headers.get("mcp-protocol-version"))) {
    return Effect.succeed(textReply(405, "method not allowed", ["allow", "POST"]))
  }
  if (!formsOf(headers.get("accept")).events) {
    return Effect.succeed(errorReply(406, undefined, codes.invalidRequest, "the answer is a stream of events"))
  }
  if (headers.get("mcp-session-id") === undefined) {
    return Effect.succeed(
      headers.has("mcp-protocol-version")
        ? errorReply(400, undefined, codes.invalidRequest, "Mcp-Session-Id is missing")
        : openStream(endpoint, exchange, request),
    )
  }
  const session = sessionOf(endpoint, exchange, request, undefined)
  return session instanceof DownSession
    ? Sessions.serveGet(endpoint, session, exchange, headers.get("last-event-id"))
    : Effect.succeed(session)
}

/** HTTP+SSE: the session is the stream, and its first event says where to post to. */
const openStream = (endpoint: McpEndpoint, exchange: Exchange, request: Request): Reply => {
  const { state } = endpoint
  const session = Sessions.beginOnStream(endpoint, exchange)
  if (!state.mayBegin(session.principal)) {
    return errorReply(429, undefined, codes.internal, "too many sessions are open")
  }
  session.name = Sessions.streamName(endpoint, session)
  const stream = new EventStream(state.runtime.clock, () => {
    session.channel = undefined
    Sessions.stopListening(session)
    state.leave(session)
  })
  session.channel = {
    message: (text) => stream.write(encodeSse({ event: "message", data: text })),
    end: () => stream.end(),
    reply: () => streamReply(stream),
  }
  const asked = exchange.original ?? request
  const query = asked.query === undefined || asked.query === "" ? "" : `${asked.query}&`
  stream.write(encodeSse({ event: "endpoint", data: `${asked.path}?${query}sessionId=${session.name}` }))
  state.enter(session, endpoint)
  return streamReply(stream)
}

// DELETE --------------------------------------------------------------------------------------------------------------

const remove = (endpoint: McpEndpoint, exchange: Exchange, request: Request): Effect.Effect<Reply> => {
  Body.discard(request.body)
  if (!endpoint.isStateful || isModernVersion(request.headers.get("mcp-protocol-version"))) {
    return Effect.succeed(textReply(405, "method not allowed", ["allow", "POST"]))
  }
  if (request.headers.get("mcp-session-id") === undefined) {
    return Effect.succeed(errorReply(400, undefined, codes.invalidRequest, "Mcp-Session-Id is missing"))
  }
  const session = sessionOf(endpoint, exchange, request, undefined)
  if (!(session instanceof DownSession)) return Effect.succeed(session)
  endpoint.state.leave(session)
  return Effect.as(Sessions.keepFacts(endpoint.state, session, true), { ...accepted(), status: 200 })
}
