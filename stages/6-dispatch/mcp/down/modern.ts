/** Requests of clients without a session: everything they say is in the request, and everything they get is in its reply. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { errorToModern, resultToModern } from "../../../../protocols/mcp/convert.ts"
import * as Envelope from "../../../../protocols/mcp/envelope.ts"
import { decode } from "../../../../protocols/mcp/header.ts"
import { Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { isLegacyOnly, isLogLevel, methods } from "../../../../protocols/mcp/methods.ts"
import { mismatch } from "../../../../protocols/mcp/paramHeaders.ts"
import { latest } from "../../../../protocols/mcp/revision.ts"
import * as Body from "../../../Body.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import { principalOf } from "../callers.ts"
import { capabilitiesOf, required } from "../capabilities.ts"
import { tellFailure } from "../failures.ts"
import { limits } from "../limits.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { Call, CallEvents, Caller, Encoded, Outcome, TargetFailure } from "../target/McpTarget.ts"
import { silent } from "../target/silent.ts"
import { taskWorker } from "../federation/Names.ts"
import { fromHome } from "../homes.ts"
import { lasting } from "../lasting.ts"
import { passOn, passTo } from "../passOn.ts"
import { type Channel, HttpDelivery, plainChannel } from "./Delivery.ts"
import { formsOf } from "./forms.ts"
import { type Ended, type Listener, ParkedCall, type ParkedState, purpose } from "./ParkedCall.ts"
import { accepted, errorReply, jsonReply } from "./replies.ts"
import { serveListen } from "./listen.ts"

const { codes } = JsonRpc

/** Revisions that may be spoken without a session. */
export const supported: ReadonlyArray<string> = [latest]

/** What is wrong with a request before anybody looks at what it wants; the text of the header is compared, not trusted. */
const refusal = (
  { headers }: Exchange["request"],
  message: JsonRpc.RpcRequest | JsonRpc.RpcNotification,
  params: Fields | undefined,
): Reply | undefined => {
  const id = message._tag === "Request" ? message.id : undefined
  const meta = params?.object("_meta")
  const version = headers.get("mcp-protocol-version")?.trim()
  const claimed = meta?.string(Envelope.keys.protocolVersion)
  if (message._tag === "Request") {
    if (claimed !== undefined && version !== undefined && claimed !== version) {
      return errorReply(400, id, codes.headerMismatch, "MCP-Protocol-Version differs from the envelope of the request")
    }
    const said = claimed ?? version
    if (said !== undefined && !supported.includes(said)) {
      return errorReply(400, id, codes.unsupportedVersion, "Unsupported protocol version", {
        supported,
        requested: said,
      })
    }
    if (version === undefined) return errorReply(400, id, codes.headerMismatch, "MCP-Protocol-Version is missing")
  }
  const method = headers.get("mcp-method")
  if (method === undefined) {
    if (message._tag === "Request") return errorReply(400, id, codes.headerMismatch, "Mcp-Method is missing")
  } else if (decode(method) !== message.method) {
    return errorReply(400, id, codes.headerMismatch, "Mcp-Method differs from the method of the request")
  }
  const named = methods.get(message.method)?.named
  const name = headers.get("mcp-name")
  const meant = named === undefined ? undefined : params?.string(named)
  if (named !== undefined && meant !== undefined && message._tag === "Request") {
    if (name === undefined) return errorReply(400, id, codes.headerMismatch, "Mcp-Name is missing")
    if (decode(name) !== meant) {
      return errorReply(400, id, codes.headerMismatch, "Mcp-Name differs from what the request names")
    }
  }
  return undefined
}

const statusOf = (error: Json): number => {
  switch (JsonRpc.codeOf(error)) {
    case codes.methodNotFound:
      return 404
    case codes.headerMismatch:
    case codes.missingCapability:
    case codes.unsupportedVersion:
    case codes.parse:
    case codes.invalidRequest:
      return 400
    default:
      return 200
  }
}

