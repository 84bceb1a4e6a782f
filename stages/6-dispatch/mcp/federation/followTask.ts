/** Waits for the end of a task in place of a client that cannot, or does not want to, ask after it itself. */
import * as Effect from "effect/Effect"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { isTerminal, pollMillisOf } from "../../../../protocols/mcp/tasks.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Answer, Ask, Outcome, TargetFailure } from "../target/McpTarget.ts"

export interface Following {
  readonly runtime: McpRuntime
  readonly target: string
  /** `tasks/get` and `tasks/update` of this very task. */
  readonly call: (method: string, params: Fields) => Effect.Effect<Outcome, TargetFailure>
  readonly ask: (ask: Ask) => Effect.Effect<Answer>
}

const failed = (error: Json): Outcome => ({ _tag: "Error", error, era: "modern" })

/** What the call would have come to, had it not been made a task. */
const endOf = (task: Fields): Outcome => {
  switch (task.string("status")) {
    case "completed": {
      const result = Fields.parse(task.get("result")) ?? Fields.empty
      const whole = result.has("resultType") ? result : result.with("resultType", '"complete"')
      return { _tag: "Result", result: whole.toJson(), era: "modern" }
    }
    case "failed":
      return failed(task.get("error") ?? errorOf(codes.internal, "the task failed"))
    default:
      return failed(errorOf(codes.internal, "the task was cancelled"))
  }
}

/** From `task` as it was told last to its end. Interrupting it leaves the task as it is. */
export const followTask = (
  { ask, call, runtime, target }: Following,
  id: string,
  first: Fields | undefined,
): Effect.Effect<Outcome, TargetFailure> => {
  const taskId = JSON.stringify(id)
  /** A question keeps its key for the life of the task, so none is asked twice. */
  const asked = new Set<string>()

  const answer = (task: Fields): Effect.Effect<Outcome, TargetFailure> => {
    const requests = task.object("inputRequests") ?? Fields.empty
    const fresh = [...requests.names].filter((key) => !asked.has(key))
    if (fresh.length === 0) return wait(task)
    const answers = Effect.forEach(
      fresh,
      (key) => {
        asked.add(key)
        const entry = requests.object(key) ?? Fields.empty
        const method = entry.string("method") ?? ""
        return Effect.map(ask({ method, params: entry.get("params"), target }), (given) => ({ given, key, method }))
      },
      { concurrency: "unbounded" },
    )
    return Effect.flatMap(answers, (all) => {
      const responses = Fields.of(
        Object.fromEntries(
          all.flatMap(({ given, key, method }) =>
            given._tag === "Result"
              ? [[key, given.result]]
              : method === "elicitation/create"
                ? [[key, '{"action":"cancel"}']]
                : [],
          ),
        ),
      )
      const unanswerable = all.find(({ given, method }) => given._tag === "Error" && method !== "elicitation/create")
      // There is no way to tell such a server that its question failed.
      if (unanswerable !== undefined && unanswerable.given._tag === "Error") {
        return Effect.as(Effect.ignore(call("tasks/cancel", Fields.of({ taskId }))), failed(unanswerable.given.error))
      }
      return Effect.flatMap(
        call("tasks/update", Fields.of({ taskId, inputResponses: responses.toJson() })),
        (outcome) => (outcome._tag === "Error" ? Effect.succeed(outcome) : look()),
      )
    })
  }

  const wait = (task: Fields | undefined): Effect.Effect<Outcome, TargetFailure> =>
    Effect.andThen(
      Effect.sleep(pollMillisOf(task) * (0.9 + runtime.clock.random() / 5)),
      Effect.suspend(() => look()),
    )

  const look = (): Effect.Effect<Outcome, TargetFailure> =>
    Effect.flatMap(call("tasks/get", Fields.of({ taskId })), (outcome) => {
      if (outcome._tag === "Error") return Effect.succeed(outcome)
      const task = Fields.parse(outcome.result) ?? Fields.empty
      const status = task.string("status")
      if (isTerminal(status)) return Effect.succeed(endOf(task))
      return status === "input_required" ? answer(task) : wait(task)
    })

  return first === undefined ? look() : wait(first)
}
