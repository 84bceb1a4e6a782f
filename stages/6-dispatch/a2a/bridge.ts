/**
 * Between clients and an agent that may speak differently. Who speaks as the agent does is passed through; for everybody
 * else the question is read, put to the agent in its own way, and the answer told in the client's, streams included.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { readRequest } from "../../../protocols/a2a/binding/jsonRpc.ts"
import * as rest from "../../../protocols/a2a/binding/rest.ts"
import { type Answer, failed, result } from "../../../protocols/a2a/Answer.ts"
import { toLegacyCard } from "../../../protocols/a2a/card/legacy.ts"
import { hybrid, type Offer, offered } from "../../../protocols/a2a/card/offer.ts"
import { keysPath } from "../../../protocols/a2a/detect.ts"
import { type Fault, fault, faults } from "../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, isFields, listOf, present, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Cursor, cursorsOf, merged, PAGE_SIZE } from "../../../protocols/a2a/listing.ts"
import {
  type Binding,
  type Call,
  type Dialed,
  type Operation,
  operations,
  type Version,
} from "../../../protocols/a2a/operation.ts"
import { extensionsHeader, legacyExtensionsHeader, readVersion, versionHeader } from "../../../protocols/a2a/version.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { whole as bodyOf } from "../../5-policy/buffer.ts"
import * as Body from "../../Body.ts"
import type { Exchange, Reply, Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import { brokenOff, type Refusal } from "../../Refusal.ts"
import { type Attempting, Try } from "../Target.ts"
import { chooseLine, type Line } from "./Agent.ts"
import type { Conversation } from "./Conversation.ts"
import { grpcEar, jsonRpcEar, MESSAGE_BYTES_MAX, restEar } from "./ears.ts"
import { dressed, inside, insideEvents, isStopped, type MessageGuard, type Stopped, tellReply } from "./guard.ts"
import { hold } from "./hold.ts"
import { relocationOf } from "./outside.ts"
import type { Owners } from "./Owners.ts"
import { concernsPush, type Desk, type Errand, type Prepared } from "./push/Desk.ts"
import type { CardLock } from "./lock/CardLock.ts"
import type { Seal } from "./Seal.ts"
import { ask, type Calling, grpcCodec, versionOf, voiceOf, wrongType } from "./question.ts"
import type { Ear, Piece, Put, Voice } from "./Speech.ts"
import { type Begun, interpret, type Resumption, type Run, type Streaming } from "./stream.ts"
import { conditional } from "./validators.ts"
import { watch } from "./watch.ts"

/** What is known of an agent: its card as 1.0 has it, and how it is spoken to. */
export interface Spoken {
  readonly card: (deadlineMillis: number, attempt: Try) => Effect.Effect<Fields, Refusal>
  readonly linesFor: (deadlineMillis: number, attempt: Try) => Effect.Effect<ReadonlyArray<Line>, Refusal>
}

export interface BridgePorts {
  /** The endpoints of an agent that has several; each knows its own tasks only. */
  readonly replicas: () => ReadonlyArray<Replica>
  /** Absent: what clients say of notifications is passed on as it is. */
  readonly desk: Desk | undefined
  /** Runs what nobody waits for; absent: streams that break are over. */
  readonly run: Run | undefined
  /** Tells clients apart. */
  readonly ownerOf: (exchange: Exchange) => string
  readonly clock: Clock
  readonly agent: Spoken
  /** What the card offers; undefined: what a client can reach at the address it asked. */
  readonly offers: ReadonlyArray<Binding> | undefined
  /** Undefined: cards are believed as they are, and not signed. */
  readonly seal: Seal | undefined
  /** Absent: nobody looks at what is said. */
  readonly guard: MessageGuard | undefined
  /** Absent: lists are shown as agents make them. */
  readonly owners: Owners | undefined
  readonly lock?: CardLock | undefined
  /** To the backend, for what is not A2A. */
  readonly inner: Attempting
}

/** Fields that belong to one hop or one wording, and are said anew on the other side. */
const ofOneSide: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "te",
  "trailer",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "expect",
  "if-none-match",
  "if-modified-since",
  "range",
  versionHeader,
  extensionsHeader,
  legacyExtensionsHeader,
])

