/** The bundled sample agent: speaks A2A 1.0 by JSON-RPC, and says what it was told, word by word where it is streamed. */
import type * as http from "node:http"

const bodyBytesMax = 1024 * 1024
const tasksMax = 1000

interface Task {
  readonly id: string
  readonly contextId: string
  readonly status: { readonly state: string; readonly timestamp: string }
  readonly artifacts?: ReadonlyArray<unknown>
  readonly history: ReadonlyArray<unknown>
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {}

const card = (origin: string): Fields => ({
  name: "Echo",
  description: "The sample agent that comes with the gateway: it says what it is told",
  version: "1.0.0",
  supportedInterfaces: [{ url: `${origin}/agent`, protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
  capabilities: { streaming: true, pushNotifications: false },
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  skills: [{ id: "echo", name: "Echo", description: "Says it again", tags: ["sample"], examples: ["hello"] }],
})

const textOf = (message: Fields): string =>
  (Array.isArray(message["parts"]) ? message["parts"] : [])
    .map((part) => fieldsOf(part)["text"])
    .filter((text) => typeof text === "string")
    .join(" ")

const status = (state: string) => ({ state: `TASK_STATE_${state}`, timestamp: new Date().toISOString() })

const artifact = (text: string) => ({ artifactId: "echo", name: "echo", parts: [{ text }] })

interface Failure {
  readonly code: number
  readonly message: string
}

class EchoAgent {
  private readonly tasks = new Map<string, Task>()

  private keep(task: Task): Task {
    this.tasks.set(task.id, task)
    for (const id of this.tasks.keys()) {
      if (this.tasks.size <= tasksMax) break
      this.tasks.delete(id)
    }
    return task
  }

  private begin(params: Fields): Task {
    const message = fieldsOf(params["message"])
    const { contextId } = message
    return this.keep({
      id: crypto.randomUUID(),
      contextId: typeof contextId === "string" && contextId !== "" ? contextId : crypto.randomUUID(),
      status: status("WORKING"),
      history: [message],
    })
  }

  private complete(task: Task, text: string): Task {
    return this.keep({ ...task, status: status("COMPLETED"), artifacts: [artifact(text)] })
  }

  /** Events, or one answer. */
  answer(
    method: unknown,
    params: Fields,
  ): { readonly events: ReadonlyArray<Fields> } | { readonly result: unknown } | Failure {
    switch (method) {
      case "SendMessage": {
        const task = this.begin(params)
        return { result: { task: this.complete(task, textOf(fieldsOf(params["message"]))) } }
      }
      case "SendStreamingMessage": {
        const task = this.begin(params)
        const { contextId, id: taskId } = task
        const text = textOf(fieldsOf(params["message"]))
        const words = text.split(/(?<=\s)/)
        const done = this.complete(task, text)
        return {
          events: [
            { task },
            ...words.map((word, i) => ({
              artifactUpdate: {
                taskId,
                contextId,
                artifact: artifact(word),
                ...(i > 0 ? { append: true } : {}),
                ...(i === words.length - 1 ? { lastChunk: true } : {}),
              },
            })),
            { statusUpdate: { taskId, contextId, status: done.status } },
          ],
        }
      }
      case "GetTask": {
        const task = this.tasks.get(String(params["id"]))
        return task === undefined ? { code: -32001, message: "Task not found" } : { result: task }
      }
      case "ListTasks": {
        const tasks = [...this.tasks.values()].toReversed().slice(0, 50)
        return { result: { tasks, nextPageToken: "", pageSize: tasks.length, totalSize: this.tasks.size } }
      }
      case "CancelTask":
        return this.tasks.has(String(params["id"]))
          ? { code: -32002, message: "Task cannot be canceled" }
          : { code: -32001, message: "Task not found" }
      case "SubscribeToTask":
        return { code: -32004, message: "This operation is not supported" }
      default:
        return { code: -32601, message: "Method not found" }
    }
  }
}

const agent = new EchoAgent()

const reply = (response: http.ServerResponse, value: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify(value))
}

const stream = (response: http.ServerResponse, id: unknown, events: ReadonlyArray<Fields>): void => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  let at = 0
  const next = (): void => {
    const result = events[at++]
    if (result === undefined) {
      response.end()
      return
    }
    response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`)
    timer = setTimeout(next, 20)
  }
  let timer = setTimeout(next, 0)
  response.on("close", () => clearTimeout(timer))
}

const call = (response: http.ServerResponse, body: string): void => {
  let request: Fields
  try {
    request = fieldsOf(JSON.parse(body))
  } catch {
    return reply(response, { jsonrpc: "2.0", id: null, error: { code: -32700, message: "Invalid JSON payload" } })
  }
  const { id = null, method, params } = request
  const answer = agent.answer(method, fieldsOf(params))
  if ("events" in answer) stream(response, id, answer.events)
  else if ("result" in answer) reply(response, { jsonrpc: "2.0", id, result: answer.result })
  else reply(response, { jsonrpc: "2.0", id, error: answer })
}

/** Answers what is asked of the agent; false: it is not meant. */
export const answerAgent = (request: http.IncomingMessage, response: http.ServerResponse): boolean => {
  const path = request.url?.split("?")[0]
  if (path === "/agent/.well-known/agent-card.json") {
    request.resume()
    reply(response, card(`http://${request.headers.host ?? "127.0.0.1"}`))
    return true
  }
  if (path !== "/agent" || request.method !== "POST") return false
  const chunks: Array<Buffer> = []
  let length = 0
  request.on("data", (chunk: Buffer) => {
    length += chunk.byteLength
    if (length <= bodyBytesMax) chunks.push(chunk)
  })
  request.once("end", () => {
    if (length <= bodyBytesMax) return call(response, Buffer.concat(chunks).toString())
    response.writeHead(413)
    response.end()
  })
  return true
}
