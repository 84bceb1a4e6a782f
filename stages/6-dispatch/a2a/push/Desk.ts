/**
 * What clients say to an agent about notifications. Where they want to be told is the gateway's to know: the agent is
 * given the gateway's own address instead, and what is asked of it later is answered from what was kept.
 */
import * as Effect from "effect/Effect"
import { type Answer, failed, result } from "../../../../protocols/a2a/Answer.ts"
import { type Fault, fault } from "../../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, isFields, listOf, present, textOf } from "../../../../protocols/a2a/Fields.ts"
import type { Call, Operation, Version } from "../../../../protocols/a2a/operation.ts"
import {
  type Kept,
  type PostboxFailure,
  type Registration,
  REGISTRATIONS_PER_TASK_MAX,
} from "../../../ports/Postbox.ts"
import { destinationOf } from "./destination.ts"
import { type Push, pushPath } from "./Push.ts"

/** A call as it goes to the agent, and what is made of what comes back. */
export interface Errand {
  readonly call: Call
  /** The answer as the client gets it. */
  readonly settle: (answer: Answer) => Effect.Effect<Answer>
  /** The agent has begun a task; undefined where nothing hangs on it. */
  readonly begun: ((taskId: string) => Effect.Effect<void>) | undefined
}

export type Prepared = Errand | { readonly answer: Answer }

export interface Asker {
  readonly owner: string
  readonly version: Version
  /** How the agent is spoken to. */
  readonly agentVersion: Version
}

const operations: ReadonlySet<Operation> = new Set<Operation>([
  "CreateTaskPushNotificationConfig",
  "GetTaskPushNotificationConfig",
  "ListTaskPushNotificationConfigs",
  "DeleteTaskPushNotificationConfig",
])

/** Whether a call has to be looked at here. */
export const concernsPush = ({ operation, params }: Call): boolean =>
  operations.has(operation) || isFields(fieldsOf(params["configuration"])["taskPushNotificationConfig"])

const answered = (answer: Answer): Effect.Effect<Prepared> => Effect.succeed({ answer })
const refused = (one: Fault): Effect.Effect<Prepared> => answered(failed(one))
const invalid = (message: string): Effect.Effect<Prepared> => refused(fault("InvalidParams", message))

const unavailable = ({ message }: PostboxFailure): Effect.Effect<Answer> =>
  Effect.as(
    Effect.logWarning(`Notifications cannot be arranged now: ${message}`),
    failed(fault("Unavailable", "notifications cannot be arranged now")),
  )

/** What is not written down now would be missing when the client asks about it. */
const BIND_TRIES_MAX = 4
const RETRY_MILLIS = 100
const again = <A>(
  effect: Effect.Effect<A, PostboxFailure>,
  tries: number = BIND_TRIES_MAX,
): Effect.Effect<A, PostboxFailure> =>
  tries <= 1 ? effect : Effect.catch(effect, () => Effect.delay(again(effect, tries - 1), RETRY_MILLIS))

const asIs = (call: Call): Effect.Effect<Prepared> =>
  Effect.succeed({ call, settle: (answer) => Effect.succeed(answer), begun: undefined })

/** What the client said, without what names the task. */
const configIn = (wanted: Fields): Fields => {
  const { id: _, taskId: __, tenant: ___, ...config } = wanted
  return config
}

/** As the client knows it. */
const shown = ({ config, configId, taskId }: Registration): Fields => present({ taskId, id: configId, ...config })

const taskOf = (value: unknown): string | undefined => {
  const { artifactUpdate, statusUpdate, task } = fieldsOf(value)
  return (
    textOf(fieldsOf(task)["id"]) ??
    textOf(fieldsOf(statusUpdate)["taskId"]) ??
    textOf(fieldsOf(artifactUpdate)["taskId"])
  )
}

export class Desk {
  private readonly push: Push
  private readonly agent: string

  constructor(push: Push, agent: string) {
    this.push = push
    this.agent = agent
  }

  prepare(call: Call, asker: Asker): Effect.Effect<Prepared> {
    const prepared = this.prepared(call, asker)
    return Effect.catch(prepared, (failure) => Effect.map(unavailable(failure), (answer) => ({ answer })))
  }

  private prepared(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    switch (call.operation) {
      case "SendMessage":
      case "SendStreamingMessage":
        return this.inline(call, asker)
      case "CreateTaskPushNotificationConfig":
        return this.create(call, asker)
      case "GetTaskPushNotificationConfig":
        return this.get(call, asker)
      case "ListTaskPushNotificationConfigs":
        return this.list(call, asker)
      case "DeleteTaskPushNotificationConfig":
        return this.delete(call, asker)
      default:
        return asIs(call)
    }
  }

  /** What the agent is told in place of what the client said. */
  private toAgent({ id, taskId, token }: Registration): Fields {
    return present({
      taskId,
      id,
      url: this.push.callbackOf(id),
      token,
      authentication: { scheme: "Bearer", credentials: token },
    })
  }

