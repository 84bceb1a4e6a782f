/**
 * What is known of one A2A request and its answer: for rules while it goes in, for whoever writes it down afterwards.
 * Nothing is parsed before somebody asks.
 */
import { idOf, type Id, readCall, readRequest } from "../../../protocols/a2a/binding/jsonRpc.ts"
import { dialectOf, isProseBody } from "../../../protocols/a2a/binding/rest.ts"
import type { Seen } from "../../../protocols/a2a/detect.ts"
import { type Fields, fieldsOf, isFields, parse, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Binding, ofMethod, type Operation, type Version } from "../../../protocols/a2a/operation.ts"
import type * as Effect from "effect/Effect"
import type { Checked } from "../llm/guard/Guard.ts"
import type { Errand } from "./push/Desk.ts"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import type { Json } from "../../../ir/cel/toJson.ts"

/** What it gives back has to be done before the client hears of the task. */
type Follower = (taskId: string | undefined, contextId: string | undefined) => Effect.Effect<void> | undefined

const decoder = new TextDecoder()
const noneDue: ReadonlyArray<Effect.Effect<void>> = []

/** What rules know it by when a client looks at a card, or at a list of agents: rules that name operations cover it, too. */
const lookingAt = "GetAgentCard"

export class Conversation {
  readonly seen: Seen
  readonly binding: Binding | undefined
  /** The version the request is written in, as far as its head or its method say. */
  version: Version | undefined
  /** As it was written: a JSON-RPC or gRPC method, or what a path stands for. */
  readonly method: string
  operation: Operation | undefined
  /** Which of several agents was asked. */
  agent: string | undefined
  /** The body of a JSON-RPC or REST request, once somebody needs it. */
  readonly value: unknown
  private answerText: string | undefined
  private answerBytes: Array<Uint8Array> | undefined
  private answerLength = 0
  private answer: Fields | undefined

  constructor(seen: Seen, body: Uint8Array | undefined) {
    this.seen = seen
    switch (seen._tag) {
      case "Rpc": {
        this.binding = "JSONRPC"
        this.value = body === undefined ? undefined : parse(decoder.decode(body))?.value
        const method = textOf(fieldsOf(this.value)["method"])
        this.method = method ?? "unknown"
        const modern = method === undefined ? undefined : ofMethod("1.0", method)
        this.operation = modern ?? (method === undefined ? undefined : ofMethod("0.3", method))
        this.version = this.operation === undefined ? undefined : modern === undefined ? "0.3" : "1.0"
        break
      }
      case "Rest":
        this.binding = "HTTP+JSON"
        this.value = body === undefined ? undefined : parse(decoder.decode(body))?.value
        this.method = this.operation = seen.resource.operation
        this.version = seen.resource.isLegacy ? "0.3" : "1.0"
        break
      case "Grpc":
        this.binding = "GRPC"
        this.value = undefined
        this.method = seen.rpc
        this.operation = seen.operation
        this.version = seen.version
        break
      case "Card":
      case "Keys":
      case "Other":
        this.binding = undefined
        this.value = undefined
        this.method = "unknown"
        this.operation = undefined
        this.version = undefined
    }
  }

  get isCall(): boolean {
    return this.binding !== undefined
  }

  /** What a JSON-RPC answer has to carry. */
  get id(): Id {
    return idOf(this.value)
  }

  /** The parameters of the call as 1.0 has them, once they were read for that. */
  asked: Fields | undefined

  private readParams: Fields | undefined

  /** The parameters as 1.0 has them, whatever they are written in: rules must not depend on how something is said. */
  private get params(): Fields {
    return this.asked ?? (this.readParams ??= this.translated())
  }

  private translated(): Fields {
    const { operation, seen, value, version } = this
    if (operation === undefined || version === undefined) return {}
    if (seen._tag === "Rpc") {
      const request = readRequest(value)
      const call = request._tag === "Read" ? readCall(request.value, version) : request
      return call._tag === "Read" ? call.value.params : {}
    }
    if (seen._tag !== "Rest" || !isFields(value)) return {}
    const isProse = version === "0.3" && isProseBody(operation, value)
    return operation === "CancelTask" ? value : dialectOf({ version, isProse }).request.read(operation, value)
  }

  /** The message that is sent. */
  get message(): Fields | undefined {
    const { message } = this.params
    return isFields(message) ? message : undefined
  }

