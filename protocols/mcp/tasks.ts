/** Tasks of 2025-11-25, where clients ask for them, and of the extension, where servers decide: one in the words of the other. */
import { Fields, type Json } from "./json.ts"

const tasksExtension = "io.modelcontextprotocol/tasks"

/** `experimental` of the core, for servers that run tool calls as tasks. */
const legacyCapability = '{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}'

/** Whether these capabilities, of a client or a server, hold the extension. */
export const declaresTasks = (capabilities: Fields | undefined): boolean =>
  capabilities?.object("extensions")?.has(tasksExtension) === true

/** Capabilities with the extension declared. */
export const declaringTasks = (capabilities: Fields): Fields => {
  const extensions = capabilities.object("extensions") ?? Fields.empty
  return extensions.has(tasksExtension)
    ? capabilities
    : capabilities.with("extensions", extensions.with(tasksExtension, "{}").toJson())
}

/** Whether a server of 2025-11-25 runs calls of tools as tasks. */
export const runsTasks = (capabilities: Fields | undefined): boolean =>
  capabilities?.object("tasks")?.object("requests")?.object("tools")?.has("call") === true

/** What a server of 2025-11-25 can do, as one of the extension would say it. */
export const capabilitiesToModern = (capabilities: Fields): Fields =>
  (runsTasks(capabilities) ? declaringTasks(capabilities) : capabilities).without("tasks")

/** What a server with the extension can do, as clients are told whose revision knows no tasks. */
export const withoutTasks = (capabilities: Fields): Fields => {
  const rest = capabilities.without("tasks")
  if (!declaresTasks(rest)) return rest
  const extensions = rest.object("extensions")?.without(tasksExtension)
  return rest.with("extensions", extensions === undefined || extensions.size === 0 ? undefined : extensions.toJson())
}

/** What a server with the extension can do, as a client of 2025-11-25 is told. */
export const capabilitiesToLegacy = (capabilities: Fields): Fields =>
  declaresTasks(capabilities) ? withoutTasks(capabilities).with("tasks", legacyCapability) : capabilities

const terminal: ReadonlySet<string | undefined> = new Set(["completed", "failed", "cancelled"])

export const isTerminal = (status: string | undefined): boolean => terminal.has(status)

/** A task of 2025-11-25 as the extension writes it. */
export const taskToModern = (task: Fields): Fields =>
  Fields.of({
    taskId: task.get("taskId"),
    status: task.get("status"),
    statusMessage: task.get("statusMessage"),
    createdAt: task.get("createdAt"),
    lastUpdatedAt: task.get("lastUpdatedAt") ?? task.get("createdAt"),
    ttlMs: task.get("ttl") ?? "null",
    pollIntervalMs: task.get("pollInterval"),
  })

/** A task of the extension as 2025-11-25 writes it. */
export const taskToLegacy = (task: Fields): Fields =>
  Fields.of({
    taskId: task.get("taskId"),
    status: task.get("status"),
    statusMessage: task.get("statusMessage"),
    createdAt: task.get("createdAt"),
    lastUpdatedAt: task.get("lastUpdatedAt") ?? task.get("createdAt"),
    ttl: task.get("ttlMs") ?? "null",
    pollInterval: task.get("pollIntervalMs"),
  })

export type TaskSupport = "forbidden" | "optional" | "required"

/** What a tool of 2025-11-25 says of being called as a task. */
export const taskSupportOf = (tool: Fields | undefined): TaskSupport => {
  const said = tool?.object("execution")?.string("taskSupport")
  return said === "optional" || said === "required" ? said : "forbidden"
}

/** How long to wait between two questions after a task. */
export const pollMillisOf = (task: Fields | undefined): number => {
  const said = Number(task?.get("pollIntervalMs") ?? Number.NaN)
  return Number.isFinite(said) ? Math.min(Math.max(said, pollMillisMin), pollMillisMax) : pollMillisUnsaid
}

const pollMillisMin = 50
const pollMillisMax = 60_000
const pollMillisUnsaid = 1_000

/** A result without the mark of the task that it came from. */
export const withoutRelated = (result: Json, key: string): Json => {
  const fields = Fields.parse(result)
  const meta = fields?.object("_meta")
  if (fields === undefined || meta === undefined || !meta.has(key)) return result
  const kept = meta.without(key)
  return fields.with("_meta", kept.size === 0 ? undefined : kept.toJson()).toJson()
}
