/** Requests of clients with a session, over Streamable HTTP up to 2025-11-25 or the HTTP+SSE before it. */
import * as Effect from "effect/Effect"
import { errorToLegacy, resultToLegacy, resultToOlder } from "../../../../protocols/mcp/convert.ts"
import * as Envelope from "../../../../protocols/mcp/envelope.ts"
import { arrayOf, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { isLogLevel, isModernOnly, methods } from "../../../../protocols/mcp/methods.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import { tellFailure } from "../failures.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { Revision } from "../../../../protocols/mcp/revision.ts"
import type { Call, CallEvents, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { type Delivery, HttpDelivery } from "./Delivery.ts"
import type { DownSession, Thing } from "./DownSession.ts"
import { formsOf } from "./forms.ts"
import { asTask, isAboutTasks, isForeignToTasks, serveTask } from "./legacyTasks.ts"
import { endedBy, noteError } from "./modern.ts"
import { accepted } from "./replies.ts"
import { keepFacts } from "./sessions.ts"
import { unrolled } from "./unroll.ts"

/** Whatever a client says that needs no answer. */
const notified = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  { method, params: text }: JsonRpc.RpcNotification,
): Effect.Effect<void> => {
  const params = Fields.parse(text)
  switch (method) {
    case "notifications/initialized":
      // Targets are greeted when they are first needed.
      return Effect.void
    case "notifications/cancelled": {
      const id = params?.get("requestId")
      const fiber = id === undefined ? undefined : session.running.get(id)
      return Effect.sync(() => {
        if (fiber === undefined) return
        session.cancelled.add(id as Json)
        fiber.interruptUnsafe()
      })
    }
    default: {
      const { members } = endpoint.federation.settings
      const isForAll = method === "notifications/roots/list_changed"
      if (!isForAll && endpoint.federation.only === undefined) return Effect.void
      const caller = session.caller(exchange)
      return Effect.forEach(members, (member) => Effect.ignore(member.target.notify(caller, method, params)), {
        concurrency: "unbounded",
        discard: true,
      })
    }
  }
}

const noSuchMethod = (method: string): Outcome => ({
  _tag: "Error",
  error: JsonRpc.errorOf(JsonRpc.codes.methodNotFound, `Method not found: ${method}`),
  era: "legacy",
})

/** What becomes known of a request before its answer. */
const eventsOf = (session: DownSession, delivery: Delivery, token: Json | undefined): CallEvents => {
  let lastProgress = -Infinity
  return {
    progress: (progress) => {
      const value = Number(progress.get("progress"))
      if (token === undefined || !(value > lastProgress)) return
      lastProgress = value
      delivery.push(
        JsonRpc.encodeNotification("notifications/progress", progress.with("progressToken", token).toJson()),
      )
    },
    log: (log) => delivery.push(JsonRpc.encodeNotification("notifications/message", log.toJson())),
    notify: (name, said) => delivery.push(JsonRpc.encodeNotification(name, said)),
    ask: (ask) => session.ask(delivery, ask),
  }
}

/** Asks whoever has the answer. */
const asked = (
  endpoint: McpEndpoint,
  session: DownSession,
  call: Call,
  delivery: Delivery,
): Effect.Effect<Outcome, TargetFailure> => {
  const { federation, state } = endpoint
  const { events, method } = call
  if (methods.get(method)?.asks === true) {
    const target = federation.only?.name ?? "the server"
    const completed = (url: string): void => session.completed(delivery, url)
    return unrolled({ runtime: state.runtime, target, call: federation.call, ask: events.ask, completed }, call)
  }
  if (isAboutTasks(session, method)) return serveTask(endpoint, session, call, delivery)
  return isModernOnly(method) || isForeignToTasks(session, method)
    ? Effect.succeed(noSuchMethod(method))
    : federation.call(call)
}

/** Runs a request to its end, whether or not its client stays for it. */
const run = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  { id, method, params: text }: JsonRpc.RpcRequest,
  delivery: Delivery,
): void => {
  const { state } = endpoint
  const params = Fields.parse(text)
  const { revision } = session.identity
  const token = params?.object("_meta")?.get("progressToken")
  const call: Call = {
    caller: session.caller(exchange),
    method,
    params: params === undefined ? undefined : passedOn(method, params, revision),
    wantsProgress: token !== undefined,
    logLevel: session.level ?? "info",
    paramHeaders: [],
    events: eventsOf(session, delivery, token),
  }
  const answering = asked(endpoint, session, call, delivery)
  const isTask = method === "tools/call" && revision === "2025-11-25" && params?.has("task") === true
  const outcome = isTask
    ? Effect.flatMap(answering, (one) => asTask(endpoint, session, call, one))
    : remembered.has(method)
      ? Effect.tap(answering, (one) => {
          if (one._tag === "Error") return Effect.void
          return Effect.andThen(
            remember(session, method, params),
            Effect.suspend(() => keepFacts(state, session)),
          )
        })
      : answering
  let isDone = false
  const fiber = state.runtime.run(outcome)
  fiber.addObserver((exit) => {
    isDone = true
    session.running.delete(id)
    if (session.cancelled.delete(id)) return delivery.abandon()
    const ended = endedBy(exit)
    if (ended._tag === "Failure") {
      const { error, retryAfterSeconds, status } = tellFailure(ended.failure)
      noteError(exchange, error)
      const more = retryAfterSeconds === undefined ? [] : ["retry-after", String(retryAfterSeconds)]
      return delivery.finish(JsonRpc.encodeError(id, error), status, more)
    }
    if (ended._tag === "Asked") return
    if (ended.outcome._tag === "Error") {
      const { era, error: said } = ended.outcome
      const error = era === "modern" ? errorToLegacy(method, said) : said
      noteError(exchange, error)
      return delivery.finish(JsonRpc.encodeError(id, error), 200)
    }
    const result = inRevision(revision, method, ended.outcome)
    if (result === undefined) {
      noteError(exchange, unreadable)
      return delivery.finish(JsonRpc.encodeError(id, unreadable), 200)
    }
    delivery.finish(JsonRpc.encodeResult(id, result), 200)
  })
  if (!isDone) session.running.set(id, fiber)
}