  /** Where somebody wants to be notified. */
  get pushUrl(): string | undefined {
    const { params } = this
    const inline = fieldsOf(fieldsOf(params["configuration"])["taskPushNotificationConfig"])["url"]
    return textOf(inline) ?? (this.operation === "CreateTaskPushNotificationConfig" ? textOf(params["url"]) : undefined)
  }

  /** Whether a message comes with a wish to be notified, wherever that may lead. */
  get wishesPush(): boolean {
    return isFields(fieldsOf(this.params["configuration"])["taskPushNotificationConfig"])
  }

  get skill(): string | undefined {
    return textOf(fieldsOf(this.params["metadata"])["skill"]) ?? textOf(fieldsOf(this.message?.["metadata"])["skill"])
  }

  /** The task a request is about. */
  get taskId(): string | undefined {
    const { seen } = this
    if (seen._tag === "Rest" && seen.resource.taskId !== undefined) return seen.resource.taskId
    const { params } = this
    return textOf(this.message?.["taskId"]) ?? textOf(params["taskId"]) ?? textOf(params["id"])
  }

  get contextId(): string | undefined {
    return textOf(this.message?.["contextId"])
  }

  /** Keeps a piece of an answer in JSON, as long as it stays within the bound. */
  keep(chunk: Uint8Array, bytesMax: number): void {
    this.answerLength += chunk.byteLength
    if (this.answerLength > bytesMax) this.answerBytes = undefined
    else (this.answerBytes ??= []).push(chunk.slice())
  }

  /** Of a stream only the last event that says something counts. */
  keepEvent(data: string): void {
    if (data === "") return
    this.answerText = data
    this.answer = undefined
    this.heard()
  }

  /** What came back, as the agent wrote it; a failed call has an `error`. */
  private get answered(): Fields | undefined {
    if (this.answer !== undefined) return this.answer
    const bytes = this.answerBytes
    const text = this.answerText ?? (bytes === undefined ? undefined : bytes.map((one) => decoder.decode(one)).join(""))
    const value = text === undefined ? undefined : parse(text)?.value
    if (!isFields(value)) return undefined
    return (this.answer = value)
  }

  private followers: Array<Follower> = []

  /** Tells of the task and context of the answer once they are known. */
  follow(follower: Follower): void {
    this.followers.push(follower)
  }

  /** Takes over those who wait to hear of the same request, read a second time. */
  succeed(before: Conversation): void {
    this.followers = before.followers
    this.errand = before.errand
    this.agent ??= before.agent
    this.isCounted = before.isCounted
    this.guarded = before.guarded
  }

  /** Who began the task that is asked about, or the context, where that is known. */
  taskOwner: string | undefined

  /** Limits and budgets have been asked about it. */
  isCounted = false

  /** Whether it is a message, or may be one for all that is known of it. */
  get isMessage(): boolean {
    const { operation, seen } = this
    if (operation !== undefined) return operation === "SendMessage" || operation === "SendStreamingMessage"
    return seen._tag === "Rpc" || seen._tag === "Other"
  }

  /** What guards made of it. */
  guarded: Array<Checked> = []

  checked(one: Checked): void {
    // A stream is judged piece by piece: the same said again adds nothing.
    const isSame = this.guarded.some(
      ({ action, guard, phase }) => action === one.action && guard === one.guard && phase === one.phase,
    )
    if (!isSame) this.guarded.push(one)
  }

  /** An answer, or the beginning of one, is there. */
  heard(): void {
    if (this.followers.length === 0) return
    const taskId = this.answeredTaskId
    const contextId = this.answeredContextId
    if (taskId === undefined && contextId === undefined) return
    for (const follower of this.followers.splice(0)) {
      const due = follower(taskId, contextId)
      if (due !== undefined) this.due.push(due)
    }
  }

  private due: Array<Effect.Effect<void>> = []

  /** Whether somebody still waits to hear, or something is still to be done. */
  get isFollowed(): boolean {
    return this.followers.length > 0 || this.due.length > 0
  }

  /** Whether somebody still waits to hear. */
  get isWaiting(): boolean {
    return this.followers.length > 0
  }

  /** What has to be done before more of the answer is let through; whoever takes it does it. */
  takeDue(): ReadonlyArray<Effect.Effect<void>> {
    return this.due.length === 0 ? noneDue : this.due.splice(0)
  }

  /** What was arranged for the client's notifications; further attempts do not arrange it again. */
  errand: Errand | undefined

