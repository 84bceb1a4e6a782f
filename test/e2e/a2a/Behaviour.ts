/**
 * An agent that does what the identifier of a message says, by the words of the public compatibility kit and some of
 * our own, so that the kit can be pointed at it as well.
 */
import type { Artifact, Message, Part, Task } from "@a2a-js/sdk"
import { Role, TaskState } from "@a2a-js/sdk"
import { AgentEvent, type AgentExecutor, type ExecutionEventBus, type RequestContext } from "@a2a-js/sdk/server"

export const part = (content: Part["content"], more: Partial<Part> = {}): Part => ({
  content,
  metadata: undefined,
  filename: "",
  mediaType: "",
  ...more,
})

export const textPart = (value: string): Part => part({ $case: "text", value })

export const artifactOf = (artifactId: string, ...parts: Array<Part>): Artifact => ({
  artifactId,
  name: artifactId,
  description: "",
  parts,
  metadata: undefined,
  extensions: [],
})

/** What each word hands over. */
const artifacts: Readonly<Record<string, ReadonlyArray<Part>>> = {
  "tck-artifact-text": [textPart("Generated text content")],
  "tck-artifact-file-url": [
    part(
      { $case: "url", value: "https://example.com/output.txt" },
      { filename: "output.txt", mediaType: "text/plain" },
    ),
  ],
  "tck-artifact-file": [
    part({ $case: "raw", value: Buffer.from("file content") }, { filename: "output.txt", mediaType: "text/plain" }),
  ],
  "tck-artifact-data": [part({ $case: "data", value: { key: "value", count: 42 } })],
  "tck-stream-artifact-text": [textPart("Streamed text content")],
  "tck-stream-artifact-file": [
    part({ $case: "raw", value: Buffer.from("file content") }, { filename: "output.txt", mediaType: "text/plain" }),
  ],
  list: [part({ $case: "data", value: [1, "two", null] })],
}

export interface BehaviourOptions {
  /** How long a task lives that is there to be subscribed to. */
  readonly longMillis?: number
  /** Written behind what is echoed, so that it shows who answered. */
  readonly name?: string
}

export class Behaviour implements AgentExecutor {
  readonly begun: Array<string> = []
  private readonly waiting = new Map<string, () => void>()
  private readonly options: BehaviourOptions

  constructor(options: BehaviourOptions = {}) {
    this.options = options
  }

  readonly cancelTask = async (taskId: string, bus: ExecutionEventBus): Promise<void> => {
    bus.publish(this.status(taskId, "", TaskState.TASK_STATE_CANCELED))
    this.waiting.get(taskId)?.()
    bus.finished()
  }

  readonly execute = async (context: RequestContext, bus: ExecutionEventBus): Promise<void> => {
    const { contextId, taskId, userMessage } = context
    const word = userMessage.messageId
    this.begun.push(word)
    const is = (prefix: string): boolean => word.startsWith(prefix)
    if (is("tck-message-response") || is("message")) {
      bus.publish(AgentEvent.message(this.message(contextId, "", "Direct message response")))
      return bus.finished()
    }
    const task = this.task(context)
    bus.publish(AgentEvent.task(task))
    const to = (state: TaskState, said?: string): void => bus.publish(this.status(taskId, contextId, state, said))
    if (is("tck-reject-task")) to(TaskState.TASK_STATE_REJECTED, "rejected")
    else if (is("tck-input-required")) to(TaskState.TASK_STATE_INPUT_REQUIRED, "what else?")
    else if (is("auth-required") || is("tck-auth-required")) to(TaskState.TASK_STATE_AUTH_REQUIRED, "please sign in")
    else if (is("fail")) to(TaskState.TASK_STATE_FAILED, "it did not work")
    else if (is("test-resubscribe-message-id") || is("long")) {
      to(TaskState.TASK_STATE_WORKING)
      if (!(await this.wait(taskId, this.options.longMillis ?? 4_000))) return
      to(TaskState.TASK_STATE_COMPLETED, "done at last")
    } else if (is("tck-stream-artifact-chunked")) {
      for (const [i, chunk] of ["chunk-1 ", "chunk-2"].entries()) {
        const artifact = artifactOf("chunked", textPart(chunk))
        bus.publish(
          AgentEvent.artifactUpdate({
            taskId,
            contextId,
            artifact,
            append: i > 0,
            lastChunk: i === 1,
            metadata: undefined,
          }),
        )
      }
      to(TaskState.TASK_STATE_COMPLETED)
    } else {
      to(TaskState.TASK_STATE_WORKING)
      const parts = Object.entries(artifacts)
        .filter(([prefix]) => is(prefix))
        .sort(([a], [b]) => b.length - a.length)[0]?.[1]
      const artifact = artifactOf("result", ...(parts ?? [textPart(this.echo(userMessage))]))
      bus.publish(
        AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: false, lastChunk: true, metadata: undefined }),
      )
      to(TaskState.TASK_STATE_COMPLETED, "done")
    }
    bus.finished()
  }

  private echo({ parts }: Message): string {
    const said = parts
      .map(({ content }) => (content?.$case === "text" ? content.value : `<${content?.$case}>`))
      .join(" ")
    return this.options.name === undefined ? said : `${said} (${this.options.name})`
  }

  /** False: the task was cancelled meanwhile. */
  private wait(taskId: string, millis: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(taskId)
        resolve(true)
      }, millis)
      timer.unref()
      this.waiting.set(taskId, () => {
        clearTimeout(timer)
        this.waiting.delete(taskId)
        resolve(false)
      })
    })
  }

  private task({ contextId, task, taskId, userMessage }: RequestContext): Task {
    return {
      id: taskId,
      contextId,
      status: this.statusOf(TaskState.TASK_STATE_SUBMITTED),
      artifacts: task?.artifacts ?? [],
      history: [...(task?.history ?? []), userMessage],
      metadata: { served: true },
    }
  }

  private statusOf(state: TaskState, message?: Message): NonNullable<Task["status"]> {
    return { state, message, timestamp: new Date().toISOString() }
  }

  private message(contextId: string, taskId: string, said: string): Message {
    return {
      messageId: crypto.randomUUID(),
      contextId,
      taskId,
      role: Role.ROLE_AGENT,
      parts: [textPart(said)],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    }
  }

  private status(taskId: string, contextId: string, state: TaskState, said?: string) {
    const message = said === undefined ? undefined : this.message(contextId, taskId, said)
    return AgentEvent.statusUpdate({ taskId, contextId, status: this.statusOf(state, message), metadata: undefined })
  }
}