export const serveModern = (
  endpoint: McpEndpoint,
  exchange: Exchange,
  message: JsonRpc.RpcMessage,
): Effect.Effect<Reply> => {
  if (message._tag === "Answer") {
    return Effect.succeed(errorReply(400, message.id, codes.invalidRequest, "answers have no place in this revision"))
  }
  const params = Fields.parse(message.params)
  const wrong = refusal(exchange.request, message, params)
  if (wrong !== undefined) return Effect.succeed(wrong)
  // Nothing can be said to a server outside a request: whoever wants to give one up hangs up.
  if (message._tag === "Notification") return Effect.succeed(accepted())
  const { id, method } = message
  if (isLegacyOnly(method)) {
    return Effect.succeed(
      errorReply(404, id, codes.methodNotFound, `Method not found: ${method}`, { supported, requested: method }),
    )
  }
  const envelope = Envelope.read(params?.object("_meta"))
  if (typeof envelope === "string") return Effect.succeed(errorReply(400, id, codes.invalidParams, envelope))
  const { sealer } = endpoint.state.runtime
  const caller: Caller = {
    principal: principalOf(exchange, sealer),
    session: undefined,
    revision: latest,
    capabilities: envelope.capabilities,
    clientInfo: envelope.clientInfo,
    exchange,
  }
  if (envelope.logLevel !== undefined && !isLogLevel(envelope.logLevel)) {
    return Effect.succeed(errorReply(400, id, codes.invalidParams, `unknown log level ${envelope.logLevel}`))
  }
  const request: ModernRequest = {
    endpoint,
    id,
    caller,
    method,
    params: params === undefined ? undefined : Envelope.stripped(params),
    progressToken: params?.object("_meta")?.get("progressToken"),
    logLevel: envelope.logLevel,
    whole: message.params,
    mayPass: true,
  }
  switch (method) {
    case "server/discover":
      return discover(request)
    case "subscriptions/listen":
      return serveListen(endpoint, caller, id, request.params)
    case "tools/call":
      return Effect.flatMap(headerProblem(request), (problem) =>
        problem === undefined ? call(request) : Effect.succeed(problem),
      )
    default:
      return call(request)
  }
}

interface ModernRequest {
  readonly endpoint: McpEndpoint
  readonly id: Json
  readonly caller: Caller
  readonly method: string
  readonly params: Fields | undefined
  readonly progressToken: Json | undefined
  readonly logLevel: Call["logLevel"]
  /** The parameters as they came, for another worker that the request may belong to. */
  readonly whole: Json | undefined
  readonly mayPass: boolean
}

const discover = ({ caller, endpoint, id }: ModernRequest): Effect.Effect<Reply> => {
  const { version } = endpoint.state.runtime
  return Effect.match(endpoint.federation.discover(caller), {
    onFailure: (failure) => failed(id, failure),
    onSuccess: ({ capabilities, instructions, isPublic, rest, serverInfo, ttlMillis }) => {
      const info = serverInfo ?? JSON.stringify({ name: "sluice", version })
      const result = Fields.of({
        resultType: '"complete"',
        supportedVersions: JSON.stringify(supported),
        capabilities: Fields.parse(capabilities)?.without("tasks").toJson() ?? "{}",
        instructions: instructions === undefined ? undefined : JSON.stringify(instructions),
        ttlMs: String(Math.max(0, Math.floor(ttlMillis))),
        cacheScope: isPublic ? '"public"' : '"private"',
        _meta: (rest?.object("_meta") ?? Fields.empty).with(Envelope.keys.serverInfo, info).toJson(),
      }).and(rest)
      return jsonReply(200, JsonRpc.encodeResult(id, result.toJson()))
    },
  })
}

const failed = (id: Json, failure: TargetFailure): Reply => {
  const { error, retryAfterSeconds, status } = tellFailure(failure)
  const more = retryAfterSeconds === undefined ? [] : ["retry-after", String(retryAfterSeconds)]
  return jsonReply(status, JsonRpc.encodeError(id, error), more)
}

