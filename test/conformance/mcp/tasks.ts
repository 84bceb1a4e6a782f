/**
 * A server of the tasks extension, on bare JSON-RPC because no SDK has it yet:
 * `node tasks.ts --port 0` prints its URL.
 */
import { randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"
import { localhostHostValidation, localhostOriginValidation } from "@modelcontextprotocol/node"
import { text } from "./content.ts"
import { bodyOf } from "./httpSse.ts"
import { Tasks, type Work } from "./TaskStore.ts"

type Json = Record<string, unknown>

const version = "2026-07-28"
const extension = "io.modelcontextprotocol/tasks"
const meta = (name: string) => `io.modelcontextprotocol/${name}`
const identity = { [meta("serverInfo")]: { name: "tasks-fixture", version: "1.0.0" } }

class Fault extends Error {
  readonly code: number
  readonly status: number
  readonly data: unknown

  constructor(code: number, message: string, status = 200, data?: unknown) {
    super(message)
    this.code = code
    this.status = status
    this.data = data
  }
}

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const mapAt = (value: unknown, key: string): Json => {
  const found = isMap(value) ? value[key] : undefined
  return isMap(found) ? found : {}
}

const missing = () =>
  new Fault(-32_021, "The tasks extension is required", 400, {
    requiredCapabilities: { extensions: { [extension]: {} } },
  })

const declares = (params: Json): boolean =>
  mapAt(mapAt(mapAt(params, "_meta"), meta("clientCapabilities")), "extensions")[extension] !== undefined

const tool = (name: string, description: string, properties: Json = {}, taskSupport?: string) => ({
  name,
  description,
  inputSchema: { type: "object", properties },
  ...(taskSupport === undefined ? {} : { execution: { taskSupport } }),
})

const tools = [
  tool("greet", "Greets at once.", { name: { type: "string" } }),
  tool("slow_compute", "Takes its time.", { seconds: { type: "number" }, label: { type: "string" } }, "optional"),
  tool("failing_job", "Fails after a second.", {}, "required"),
  tool("protocol_error_job", "Breaks down.", {}, "optional"),
  tool("confirm_delete", "Asks before it deletes.", { filename: { type: "string" } }, "optional"),
  tool("multi_input", "Asks two things at once.", {}, "optional"),
  tool("test_tool_with_task", "Asks first, and then takes its time.", {}, "required"),
]

const elicitation = (message: string, key: string) => ({
  method: "elicitation/create",
  params: {
    mode: "form",
    message,
    requestedSchema: { type: "object", properties: { [key]: { type: "string" } }, required: [key] },
  },
})

const said = (words: string) => ({ content: [text(words)] })

const contentOf = (response: unknown): string => JSON.stringify(mapAt(response, "content"))

const pause = (millis: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, millis)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    })
  })

const jobs: Readonly<Record<string, (args: Json) => Work>> = {
  slow_compute: (args) => async (task) => {
    await pause(Number(args["seconds"] ?? 0) * 1000, task.signal)
    return said(`Computed ${String(args["label"] ?? "")}`.trim())
  },
  failing_job: () => async (task) => {
    await pause(1000, task.signal)
    return { ...said("The job failed"), isError: true }
  },
  protocol_error_job: () => () => Promise.reject(new Error("The job broke down")),
  confirm_delete: (args) => async (task) => {
    const file = String(args["filename"] ?? "it")
    const answers = await task.ask({ confirm: elicitation(`Delete ${file}?`, "confirm") })
    return said(`${file}: ${contentOf(answers["confirm"])}`)
  },
  multi_input: () => async (task) => {
    const answers = await task.ask({
      first: elicitation("What comes first?", "first"),
      second: elicitation("What comes second?", "second"),
    })
    return said(`${contentOf(answers["first"])} ${contentOf(answers["second"])}`)
  },
}

const greeted = (params: Json): string | undefined => {
  const name = mapAt(mapAt(mapAt(params, "inputResponses"), "user_name"), "content")["name"]
  return typeof name === "string" ? name : undefined
}

const call = async (tasks: Tasks, params: Json): Promise<Json> => {
  const name = String(params["name"])
  const args = mapAt(params, "arguments")
  if (name === "greet") return { resultType: "complete", ...said(`Hello, ${String(args["name"])}!`) }
  if (!tools.some((one) => one.name === name)) throw new Fault(-32_602, `Unknown tool: ${name}`)
  const withTasks = declares(params)
  if (!withTasks && (name === "failing_job" || name === "test_tool_with_task")) throw missing()
  if (name === "test_tool_with_task") {
    const user = greeted(params)
    return user === undefined
      ? { resultType: "input_required", inputRequests: { user_name: elicitation("What is your name?", "name") } }
      : tasks.start(() => Promise.resolve(said(`Hello, ${user}, from a task`)))
  }
  const work = jobs[name]?.(args)
  if (work === undefined) throw new Fault(-32_603, "There is no such job")
  if (withTasks) return tasks.start(work)
  if (name === "confirm_delete" || name === "multi_input") {
    return { resultType: "complete", ...said("This tool asks questions, which needs tasks"), isError: true }
  }
  const signal = new AbortController().signal
  const result = await work({ signal, ask: () => Promise.reject(new Error("nobody can be asked")) }).catch((cause) => {
    throw new Fault(-32_603, String(cause))
  })
  return { resultType: "complete", ...result }
}