const extensionsField = ({ binding, version }: Dialed): string =>
  version === "0.3" && binding !== "GRPC" ? legacyExtensionsHeader : extensionsHeader

const extensionsIn = (headers: Headers): string | undefined =>
  headers.get(extensionsHeader) ?? headers.get(legacyExtensionsHeader)

const requestFor = (from: Request, ear: Ear, put: Put): Request => {
  const request = from.copy()
  const flat: Array<string> = []
  for (const [name, value] of from.headers) if (!ofOneSide.has(name)) flat.push(name, value)
  flat.push(...put.headers, versionHeader, ear.dialed.version)
  const extensions = extensionsIn(from.headers)
  if (extensions !== undefined) flat.push(extensionsField(ear.dialed), extensions)
  request.method = put.method
  request.path = put.path
  request.query = put.query
  request.version = ear.dialed.binding === "GRPC" ? "2" : "1.1"
  request.headers = new Headers(flat)
  request.body = put.bytes === undefined ? Body.empty : Body.bytes(put.bytes)
  request.captured = undefined
  return request
}

/** Fields of an agent's answer that say something of its own bytes or wording. */
const ofTheAnswer = (name: string): boolean =>
  ofOneSide.has(name) ||
  name.startsWith("grpc-") ||
  name === "connection" ||
  name === "keep-alive" ||
  name === "cache-control" ||
  name === "x-accel-buffering" ||
  name === "etag" ||
  name === "last-modified" ||
  name === "vary"

const headersFor = (voice: Voice, own: ReadonlyArray<string>, from: Headers | undefined): Headers => {
  const flat = [...own]
  if (from === undefined) return new Headers(flat)
  for (const [name, value] of from) if (!ofTheAnswer(name)) flat.push(name, value)
  const extensions = extensionsIn(from)
  if (extensions !== undefined) flat.push(extensionsField(voice.dialed), extensions)
  return new Headers(flat)
}

const replyOf = (voice: Voice, { bytes, headers, status, trailers }: Piece, from: Headers | undefined): Reply => ({
  status,
  headers: headersFor(voice, headers, from),
  body: bodyOf({
    _tag: "Whole",
    bytes,
    trailers: trailers === undefined ? undefined : new Headers([...trailers]),
  }),
  origin: from === undefined ? "gateway" : "upstream",
})

const earOf = (line: Line): Effect.Effect<Ear> => {
  const { binding, version } = line.dialed
  switch (binding) {
    case "JSONRPC":
      return Effect.succeed(jsonRpcEar(version, line.place))
    case "HTTP+JSON":
      return Effect.succeed(restEar(version, line.place))
    case "GRPC":
      return Effect.map(grpcCodec, (codec) => grpcEar(codec, version, line.place))
  }
}

/** A stream that was over before it could be looked at is in memory already. */
const flowOf = (body: Body.Body): Body.Flow => {
  if (body._tag === "Flow") return body
  const held = new Body.HeldFlow(undefined)
  if (body._tag === "Bytes") held.write(body.bytes)
  held.end(undefined)
  return held
}

const isSame = (a: Dialed, b: Dialed): boolean => a.binding === b.binding && a.version === b.version

/** The path a request has at the agent when it stays as it is. */
const pathAt = (seen: Calling, { place }: Line, path: string): string => {
  switch (seen._tag) {
    case "Grpc":
      return path
    case "Rest":
      return `${place.base}${path.slice(seen.resource.base.length)}`
    case "Rpc":
      return place.base === "" ? "/" : place.base
  }
}

const told =
  (conversation: Conversation) =>
  (answer: Answer): void => {
    conversation.known =
      answer._tag === "Result"
        ? { result: answer.result }
        : { errorCode: answer.fault.code ?? faults[answer.fault.name].code }
    conversation.heard()
  }

/** What one question got for an answer, before the client hears of it. */
interface Heard {
  readonly answer: Answer
  readonly headers: Headers
}

interface Unsubscribed {
  readonly answer: Answer
}

