/**
 * A server of 2025-11-25 that runs calls as tasks where it is asked to, as one with the tasks extension: whoever calls it
 * sees tasks of one kind only. What such a server asks while it works on a task it asks whoever waits for the result, so
 * the gateway waits for it, and shows the questions in the task.
 */
import * as Effect from "effect/Effect"
import { askToModern } from "../../../../protocols/mcp/convert.ts"
import { keys } from "../../../../protocols/mcp/envelope.ts"
import { Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import {
  capabilitiesToModern,
  isTerminal,
  runsTasks,
  taskSupportOf,
  type TaskSupport,
  taskToModern,
  withoutRelated,
} from "../../../../protocols/mcp/tasks.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type {
  Answer,
  Ask,
  Call,
  Caller,
  Discovery,
  Interest,
  ListenEvents,
  McpTarget,
  Outcome,
  TargetFailure,
} from "./McpTarget.ts"
import { silent } from "./silent.ts"

/** What is known of one task. */
class Job {
  /** On whose behalf it was begun; only in that session it can be asked after. */
  readonly caller: Caller
  /** Its end, once it was fetched. */
  outcome: Outcome | undefined = undefined
  isFetching = false
  readonly questions = new Map<string, { readonly ask: Ask; readonly resume: (answer: Answer) => void }>()
  private readonly mark: string
  private lastKey = 0
  private readonly waiting = new Set<() => void>()

  /** `mark` tells the questions of one that was begun elsewhere from those that were asked there. */
  constructor(caller: Caller, mark = "") {
    this.caller = caller
    this.mark = mark
  }

  readonly ask = (ask: Ask): Effect.Effect<Answer> =>
    Effect.callback((resume) => {
      const key = `ask-${this.mark}${++this.lastKey}`
      this.questions.set(key, { ask, resume: (answer) => resume(Effect.succeed(answer)) })
      this.wake()
      return Effect.sync(() => {
        this.questions.delete(key)
      })
    })

  wake(): void {
    for (const one of Array.from(this.waiting)) one()
    this.waiting.clear()
  }

  /** Completes when something is asked, or it is over, or after a while. */
  news(runtime: McpRuntime): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.questions.size > 0 || this.outcome !== undefined) return resume(Effect.void)
      const done = (): void => {
        disarm()
        this.waiting.delete(done)
        resume(Effect.void)
      }
      const disarm = runtime.clock.after(limits.questionMillis, done)
      this.waiting.add(done)
      return Effect.sync(() => {
        disarm()
        this.waiting.delete(done)
      })
    })
  }
}

const done: Outcome = { _tag: "Result", result: '{"resultType":"complete"}', era: "modern" }

/** Only in the session that began a task it can be asked after, so callers without a session have one for their tasks. */
export const taskSession = ({ capabilities, principal, session }: Caller): string =>
  session ?? `tasks ${principal} ${capabilitiesOf(capabilities).fingerprint}`

const inSession = (caller: Caller): Caller => ({ ...caller, session: taskSession(caller) })

export class LegacyTasks implements McpTarget {
  readonly name: string
  private readonly inner: McpTarget
  private readonly runtime: McpRuntime
  private readonly jobs = new Map<string, Job>()
  private readonly supports = new Map<string, TaskSupport>()
  private hasTasks: boolean | undefined = undefined

  constructor(inner: McpTarget, runtime: McpRuntime) {
    this.name = inner.name
    this.inner = inner
    this.runtime = runtime
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    Effect.map(this.inner.discover(caller), (discovery) => {
      const capabilities = Fields.parse(discovery.capabilities) ?? Fields.empty
      this.hasTasks = runsTasks(capabilities)
      return this.hasTasks ? { ...discovery, capabilities: capabilitiesToModern(capabilities).toJson() } : discovery
    })

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { method, params } = call
    switch (method) {
      case "tools/list":
        return Effect.tap(this.inner.call(call), (outcome) => Effect.sync(() => this.learn(outcome)))
      case "tools/call":
        return this.callTool(call)
      case "tasks/get":
        return this.get(call, params?.string("taskId") ?? "")
      case "tasks/update":
        return this.update(params)
      case "tasks/cancel":
        return this.cancel(call, params?.string("taskId") ?? "")
      default:
        return this.inner.call(call)
    }
  }