const cached = { ttlMs: 0, cacheScope: "private" }

const answer = async (tasks: Tasks, method: string, params: Json): Promise<Json> => {
  switch (method) {
    case "server/discover":
      return {
        resultType: "complete",
        supportedVersions: [version],
        capabilities: { tools: {}, extensions: { [extension]: {} } },
        instructions: "A fixture for the tasks extension.",
        ...cached,
      }
    case "tools/list":
      return { resultType: "complete", tools, ...cached }
    case "tools/call":
      return call(tasks, params)
    case "tasks/get":
    case "tasks/update":
    case "tasks/cancel": {
      if (!declares(params)) throw missing()
      const task = tasks.get(String(params["taskId"]))
      if (task === undefined) throw new Fault(-32_602, "Unknown task")
      if (method === "tasks/get") return { resultType: "complete", ...task.detailed() }
      if (method === "tasks/cancel") task.cancel()
      else task.update(mapAt(params, "inputResponses"))
      return { resultType: "complete" }
    }
    default:
      throw new Fault(-32_601, `Method not found: ${method}`, 404)
  }
}

const named: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
}

const decoded = (value: string): string => {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(value) ?? []
  return base64 === undefined ? value : Buffer.from(base64, "base64").toString("utf8")
}

/** The envelope, and the headers that repeat what the body says. */
const inspect = (request: IncomingMessage, method: string, params: Json): void => {
  const envelope = mapAt(params, "_meta")
  const claimed = envelope[meta("protocolVersion")]
  if (typeof claimed !== "string" || !isMap(envelope[meta("clientCapabilities")])) {
    throw new Fault(-32_602, "The envelope is incomplete", 400)
  }
  const header = (name: string) => {
    const value = request.headers[name]
    return typeof value === "string" ? decoded(value.trim()) : undefined
  }
  if (header("mcp-protocol-version") !== claimed) throw new Fault(-32_020, "The versions differ", 400)
  if (claimed !== version) {
    throw new Fault(-32_022, "Unsupported version", 400, { supported: [version], requested: claimed })
  }
  if (header("mcp-method") !== method) throw new Fault(-32_020, "Mcp-Method differs from the body", 400)
  const field = named[method]
  if (field !== undefined && header("mcp-name") !== String(params[field])) {
    throw new Fault(-32_020, "Mcp-Name differs from the body", 400)
  }
}

/** Tells of the tasks that were asked for, until the client leaves. */
const listen = (tasks: Tasks, id: unknown, params: Json, response: ServerResponse): void => {
  const wanted = mapAt(params, "notifications")["taskIds"]
  const taskIds = Array.isArray(wanted) ? wanted.map(String) : []
  const tagged = { _meta: { [meta("subscriptionId")]: id } }
  const send = (method: string, body: Json) =>
    response.write(
      `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method, params: { ...body, ...tagged } })}\n\n`,
    )
  response.writeHead(200, { "content-type": "text/event-stream", "x-accel-buffering": "no" })
  send("notifications/subscriptions/acknowledged", { notifications: { taskIds } })
  const stop = tasks.observe((task) => {
    if (taskIds.includes(task.id)) send("notifications/tasks", task.detailed())
  })
  response.on("close", stop)
}

const respond = async (tasks: Tasks, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const reply = (status: number, body: Json): void => {
    response.writeHead(status, { "content-type": "application/json" })
    response.end(JSON.stringify({ jsonrpc: "2.0", ...body }))
  }
  if (request.method !== "POST") return void response.writeHead(405).end()
  let message: unknown
  try {
    message = JSON.parse(await bodyOf(request))
  } catch {
    return reply(400, { id: null, error: { code: -32_700, message: "Parse error" } })
  }
  if (!isMap(message) || typeof message["method"] !== "string") {
    return reply(400, { id: null, error: { code: -32_600, message: "Invalid request" } })
  }
  const { id, method } = message
  if (id === undefined) return void response.writeHead(202).end()
  const params = mapAt(message, "params")
  try {
    inspect(request, method, params)
    if (method === "subscriptions/listen") return listen(tasks, id, params, response)
    const result = await answer(tasks, method, params)
    reply(200, { id, result: { ...result, _meta: identity } })
  } catch (cause) {
    const fault = cause instanceof Fault ? cause : new Fault(-32_603, String(cause), 500)
    const { code, data, message: said, status } = fault
    reply(status, { id, error: { code, message: said, ...(data === undefined ? {} : { data }) } })
  }
}

export interface RunningTasks {
  readonly url: string
  readonly server: Server
  readonly tasks: Tasks
  readonly close: () => Promise<void>
}

export const serveTasks = (port = 0): Promise<RunningTasks> => {
  const tasks = new Tasks(randomUUID)
  const isHost = localhostHostValidation()
  const isOrigin = localhostOriginValidation()
  const server = createServer((request, response) => {
    if (isHost(request, response) && isOrigin(request, response)) void respond(tasks, request, response)
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => {
      const { port: bound } = server.address() as AddressInfo
      const close = () =>
        new Promise<void>((done) => {
          tasks.close()
          server.close(() => done())
          server.closeAllConnections()
        })
      resolve({ url: `http://localhost:${bound}/mcp`, server, tasks, close })
    })
  })
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } })
  console.log((await serveTasks(Number(values.port))).url)
}