interface Named {
  readonly name: string
  readonly cursor: Cursor
  readonly heard: Heard
}

/** Says that a list is not whole. */
export const partialHeader = "x-sluice-partial"

const tooLarge = failed(fault("InvalidAgentResponse", `the agent's answer is larger than ${MESSAGE_BYTES_MAX} bytes`))

const hear = (ear: Ear, operation: Operation, reply: Reply): Effect.Effect<Heard, Refusal> => {
  const { body, headers, status } = reply
  reply.body = Body.empty
  return Effect.matchEffect(Body.collect(body, MESSAGE_BYTES_MAX), {
    onFailure: (failure): Effect.Effect<Heard, Refusal> => Effect.fail(brokenOff(failure)),
    onSuccess: (collected) => {
      if (collected._tag === "Partial") {
        Body.discard(collected.body)
        return Effect.succeed({ answer: tooLarge, headers })
      }
      const { bytes, trailers } = collected
      return Effect.succeed({ answer: ear.whole(operation, status, headers, bytes, trailers), headers })
    },
  })
}

/** Puts a question, and once more in another way where the first was not understood. */
const put = (attempt: Try, line: Line, ear: Ear, call: Call, first: Put): Effect.Effect<Reply, Refusal> => {
  const from = attempt.request
  const send = (one: Put): Effect.Effect<Reply, Refusal> =>
    Effect.suspend(() => {
      attempt.request = requestFor(from, ear, one)
      return line.reach(attempt)
    })
  return Effect.flatMap(send(first), (reply) => {
    const second = ear.again(call, reply.status, reply.headers)
    if (second === undefined) return Effect.succeed(reply)
    Body.discard(reply.body)
    return send(second)
  })
}

/** 0.3 may leave out which configuration is meant; 1.0 has to be asked for all of them. */
const firstConfig = ({ answer, headers }: Heard): Heard => {
  if (answer._tag === "Fault") return { answer, headers }
  const [first] = listOf(fieldsOf(answer.result)["configs"])
  return {
    headers,
    answer: first === undefined ? failed(fault("TaskNotFound", "the task has no push notifications")) : result(first),
  }
}

const isUnnamedConfig = ({ operation, params }: Call, { dialed }: Line): boolean =>
  operation === "GetTaskPushNotificationConfig" &&
  textOf(params["id"]) === undefined &&
  !(dialed.version === "0.3" && dialed.binding === "JSONRPC")

export interface Replica {
  readonly id: string
  /** By which it is told apart in what clients bring back. */
  readonly name: string
}

/** More replicas than that are not asked for their tasks at once. */
const ASKED_AT_ONCE_MAX = 8

