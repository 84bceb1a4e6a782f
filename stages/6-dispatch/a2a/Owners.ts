/**
 * Whose a task is: of whoever began it, as far as policies have proved who that was. For everybody else it does not exist,
 * unless the configuration says that they may know of it.
 */
import * as Effect from "effect/Effect"
import type { Expression as Source } from "../../../ir/Expression.ts"
import type { A2a } from "../../../ir/policy/A2a.ts"
import { failed } from "../../../protocols/a2a/Answer.ts"
import { fault } from "../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, listOf, parse, textOf } from "../../../protocols/a2a/Fields.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { whole as bodyOf } from "../../5-policy/buffer.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import { answer, pass, type Verdict } from "../../5-policy/Step.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Exchange } from "../../Exchange.ts"
import type { Identity } from "../../Identity.ts"
import { principalOf } from "../mcp/callers.ts"
import type { DispatchPorts } from "../ports.ts"
import type { Try } from "../Target.ts"
import type { Conversation } from "./Conversation.ts"
import { voiceOf } from "./question.ts"
import type { Whereabouts } from "./Whereabouts.ts"

interface Owner {
  /** Tells callers apart. */
  readonly principal: string
  /** As rules know it. */
  readonly name: string
}

/** How many tasks of a list are looked up at once. */
const LOOKED_UP_AT_ONCE_MAX = 16
/** More tasks than any message refers to. */
const REFERENCES_MAX = 64

/** Where owners cannot be asked for, a task that is not known here is somebody's, and nobody is that. */
const nobodys = JSON.stringify(["\0", ""])

const nameOf = ({ apiKey, basicAuth, jwt }: Identity): string =>
  textOf(jwt?.["sub"]) ?? basicAuth?.username ?? textOf(fieldsOf(apiKey?.metadata)["name"]) ?? apiKey?.id ?? ""

const read = (place: string | undefined): Owner | undefined => {
  if (place === undefined) return undefined
  const [principal, name] = listOf(parse(place)?.value)
  return typeof principal === "string" && typeof name === "string" ? { principal, name } : undefined
}

export interface OwnersParts {
  /** The agent whose tasks they are. */
  readonly name: string
  readonly whereabouts: Whereabouts
  /** When true, a task of somebody else exists as well; absent: never. */
  readonly foreign: Source | undefined
}

export class Owners {
  private readonly whereabouts: Whereabouts
  private readonly group: string
  private readonly digest: (text: string) => string
  private readonly mayKnow: (attempt: Try) => boolean

  constructor({ foreign, name, whereabouts }: OwnersParts, ports: PolicyPorts, digest: (text: string) => string) {
    this.whereabouts = whereabouts
    this.group = `owner of ${name}`
    this.digest = digest
    const expressions = expressionsOf(ports)
    const compiled = foreign === undefined ? undefined : expressions.compile(foreign, "backend", "condition")
    this.mayKnow =
      compiled === undefined ? () => false : (attempt) => compiled.holds(Facts.of(expressions.around, attempt)) === true
  }

  private ownerIn(exchange: Exchange): Owner | undefined {
    const { identity } = exchange
    return identity === undefined
      ? undefined
      : { principal: principalOf(exchange, { digest: this.digest }), name: nameOf(identity) }
  }

  private known(taskId: string | undefined, contextId: string | undefined): Effect.Effect<Owner | undefined> {
    const { group, whereabouts } = this
    if (taskId === undefined && contextId === undefined) return Effect.succeed(undefined)
    const here = whereabouts.of(group, taskId, contextId)
    const seeking = here === undefined ? whereabouts.seek(group, taskId, contextId, nobodys) : undefined
    return seeking === undefined ? Effect.succeed(read(here)) : Effect.map(seeking, read)
  }

