/** One call of a tool that is an agent's skill: what is said to the agent, and everything until there is a result. */
import * as Effect from "effect/Effect"
import type { Answer } from "../../../../../protocols/a2a/Answer.ts"
import { isTerminal } from "../../../../../protocols/a2a/dialect/words.ts"
import { type Fault, fault } from "../../../../../protocols/a2a/Fault.ts"
import { type Fields as Value, fieldsOf, present, textOf } from "../../../../../protocols/a2a/Fields.ts"
import type { Call as Question } from "../../../../../protocols/a2a/operation.ts"
import { Gathered, GATHERED_CHARS_MAX } from "../../../../../protocols/a2a/tool/Gathered.ts"
import { resultOf, signInUrl } from "../../../../../protocols/a2a/tool/heard.ts"
import { answerParts, formOf } from "../../../../../protocols/a2a/tool/question.ts"
import { messageOf } from "../../../../../protocols/a2a/tool/said.ts"
import type { SkillTool } from "../../../../../protocols/a2a/tool/skills.ts"
import { Fields } from "../../../../../protocols/mcp/json.ts"
import { capabilitiesOf, mayAsk } from "../../capabilities.ts"
import { limits } from "../../limits.ts"
import type { McpRuntime } from "../../McpRuntime.ts"
import { failureOf } from "../failure.ts"
import type { Call, Outcome, TargetFailure } from "../McpTarget.ts"
import { ask, type Place } from "./asking.ts"
import type { Conversation, Conversations, Waiting } from "./Conversations.ts"
import { asking, result, toolError } from "./outcomes.ts"

const ASK_KEY = "answer"
/** How long one word of progress may be. */
const PROGRESS_CHARS_MAX = 1_000
/** How often a task is looked at whose stream ended before it did. */
const POLL_MILLIS_MIN = 250
const POLL_MILLIS_MAX = 5_000
/** How long somebody who was sent to sign in is waited for before the call says so again. */
const SIGN_IN_MILLIS = 25_000

export interface TurnParts {
  readonly call: Call
  readonly target: string
  readonly agent: string
  readonly tool: SkillTool
  readonly streams: boolean
  readonly place: Place
  readonly conversations: Conversations
  readonly runtime: McpRuntime
  readonly idleMillis: number
  readonly callMillis: number
}

type Ended = Effect.Effect<Outcome, TargetFailure>

export class Turn {
  private readonly parts: TurnParts
  private readonly gathered = new Gathered()
  private fault: Fault | undefined
  private progress = 0

  constructor(parts: TurnParts) {
    this.parts = parts
  }

  /** Says something new, or answers what the agent asked in words. */
  say(parts: ReadonlyArray<Value>, earlier: Conversation | undefined): Ended {
    const { call, conversations, runtime } = this.parts
    return this.send(parts, runtime.sealer.secret(), {
      contextId: earlier === undefined ? conversations.contextOf(call.caller) : earlier.contextId,
      taskId: earlier?.taskId,
    })
  }

  /** Waits for a task of which nobody has anything to say. */
  wait(taskId: string): Ended {
    this.gathered.taskId = taskId
    return this.owned(Effect.andThen(this.look(taskId), this.untilSettled()))
  }

  /** The client is back from a question. */
  back(waiting: Waiting, responses: Value): Ended {
    const { call, runtime } = this.parts
    const { action, content } = fieldsOf(responses[ASK_KEY])
    const { contextId, isOwn, isSignIn, taskId } = waiting
    this.gathered.taskId = taskId
    this.gathered.contextId = contextId
    if (action !== "accept") {
      return Effect.as(
        Effect.ignore(this.put({ operation: "CancelTask", params: { id: taskId } }, limits.cancelMillis)),
        toolError("The question of the agent was not answered, so its task was given up."),
      )
    }
    if (isSignIn) return this.owned(Effect.andThen(this.look(taskId), this.untilSignedIn()))
    const parts = answerParts(content, isOwn)
    if (parts === undefined) return Effect.succeed(toolError("The answer to the agent's question is empty."))
    // The same answer is the same message, however often the client brings it.
    const state = call.params?.string("requestState") ?? ""
    return this.send(parts, runtime.sealer.digest(`${state} ${JSON.stringify(parts)}`).slice(0, 32), {
      contextId,
      taskId,
    })
  }