/** Arguments that are mirrored in headers have to be the same there. */
const headerProblem = ({ caller, endpoint, id, params }: ModernRequest): Effect.Effect<Reply | undefined> => {
  const name = params?.string("name")
  if (name === undefined) return Effect.succeed(undefined)
  const { headers } = caller.exchange.request
  const mirrors = headers.flat.some((one, i) => i % 2 === 0 && one.startsWith("mcp-param-"))
  return Effect.map(endpoint.federation.paramHeaders(name, caller, mirrors), (known) => {
    const wrong = mismatch(known ?? [], params?.object("arguments"), (one) => headers.get(one))
    return wrong === undefined ? undefined : errorReply(400, id, codes.headerMismatch, wrong)
  })
}

const paramHeadersIn = ({ headers }: Exchange["request"]): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let i = 0; i < headers.flat.length; i += 2) {
    const name = headers.flat[i] as string
    if (name.startsWith("mcp-param-")) found.push(name, headers.flat[i + 1] as string)
  }
  return found
}

/** Everything a retry has to repeat, in one order whatever order it came in. */
const digestOf = ({ endpoint, method, params }: ModernRequest): string => {
  const rest = params?.without("_meta", "inputResponses", "requestState").toJson() ?? "{}"
  return endpoint.state.runtime.sealer.digest(`${endpoint.key} ${method} ${JSON.stringify(sorted(JSON.parse(rest)))}`)
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  )
}

const ofTasks: ReadonlySet<string> = new Set(["tasks/get", "tasks/update", "tasks/cancel"])

const call = (request: ModernRequest): Effect.Effect<Reply> => {
  const { endpoint, method, params } = request
  const name = ofTasks.has(method) && request.mayPass ? params?.string("taskId") : undefined
  if (name !== undefined && endpoint.state.runtime.siblings !== undefined) return aboutTask(request, name)
  const state = params?.string("requestState")
  if (state !== undefined && methods.get(method)?.asks === true) {
    const opened = endpoint.state.runtime.sealer.open(state, purpose)
    // What we did not write is for the server to judge.
    if (opened !== undefined) return resumed(request, JSON.parse(opened) as ParkedState)
    if (state.startsWith(endpoint.state.runtime.sealer.mark)) {
      return Effect.succeed(errorReply(200, request.id, codes.invalidParams, "this request state is not ours"))
    }
  }
  return started(request)
}

/** The questions of a task wait with one worker: that it was begun by, or whichever took it up since. */
const aboutTask = (request: ModernRequest, name: string): Effect.Effect<Reply> => {
  const { caller, endpoint, id, method, whole } = request
  const { state } = endpoint
  const here = Effect.suspend(() => call({ ...request, mayPass: false }))
  const owner = taskWorker(name, state.runtime.sealer)
  if (owner === undefined || owner === state.runtime.worker || state.hasTask(name)) return here
  const { exchange } = caller
  const body = JsonRpc.encodeRequest(id, method, whole)
  const pass = (worker: string): Effect.Effect<Reply | "Gone" | undefined> =>
    passTo(endpoint, worker, exchange, exchange.request, body, { _tag: "Task", name })
  const found = Effect.flatMap(pass(owner), (reply) =>
    reply === undefined || reply === "Gone" ? fromHome(state, "task", name, pass) : Effect.succeed(reply),
  )
  return Effect.flatMap(found, (reply) => {
    if (reply !== undefined) return Effect.succeed(reply)
    state.enterTask(name, { endpoint, exchange: lasting(exchange) })
    return here
  })
}

/** Ties what comes of a call to the reply of one request. */
const listening = (
  request: ModernRequest,
  left: () => void,
): { readonly delivery: HttpDelivery; readonly listener: Listener } => {
  const { endpoint, id, logLevel, progressToken } = request
  const { clock } = endpoint.state.runtime
  const forms = formsOf(request.caller.exchange.request.headers.get("accept"))
  const delivery = new HttpDelivery(clock, forms, (): Channel => plainChannel(clock, left))
  return {
    delivery,
    listener: { delivery, progressToken, logLevel, finish: (ended) => deliver(request, delivery, ended, id) },
  }
}