  /** What a question is about has to be the caller's own; what it begins becomes that. */
  look(attempt: Try, conversation: Conversation): Effect.Effect<Verdict> {
    const { exchange } = attempt
    const own = this.ownerIn(exchange)
    const { contextId, isMessage, taskId } = conversation
    if (own !== undefined && isMessage) {
      const place = JSON.stringify([own.principal, own.name])
      conversation.follow((begunTask, begunContext) => {
        // What had an owner before keeps it, whoever was allowed to go on with it.
        const task = taskId === undefined ? begunTask : undefined
        const context = contextId === undefined && taskId === undefined ? begunContext : undefined
        return task === undefined && context === undefined
          ? undefined
          : this.whereabouts.note(this.group, place, task, context)
      })
    }
    const references = listOf(conversation.message?.["referenceTaskIds"]).slice(0, REFERENCES_MAX)
    const subjects = [
      [taskId, undefined] as const,
      [undefined, contextId] as const,
      ...references.map((id) => [textOf(id), undefined] as const),
    ].filter(([task, context]) => task !== undefined || context !== undefined)
    if (subjects.length === 0) return pass
    return Effect.flatMap(
      Effect.forEach(subjects, ([task, context]) => this.known(task, context), { concurrency: LOOKED_UP_AT_ONCE_MAX }),
      (owners) => {
        conversation.taskOwner = owners.find((owner) => owner !== undefined)?.name
        const isForeign = owners.some((owner) => owner !== undefined && owner.principal !== own?.principal)
        return !isForeign || this.mayKnow(attempt) ? pass : unknown(conversation)
      },
    )
  }

  /** A list without the tasks that do not exist for the caller. */
  shown(attempt: Try, conversation: Conversation, list: Fields): Effect.Effect<Fields> {
    const own = this.ownerIn(attempt.exchange)
    const tasks = listOf(list["tasks"])
    const idOf = (task: unknown): string | undefined => textOf(fieldsOf(task)["id"])
    const sees = (owner: Owner | undefined): boolean => {
      if (owner === undefined || owner.principal === own?.principal) return true
      const before = conversation.taskOwner
      conversation.taskOwner = owner.name
      const may = this.mayKnow(attempt)
      conversation.taskOwner = before
      return may
    }
    const ids = tasks.flatMap((task) => idOf(task) ?? [])
    return Effect.map(this.whereabouts.tasks(this.group, ids, nobodys), (places) => {
      const kept = tasks.filter((task) => sees(read(places.get(idOf(task) ?? ""))))
      if (kept.length === tasks.length) return list
      const { totalSize } = list
      const hidden = tasks.length - kept.length
      return {
        ...list,
        tasks: kept,
        ...(typeof totalSize === "number" ? { totalSize: Math.max(kept.length, totalSize - hidden) } : {}),
      }
    })
  }
}

/** As if nobody had ever begun it. */
const unknown = (conversation: Conversation): Effect.Effect<Verdict> => {
  const { operation, seen, version } = conversation
  if (seen._tag !== "Rpc" && seen._tag !== "Rest" && seen._tag !== "Grpc") return pass
  return Effect.flatMap(voiceOf(seen, version ?? "1.0", conversation.id), (voice) => {
    const { bytes, headers, status, trailers } = voice.whole(operation ?? "GetTask", failed(fault("TaskNotFound")))
    conversation.known = { errorCode: -32001 }
    return answer({
      status,
      headers: new Headers([...headers]),
      body: bodyOf({
        _tag: "Whole",
        bytes,
        trailers: trailers === undefined ? undefined : new Headers([...trailers]),
      }),
      origin: "gateway",
    })
  })
}

/** Undefined where nothing is remembered of agents. */
export const ownersOf = (
  { agents }: Pick<DispatchPorts, "agents">,
  ports: PolicyPorts,
  { foreignTasks }: A2a,
  name: string,
): Owners | undefined => {
  const { gate } = ports
  return agents === undefined || gate === undefined
    ? undefined
    : new Owners({ name, whereabouts: agents.whereabouts, foreign: foreignTasks }, ports, (text) =>
        gate.cryptography.sha256(text),
      )
}
