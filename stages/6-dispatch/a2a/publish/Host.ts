/** An agent that the gateway plays: what it answers, in JSON-RPC of 1.0; the bridge in front of it speaks everything else. */
import * as Effect from "effect/Effect"
import { type Answer, failed, result } from "../../../../protocols/a2a/Answer.ts"
import * as jsonRpc from "../../../../protocols/a2a/binding/jsonRpc.ts"
import { isTerminal } from "../../../../protocols/a2a/dialect/words.ts"
import { type Fault, fault } from "../../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, isFields, listOf, parse, textOf } from "../../../../protocols/a2a/Fields.ts"
import { type Call, operations } from "../../../../protocols/a2a/operation.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { fromBase64Url, toBase64Url } from "../../../../protocols/base64url.ts"
import * as Body from "../../../Body.ts"
import type { Exchange, Reply, Request, Routed } from "../../../Exchange.ts"
import type { KeptTask, TasksFailure } from "../../../ports/Tasks.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Attempting } from "../../Target.ts"
import { ask } from "../question.ts"
import { jsonRpcVoice } from "../voices.ts"
import { isSettled, type Job } from "./Job.ts"
import type { Found, Jobs } from "./Jobs.ts"
import type { Work } from "./Work.ts"

/** Earlier tasks of a conversation that are looked at. */
const EARLIER_MAX = 20
/** What a client may leave unread of a stream. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024
const PAGE_SIZE = 50

export interface HostParts {
  readonly name: string
  readonly jobs: Jobs
  readonly work: Work
  readonly ownerOf: (exchange: Exchange) => string
  readonly secret: () => string
  /** The name of what a client registered, by the address that the agent was told; undefined: none of ours. */
  readonly registrationOf: ((url: string) => string | undefined) | undefined
}

type Answered = Effect.Effect<Reply, Refusal>

const json = (id: jsonRpc.Id, { operation }: Call, answer: Answer): Reply => {
  const { bytes, headers, status } = jsonRpcVoice("1.0", id).whole(operation, answer)
  return { status, headers: new Headers([...headers]), body: Body.bytes(bytes), origin: "upstream" }
}

const trimmed = (task: Fields, historyLength: unknown): Fields => {
  if (typeof historyLength !== "number" || historyLength < 0) return task
  const { history, ...rest } = task
  const kept = historyLength === 0 ? [] : listOf(history).slice(-historyLength)
  return kept.length === 0 ? rest : { ...rest, history: kept }
}

const taskIn = (kept: KeptTask): Fields => fieldsOf(parse(kept.task)?.value)

const unavailable: Fault = fault("Unavailable", "tasks cannot be looked up now")

export class Host {
  private readonly parts: HostParts

  constructor(parts: HostParts) {
    this.parts = parts
  }

  card(exchange: Routed, request: Request): Effect.Effect<Fields, string> {
    return this.parts.work.card(exchange, request)
  }

  readonly attempt: Attempting = (attempt) => {
    const { exchange, request } = attempt
    const asked = ask({ _tag: "Rpc" }, "1.0", request, this.parts.jobs.clock, exchange.deadlineMillis)
    return Effect.flatMap(asked, ({ call, id }): Answered => {
      if (call._tag === "Unreadable") {
        return Effect.succeed(json(id, { operation: "SendMessage", params: {} }, failed(call.fault)))
      }
      return Effect.catch(this.answer(call.value, id, exchange, request), (failure) =>
        failure._tag === "TasksFailure"
          ? Effect.as(
              Effect.logWarning(`Tasks of an agent cannot be looked up now: ${failure.message}`),
              json(id, call.value, failed(unavailable)),
            )
          : Effect.fail(failure),
      )
    })
  }