  private learn(outcome: Outcome): void {
    if (outcome._tag !== "Result" || this.hasTasks !== true) return
    for (const item of itemsOf(Fields.parse(outcome.result)?.get("tools")) ?? []) {
      const tool = Fields.parse(item)
      const name = tool?.string("name")
      if (name === undefined) continue
      if (this.supports.size >= limits.itemsMax) this.supports.clear()
      this.supports.set(name, taskSupportOf(tool))
    }
  }

  private callTool(call: Call): Effect.Effect<Outcome, TargetFailure> {
    if (this.hasTasks === false) return this.inner.call(withoutTask(call))
    const known = this.hasTasks === undefined ? Effect.asVoid(this.discover(call.caller)) : Effect.void
    return Effect.flatMap(known, () => {
      if (this.hasTasks !== true) return this.inner.call(withoutTask(call))
      const name = call.params?.string("name") ?? ""
      const listed = this.supports.has(name)
        ? Effect.void
        : Effect.ignore(
            this.call({ ...call, method: "tools/list", params: undefined, wantsProgress: false, events: silent }),
          )
      return Effect.flatMap(listed, () => {
        const support = this.supports.get(name)
        const isTask = support === "required" || (support === "optional" && call.params?.has("task") === true)
        return isTask ? this.begin(call) : this.inner.call(withoutTask(call))
      })
    })
  }

  private begin(call: Call): Effect.Effect<Outcome, TargetFailure> {
    const caller = inSession(call.caller)
    const params = (call.params ?? Fields.empty).with("task", call.params?.get("task") ?? "{}")
    return Effect.map(this.inner.call({ ...call, caller, params }), (outcome): Outcome => {
      if (outcome._tag === "Error") return outcome
      const task = Fields.parse(outcome.result)?.object("task")
      const id = task?.string("taskId")
      if (task === undefined || id === undefined) return outcome
      if (this.jobs.size >= limits.tasksMax) {
        const [oldest] = this.jobs.keys()
        this.jobs.delete(oldest as string)
      }
      this.jobs.set(id, new Job(caller))
      const result = taskToModern(task).with("resultType", '"task"').toJson()
      return { _tag: "Result", result, era: "modern", isTied: true }
    })
  }

  private jobOf(caller: Caller, id: string): Job {
    const known = this.jobs.get(id)
    // Begun elsewhere, or before this gateway was.
    return known ?? new Job(inSession(caller), `${this.runtime.sealer.secret().slice(0, 8)}-`)
  }

  private asking(job: Job, call: Call, method: string, id: string): Call {
    const caller = { ...job.caller, exchange: call.caller.exchange }
    return {
      ...call,
      caller,
      method,
      params: Fields.of({ taskId: JSON.stringify(id) }),
      wantsProgress: false,
      events: silent,
    }
  }

  private get(call: Call, id: string): Effect.Effect<Outcome, TargetFailure> {
    const job = this.jobOf(call.caller, id)
    return Effect.flatMap(this.inner.call(this.asking(job, call, "tasks/get", id)), (outcome) => {
      if (outcome._tag === "Error") return Effect.succeed(outcome)
      const fields = Fields.parse(outcome.result) ?? Fields.empty
      const task = taskToModern(fields.object("task") ?? fields).with("resultType", '"complete"')
      const status = task.string("status")
      if (status === "completed" || status === "failed") return this.ended(job, call, id, task)
      if (status === "input_required") return this.asked(job, call, id, task)
      return Effect.succeed<Outcome>({ _tag: "Result", result: task.toJson(), era: "modern" })
    })
  }

  /** The end of a task is in the task: a tool that failed has completed, and only an error of the protocol is a failure. */
  private ended(job: Job, call: Call, id: string, task: Fields): Effect.Effect<Outcome, TargetFailure> {
    const fetched: Effect.Effect<Outcome, TargetFailure> =
      job.outcome !== undefined
        ? Effect.succeed(job.outcome)
        : Effect.tap(this.inner.call(this.asking(job, call, "tasks/result", id)), (outcome) =>
            Effect.sync(() => void (job.outcome ??= outcome)),
          )
    return Effect.map(fetched, (outcome): Outcome => {
      const whole =
        outcome._tag === "Error"
          ? task.with("status", '"failed"').with("error", outcome.error)
          : task.with("status", '"completed"').with("result", withoutRelated(outcome.result, keys.relatedTask))
      return { _tag: "Result", result: whole.toJson(), era: "modern" }
    })
  }

