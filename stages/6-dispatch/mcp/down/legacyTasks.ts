/** Tasks as a client of 2025-11-25 asks for them and after them, whatever kind of tasks its servers have. */
import * as Effect from "effect/Effect"
import { resultToLegacy } from "../../../../protocols/mcp/convert.ts"
import { keys, withMeta } from "../../../../protocols/mcp/envelope.ts"
import { arrayOf, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { declaringTasks, isTerminal, taskToLegacy } from "../../../../protocols/mcp/tasks.ts"
import { covers, isNobody, powersOf } from "../callers.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { followTask } from "../federation/followTask.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import { limits } from "../limits.ts"
import type { Begun, Owner, TaskIndex } from "../TaskIndex.ts"
import type { Call, Outcome, TargetFailure } from "../target/McpTarget.ts"
import type { Delivery } from "./Delivery.ts"
import type { DownSession } from "./DownSession.ts"

const revision = "2025-11-25"

const own: ReadonlySet<string> = new Set(["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"])

/** Whether the request is about tasks, in a revision that has them. */
export const isAboutTasks = (session: DownSession, method: string): boolean =>
  own.has(method) && session.identity.revision === revision

/** Whether the request is about tasks in a way that its revision does not have. */
export const isForeignToTasks = (session: DownSession, method: string): boolean =>
  own.has(method) && session.identity.revision !== revision

const result = (text: Json): Outcome => ({ _tag: "Result", result: text, era: "legacy" })
const failed = (message: string): Outcome => ({
  _tag: "Error",
  error: errorOf(codes.invalidParams, message),
  era: "legacy",
})

/** A tool that failed has failed here, while in the extension only errors of the protocol are failures. */
const inOldWords = (task: Fields): Fields =>
  task.string("status") === "completed" && task.object("result")?.get("isError") === "true"
    ? taskToLegacy(task.with("status", '"failed"'))
    : taskToLegacy(task)

/** The session is over. */
export const leaveTasks = (endpoint: McpEndpoint, session: DownSession): Effect.Effect<void> =>
  session.hasTasks ? endpoint.state.tasks.leave(ownerOf(endpoint, session)) : Effect.void

const ownerOf = (endpoint: McpEndpoint, { exchange, identity: { principal, uid } }: DownSession): Owner => ({
  key: endpoint.key,
  principal,
  session: uid,
  isNobody: isNobody(exchange),
})

/** A call that its client wants to be a task, and what came of it. */
export const asTask = (
  endpoint: McpEndpoint,
  session: DownSession,
  { caller: { exchange }, params }: Call,
  outcome: Outcome,
): Effect.Effect<Outcome> => {
  if (outcome._tag === "Error") return Effect.succeed(outcome)
  const { runtime, tasks } = endpoint.state
  const fields = Fields.parse(outcome.result) ?? Fields.empty
  const owner = ownerOf(endpoint, session)
  session.hasTasks = true
  const begun = (task: Fields): Outcome => result(Fields.of({ task: task.toJson() }).toJson())
  if (fields.string("resultType") === "task") {
    const task = taskToLegacy(fields)
    const ttl = Number(task.get("ttl"))
    const entry = { id: fields.string("taskId") ?? "", task: task.toJson() }
    return Effect.as(tasks.enter(owner, entry, ttl > 0 ? ttl : undefined), begun(task))
  }
  // The server was done at once: a task that has ended when it is first heard of.
  const now = JSON.stringify(new Date(runtime.clock.wallMillis()).toISOString())
  const id = tasks.freshId()
  const task = Fields.of({
    taskId: JSON.stringify(id),
    status: fields.get("isError") === "true" ? '"failed"' : '"completed"',
    createdAt: now,
    lastUpdatedAt: now,
    ttl: String(keptMillis),
  })
  const of = { tool: params?.string("name") ?? "", scopes: [...powersOf(exchange).scopes] }
  const kept = { id, result: inOwnWords(outcome), of, task: task.toJson() }
  return Effect.as(tasks.enter(owner, kept, keptMillis), begun(task))
}

const keptMillis = 5 * 60_000

/** The result of a call, in words of the only revision that gets here. */
const inOwnWords = ({ era, result: text }: Extract<Outcome, { readonly _tag: "Result" }>): Json =>
  (era === "modern" ? resultToLegacy("tools/call", text, revision) : text) ?? "{}"

export const serveTask = (
  endpoint: McpEndpoint,
  session: DownSession,
  call: Call,
  delivery: Delivery,
): Effect.Effect<Outcome, TargetFailure> => {
  const { federation, state } = endpoint
  const { caller, method, params } = call
  const capabilities = declaringTasks(capabilitiesOf(caller.capabilities).fields).toJson()
  const { tasks } = state
  const owner = ownerOf(endpoint, session)
  const about = (name: string, more: Fields): Effect.Effect<Outcome, TargetFailure> =>
    federation.call({ ...call, caller: { ...caller, capabilities }, method: name, params: more, wantsProgress: false })
  const isShown = ({ id, of, result }: Begun): Effect.Effect<boolean> =>
    result === undefined
      ? Effect.succeed(federation.showsTask(id, caller))
      : of === undefined
        ? Effect.succeed(true)
        : covers(powersOf(caller.exchange), of.scopes)
          ? federation.shows("tool", of.tool, caller)
          : Effect.succeed(false)
  /** What the gateway alone has, for whoever may have it. */
  const held = (taskId: string): Effect.Effect<Begun | undefined> =>
    Effect.flatMap(tasks.get(owner, taskId), (known) =>
      known?.result === undefined
        ? Effect.succeed(known)
        : Effect.map(isShown(known), (isOpen) => (isOpen ? known : undefined)),
    )
  const looked = (taskId: string): Effect.Effect<Outcome, TargetFailure> =>
    Effect.flatMap(held(taskId), (known) =>
      known?.result !== undefined
        ? Effect.succeed(result(known.task))
        : Effect.flatMap(
            about("tasks/get", Fields.of({ taskId: JSON.stringify(taskId) })),
            (outcome): Effect.Effect<Outcome> => {
              if (outcome._tag === "Result") {
                return Effect.succeed(result(inOldWords(Fields.parse(outcome.result) ?? Fields.empty).toJson()))
              }
              // What its server does not know any more is listed no longer.
              const isGone = codeOf(outcome.error) === codes.invalidParams && federation.showsTask(taskId, caller)
              return Effect.as(isGone ? tasks.forget(owner, taskId) : Effect.void, outcome)
            },
          ),
    )
  if (method === "tasks/list") {
    // Everything is on the first page.
    return params?.has("cursor") === true
      ? Effect.succeed(failed("no such cursor"))
      : Effect.flatMap(tasks.of(owner), (begun) => listed(begun, { looked, owner, tasks, isShown }))
  }
  const id = params?.string("taskId")
  if (id === undefined) return Effect.succeed(failed("`taskId` is missing"))
  switch (method) {
    case "tasks/get":
      return looked(id)
    case "tasks/cancel":
      return Effect.flatMap(looked(id), (found) => {
        if (found._tag === "Error") return Effect.succeed(found)
        const status = Fields.parse(found.result)?.string("status")
        return isTerminal(status)
          ? Effect.succeed(failed(`the task has ended already: ${status}`))
          : Effect.flatMap(about("tasks/cancel", Fields.of({ taskId: JSON.stringify(id) })), (outcome) =>
              outcome._tag === "Error" ? Effect.succeed(outcome) : looked(id),
            )
      })
    default: {
      const related = { [keys.relatedTask]: JSON.stringify({ taskId: id }) }
      const followed = Effect.flatMap(held(id), (known) =>
        known?.result === undefined
          ? followTask(
              {
                runtime: state.runtime,
                target: federation.only?.name ?? "the server",
                call: about,
                ask: (ask) => session.ask(delivery, ask, related),
              },
              id,
              undefined,
            )
          : Effect.succeed(result(known.result)),
      )
      return Effect.map(followed, (outcome): Outcome => {
        if (outcome._tag === "Error") return outcome
        return result(withMeta(Fields.parse(inOwnWords(outcome)) ?? Fields.empty, related).toJson())
      })
    }
  }
}

/** A task as it is now; one of a server that does not answer as it was seen last, and one that nobody knows any more not. */
const shown = (begun: Begun, looking: Looking): Effect.Effect<Json | undefined> =>
  Effect.flatMap(looking.isShown(begun), (isOpen) => (isOpen ? asItIs(begun, looking) : Effect.succeed(undefined)))

const asItIs = (begun: Begun, { looked, owner, tasks }: Looking): Effect.Effect<Json | undefined> => {
  if (begun.result !== undefined) return Effect.succeed(begun.task)
  if (isTerminal(Fields.parse(begun.task)?.string("status"))) return Effect.succeed(begun.task)
  const now = Effect.timeoutOrElse(Effect.result(looked(begun.id)), {
    duration: limits.listMillis,
    orElse: () => Effect.succeed(undefined),
  })
  return Effect.flatMap(now, (found) => {
    if (found === undefined || found._tag === "Failure") return Effect.succeed(begun.task)
    const outcome = found.success
    if (outcome._tag === "Result") {
      return outcome.result === begun.task
        ? Effect.succeed(outcome.result)
        : Effect.as(tasks.moved(owner, { ...begun, task: outcome.result }), outcome.result)
    }
    return Effect.succeed(codeOf(outcome.error) === codes.invalidParams ? undefined : begun.task)
  })
}

interface Looking {
  readonly isShown: (begun: Begun) => Effect.Effect<boolean>
  readonly looked: (id: string) => Effect.Effect<Outcome, TargetFailure>
  readonly owner: Owner
  readonly tasks: TaskIndex
}

const listed = (begun: ReadonlyArray<Begun>, looking: Looking): Effect.Effect<Outcome> =>
  Effect.map(
    Effect.forEach(begun, (one) => shown(one, looking), { concurrency: 8 }),
    (found) => result(Fields.of({ tasks: arrayOf(found.filter((one) => one !== undefined)) }).toJson()),
  )