  /** Facts of the answer that were known without reading it. */
  known: { readonly result?: unknown; readonly errorCode?: number } | undefined

  private get result(): Fields | undefined {
    if (this.known !== undefined) return isFields(this.known.result) ? this.known.result : undefined
    const answered = this.answered
    if (answered === undefined) return undefined
    const result =
      this.binding === "JSONRPC" ? answered["result"] : answered["error"] === undefined ? answered : undefined
    return isFields(result) ? result : undefined
  }

  /** What the agent answered: the task, message or update itself, however it is wrapped. */
  private get said(): Fields | undefined {
    const result = this.result
    if (result === undefined) return undefined
    const inner = result["task"] ?? result["message"] ?? result["statusUpdate"] ?? result["artifactUpdate"]
    return isFields(inner) ? inner : result
  }

  get outcome(): "success" | "error" | "unknown" | undefined {
    if (!this.isCall) return undefined
    if (this.errorCode !== undefined) return "error"
    return this.result === undefined ? "unknown" : "success"
  }

  get errorCode(): number | undefined {
    if (this.known !== undefined) return this.known.errorCode
    const error = fieldsOf(this.answered?.["error"])
    return typeof error["code"] === "number" ? error["code"] : undefined
  }

  get resultKind(): string | undefined {
    const result = this.result
    if (result === undefined) return undefined
    const kind = textOf(result["kind"])
    if (kind !== undefined) return kind
    for (const name of ["task", "message", "statusUpdate", "artifactUpdate"]) if (isFields(result[name])) return name
    return undefined
  }

  get taskState(): string | undefined {
    return textOf(fieldsOf(this.said?.["status"])["state"])
  }

  /** Of the answer, else of the request. */
  get answeredContextId(): string | undefined {
    return textOf(this.said?.["contextId"])
  }

  get answeredTaskId(): string | undefined {
    const said = this.said
    if (said === undefined) return undefined
    return textOf(said["taskId"]) ?? (isFields(said["status"]) ? textOf(said["id"]) : undefined)
  }

  /** Whether it is only asked which agent this is, and not anything of it. */
  get isLook(): boolean {
    return this.seen._tag === "Card" || (this.isListed && !this.isCall)
  }

  /** Somebody asks which agents there are, and it is asked whether this is one for them. */
  isListed = false

  get protocol(): "a2a" | "http" {
    return this.seen._tag === "Other" || this.seen._tag === "Keys" ? "http" : "a2a"
  }

  /** One of `a2aFacts`, as expressions see it. */
  fact(name: string): CelValue | undefined {
    switch (name) {
      case "agent":
      case "binding":
      case "version":
      case "skill":
      case "taskId":
      case "contextId":
      case "taskOwner":
      case "pushUrl":
        return this[name]
      case "operation":
        return this.operation ?? (this.isLook ? lookingAt : undefined)
      case "method":
        return this.isCall ? this.method : undefined
      case "message":
        return this.message as CelValue | undefined
      case "response":
        return this.isCall ? this.responseFacts() : undefined
      default:
        return undefined
    }
  }

  private responseFacts(): CelValue {
    const facts: Record<string, CelValue | undefined> = {
      outcome: this.outcome,
      kind: this.resultKind,
      taskId: this.answeredTaskId,
      taskState: this.taskState,
      contextId: this.answeredContextId,
      errorCode: this.errorCode,
    }
    return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as CelValue
  }

  /** What is written down of it; a field that is computed gives way. */
  fields(computed: ReadonlyArray<string> = []): ReadonlyArray<readonly [name: string, value: Json]> {
    if (!this.isCall) return []
    const all: Array<readonly [string, Json | undefined]> = [
      ["a2a.method", this.method],
      ["a2a.agent", this.agent],
      ["a2a.response.outcome", this.outcome],
      ["a2a.response.error_code", this.errorCode],
      ["a2a.result.kind", this.resultKind],
      ["a2a.task.id", this.answeredTaskId],
      ["a2a.task.state", this.taskState],
      ["a2a.context.id", this.answeredContextId],
      [
        "a2a.guardrails",
        this.guarded.length === 0
          ? undefined
          : this.guarded.map(({ action, guard, phase }) => `${guard} ${phase} ${action}`),
      ],
    ]
    return all.flatMap(([name, value]) =>
      value === undefined || computed.includes(name) ? [] : [[name, value] as const],
    )
  }
}