  private send(parts: ReadonlyArray<Value>, messageId: string, { contextId, taskId }: Conversation): Ended {
    const { skill, outputModes } = this.parts.tool
    const params = present({
      message: messageOf(parts, { messageId, skill, contextId, taskId }),
      configuration: outputModes.length === 0 ? undefined : { acceptedOutputModes: outputModes },
      metadata: skill === undefined ? undefined : { skill },
    })
    this.gathered.taskId = taskId
    const operation = this.parts.streams ? "SendStreamingMessage" : "SendMessage"
    return this.owned(Effect.andThen(this.put({ operation, params }, this.parts.callMillis), this.untilSettled()))
  }

  /** Whoever gives the call up gives up the task. */
  private owned(run: Effect.Effect<void, TargetFailure>): Ended {
    return Effect.onInterrupt(
      Effect.flatMap(run, () => this.ended()),
      () =>
        Effect.sync(() => {
          const { state, taskId } = this.gathered
          if (taskId === undefined || (state !== undefined && isTerminal(state))) return
          const { runtime } = this.parts
          runtime.run(Effect.ignore(this.put({ operation: "CancelTask", params: { id: taskId } }, limits.cancelMillis)))
        }),
    )
  }

  private put(call: Question, timeoutMillis: number): Effect.Effect<void, TargetFailure> {
    const { call: asked, idleMillis, place, target } = this.parts
    return Effect.mapError(
      ask(call, {
        place,
        exchange: asked.caller.exchange,
        timeoutMillis,
        idleMillis,
        take: (answer, chars) => this.take(call, answer, chars),
      }),
      (failure) => failureOf(target, failure),
    )
  }

  private readonly take = ({ operation }: Question, answer: Answer, chars: number): boolean => {
    const { gathered } = this
    if (answer._tag === "Fault") {
      this.fault = answer.fault
      return true
    }
    if (operation === "CancelTask") return true
    const { result: said } = answer
    const news = operation === "GetTask" ? gathered.noteTask(fieldsOf(said)) : gathered.note(said, chars)
    this.tell(news)
    if (gathered.isTooLarge) {
      this.fault = fault("InvalidAgentResponse", `the agent said more than ${GATHERED_CHARS_MAX} characters`)
      return true
    }
    return gathered.isSettled
  }

  private tell(news: string | undefined): void {
    const { events, wantsProgress } = this.parts.call
    if (!wantsProgress || news === undefined) return
    events.progress(
      Fields.of({ progress: String(++this.progress), message: JSON.stringify(news.slice(0, PROGRESS_CHARS_MAX)) }),
    )
  }

  private look(taskId: string): Effect.Effect<void, TargetFailure> {
    return this.put({ operation: "GetTask", params: { id: taskId } }, this.parts.idleMillis)
  }

  /** A stream may end, and an agent answer, before the task is done. */
  private untilSettled(millis = POLL_MILLIS_MIN): Effect.Effect<void, TargetFailure> {
    return Effect.suspend(() => {
      const { isSettled, taskId } = this.gathered
      if (this.fault !== undefined || isSettled || taskId === undefined) return Effect.void
      return Effect.sleep(millis).pipe(
        Effect.andThen(Effect.suspend(() => this.look(taskId))),
        Effect.andThen(this.untilSettled(Math.min(millis * 1.5, POLL_MILLIS_MAX))),
      )
    })
  }

  /** The agent hears of it by itself when somebody has signed in. */
  private untilSignedIn(): Effect.Effect<void, TargetFailure> {
    const { runtime } = this.parts
    const until = runtime.clock.nowMillis() + SIGN_IN_MILLIS
    const next = (millis: number): Effect.Effect<void, TargetFailure> =>
      Effect.suspend(() => {
        const { state, taskId } = this.gathered
        if (this.fault !== undefined || taskId === undefined) return Effect.void
        if (state !== "TASK_STATE_AUTH_REQUIRED") return this.untilSettled()
        if (runtime.clock.nowMillis() >= until) return Effect.void
        return Effect.sleep(millis).pipe(
          Effect.andThen(Effect.suspend(() => this.look(taskId))),
          Effect.andThen(next(Math.min(millis * 1.5, POLL_MILLIS_MAX))),
        )
      })
    return next(POLL_MILLIS_MIN)
  }

