/** An agent that does what the words of a message say, and remembers what it was told in a conversation. */
import { type Message, type Part, Role, TaskState } from "@a2a-js/sdk"
import { AgentEvent, type AgentExecutor, type ExecutionEventBus, type RequestContext } from "@a2a-js/sdk/server"
import { artifactOf, part, textPart } from "./Behaviour.ts"

export const form = {
  type: "object",
  properties: { city: { type: "string" }, nights: { type: "integer" } },
  required: ["city"],
}

const textOf = ({ parts }: Message): string =>
  parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("")
const dataOf = ({ parts }: Message): unknown =>
  parts.flatMap(({ content }) => (content?.$case === "data" ? [content.value] : []))[0]

export class Talking implements AgentExecutor {
  readonly heard: Array<Message> = []
  readonly cancelled: Array<string> = []
  private readonly told = new Map<string, number>()
  private readonly waiting = new Map<string, (word: "cancelled" | "signed in") => void>()

  /** Somebody has signed in, wherever that was. */
  signIn(): void {
    for (const go of this.waiting.values()) go("signed in")
  }

  get waits(): number {
    return this.waiting.size
  }

  readonly cancelTask = async (taskId: string, bus: ExecutionEventBus): Promise<void> => {
    this.cancelled.push(taskId)
    const status = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined }
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId: "", status, metadata: undefined }))
    this.waiting.get(taskId)?.("cancelled")
    bus.finished()
  }

  readonly execute = async (context: RequestContext, bus: ExecutionEventBus): Promise<void> => {
    const { contextId, taskId, userMessage } = context
    this.heard.push(userMessage)
    const count = (this.told.get(contextId) ?? 0) + 1
    this.told.set(contextId, count)
    const word = textOf(userMessage)
    const say = (...parts: Array<Part>): Message => ({
      messageId: crypto.randomUUID(),
      contextId,
      taskId,
      role: Role.ROLE_AGENT,
      parts,
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    })
    const to = (state: TaskState, ...parts: Array<Part>): void =>
      bus.publish(
        AgentEvent.statusUpdate({
          taskId,
          contextId,
          status: { state, message: parts.length === 0 ? undefined : say(...parts), timestamp: undefined },
          metadata: undefined,
        }),
      )
    const hand = (name: string, append: boolean, lastChunk: boolean, ...parts: Array<Part>): void =>
      bus.publish(
        AgentEvent.artifactUpdate({
          taskId,
          contextId,
          artifact: artifactOf(name, ...parts),
          append,
          lastChunk,
          metadata: undefined,
        }),
      )
    if (word === "just talk") {
      bus.publish(AgentEvent.message(say(textPart("just talking"))))
      return bus.finished()
    }
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: undefined },
        artifacts: context.task?.artifacts ?? [],
        history: [...(context.task?.history ?? []), userMessage],
        metadata: undefined,
      }),
    )
    if (context.task !== undefined) {
      const data = dataOf(userMessage)
      hand("answer", false, true, data === undefined ? textPart(`to ${word}`) : part({ $case: "data", value: data }))
      to(TaskState.TASK_STATE_COMPLETED)
      return bus.finished()
    }
    switch (word) {
      case "ask":
        to(TaskState.TASK_STATE_INPUT_REQUIRED, textPart("Where to?"))
        break
      case "ask by form":
        to(
          TaskState.TASK_STATE_INPUT_REQUIRED,
          textPart("Where to, and how long?"),
          part({ $case: "data", value: { requestedSchema: form } }),
        )
        break
      case "sign in":
        to(TaskState.TASK_STATE_AUTH_REQUIRED, textPart("Please go to https://login.example.com/device?code=1."))
        if ((await this.wait(taskId)) === "cancelled") return
        hand("answer", false, true, textPart("signed in"))
        to(TaskState.TASK_STATE_COMPLETED)
        break
      case "take long":
        to(TaskState.TASK_STATE_WORKING, textPart("this may take a while"))
        if ((await this.wait(taskId)) === "cancelled") return
        break
      case "in pieces":
        to(TaskState.TASK_STATE_WORKING, textPart("thinking"))
        hand("text", false, false, textPart("one, "))
        hand("text", true, false, textPart("two, "))
        hand("text", true, true, textPart("three"))
        to(TaskState.TASK_STATE_COMPLETED, textPart("that was all"))
        break
      case "files":
        hand(
          "files",
          false,
          true,
          part({ $case: "raw", value: Buffer.from("png") }, { filename: "a.png", mediaType: "image/png" }),
          part({ $case: "raw", value: Buffer.from("zip") }, { filename: "a.zip", mediaType: "application/zip" }),
          part({ $case: "url", value: "https://example.com/a.txt" }, { filename: "a.txt", mediaType: "text/plain" }),
          part({ $case: "data", value: { total: 3 } }),
        )
        to(TaskState.TASK_STATE_COMPLETED)
        break
      case "fail":
        to(TaskState.TASK_STATE_FAILED, textPart("it did not work"))
        break
      case "refuse":
        to(TaskState.TASK_STATE_REJECTED, textPart("I would rather not"))
        break
      default: {
        const data = dataOf(userMessage)
        hand("result", false, true, textPart(`${data === undefined ? word : JSON.stringify(data)} (${count})`))
        to(TaskState.TASK_STATE_COMPLETED)
      }
    }
    bus.finished()
  }

  private wait(taskId: string): Promise<"cancelled" | "signed in"> {
    return new Promise((resolve) => {
      this.waiting.set(taskId, (word) => {
        this.waiting.delete(taskId)
        resolve(word)
      })
    })
  }
}