const deliver = (request: ModernRequest, delivery: HttpDelivery, ended: Ended, id: Json): void => {
  const { caller, method, params } = request
  switch (ended._tag) {
    case "Asked":
      return delivery.finish(JsonRpc.encodeResult(id, ended.result), 200)
    case "Failure": {
      const { error, retryAfterSeconds, status } = tellFailure(ended.failure)
      noteError(caller.exchange, error)
      const more = retryAfterSeconds === undefined ? [] : ["retry-after", String(retryAfterSeconds)]
      return delivery.finish(JsonRpc.encodeError(id, error), status, more)
    }
    case "Outcome": {
      const { outcome } = ended
      if (outcome._tag === "Error") {
        const error = errorToModern(method, outcome.error, params?.string("uri"))
        noteError(caller.exchange, error)
        return delivery.finish(JsonRpc.encodeError(id, error), statusOf(error))
      }
      const result = outcome.era === "legacy" ? resultToModern(method, outcome.result) : outcome.result
      if (outcome.isTied === true) {
        const begun = Fields.parse(result)?.string("taskId")
        const { endpoint } = request
        if (begun !== undefined) endpoint.state.enterTask(begun, { endpoint, exchange: lasting(caller.exchange) })
      }
      const encoded = outcome.encoded === undefined ? undefined : bodyOf(id, outcome.encoded)
      return delivery.finish(JsonRpc.encodeResult(id, result), 200, [], encoded)
    }
  }
}

const encoder = new TextEncoder()

/** The answer with a result that was encoded before. */
const bodyOf = (id: Json, { after, before, bytes }: Encoded): Body.Body =>
  Body.pieces([encoder.encode(`{"jsonrpc":"2.0","id":${id},"result":${before}`), bytes, encoder.encode(`${after}}`)])

export const noteError = (exchange: Exchange, error: Json): void => {
  const mcp = exchange.notes?.mcp
  if (mcp === undefined) return
  mcp["error"] = { code: JsonRpc.codeOf(error), message: Fields.parse(error)?.string("message") ?? "" }
}

const started = (request: ModernRequest): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    const { caller, endpoint, logLevel, method, params, progressToken } = request
    const { federation, state } = endpoint
    const asks = methods.get(method)?.asks === true
    const { delivery, listener } = listening(request, () => parked.left())
    const parked = new ParkedCall(
      { endpoint, exchange: caller.exchange },
      caller.principal,
      asks ? () => digestOf(request) : undefined,
      listener,
      !federation.isPlain,
    )
    const sent: Call = {
      caller,
      method,
      params,
      wantsProgress: progressToken !== undefined,
      logLevel,
      paramHeaders: method === "tools/call" ? paramHeadersIn(caller.exchange.request) : [],
      events: asks ? parked : withoutAsks(parked),
    }
    const fiber = state.runtime.run(asks ? elsewhere(sent, parked, federation.call) : federation.call(sent))
    parked.fiber = fiber
    fiber.addObserver((exit) => parked.finish(endedBy(exit)))
    return Effect.onInterrupt(delivery.reply, () => Effect.sync(() => parked.left()))
  })

/** A list or a completion cannot ask anything. */
const withoutAsks = ({ log, notify, progress }: ParkedCall): CallEvents => ({ log, notify, progress, ask: silent.ask })

const internal = JsonRpc.errorOf(codes.internal, "internal error")

export const endedBy = (exit: Exit.Exit<Outcome, TargetFailure>): Ended => {
  if (Exit.isSuccess(exit)) return { _tag: "Outcome", outcome: exit.value }
  const failure = Cause.findErrorOption(exit.cause)
  return failure._tag === "Some"
    ? { _tag: "Failure", failure: failure.value }
    : { _tag: "Outcome", outcome: { _tag: "Error", error: internal, era: "modern" } }
}