  private keep(wanted: Fields, taskId: string | undefined, asker: Asker): Effect.Effect<Kept | Fault, PostboxFailure> {
    const { clock, cryptography, postbox, settings } = this.push.ports
    const url = textOf(wanted["url"])
    const problem = url === undefined ? "`url` is missing" : destinationOf(url, settings.allowedHosts)
    if (typeof problem === "string") return Effect.succeed(fault("InvalidParams", `push notifications: ${problem}`))
    const id = cryptography.random(18)
    const registration: Registration = {
      id,
      agent: this.agent,
      owner: asker.owner,
      taskId,
      configId: textOf(wanted["id"]) ?? id,
      version: asker.version,
      agentVersion: asker.agentVersion,
      token: cryptography.random(32),
      config: configIn(wanted),
    }
    return Effect.map(postbox.keep(registration, clock.wallMillis()), (kept) =>
      kept === "full"
        ? fault("InvalidParams", `a task has at most ${REGISTRATIONS_PER_TASK_MAX} receivers of notifications`)
        : kept,
    )
  }

  /** The agent did not want it, so it is as it was before. */
  private undo({ before, registration }: Kept): Effect.Effect<unknown, PostboxFailure> {
    const { clock, postbox } = this.push.ports
    return before === undefined ? postbox.remove(registration.id) : postbox.keep(before, clock.wallMillis())
  }

  private inline(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    const { postbox } = this.push.ports
    const configuration = fieldsOf(call.params["configuration"])
    const wanted = configuration["taskPushNotificationConfig"]
    if (!isFields(wanted)) return asIs(call)
    const taskId = textOf(fieldsOf(call.params["message"])["taskId"])
    return Effect.map(this.keep(wanted, taskId, asker), (kept): Prepared => {
      if (!("registration" in kept)) return { answer: failed(kept) }
      const { registration } = kept
      const changed = { ...configuration, taskPushNotificationConfig: this.toAgent(registration) }
      const begun = (taskId: string): Effect.Effect<void> =>
        registration.taskId === undefined ? this.quietly(again(postbox.bind(registration.id, taskId))) : Effect.void
      return {
        call: { ...call, params: { ...call.params, configuration: changed } },
        begun,
        settle: (answer) => {
          const task = answer._tag === "Result" ? taskOf(answer.result) : undefined
          if (task !== undefined) return Effect.as(begun(task), answer)
          const isKept = answer._tag === "Result" && registration.taskId !== undefined
          return isKept ? Effect.succeed(answer) : Effect.as(this.quietly(this.undo(kept)), answer)
        },
      }
    })
  }

  private create(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    const taskId = textOf(call.params["taskId"])
    if (taskId === undefined) return invalid("`taskId` is missing")
    return Effect.map(this.keep(call.params, taskId, asker), (kept): Prepared => {
      if (!("registration" in kept)) return { answer: failed(kept) }
      const { registration } = kept
      return {
        call: { ...call, params: this.toAgent(registration) },
        begun: undefined,
        settle: (answer) =>
          answer._tag === "Result"
            ? Effect.succeed(result(shown(registration)))
            : Effect.as(this.quietly(this.undo(kept)), answer),
      }
    })
  }

  private own({ params }: Call, { owner }: Asker): Effect.Effect<ReadonlyArray<Registration>, PostboxFailure> {
    const taskId = textOf(params["taskId"])
    return taskId === undefined ? Effect.succeed([]) : this.push.ports.postbox.list(this.agent, owner, taskId)
  }

  private get(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    const id = textOf(call.params["id"])
    return Effect.flatMap(this.own(call, asker), (own) => {
      const found = id === undefined ? own[0] : own.find(({ configId }) => configId === id)
      if (found !== undefined) return answered(result(shown(found)))
      return Effect.succeed<Prepared>({
        call,
        begun: undefined,
        settle: (answer) =>
          Effect.succeed(
            answer._tag === "Result" && this.isOurs(answer.result)
              ? failed(fault("TaskNotFound", "the task has no such receiver of notifications"))
              : answer,
          ),
      })
    })
  }

  /** Once something is kept here, nothing of the task is known elsewhere. */
  private list(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    return Effect.flatMap(this.own(call, asker), (own) => {
      if (own.length > 0) return answered(result({ configs: own.map(shown) }))
      return Effect.succeed<Prepared>({
        call,
        begun: undefined,
        settle: (answer) => {
          if (answer._tag === "Fault") return Effect.succeed(answer)
          const said = fieldsOf(answer.result)
          const configs = listOf(said["configs"]).filter((config) => !this.isOurs(config))
          return Effect.succeed(result({ ...said, configs }))
        },
      })
    })
  }

  private delete(call: Call, asker: Asker): Effect.Effect<Prepared, PostboxFailure> {
    const id = textOf(call.params["id"])
    return Effect.flatMap(this.own(call, asker), (own) => {
      const found = own.find(({ configId }) => configId === id)
      if (found === undefined) return asIs(call)
      // From now on nothing is sent any more, whatever the agent says to it.
      return Effect.as(this.push.ports.postbox.remove(found.id), {
        call: { ...call, params: { ...call.params, id: found.id } },
        begun: undefined,
        settle: () => Effect.succeed(result(null)),
      })
    })
  }

  /** What the agent knows of other clients' is theirs. */
  private isOurs(config: unknown): boolean {
    return textOf(fieldsOf(config)["url"])?.startsWith(`${this.push.callback}${pushPath}`) ?? false
  }

  private quietly(effect: Effect.Effect<unknown, PostboxFailure>): Effect.Effect<void> {
    return Effect.asVoid(Effect.catch(effect, unavailable))
  }
}