  private asked(job: Job, call: Call, id: string, task: Fields): Effect.Effect<Outcome> {
    this.fetch(job, call, id)
    return Effect.map(job.news(this.runtime), (): Outcome => {
      let requests = Fields.empty
      for (const [key, { ask }] of job.questions) {
        const params = askToModern(ask.method, withoutRelated(ask.params ?? "{}", keys.relatedTask), undefined)
        requests = requests.with(key, Fields.of({ method: JSON.stringify(ask.method), params }).toJson())
      }
      // Where nothing is asked yet, nothing can be answered: then it still works.
      const shown =
        requests.size === 0 ? task.with("status", '"working"') : task.with("inputRequests", requests.toJson())
      return { _tag: "Result", result: shown.toJson(), era: "modern" }
    })
  }

  /** Waits for the result, because only who waits for it is asked. */
  private fetch(job: Job, call: Call, id: string): void {
    if (job.isFetching) return
    job.isFetching = true
    this.jobs.set(id, job)
    const waiting = this.inner.call({
      ...this.asking(job, call, "tasks/result", id),
      events: { ...silent, ask: job.ask },
    })
    this.runtime.run(
      Effect.matchEffect(waiting, {
        onFailure: () =>
          Effect.sync(() => {
            job.isFetching = false
            job.wake()
          }),
        onSuccess: (outcome) =>
          Effect.sync(() => {
            job.outcome = outcome
            job.wake()
          }),
      }),
    )
  }

  private update(params: Fields | undefined): Effect.Effect<Outcome> {
    return Effect.sync(() => {
      const job = this.jobs.get(params?.string("taskId") ?? "")
      const answers = params?.object("inputResponses") ?? Fields.empty
      for (const [key, { resume }] of Array.from(job?.questions ?? [])) {
        const answer = answers.get(key)
        if (answer === undefined) continue
        job?.questions.delete(key)
        resume({ _tag: "Result", result: answer })
      }
      return done
    })
  }

  /** Asking twice to give up a task, or one that is over, does no harm. */
  private cancel(call: Call, id: string): Effect.Effect<Outcome, TargetFailure> {
    const job = this.jobOf(call.caller, id)
    return Effect.flatMap(this.inner.call(this.asking(job, call, "tasks/cancel", id)), (outcome) => {
      if (outcome._tag === "Result") return Effect.succeed(done)
      if (codeOf(outcome.error) !== codes.invalidParams) return Effect.succeed(outcome)
      return Effect.map(this.inner.call(this.asking(job, call, "tasks/get", id)), (found): Outcome => {
        const status = found._tag === "Result" ? Fields.parse(found.result)?.string("status") : undefined
        return isTerminal(status)
          ? done
          : { _tag: "Error", error: errorOf(codes.invalidParams, "Unknown task"), era: "modern" }
      })
    })
  }

  readonly notify = (caller: Caller, method: string, params: Fields | undefined): Effect.Effect<void, TargetFailure> =>
    this.inner.notify(caller, method, params)

  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> =>
    this.inner.listen(caller, interest, {
      ...events,
      task: (_method, params) => events.task("notifications/tasks", taskToModern(params)),
    })

  readonly held = (session: string): Json | undefined => {
    const held = this.inner.held(session)
    return held === undefined || this.hasTasks === undefined
      ? held
      : (Fields.parse(held) ?? Fields.empty).with("tasks", String(this.hasTasks)).toJson()
  }
  readonly restore = (caller: Caller, held: Json): void => {
    const tasks = Fields.parse(held)?.get("tasks")
    if (tasks !== undefined) this.hasTasks ??= tasks === "true"
    this.inner.restore(caller, held)
  }
  readonly release = (caller: Caller): Effect.Effect<void> => this.inner.release(caller)
  readonly close = (): void => {
    this.jobs.clear()
    this.inner.close()
  }
}

const withoutTask = (call: Call): Call =>
  call.params?.has("task") === true ? { ...call, params: call.params.without("task") } : call