/** Only one revision has clients that ask for tasks. */
const passedOn = (method: string, params: Fields, revision: Revision): Fields => {
  const stripped = Envelope.stripped(params)
  return method === "tools/call" && revision !== "2025-11-25" ? stripped.without("task") : stripped
}

const unreadable = JsonRpc.errorOf(
  JsonRpc.codes.internal,
  "the server answered in a way that this revision does not have",
)

/** Undefined: it is no answer that the revision has. */
const inRevision = (
  revision: Revision,
  method: string,
  { conversions, era, result }: Extract<Outcome, { readonly _tag: "Result" }>,
): Json | undefined => {
  if (era === "legacy") return resultToOlder(method, result, revision)
  const known = conversions?.get(revision)
  if (known !== undefined) return known
  const converted = resultToLegacy(method, result, revision)
  if (converted !== undefined) conversions?.set(revision, converted)
  return converted
}

const remembered: ReadonlySet<string> = new Set(["logging/setLevel", "resources/subscribe", "resources/unsubscribe"])

/** What a session is known to want from now on. Whoever has subscribed hears of everything from the answer on. */
const remember = (session: DownSession, method: string, params: Fields | undefined): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (method === "logging/setLevel") {
      const level = params?.string("level")
      if (isLogLevel(level)) session.level = level
      return Effect.void
    }
    const uri = params?.string("uri")
    if (uri === undefined) return Effect.void
    const isMore = method === "resources/subscribe"
    if (isMore) session.subscribed.add(uri)
    else session.subscribed.delete(uri)
    const { relisten } = session
    if (relisten === undefined) return Effect.void
    if (!isMore) return Effect.sync(relisten)
    return Effect.callback<void>((resume) => {
      const heard = (): void => resume(Effect.void)
      const disarm = session.runtime.clock.after(2 * limits.acknowledgeMillis, heard)
      relisten(heard)
      return Effect.sync(disarm)
    })
  })