export const bridge = ({
  agent,
  clock,
  desk,
  guard,
  inner,
  offers,
  ownerOf,
  owners,
  replicas,
  run,
  lock,
  seal,
}: BridgePorts): Attempting => {
  const answered = (
    conversation: Conversation,
    voice: Voice,
    operation: Operation,
    { answer, headers }: Heard,
  ): Reply => {
    told(conversation)(answer)
    if (answer._tag === "Result" && operations[operation].streams) {
      const event = voice.event(operation, answer)
      const piece: Piece = { status: 200, headers: voice.streamHeaders, bytes: event ?? new Uint8Array(0) }
      const trailers = voice.trailers(undefined)
      return replyOf(voice, trailers === undefined ? piece : { ...piece, trailers }, headers)
    }
    return replyOf(voice, voice.whole(operation, answer), headers)
  }

  const refused = (conversation: Conversation, voice: Voice, operation: Operation | undefined, one: Fault): Reply => {
    told(conversation)(failed(one))
    return replyOf(voice, voice.whole(operation ?? "SendMessage", failed(one)), undefined)
  }

  const stop = (conversation: Conversation, voice: Voice, operation: Operation, stopped: Stopped): Reply =>
    dressed(refused(conversation, voice, operation, stopped.fault), stopped, voice.dialed.binding === "GRPC")

  const judged = (
    attempt: Try,
    conversation: Conversation,
    answer: Answer,
    headers: Headers,
  ): Effect.Effect<Answer | Stopped> =>
    Effect.flatMap(ownIn(attempt, conversation, answer), (own) =>
      guard?.guardsReplies === true ? guard.answer(attempt, conversation, own, headers) : Effect.succeed(own),
    )

  const ownIn = (attempt: Try, conversation: Conversation, answer: Answer): Effect.Effect<Answer> =>
    owners === undefined || conversation.operation !== "ListTasks" || answer._tag === "Fault"
      ? Effect.succeed(answer)
      : Effect.map(owners.shown(attempt, conversation, fieldsOf(answer.result)), result)

  /** Read, judged in the words of 1.0, and only then told to the client. */
  const guarded = (
    by: MessageGuard,
    attempt: Try,
    conversation: Conversation,
    flow: Body.Flow,
    given: Streaming,
    headers: Headers,
  ): Effect.Effect<Begun> =>
    Effect.flatMap(interpret(flow, { ...given, voice: inside, told: () => {} }), (begun) =>
      begun._tag !== "Stream"
        ? Effect.succeed(begun)
        : Effect.flatMap(by.stream(attempt, conversation, flowOf(begun.body), headers), (guardedFlow) =>
            interpret(guardedFlow, {
              ...given,
              events: insideEvents(given.operation, headers),
              resumption: undefined,
            }),
          ),
    )

  const offerFor = (attempt: Try, base: string): Offer => {
    const { exchange } = attempt
    const { authority, scheme } = relocationOf(exchange, attempt.request.path)
    const prefix = exchange.match.path
    // gRPC calls come by paths of their own, so only an agent at the root of a host can be called that way.
    const isRoot = base === "" && prefix._tag === "Prefix" && prefix.path === "/"
    return {
      scheme,
      authority,
      base,
      bindings: offers ?? (isRoot ? ["JSONRPC", "HTTP+JSON", "GRPC"] : ["JSONRPC", "HTTP+JSON"]),
      versions: ["1.0", "0.3"],
    }
  }

  /** Where the agent is for the client, by a request that is no request for its card. */
  const outsideBase = (attempt: Try, seen: Calling): string => {
    const { path } = attempt.exchange.original ?? attempt.exchange.request
    if (seen._tag === "Grpc") return ""
    const own = seen._tag === "Rest" ? attempt.request.path.slice(seen.resource.base.length) : ""
    const base = own !== "" && path.endsWith(own) ? path.slice(0, -own.length) : path
    return base.endsWith("/") ? base.slice(0, -1) : base
  }

  const signed = (card: Fields, offer: Offer): Effect.Effect<Fields, Refusal> =>
    seal === undefined
      ? Effect.succeed(card)
      : seal.sign(card, `${offer.scheme}://${offer.authority}${offer.base}${keysPath}`)

  /** A card that comes as an answer leads to the gateway as well. */
  const withCard = (heard: Heard, { operation }: Call, offerOf: () => Offer): Effect.Effect<Heard, Refusal> => {
    const { answer } = heard
    if (operation !== "GetExtendedAgentCard" || answer._tag === "Fault" || !isFields(answer.result)) {
      return Effect.succeed(heard)
    }
    const offer = offerOf()
    const said = answer.result
    const believed: Effect.Effect<Fields, Refusal> =
      lock?.extended?.judge(said, said["signatures"]) ?? Effect.succeed(said)
    return Effect.map(
      Effect.flatMap(believed, (card) => signed(offered(card, offer), offer)),
      (card) => ({ ...heard, answer: result(card) }),
    )
  }

  const asking = (
    attempt: Try,
    conversation: Conversation,
    seen: Calling,
    voice: Voice,
    line: Line,
    call: Call,
    settle: Errand["settle"] | undefined,
  ): Effect.Effect<Reply, Refusal> =>
    Effect.flatMap(earOf(line), (ear) => {
      const asked: Call = isUnnamedConfig(call, line)
        ? { operation: "ListTaskPushNotificationConfigs", params: { taskId: call.params["taskId"] } }
        : call
      const worded = ear.put(asked)
      const settled = (answer: Answer): Effect.Effect<Answer> =>
        settle === undefined ? Effect.succeed(answer) : settle(answer)
      if ("fault" in worded) {
        return Effect.map(settled(failed(worded.fault)), () =>
          refused(conversation, voice, call.operation, worded.fault),
        )
      }
      return Effect.flatMap(put(attempt, line, ear, asked, worded.put), (reply) => {
        const { body, headers } = reply
        if (operations[call.operation].streams && ear.isStream(headers)) {
          reply.body = Body.empty
          const events = ear.events(call.operation, headers)
          const given = {
            operation: call.operation,
            events,
            voice,
            clock,
            told: told(conversation),
            broke: (failure: Body.FlowFailure): void => void (attempt.exchange.trail.brokenOff = failure),
            resumption: run === undefined ? undefined : resumptionOf(attempt, line, ear, run),
          }
          const interpreted =
            guard?.guardsReplies === true
              ? guarded(guard, attempt, conversation, flowOf(body), given, headers)
              : interpret(flowOf(body), given)
          return Effect.flatMap(interpreted, (begun): Effect.Effect<Reply, Refusal> => {
            switch (begun._tag) {
              // A refusal and no reply: what the agent may have begun must not be asked for again.
              case "Broken":
                return Effect.fail(brokenOff(begun.failure, "the agent broke off: "))
              case "Refused":
                return Effect.map(settled(failed(begun.fault)), (answer) =>
                  replyOf(voice, voice.whole(call.operation, answer), headers),
                )
              case "Stream":
                return Effect.succeed({
                  status: 200,
                  headers: headersFor(voice, voice.streamHeaders, headers),
                  body: begun.body,
                  origin: "upstream",
                })
            }
          })
        }
        return Effect.flatMap(hear(ear, asked.operation, reply), (heard) => {
          const own = asked === call ? heard : firstConfig(heard)
          return Effect.flatMap(settled(own.answer), (settledAnswer) =>
            Effect.flatMap(judged(attempt, conversation, settledAnswer, headers), (answer) => {
              if (isStopped(answer)) {
                return Effect.succeed(stop(conversation, voice, call.operation, answer))
              }
              const shown = withCard({ ...own, answer }, call, () => offerFor(attempt, outsideBase(attempt, seen)))
              return Effect.map(shown, (heard) =>
                tellReply(answered(conversation, voice, call.operation, heard), conversation),
              )
            }),
          )
        })
      })
    })

  /** What is arranged for the client's notifications before the agent is asked; once, however often it is asked. */
  const prepare = (
    { exchange }: Try,
    conversation: Conversation,
    voice: Voice,
    line: Line,
    call: Call,
  ): Effect.Effect<Prepared> | undefined => {
    if (desk === undefined || !concernsPush(call)) return undefined
    if (conversation.errand !== undefined) return Effect.succeed(conversation.errand)
    const asker = {
      owner: ownerOf(exchange),
      version: voice.dialed.version,
      agentVersion: line.dialed.version,
    }
    return Effect.tap(desk.prepare(call, asker), (prepared) =>
      Effect.sync(() => {
        if ("answer" in prepared) return
        conversation.errand = prepared
        const { begun } = prepared
        if (begun !== undefined) conversation.follow((taskId) => (taskId === undefined ? undefined : begun(taskId)))
      }),
    )
  }

  const resumptionOf = (attempt: Try, line: Line, ear: Ear, run: Run): Resumption => {
    /** To the endpoint that has the task. */
    const again = (call: Call): Effect.Effect<Reply, Refusal | Fault> => {
      const worded = ear.put(call)
      if ("fault" in worded) return Effect.fail(worded.fault)
      const own = new Try(attempt.exchange, attempt.request)
      own.preferred = attempt.member?.id
      return put(own, line, ear, call, worded.put)
    }
    const unavailable = { answer: failed(fault("Unavailable")) }
    return {
      run,
      subscribe: (id) => {
        const call: Call = { operation: "SubscribeToTask", params: { id } }
        return Effect.catch(
          Effect.flatMap(
            again(call),
            (reply): ReturnType<Resumption["subscribe"]> | Effect.Effect<Unsubscribed, Refusal> => {
              const { body, headers } = reply
              if (!ear.isStream(headers)) {
                return Effect.map(hear(ear, "SubscribeToTask", reply), ({ answer }) => ({ answer }))
              }
              reply.body = Body.empty
              return Effect.succeed({ flow: flowOf(body), events: ear.events("SubscribeToTask", headers) })
            },
          ),
          () => Effect.succeed(unavailable),
        )
      },
      get: (id) => {
        const call: Call = { operation: "GetTask", params: { id } }
        return Effect.catch(
          Effect.flatMap(again(call), (reply) => Effect.map(hear(ear, "GetTask", reply), ({ answer }) => answer)),
          () => Effect.succeed(unavailable.answer),
        )
      },
    }
  }

  /** The tasks of all replicas as one list. Whoever does not answer is left out, unless nobody does. */
  const listing = (
    attempt: Try,
    conversation: Conversation,
    voice: Voice,
    line: Line,
    call: Call,
    several: ReadonlyArray<Replica>,
  ): Effect.Effect<Reply, Refusal> => {
    const { pageSize: asked, pageToken } = call.params
    const pageSize = typeof asked === "number" && asked >= 1 && asked <= 100 ? asked : PAGE_SIZE
    const cursors = cursorsOf(
      several.map(({ name }) => name),
      textOf(pageToken),
    )
    if (cursors === undefined) {
      return Effect.succeed(
        refused(conversation, voice, call.operation, fault("InvalidParams", "`pageToken` is none of ours")),
      )
    }
    const askOne = (ear: Ear, { id, name }: Replica, cursor: Cursor): Effect.Effect<Named, Refusal> => {
      const worded = ear.put({
        operation: "ListTasks",
        params: present({ ...call.params, pageSize, pageToken: cursor.token === "" ? undefined : cursor.token }),
      })
      if ("fault" in worded) {
        return Effect.succeed({ name, cursor, heard: { answer: failed(worded.fault), headers: new Headers([]) } })
      }
      const own = new Try(attempt.exchange, attempt.request)
      own.preferred = id
      return Effect.map(
        Effect.flatMap(put(own, line, ear, call, worded.put), (reply) => hear(ear, "ListTasks", reply)),
        (heard) => ({ name, cursor, heard }),
      )
    }
    return Effect.flatMap(earOf(line), (ear) =>
      Effect.flatMap(
        Effect.forEach(
          several.flatMap((replica) => {
            const cursor = cursors.lists.get(replica.name)
            return cursor === undefined ? [] : [{ replica, cursor }]
          }),
          ({ cursor, replica }) => Effect.result(askOne(ear, replica, cursor)),
          { concurrency: ASKED_AT_ONCE_MAX },
        ),
        (results): Effect.Effect<Reply, Refusal> => {
          const heard = results.flatMap((one) => (Result.isSuccess(one) ? [one.success] : []))
          const pages = heard.flatMap(({ cursor, heard: { answer }, name }) =>
            answer._tag === "Result" ? [{ name, cursor, result: fieldsOf(answer.result) }] : [],
          )
          const [first] = heard
          if (pages.length === 0 && first !== undefined) {
            return Effect.succeed(answered(conversation, voice, call.operation, first.heard))
          }
          const [broken] = results.flatMap((one) => (Result.isFailure(one) ? [one.failure] : []))
          if (pages.length === 0 && broken !== undefined) return Effect.fail(broken)
          const all = result(merged(pages, cursors.ended, pageSize))
          const headers = new Headers([])
          return Effect.map(judged(attempt, conversation, all, headers), (answer) => {
            if (isStopped(answer)) return stop(conversation, voice, call.operation, answer)
            const reply = answered(conversation, voice, call.operation, { answer, headers })
            const missing = results.length - pages.length
            if (missing > 0) reply.headers.set(partialHeader, `${missing} of ${results.length} replicas did not answer`)
            return reply
          })
        },
      ),
    )
  }

  const translate = (
    attempt: Try,
    conversation: Conversation,
    seen: Calling,
    voice: Voice,
    line: Line,
    call: Call,
  ): Effect.Effect<Reply, Refusal> => {
    const prepared = prepare(attempt, conversation, voice, line, call)
    if (prepared === undefined) {
      const several = call.operation === "ListTasks" ? replicas() : []
      return several.length > 1 && attempt.preferred === undefined
        ? listing(attempt, conversation, voice, line, call, several)
        : asking(attempt, conversation, seen, voice, line, call, undefined)
    }
    return Effect.flatMap(prepared, (one) =>
      "answer" in one
        ? Effect.succeed(
            answered(conversation, voice, call.operation, { answer: one.answer, headers: new Headers([]) }),
          )
        : asking(attempt, conversation, seen, voice, line, one.call, one.settle),
    )
  }
  const passOn = (
    attempt: Try,
    conversation: Conversation,
    seen: Calling,
    line: Line,
  ): Effect.Effect<Reply, Refusal> => {
    const request = attempt.request.copy()
    request.path = pathAt(seen, line, request.path)
    // Patches count for nothing, and not every agent knows that.
    if (request.headers.get(versionHeader)?.startsWith(`${line.dialed.version}.`) === true) {
      request.headers.set(versionHeader, line.dialed.version)
    }
    attempt.request = request
    return Effect.map(line.reach(attempt), (reply) => {
      watch(reply, conversation)
      return reply
    })
  }

  const call = (attempt: Try, conversation: Conversation, seen: Calling): Effect.Effect<Reply, Refusal> => {
    const { exchange, request } = attempt
    const judged = versionOf(seen, conversation.method, request)
    if ("fault" in judged) {
      // Whoever says a version understands errors in it; an unknown one is newer than 0.3.
      const said = readVersion(request.headers.get(versionHeader))
      const spoken = said._tag === "Known" ? said.version : said._tag === "Unknown" ? "1.0" : conversation.version
      return Effect.map(voiceOf(seen, spoken ?? "1.0", conversation.id), (voice) =>
        refused(conversation, voice, conversation.operation, judged.fault),
      )
    }
    const { version } = judged
    conversation.version = version
    return Effect.flatMap(agent.linesFor(exchange.deadlineMillis, attempt), (lines) => {
      const asked: Dialed = { binding: bindingOf(seen), version }
      const line = chooseLine(lines, asked, conversation.operation)
      const passes =
        line !== undefined &&
        isSame(line.dialed, asked) &&
        line.place.tenant === undefined &&
        conversation.operation !== "GetExtendedAgentCard" &&
        !isProse(conversation, version) &&
        !isMisframed(conversation, request) &&
        guard === undefined &&
        !(run !== undefined && mayBreak(conversation)) &&
        !(conversation.operation === "ListTasks" && (owners !== undefined || replicas().length > 1)) &&
        !(desk !== undefined && mayConcernPush(conversation, request))
      if (passes) return passOn(attempt, conversation, seen, line)
      return Effect.flatMap(ask(seen, version, request, clock, exchange.deadlineMillis), ({ call: read, voice }) => {
        if (read._tag === "Unreadable") {
          return Effect.succeed(refused(conversation, voice, conversation.operation, read.fault))
        }
        const chosen = chooseLine(lines, asked, read.value.operation)
        if (chosen === undefined) {
          return Effect.succeed(refused(conversation, voice, read.value.operation, fault("UnsupportedOperation")))
        }
        conversation.asked = read.value.params
        if (guard === undefined) return translate(attempt, conversation, seen, voice, chosen, read.value)
        if (guard.guardsReplies && wantsNotices(read.value)) {
          // What agents write to clients by another way would get past whoever looks at their answers.
          return Effect.succeed(
            refused(conversation, voice, read.value.operation, fault("PushNotificationNotSupported")),
          )
        }
        const passed = isSent(read.value)
          ? guard.request(attempt, conversation, read.value)
          : Effect.succeed(read.value)
        return Effect.flatMap(passed, (one) =>
          isStopped(one)
            ? Effect.succeed(stop(conversation, voice, read.value.operation, one))
            : translate(attempt, conversation, seen, voice, chosen, one),
        )
      })
    })
  }

  const serveCard = (attempt: Try, base: string): Effect.Effect<Reply, Refusal> => {
    const { exchange, request } = attempt
    const asked = readVersion(request.headers.get(versionHeader))
    const outside = (exchange.original ?? exchange.request).path
    const suffix = request.path.slice(base.length)
    const outer = outside.endsWith(suffix) ? outside.slice(0, -suffix.length) : base
    const offer = offerFor(attempt, outer)
    const card = Effect.flatMap(agent.card(exchange.deadlineMillis, attempt), (known) =>
      signed(offered(guard?.guardsReplies === true ? withoutNotices(known) : known, offer), offer),
    )
    return Effect.map(card, (made) => {
      const shown =
        asked._tag === "Unsaid"
          ? hybrid(made)
          : asked._tag === "Known" && asked.version === "0.3"
            ? toLegacyCard(made)
            : made
      return conditional(request, {
        status: 200,
        headers: new Headers([
          "content-type",
          "application/json",
          "cache-control",
          "max-age=60",
          "vary",
          versionHeader,
        ]),
        body: Body.text(JSON.stringify(shown)),
        origin: "gateway",
      })
    })
  }

  return (attempt) => {
    const conversation = attempt.exchange.notes?.a2a
    if (conversation === undefined) return inner(attempt)
    const { seen } = conversation
    switch (seen._tag) {
      case "Other":
        return guard === undefined || attempt.request.body._tag === "Empty" ? inner(attempt) : unguarded
      case "Keys":
        return seal?.signs === true ? seal.published() : inner(attempt)
      case "Card":
        return serveCard(attempt, seen.base)
      default:
        return Effect.flatMap(call(attempt, conversation, seen), (reply) => hold(reply, conversation, run))
    }
  }
}

