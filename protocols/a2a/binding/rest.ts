/** The binding of plain HTTP and JSON: paths are nouns, a colon introduces a verb. */
import { type Answer, failed, type Read, read, result, unreadable } from "../Answer.ts"
import { type Dialect, modern } from "../dialect/Dialect.ts"
import { legacyJson } from "../dialect/legacyJson.ts"
import { isProseRequest, legacyProto } from "../dialect/legacyProto.ts"
import { fault, fromRest } from "../Fault.ts"
import { type Fields, fieldsOf, isFields, parse, present, textOf } from "../Fields.ts"
import type { Call, Operation, Version } from "../operation.ts"

/** What a path says when it is one of the protocol's. */
export interface Resource {
  /** What stands before the part that is the protocol's, without a slash at its end. */
  readonly base: string
  /** The paths of 0.3 begin with `/v1`. */
  readonly isLegacy: boolean
  readonly operation: Operation
  readonly taskId?: string
  readonly configId?: string
}

const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

interface Found {
  readonly operation: Operation
  readonly taskId?: string
  readonly configId?: string
  /** How many segments at the end of the path are the protocol's. */
  readonly segments: number
}

const verbs: Readonly<Record<string, readonly [verb: RegExp, operation: Operation]>> = {
  cancel: [/^POST$/, "CancelTask"],
  subscribe: [/^(?:GET|POST)$/, "SubscribeToTask"],
}

const onTask = (method: string, last: string): Found | undefined => {
  const colon = last.lastIndexOf(":")
  const verb = colon < 0 ? undefined : verbs[last.slice(colon + 1)]
  if (verb !== undefined) {
    const taskId = decoded(last.slice(0, colon))
    return taskId !== undefined && taskId !== "" && verb[0].test(method)
      ? { operation: verb[1], taskId, segments: 2 }
      : undefined
  }
  const taskId = decoded(last)
  return method === "GET" && taskId !== undefined && taskId !== ""
    ? { operation: "GetTask", taskId, segments: 2 }
    : undefined
}

const onConfigs = (method: string, task: string): Found | undefined => {
  const taskId = decoded(task)
  if (taskId === undefined || taskId === "") return undefined
  if (method === "POST") return { operation: "CreateTaskPushNotificationConfig", taskId, segments: 3 }
  return method === "GET" ? { operation: "ListTaskPushNotificationConfigs", taskId, segments: 3 } : undefined
}

const onConfig = (method: string, task: string, config: string): Found | undefined => {
  const taskId = decoded(task)
  const configId = decoded(config)
  if (taskId === undefined || configId === undefined || taskId === "" || configId === "") return undefined
  if (method === "GET") return { operation: "GetTaskPushNotificationConfig", taskId, configId, segments: 4 }
  return method === "DELETE"
    ? { operation: "DeleteTaskPushNotificationConfig", taskId, configId, segments: 4 }
    : undefined
}

const find = (method: string, segments: ReadonlyArray<string>): Found | undefined => {
  const [fourth = "", third = "", second = "", last = ""] = [-4, -3, -2, -1].map((at) => segments.at(at))
  if (last === "message:send") return method === "POST" ? { operation: "SendMessage", segments: 1 } : undefined
  if (last === "message:stream") {
    return method === "POST" ? { operation: "SendStreamingMessage", segments: 1 } : undefined
  }
  if (fourth === "tasks" && second === "pushNotificationConfigs") return onConfig(method, third, last)
  if (third === "tasks" && last === "pushNotificationConfigs") return onConfigs(method, second)
  if (second === "tasks") return onTask(method, last)
  if (method !== "GET") return undefined
  if (last === "tasks") return { operation: "ListTasks", segments: 1 }
  if (last === "extendedAgentCard") return { operation: "GetExtendedAgentCard", segments: 1 }
  return second === "v1" && last === "card" ? { operation: "GetExtendedAgentCard", segments: 1 } : undefined
}

/**
 * Looks at the end of a path, since what an agent or a route puts in front of it can be anything. Undefined: the path is
 * none of the protocol's.
 */
export const readPath = (method: string, path: string): Resource | undefined => {
  const segments = path.split("/")
  const found = find(method, segments)
  if (found === undefined) return undefined
  const before = segments.slice(0, segments.length - found.segments)
  const isLegacy = before.at(-1) === "v1"
  const { configId, operation, taskId } = found
  return {
    base: (isLegacy ? before.slice(0, -1) : before).join("/"),
    isLegacy,
    operation,
    ...(taskId === undefined ? {} : { taskId }),
    ...(configId === undefined ? {} : { configId }),
  }
}

