/** Who speaks as the agent does is passed through, unless something has to be looked into. */
import * as Effect from "effect/Effect"
import { readRequest } from "../../../../protocols/a2a/binding/jsonRpc.ts"
import * as rest from "../../../../protocols/a2a/binding/rest.ts"
import { fieldsOf } from "../../../../protocols/a2a/Fields.ts"
import { type Dialed, operations, type Version } from "../../../../protocols/a2a/operation.ts"
import { versionHeader } from "../../../../protocols/a2a/version.ts"
import type { Reply, Request } from "../../../Exchange.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Try } from "../../Target.ts"
import type { Line } from "../Agent.ts"
import type { Conversation } from "../Conversation.ts"
import { concernsPush } from "../push/Desk.ts"
import { type Calling, wrongType } from "../question.ts"
import { watch } from "../watch.ts"
import type { BridgePorts } from "./BridgePorts.ts"

export const passes = (
  { desk, guard, owners, replicas, run }: BridgePorts,
  conversation: Conversation,
  request: Request,
  asked: Dialed,
  line: Line,
): boolean =>
  isSame(line.dialed, asked) &&
  line.place.tenant === undefined &&
  conversation.operation !== "GetExtendedAgentCard" &&
  !isProse(conversation, asked.version) &&
  !isMisframed(conversation, request) &&
  guard === undefined &&
  !(run !== undefined && mayBreak(conversation)) &&
  !(conversation.operation === "ListTasks" && (owners !== undefined || replicas().length > 1)) &&
  !(desk !== undefined && mayConcernPush(conversation, request))

export const passOn = (
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

const isSame = (a: Dialed, b: Dialed): boolean => a.binding === b.binding && a.version === b.version

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