  private answer(
    call: Call,
    id: jsonRpc.Id,
    exchange: Routed,
    request: Request,
  ): Effect.Effect<Reply, Refusal | TasksFailure> {
    const { jobs, ownerOf } = this.parts
    const owner = ownerOf(exchange)
    const { operation, params } = call
    const say = (answer: Answer): Reply => json(id, call, answer)
    const refuse = (one: Fault): Effect.Effect<Reply> => Effect.succeed(say(failed(one)))
    const found = (
      taskId: unknown,
      go: (found: Found) => Effect.Effect<Reply, Refusal | TasksFailure>,
    ): Effect.Effect<Reply, Refusal | TasksFailure> =>
      Effect.flatMap(jobs.find(this.parts.name, owner, textOf(taskId) ?? ""), (one) =>
        one === undefined ? refuse(fault("TaskNotFound")) : go(one),
      )
    switch (operation) {
      case "SendMessage":
      case "SendStreamingMessage":
        return this.send(call, id, owner, exchange, request)
      case "GetTask":
        return found(params["id"], ({ kept }) =>
          Effect.succeed(say(result(trimmed(taskIn(kept), params["historyLength"])))),
        )
      case "ListTasks":
        return this.list(call, id, owner)
      case "CancelTask":
        return found(params["id"], (one) =>
          Effect.map(jobs.cancel(one), (kept) =>
            say(kept?.state === "TASK_STATE_CANCELED" ? result(taskIn(kept)) : failed(fault("TaskNotCancelable"))),
          ),
        )
      case "SubscribeToTask":
        return found(params["id"], (one) =>
          isTerminal(one.kept.state)
            ? refuse(fault("UnsupportedOperation", "the task is over"))
            : Effect.succeed(this.stream(call, id, one)),
        )
      case "CreateTaskPushNotificationConfig": {
        const registration = this.parts.registrationOf?.(textOf(params["url"]) ?? "")
        if (registration === undefined) return refuse(fault("PushNotificationNotSupported"))
        return found(params["taskId"], (one) =>
          Effect.as(
            jobs.receivers(one, (push) => [...push.filter((each) => each !== registration), registration]),
            say(result(params)),
          ),
        )
      }
      case "DeleteTaskPushNotificationConfig":
        if (this.parts.registrationOf === undefined) return refuse(fault("PushNotificationNotSupported"))
        return found(params["taskId"], (one) =>
          Effect.as(
            jobs.receivers(one, (push) => push.filter((each) => each !== params["id"])),
            say(result(null)),
          ),
        )
      // What is kept is kept by the gateway, which answers for it before the agent is asked.
      case "GetTaskPushNotificationConfig":
        return this.parts.registrationOf === undefined
          ? refuse(fault("PushNotificationNotSupported"))
          : refuse(fault("TaskNotFound", "the task has no such receiver of notifications"))
      case "ListTaskPushNotificationConfigs":
        return this.parts.registrationOf === undefined
          ? refuse(fault("PushNotificationNotSupported"))
          : found(params["taskId"], () => Effect.succeed(say(result({ configs: [] }))))
      case "GetExtendedAgentCard":
        return refuse(fault("ExtendedAgentCardNotConfigured"))
    }
  }

  private send(
    call: Call,
    id: jsonRpc.Id,
    owner: string,
    exchange: Routed,
    request: Request,
  ): Effect.Effect<Reply, Refusal | TasksFailure> {
    const { jobs, name, secret, work } = this.parts
    const message = fieldsOf(call.params["message"])
    const refuse = (one: Fault): Effect.Effect<Reply> => Effect.succeed(json(id, call, failed(one)))
    const problem = work.refuses(message)
    if (problem !== undefined) return refuse(fault("ContentTypeNotSupported", problem))
    const configuration = fieldsOf(call.params["configuration"])
    const wanted = configuration["taskPushNotificationConfig"]
    const url = isFields(wanted) ? textOf(wanted["url"]) : undefined
    const registration = url === undefined ? undefined : this.parts.registrationOf?.(url)
    if (url !== undefined && registration === undefined) return refuse(fault("PushNotificationNotSupported"))
    const push = registration === undefined ? [] : [registration]
    if (!jobs.mayBegin(owner)) {
      return refuse(fault("RateLimited", "too many tasks of this caller are worked on already"))
    }
    const taskId = textOf(message["taskId"])
    const started = (job: Job): Effect.Effect<Reply, Refusal | TasksFailure> => {
      const { contextId } = job.identity
      const { more } = job
      const skill = textOf(fieldsOf(call.params["metadata"])["skill"]) ?? textOf(fieldsOf(message["metadata"])["skill"])
      const run = jobs.start(
        job,
        (doing) =>
          Effect.flatMap(jobs.earlier(name, owner, contextId, EARLIER_MAX), (earlier) =>
            work.run({ message, skill, earlier, more: more.work, exchange, request }, doing),
          ),
        secret,
      )
      const found: Found = { kept: job.kept, job }
      if (operations[call.operation].streams) {
        // Listens before the work begins, so that nothing is missed.
        const reply = this.stream(call, id, found)
        return Effect.as(run, reply)
      }
      const isWaitedFor = configuration["returnImmediately"] !== true
      return Effect.flatMap(run, () =>
        Effect.map(isWaitedFor ? jobs.settled(found) : Effect.succeed(job.kept), (kept) =>
          json(id, call, result({ task: trimmed(taskIn(kept), configuration["historyLength"]) })),
        ),
      )
    }
    if (taskId === undefined) {
      const contextId = textOf(message["contextId"]) ?? secret()
      return started(jobs.begin({ id: secret(), agent: name, owner, contextId }, message, push))
    }
    return Effect.flatMap(jobs.find(name, owner, taskId), (found) => {
      if (found === undefined) return refuse(fault("TaskNotFound"))
      const { kept } = found
      const contextId = textOf(message["contextId"])
      if (contextId !== undefined && contextId !== kept.contextId) {
        return refuse(fault("InvalidParams", "`message.contextId` is not that of the task"))
      }
      if (isTerminal(kept.state)) return refuse(fault("UnsupportedOperation", "the task is over"))
      if (!isSettled(kept.state)) return refuse(fault("UnsupportedOperation", "the task is being worked on"))
      return Effect.flatMap(jobs.resume(found, message), (job) => {
        if (job === undefined) return refuse(fault("UnsupportedOperation", "the task is being worked on"))
        if (push.length > 0) job.more = { ...job.more, push: [...job.more.push, ...push] }
        return started(job)
      })
    })
  }