/** One message of a client; true: its answer is on its way to the delivery. */
const take = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  message: JsonRpc.RpcMessage,
  delivery: Delivery,
): Effect.Effect<boolean> => {
  switch (message._tag) {
    case "Answer":
      return Effect.sync(() => {
        session.answered(message)
        return false
      })
    case "Notification":
      return Effect.as(notified(endpoint, session, exchange, message), false)
    case "Request":
      return Effect.sync(() => {
        if (message.method === "ping") delivery.finish(JsonRpc.encodeResult(message.id, "{}"), 200)
        else run(endpoint, session, exchange, message, delivery)
        return true
      })
  }
}

/** What a request is about that some may use and others not; undefined: nothing that has a name. */
const thingIn = ({ method, params: text }: JsonRpc.RpcRequest): Thing | undefined => {
  const found = kinds.get(method)
  if (found === undefined) return undefined
  const name = Fields.parse(text)?.string(found.field)
  return name === undefined ? undefined : { kind: found.kind, name }
}

const kinds: ReadonlyMap<string, { readonly kind: Thing["kind"]; readonly field: string }> = new Map([
  ["tools/call", { kind: "tool", field: "name" }],
  ["prompts/get", { kind: "prompt", field: "name" }],
  ["resources/read", { kind: "resource", field: "uri" }],
  ["tasks/result", { kind: "task", field: "taskId" }],
])

/** A message by POST to a session of Streamable HTTP. */
export const servePost = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  message: JsonRpc.RpcMessage,
): Effect.Effect<Reply> => {
  if (message._tag !== "Request") {
    return Effect.as(take(endpoint, session, exchange, message, nowhere), accepted())
  }
  const forms = formsOf(exchange.request.headers.get("accept"))
  const delivery = new HttpDelivery(endpoint.state.runtime.clock, forms, () =>
    session.stream(exchange, thingIn(message)),
  )
  // A client that hangs up has not cancelled: it may come back for the answer.
  return Effect.andThen(take(endpoint, session, exchange, message, delivery), delivery.reply)
}

const nowhere: Delivery = { canSpeak: false, push: () => {}, finish: () => {}, abandon: () => {} }

/** A message by POST, whose answer goes to the stream that is open all along. */
export const serveOnStream = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  message: JsonRpc.RpcMessage,
): Effect.Effect<Reply> => {
  const onStream: Delivery = {
    canSpeak: true,
    abandon: () => {},
    push: (text) => session.channel?.message(text),
    finish: (text) => session.channel?.message(text),
  }
  return Effect.as(take(endpoint, session, exchange, message, onStream), accepted())
}

/** Several messages at once, as 2025-03-26 has them: answered together, or one after the other where anything comes before. */
export const serveBatch = (
  endpoint: McpEndpoint,
  session: DownSession,
  exchange: Exchange,
  messages: ReadonlyArray<JsonRpc.RpcMessage>,
): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    const forms = formsOf(exchange.request.headers.get("accept"))
    const whole = new HttpDelivery(endpoint.state.runtime.clock, forms, () => session.stream(exchange, undefined))
    const answers: Array<Json> = []
    let left = messages.filter(({ _tag }) => _tag === "Request").length
    const isNothingAsked = left === 0
    const ended = (): void => {
      if (--left > 0) return
      if (!whole.hasBegun && answers.length > 0) return whole.finish(arrayOf(answers), 200)
      for (const answer of answers) whole.push(answer)
      whole.abandon()
    }
    const each: Delivery = {
      canSpeak: whole.canSpeak,
      push: (text) => whole.push(text),
      finish: (text) => {
        if (whole.hasBegun) whole.push(text)
        else answers.push(text)
        ended()
      },
      abandon: ended,
    }
    return Effect.andThen(
      Effect.forEach(
        messages,
        (message) => take(endpoint, session, exchange, message, message._tag === "Request" ? each : nowhere),
        { concurrency: "unbounded", discard: true },
      ),
      isNothingAsked ? Effect.succeed(accepted()) : whole.reply,
    )
  })