const unguarded: Effect.Effect<Reply, Refusal> = Effect.fail({
  _tag: "InvalidRequest",
  detail: "it is no call of an agent, and nothing else can be guarded here",
})

const isSent = ({ operation }: Call): boolean => operation === "SendMessage" || operation === "SendStreamingMessage"

const wantsNotices = ({ operation, params }: Call): boolean =>
  operation === "CreateTaskPushNotificationConfig" ||
  isFields(fieldsOf(params["configuration"])["taskPushNotificationConfig"])

const withoutNotices = (card: Fields): Fields => ({
  ...card,
  capabilities: { ...fieldsOf(card["capabilities"]), pushNotifications: false },
})

/** Streams are read as they pass, so that one that breaks can be taken up again. */
const mayBreak = ({ operation }: Conversation): boolean => operation !== undefined && operations[operation].streams

/** A body too long to have been looked into may say anything. */
const mayConcernPush = (conversation: Conversation, { body, captured }: Request): boolean => {
  const { operation } = conversation
  if (operation === undefined) return false
  if (operation === "SendMessage" || operation === "SendStreamingMessage") {
    return conversation.wishesPush || (body._tag !== "Empty" && captured?.bytes === undefined)
  }
  return concernsPush({ operation, params: {} })
}

/** What is no JSON, or no JSON-RPC at all, is answered here, since agents disagree about the words for it. */
const isMisframed = ({ seen, value }: Conversation, request: Request): boolean =>
  seen._tag !== "Grpc" && request.body._tag !== "Empty" && wrongType(request) !== undefined
    ? true
    : seen._tag === "Rpc" && request.captured?.bytes !== undefined && readRequest(value)._tag === "Unreadable"

/** The shape that the text of 0.3 shows for HTTP bodies, and that the agents of 0.3 do not take. */
const isProse = ({ seen, value }: Conversation, version: Version): boolean =>
  seen._tag === "Rest" && version === "0.3" && rest.isProseBody(seen.resource.operation, fieldsOf(value))

const bindingOf = (seen: Calling): Binding =>
  seen._tag === "Rpc" ? "JSONRPC" : seen._tag === "Rest" ? "HTTP+JSON" : "GRPC"