  private list(call: Call, id: jsonRpc.Id, owner: string): Effect.Effect<Reply, TasksFailure> {
    const { contextId, historyLength, includeArtifacts, pageSize, pageToken, status, statusTimestampAfter } =
      call.params
    const limit =
      typeof pageSize === "number" && Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= 100
        ? pageSize
        : PAGE_SIZE
    const token = textOf(pageToken)
    const offset = token === undefined ? 0 : Number(fromBase64Url(token) ?? Number.NaN)
    if (!Number.isInteger(offset) || offset < 0) {
      return Effect.succeed(json(id, call, failed(fault("InvalidParams", "`pageToken` is none of ours"))))
    }
    const since = Date.parse(textOf(statusTimestampAfter) ?? "")
    const state = textOf(status)
    const query = {
      agent: this.parts.name,
      owner,
      contextId: textOf(contextId),
      state: state === "TASK_STATE_UNSPECIFIED" ? undefined : state,
      sinceMillis: Number.isNaN(since) ? undefined : since,
      limit,
      offset,
    }
    return Effect.map(this.parts.jobs.list(query), ({ tasks, total }) => {
      const next = offset + tasks.length
      return json(
        id,
        call,
        result({
          tasks: tasks.map((one) => {
            const { artifacts, ...task } = trimmed(taskIn(one), historyLength ?? 0)
            return includeArtifacts === true && artifacts !== undefined ? { ...task, artifacts } : task
          }),
          nextPageToken: next < total ? toBase64Url(String(next)) : "",
          pageSize: limit,
          totalSize: total,
        }),
      )
    })
  }

  /** The task as it is, and what happens to it until it waits for somebody. A client that leaves changes nothing. */
  private stream(call: Call, id: jsonRpc.Id, { job, kept }: Found): Reply {
    const { jobs } = this.parts
    const voice = jsonRpcVoice("1.0", id)
    const out = new Body.HeldFlow(undefined)
    let unlisten = (): void => {}
    let unread = 0
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      unlisten()
      out.end(undefined)
    }
    const say = (event: Fields): void => {
      if (isOver) return
      const bytes = voice.event(call.operation, result(event))
      if (bytes === undefined) return
      unread += bytes.byteLength
      if (out.write(bytes)) unread = 0
      if (unread > UNREAD_BYTES_MAX) {
        isOver = true
        unlisten()
        out.fail(Body.flowFailure("stalled", "the client does not read"))
      }
    }
    say({ task: taskIn(kept) })
    if (isSettled(kept.state)) end()
    else if (job !== undefined) {
      unlisten = job.listen((event) => {
        say(event)
        if (job.isDone) end()
      })
    } else {
      // Somebody else works on it: only where it stands can be seen.
      const fiber = jobs.watch({ kept, job: undefined }, (now) => {
        const task = taskIn(now)
        say({ task })
        if (!isSettled(now.state)) return
        say({ statusUpdate: { taskId: now.id, contextId: now.contextId, status: task["status"] } })
        end()
      })
      unlisten = () => fiber.interruptUnsafe()
    }
    out.source = {
      resume: () => {
        unread = 0
      },
      cancel: () => {
        isOver = true
        unlisten()
      },
    }
    return { status: 200, headers: new Headers([...voice.streamHeaders]), body: out, origin: "upstream" }
  }
}