const whole = (text: string | null, name: string, max: number): Read<number | undefined> => {
  if (text === null || text === "") return read(undefined)
  const value = Number(text)
  return /^\d{1,9}$/.test(text) && value <= max
    ? read(value)
    : unreadable(fault("InvalidParams", `\`${name}\` must be a whole number from 0 to ${max}`))
}

/** The parameters of operations without a body. */
const readQuery = (operation: Operation, query: string): Read<Fields> => {
  const given = new URLSearchParams(query)
  const get = (name: string): string | null =>
    given.get(name) ?? given.get(name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
  const history = whole(get("historyLength"), "historyLength", 0x7fff_ffff)
  if (history._tag === "Unreadable") return history
  const tenant = textOf(get("tenant"))
  if (operation === "GetTask") return read(present({ tenant, historyLength: history.value }))
  if (operation !== "ListTasks" && operation !== "ListTaskPushNotificationConfigs") return read(present({ tenant }))
  const size = whole(get("pageSize"), "pageSize", 100)
  if (size._tag === "Unreadable") return size
  const page = { tenant, pageSize: size.value, pageToken: textOf(get("pageToken")) }
  if (operation === "ListTaskPushNotificationConfigs") return read(present(page))
  const artifacts = get("includeArtifacts")
  return read(
    present({
      ...page,
      contextId: textOf(get("contextId")),
      status: textOf(get("status")),
      historyLength: history.value,
      statusTimestampAfter: textOf(get("statusTimestampAfter")),
      includeArtifacts: artifacts === null ? undefined : artifacts === "true",
    }),
  )
}

const withBody: ReadonlySet<Operation> = new Set<Operation>([
  "SendMessage",
  "SendStreamingMessage",
  "CancelTask",
  "CreateTaskPushNotificationConfig",
])

export const hasBody = (operation: Operation): boolean => withBody.has(operation)

/** How a question is put, so that the answer can be put the same way. */
export interface Spelling {
  readonly version: Version
  /** In 0.3: in the shape of JSON-RPC, as the text of the specification shows it. */
  readonly isProse: boolean
}

export const dialectOf = ({ isProse, version }: Spelling): Dialect =>
  version === "1.0" ? modern : isProse ? legacyJson : legacyProto

/** Whether a body of 0.3 is in the shape of JSON-RPC. */
export const isProseBody = (operation: Operation, body: Fields): boolean =>
  operation === "CreateTaskPushNotificationConfig"
    ? isFields(body["pushNotificationConfig"]) && body["name"] === undefined
    : isProseRequest(body)

export interface Question {
  readonly call: Call
  readonly spelling: Spelling
}

export const readCall = (
  { configId, operation, taskId }: Resource,
  version: Version,
  query: string | undefined,
  body: string,
): Read<Question> => {
  if (!withBody.has(operation)) {
    const asked = readQuery(operation, query ?? "")
    if (asked._tag === "Unreadable") return asked
    const ids =
      operation === "GetTask" || operation === "SubscribeToTask" ? { id: taskId } : present({ taskId, id: configId })
    return read({ call: { operation, params: { ...asked.value, ...ids } }, spelling: { version, isProse: false } })
  }
  const parsed = body.trim() === "" ? { value: {} } : parse(body)
  if (parsed === undefined) return unreadable(fault("ParseError"))
  // Some clients send `null` where they have nothing to say.
  const params = parsed.value === null ? {} : parsed.value
  if (!isFields(params)) return unreadable(fault("InvalidParams", "the body must be a JSON object"))
  const isProse = version === "0.3" && isProseBody(operation, params)
  const spelling: Spelling = { version, isProse }
  const said = operation === "CancelTask" ? params : dialectOf(spelling).request.read(operation, params)
  const ids =
    operation === "CancelTask" ? { id: taskId } : operation === "CreateTaskPushNotificationConfig" ? { taskId } : {}
  return read({ call: { operation, params: { ...said, ...ids } }, spelling })
}

/** A request as it goes to an agent. */
export interface Written {
  readonly method: string
  /** Behind the base of the interface. */
  readonly path: string
  readonly query: string | undefined
  readonly body: unknown
}

const segment = (value: unknown): string => encodeURIComponent(String(value ?? ""))

const queryOf = (fields: Fields): string | undefined => {
  const query = new URLSearchParams(
    Object.entries(present(fields)).map(([name, value]) => [name, String(value)] as [string, string]),
  ).toString()
  return query === "" ? undefined : query
}

export const writeCall = ({ operation, params }: Call, spelling: Spelling): Written => {
  const { version } = spelling
  const root = version === "0.3" ? "/v1" : ""
  const dialect = dialectOf(spelling)
  const { tenant: _, ...said } = params
  switch (operation) {
    case "SendMessage":
    case "SendStreamingMessage":
      return {
        method: "POST",
        path: `${root}/message:${operation === "SendMessage" ? "send" : "stream"}`,
        query: undefined,
        body: dialect.request.write(operation, said),
      }
    case "GetTask":
      return {
        method: "GET",
        path: `${root}/tasks/${segment(said["id"])}`,
        query: queryOf({ historyLength: said["historyLength"] }),
        body: undefined,
      }
    case "ListTasks":
      return { method: "GET", path: `${root}/tasks`, query: queryOf(said), body: undefined }
    case "CancelTask": {
      const { id, ...more } = said
      return { method: "POST", path: `${root}/tasks/${segment(id)}:cancel`, query: undefined, body: more }
    }
    case "SubscribeToTask":
      return {
        method: "GET",
        path: `${root}/tasks/${segment(said["id"])}:subscribe`,
        query: undefined,
        body: undefined,
      }
    case "CreateTaskPushNotificationConfig": {
      const written = dialect.request.write(operation, said)
      return {
        method: "POST",
        path: `${root}/tasks/${segment(said["taskId"])}/pushNotificationConfigs`,
        query: undefined,
        // The package's request has the configuration as its body, the rest being in the path.
        body: version === "0.3" && !spelling.isProse ? written["config"] : written,
      }
    }
    case "ListTaskPushNotificationConfigs":
      return {
        method: "GET",
        path: `${root}/tasks/${segment(said["taskId"])}/pushNotificationConfigs`,
        query: queryOf({ pageSize: said["pageSize"], pageToken: said["pageToken"] }),
        body: undefined,
      }
    case "GetTaskPushNotificationConfig":
    case "DeleteTaskPushNotificationConfig":
      return {
        method: operation === "GetTaskPushNotificationConfig" ? "GET" : "DELETE",
        path: `${root}/tasks/${segment(said["taskId"])}/pushNotificationConfigs/${segment(said["id"])}`,
        query: undefined,
        body: undefined,
      }
    case "GetExtendedAgentCard":
      return {
        method: "GET",
        path: version === "0.3" ? "/v1/card" : "/extendedAgentCard",
        query: undefined,
        body: undefined,
      }
  }
}

export const successStatus = (operation: Operation): number =>
  operation === "CreateTaskPushNotificationConfig" ? 201 : operation === "DeleteTaskPushNotificationConfig" ? 204 : 200

export const writeResult = (operation: Operation, value: unknown, spelling: Spelling): unknown =>
  dialectOf(spelling).result.write(operation, value)

const isProseResult = (value: unknown): boolean => textOf(fieldsOf(value)["kind"]) !== undefined

const readValue = (operation: Operation, value: unknown, version: Version): unknown =>
  dialectOf({ version, isProse: isProseResult(value) }).result.read(operation, value)

export const readAnswer = (operation: Operation, status: number, text: string, version: Version): Answer => {
  const parsed = text.trim() === "" ? { value: undefined } : parse(text)
  if (status < 200 || status > 299) return failed(fromRest(status, parsed?.value))
  if (operation === "DeleteTaskPushNotificationConfig") return result(null)
  if (parsed === undefined || !(isFields(parsed.value) || Array.isArray(parsed.value))) {
    return failed(fault("InvalidAgentResponse", "the agent's answer is not JSON"))
  }
  return result(readValue(operation, parsed.value, version))
}

/** One event of a stream; an error says so by its type or by its only member. */
export const readEvent = (operation: Operation, type: string | undefined, data: string, version: Version): Answer => {
  const value = parse(data)?.value
  if (!isFields(value)) return failed(fault("InvalidAgentResponse", "an event of the agent is not JSON"))
  const isError =
    type === "error" || isFields(value["error"]) || (typeof value["code"] === "number" && "message" in value)
  return isError ? failed(fromRest(500, value)) : result(readValue(operation, value, version))
}
