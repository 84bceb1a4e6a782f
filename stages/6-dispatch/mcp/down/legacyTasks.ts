/** Tasks as a client of 2025-11-25 asks for them and after them, whatever kind of tasks its servers have. */
import * as Effect from "effect/Effect"
import { resultToLegacy } from "../../../../protocols/mcp/convert.ts"
import { keys, withMeta } from "../../../../protocols/mcp/envelope.ts"
import { arrayOf, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { declaringTasks, isTerminal, taskToLegacy } from "../../../../protocols/mcp/tasks.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { followTask } from "../federation/followTask.ts"
import type { McpEndpoint } from "../McpEndpoint.ts"
import type { Begun } from "../TaskIndex.ts"
import type { Call, Outcome, TargetFailure } from "../target/McpTarget.ts"
import type { Delivery } from "./Delivery.ts"
import type { DownSession } from "./DownSession.ts"

const revision = "2025-11-25"

const own: ReadonlySet<string> = new Set(["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"])

/** Whether the request is about tasks, in a revision that has them. */
export const isAboutTasks = (session: DownSession, method: string): boolean =>
  own.has(method) && session.identity.revision === revision

const ofExtension = "tasks/update"

/** Whether the request is about tasks in a way that its revision does not have. */
export const isForeignToTasks = (session: DownSession, method: string): boolean =>
  method === ofExtension || (own.has(method) && session.identity.revision !== revision)

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

/** A call that its client wants to be a task, and what came of it. */
export const asTask = (endpoint: McpEndpoint, session: DownSession, outcome: Outcome): Outcome => {
  if (outcome._tag === "Error") return outcome
  const { clock, sealer } = endpoint.state.runtime
  const fields = Fields.parse(outcome.result) ?? Fields.empty
  const { tasks } = endpoint.state
  const place = { key: endpoint.key, principal: session.principal }
  if (fields.string("resultType") === "task") {
    const task = taskToLegacy(fields)
    const ttl = Number(task.get("ttl"))
    tasks.enter(place, { id: fields.string("taskId") ?? "", outcome: undefined, task }, ttl > 0 ? ttl : undefined)
    return result(Fields.of({ task: task.toJson() }).toJson())
  }
  // The server was done at once: a task that has ended when it is first heard of.
  const now = JSON.stringify(new Date(clock.wallMillis()).toISOString())
  const id = sealer.secret()
  const task = Fields.of({
    taskId: JSON.stringify(id),
    status: fields.get("isError") === "true" ? '"failed"' : '"completed"',
    createdAt: now,
    lastUpdatedAt: now,
    ttl: String(keptMillis),
  })
  const kept = outcome.era === "modern" ? resultToLegacy("tools/call", outcome.result, revision) : outcome.result
  tasks.enter(place, { id, outcome: result(kept), task }, keptMillis)
  return result(Fields.of({ task: task.toJson() }).toJson())
}

const keptMillis = 5 * 60_000

export const serveTask = (
  endpoint: McpEndpoint,
  session: DownSession,
  call: Call,
  delivery: Delivery,
): Effect.Effect<Outcome, TargetFailure> => {
  const { federation, state } = endpoint
  const { caller, method, params } = call
  const capabilities = declaringTasks(capabilitiesOf(caller.capabilities).fields).toJson()
  const place = { key: endpoint.key, principal: session.principal }
  const about = (name: string, more: Fields): Effect.Effect<Outcome, TargetFailure> =>
    federation.call({ ...call, caller: { ...caller, capabilities }, method: name, params: more, wantsProgress: false })
  const looked = (taskId: string): Effect.Effect<Outcome, TargetFailure> => {
    const known = state.tasks.get(place, taskId)
    if (known?.outcome !== undefined) return Effect.succeed(result(known.task.toJson()))
    return Effect.map(about("tasks/get", Fields.of({ taskId: JSON.stringify(taskId) })), (outcome) =>
      outcome._tag === "Error" ? outcome : result(inOldWords(Fields.parse(outcome.result) ?? Fields.empty).toJson()),
    )
  }
  if (method === "tasks/list") return listed(state.tasks.of(place), looked)
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
      const ended = state.tasks.get(place, id)?.outcome
      const followed =
        ended === undefined
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
          : Effect.succeed(ended)
      return Effect.map(followed, (outcome): Outcome => {
        if (outcome._tag === "Error") return outcome
        const text = outcome.era === "modern" ? resultToLegacy("tools/call", outcome.result, revision) : outcome.result
        return result(withMeta(Fields.parse(text) ?? Fields.empty, related).toJson())
      })
    }
  }
}

const listed = (
  begun: ReadonlyArray<Begun>,
  looked: (id: string) => Effect.Effect<Outcome, TargetFailure>,
): Effect.Effect<Outcome> =>
  Effect.map(
    Effect.forEach(begun, ({ id }) => Effect.result(looked(id)), { concurrency: 8 }),
    (found) =>
      result(
        Fields.of({
          tasks: arrayOf(
            found.flatMap((one) =>
              one._tag === "Success" && one.success._tag === "Result" ? [one.success.result] : [],
            ),
          ),
        }).toJson(),
      ),
  )
