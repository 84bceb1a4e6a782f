/**
 * Between clients and an agent that may speak differently. Who speaks as the agent does is passed through; for everybody
 * else the question is read, put to the agent in its own way, and the answer told in the client's, streams included.
 */
import * as Effect from "effect/Effect"
import { type Answer, failed, result } from "../../../protocols/a2a/Answer.ts"
import { fault } from "../../../protocols/a2a/Fault.ts"
import { fieldsOf, isFields } from "../../../protocols/a2a/Fields.ts"
import { type Binding, type Call, type Dialed, operations } from "../../../protocols/a2a/operation.ts"
import { readVersion, versionHeader } from "../../../protocols/a2a/version.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Attempting, Try } from "../Target.ts"
import { chooseLine } from "./Agent.ts"
import type { BridgePorts } from "./bridge/BridgePorts.ts"
import { serveCard, withCard } from "./bridge/cards.ts"
import { listing } from "./bridge/listing.ts"
import { passes, passOn } from "./bridge/passOn.ts"
import { earOf, hear, put } from "./bridge/put.ts"
import { streamed } from "./bridge/streaming.ts"
import { answered, refused, stop } from "./bridge/tell.ts"
import type { Heard, Turn } from "./bridge/Turn.ts"
import { firstConfig, spelledOut } from "./bridge/unnamedConfig.ts"
import type { Conversation } from "./Conversation.ts"
import { isStopped, type Stopped, tellReply } from "./guard.ts"
import { hold } from "./hold.ts"
import { concernsPush, type Errand, type Prepared } from "./push/Desk.ts"
import { ask, type Calling, versionOf, voiceOf } from "./question.ts"
import type { Ear } from "./Speech.ts"

export const bridge = (ports: BridgePorts): Attempting => {
  const { agent, clock, desk, guard, inner, ownerOf, owners, replicas, run, seal } = ports

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
      if (line !== undefined && passes(ports, conversation, request, asked, line)) {
        return passOn(attempt, conversation, seen, line)
      }
      return Effect.flatMap(ask(seen, version, request, clock, exchange.deadlineMillis), ({ call: read, voice }) => {
        if (read._tag === "Unreadable") {
          return Effect.succeed(refused(conversation, voice, conversation.operation, read.fault))
        }
        const call = read.value
        const chosen = chooseLine(lines, asked, call.operation)
        if (chosen === undefined) {
          return Effect.succeed(refused(conversation, voice, call.operation, fault("UnsupportedOperation")))
        }
        conversation.asked = call.params
        return admit({ attempt, conversation, seen, voice, line: chosen, call })
      })
    })
  }

  /** Goes on unless somebody who looks at what is said objects. */
  const admit = (turn: Turn): Effect.Effect<Reply, Refusal> => {
    if (guard === undefined) return translate(turn)
    const { attempt, call, conversation, voice } = turn
    if (guard.guardsReplies && wantsNotices(call)) {
      // What agents write to clients by another way would get past whoever looks at their answers.
      return Effect.succeed(refused(conversation, voice, call.operation, fault("PushNotificationNotSupported")))
    }
    const passed = isSent(call) ? guard.request(attempt, conversation, call) : Effect.succeed(call)
    return Effect.flatMap(passed, (one) =>
      isStopped(one)
        ? Effect.succeed(stop(turn, one))
        : Effect.map(translate({ ...turn, call: one }), (reply) => tellReply(reply, conversation)),
    )
  }

  const translate = (turn: Turn): Effect.Effect<Reply, Refusal> => {
    const prepared = prepare(turn)
    if (prepared === undefined) {
      const several = turn.call.operation === "ListTasks" ? replicas() : []
      return several.length > 1 && turn.attempt.preferred === undefined
        ? listing(turn, several, judged)
        : putToAgent(turn, Effect.succeed)
    }
    return Effect.flatMap(prepared, (one) =>
      "answer" in one
        ? Effect.succeed(answered(turn, { answer: one.answer, headers: new Headers([]) }))
        : putToAgent({ ...turn, call: one.call }, one.settle),
    )
  }

  /** What is arranged for the client's notifications before the agent is asked; once, however often it is asked. */
  const prepare = ({ attempt, call, conversation, line, voice }: Turn): Effect.Effect<Prepared> | undefined => {
    if (desk === undefined || !concernsPush(call)) return undefined
    if (conversation.errand !== undefined) return Effect.succeed(conversation.errand)
    const asker = {
      owner: ownerOf(attempt.exchange),
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

  const putToAgent = (turn: Turn, settle: Errand["settle"]): Effect.Effect<Reply, Refusal> => {
    const { attempt, call, conversation, line, voice } = turn
    return Effect.flatMap(earOf(line), (ear) => {
      const asked = spelledOut(call, line)
      const worded = ear.put(asked)
      if ("fault" in worded) {
        return Effect.map(settle(failed(worded.fault)), () =>
          refused(conversation, voice, call.operation, worded.fault),
        )
      }
      return Effect.flatMap(put(attempt, line, ear, asked, worded.put), (reply) =>
        operations[call.operation].streams && ear.isStream(reply.headers)
          ? streamed(ports, turn, ear, reply, settle)
          : whole(turn, ear, asked, reply, settle),
      )
    })
  }

  /** An answer in one piece. */
  const whole = (
    turn: Turn,
    ear: Ear,
    asked: Call,
    reply: Reply,
    settle: Errand["settle"],
  ): Effect.Effect<Reply, Refusal> =>
    Effect.flatMap(hear(ear, asked.operation, reply), (heard) => {
      const own = asked === turn.call ? heard : firstConfig(heard)
      return Effect.flatMap(settle(own.answer), (settled) =>
        Effect.flatMap(judged(turn, { ...own, answer: settled }), (answer) =>
          isStopped(answer)
            ? Effect.succeed(stop(turn, answer))
            : Effect.map(withCard(ports, turn, { ...own, answer }), (shown) => answered(turn, shown)),
        ),
      )
    })

  const judged = (turn: Turn, { answer, headers }: Heard): Effect.Effect<Answer | Stopped> =>
    Effect.flatMap(ownIn(turn, answer), (own) =>
      guard?.guardsReplies === true ? guard.answer(turn.attempt, turn.conversation, own, headers) : Effect.succeed(own),
    )

  /** Of a list only what is the client's. */
  const ownIn = ({ attempt, conversation }: Turn, answer: Answer): Effect.Effect<Answer> =>
    owners === undefined || conversation.operation !== "ListTasks" || answer._tag === "Fault"
      ? Effect.succeed(answer)
      : Effect.map(owners.shown(attempt, conversation, fieldsOf(answer.result)), result)

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
        return serveCard(ports, attempt, seen.base)
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

const bindingOf = (seen: Calling): Binding =>
  seen._tag === "Rpc" ? "JSONRPC" : seen._tag === "Rest" ? "HTTP+JSON" : "GRPC"