  // The end -----------------------------------------------------------------------------------------------------------

  private ended(): Effect.Effect<Outcome, TargetFailure> {
    return Effect.suspend((): Ended => {
      const { gathered } = this
      const { call, conversations, target } = this.parts
      conversations.note(call.caller, gathered.contextId)
      if (this.fault !== undefined) return this.faulted(this.fault)
      if (!gathered.isSettled) {
        return Effect.fail({ _tag: "Unreachable", target, message: "it ended without an answer", began: true })
      }
      if (gathered.state === "TASK_STATE_INPUT_REQUIRED") return Effect.succeed(this.question())
      if (gathered.state === "TASK_STATE_AUTH_REQUIRED") return Effect.succeed(this.signIn())
      return Effect.succeed(result(resultOf(gathered, { conversation: this.conversation() })))
    })
  }

  /** A model can do something about what an agent says, and nothing about one that is not there. */
  private faulted({ message, name }: Fault): Ended {
    const { target } = this.parts
    switch (name) {
      case "Unauthenticated":
      case "PermissionDenied":
        return Effect.fail({ _tag: "Unauthorized", target, status: 403, challenge: undefined })
      case "RateLimited":
        return Effect.fail({ _tag: "Busy", target, status: 429, retryAfterMillis: undefined })
      case "Unavailable":
        return Effect.fail({ _tag: "Unreachable", target, message, began: true })
      case "Timeout":
        return Effect.fail({ _tag: "TimedOut", target, message })
      default:
        return Effect.succeed(toolError(`${this.parts.agent} says: ${message}`))
    }
  }

  private conversation(): string | undefined {
    const { call, conversations } = this.parts
    const { contextId, state, taskId } = this.gathered
    const isOver = state === undefined || isTerminal(state)
    return conversations.seal(call.caller, { contextId, taskId: isOver ? undefined : taskId })
  }

  private state(isOwn: boolean, isSignIn: boolean): string | undefined {
    const { call, conversations } = this.parts
    const { contextId, taskId } = this.gathered
    return taskId === undefined ? undefined : conversations.stateOf(call.caller, { contextId, taskId, isOwn, isSignIn })
  }

  /** Asked where the client can be asked; else the model is told, and answers by another call. */
  private question(): Outcome {
    const { agent, call } = this.parts
    const { isOwn, message, requestedSchema } = formOf(this.gathered, agent)
    const params = { mode: "form", message, requestedSchema }
    const state = this.state(isOwn, false)
    if (state !== undefined && mayAsk(capabilitiesOf(call.caller.capabilities), "elicitation/create", undefined))
      return asking("elicitation/create", params, ASK_KEY, state)
    return result(
      resultOf(this.gathered, {
        conversation: this.conversation(),
        note: `${agent} needs an answer before it can go on. Call this tool again with the answer as \`message\` and \`conversation\` set to ${JSON.stringify(this.conversation() ?? "")}.`,
      }),
    )
  }

  private signIn(): Outcome {
    const { agent, call } = this.parts
    const url = signInUrl(this.gathered)
    const said = textOf(formOf(this.gathered, agent).message) ?? ""
    const state = this.state(false, true)
    if (
      url !== undefined &&
      state !== undefined &&
      mayAsk(capabilitiesOf(call.caller.capabilities), "elicitation/create", '{"mode":"url"}')
    ) {
      const params = { mode: "url", url, message: said }
      return asking("elicitation/create", params, ASK_KEY, state)
    }
    const conversation = this.conversation()
    return result(
      resultOf(this.gathered, {
        conversation,
        url,
        note: `${agent} needs somebody to sign in${url === undefined ? "" : ` at ${url}`} before it can go on. When that is done, call this tool again with \`conversation\` set to ${JSON.stringify(conversation ?? "")} and nothing else.`,
      }),
    )
  }
}