/** To a client that cannot be sent anywhere. */
const unsendable: Outcome = {
  _tag: "Error",
  error: JsonRpc.errorOf(codes.missingCapability, "something is to be done elsewhere first", {
    requiredCapabilities: required("elicitation/create", '{"mode":"url"}'),
  }),
  era: "modern",
}

/** 2025-11-25 lets a server refuse until a person has been somewhere; to such a client that is a question like any other. */
const elsewhere = (
  sent: Call,
  parked: ParkedCall,
  run: (call: Call) => Effect.Effect<Outcome, TargetFailure>,
  round = 0,
): Effect.Effect<Outcome, TargetFailure> =>
  Effect.flatMap(run(sent), (outcome) => {
    if (outcome._tag === "Result" || round >= limits.roundsMax) return Effect.succeed(outcome)
    if (outcome.era !== "legacy" || JsonRpc.codeOf(outcome.error) !== codes.urlElicitationRequired) {
      return Effect.succeed(outcome)
    }
    const entries = itemsOf(Fields.parse(outcome.error)?.object("data")?.get("elicitations")) ?? []
    if (entries.length === 0) return Effect.succeed(outcome)
    if (!capabilitiesOf(sent.caller.capabilities).elicitationUrl) return Effect.succeed(unsendable)
    return Effect.flatMap(
      Effect.forEach(
        entries,
        (entry) => {
          const params = (Fields.parse(entry) ?? Fields.empty).with("mode", '"url"').toJson()
          return parked.ask({ method: "elicitation/create", params, target: "" })
        },
        { concurrency: "unbounded" },
      ),
      (answers) => {
        const agreed = answers.every(
          (answer) => answer._tag === "Result" && Fields.parse(answer.result)?.string("action") === "accept",
        )
        return agreed
          ? Effect.andThen(
              parked.completion,
              Effect.suspend(() => elsewhere(sent, parked, run, round + 1)),
            )
          : Effect.succeed(outcome)
      },
    )
  })

const expired = "The interaction has expired, and what it had begun was given up. Call again to start over."

/** The client is back with answers. */
const resumed = (request: ModernRequest, sealed: ParkedState): Effect.Effect<Reply> =>
  Effect.suspend(() => {
    const { caller, endpoint, id, method, params } = request
    const { parked, runtime } = endpoint.state
    const refuse = (why: string): Effect.Effect<Reply> => Effect.succeed(errorReply(200, id, codes.invalidParams, why))
    if (sealed.principal !== caller.principal) return refuse("this request state belongs to somebody else")
    if (sealed.digest !== digestOf(request)) return refuse("a retry repeats the request it belongs to")
    const known = parked.get(sealed.call)
    if (known === undefined && sealed.worker !== runtime.worker && request.mayPass) {
      const body = JsonRpc.encodeRequest(id, method, request.whole)
      const { exchange } = caller
      return Effect.flatMap(
        passOn(endpoint, sealed.worker, exchange, exchange.request, body, { _tag: "Call", name: sealed.call }),
        (reply) => (reply === undefined ? resumed({ ...request, mayPass: false }, sealed) : Effect.succeed(reply)),
      )
    }
    if (known !== undefined && known.round !== sealed.round) return refuse("this request state has been used already")
    if (known === undefined) {
      // Reading does no harm a second time; calling a tool may.
      if (method !== "tools/call") {
        return started({ ...request, params: params?.without("inputResponses", "requestState") })
      }
      if (sealed.worker !== runtime.worker || runtime.clock.wallMillis() > sealed.expires) {
        return Effect.succeed(jsonReply(200, JsonRpc.encodeResult(id, expiredResult)))
      }
      return refuse("this request state has been used already")
    }
    const { delivery, listener } = listening(request, () => known.left())
    known.resume(params?.object("inputResponses") ?? Fields.empty, listener)
    return Effect.onInterrupt(delivery.reply, () => Effect.sync(() => known.left()))
  })

const expiredResult: Json = JSON.stringify({
  resultType: "complete",
  content: [{ type: "text", text: expired }],
  isError: true,
})
