/**
 * 0.3 as its REST servers and its gRPC write it: the JSON of a protobuf package of its own, in which resources have
 * names such as `tasks/1/pushNotificationConfigs/2`. Bodies in the shape of JSON-RPC are read as well, because the text
 * of the specification shows those.
 */
import { fromLegacyProtoCard, toLegacyProtoCard } from "../card/legacyProto.ts"
import { changed, type Fields, fieldsOf, isFields, listOf, present, textOf } from "../Fields.ts"
import type { Operation } from "../operation.ts"
import type { Dialect } from "./Dialect.ts"
import * as json from "./legacyJson.ts"
import { all, resultsBy, shapes } from "./shapes.ts"
import { isFinal, states } from "./words.ts"

/** The one state that the packages spell differently. */
const stateIn = (state: unknown): unknown =>
  state === "TASK_STATE_CANCELLED" ? "TASK_STATE_CANCELED" : typeof state === "number" ? states[state] : state
const stateOut = (state: unknown): unknown => (state === "TASK_STATE_CANCELED" ? "TASK_STATE_CANCELLED" : state)

const roleIn = (role: unknown): unknown =>
  role === 1 || role === "user" ? "ROLE_USER" : role === 2 || role === "agent" ? "ROLE_AGENT" : role

const wrapped = "data_part_compat"

const partIn = (value: unknown): unknown => {
  const { data, file, ...rest } = fieldsOf(value)
  if (isFields(file)) {
    return present({
      ...rest,
      raw: file["fileWithBytes"],
      url: file["fileWithUri"],
      mediaType: textOf(file["mimeType"]),
      filename: textOf(file["name"]),
    })
  }
  if (!isFields(data)) return value
  const inside = data["data"]
  const { [wrapped]: flag, ...metadata } = fieldsOf(rest["metadata"])
  if (flag !== true) return { ...rest, data: inside }
  return present({
    ...rest,
    data: fieldsOf(inside)["value"],
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
  })
}

const partOut = (value: unknown): unknown => {
  const part = fieldsOf(value)
  const { data, filename, mediaType, metadata, raw, url, ...rest } = part
  if (raw !== undefined || url !== undefined) {
    const file = present({ fileWithBytes: raw, fileWithUri: url, mimeType: textOf(mediaType), name: textOf(filename) })
    return present({ ...rest, metadata, file })
  }
  if (!("data" in part)) return present({ ...rest, metadata })
  return isFields(data)
    ? present({ ...rest, metadata, data: { data } })
    : { ...rest, metadata: { ...fieldsOf(metadata), [wrapped]: true }, data: { data: { value: data ?? null } } }
}

/** `content` is what the package says, `parts` what everybody else does. */
const messageIn = (value: unknown): unknown => {
  const { content, parts, ...rest } = fieldsOf(value)
  return { ...changed(rest, "role", roleIn), parts: all(partIn)(content ?? parts) }
}

const messageOut = (value: unknown): unknown => {
  const { parts, ...rest } = fieldsOf(value)
  return { ...rest, content: all(partOut)(parts) }
}

const reading = shapes({
  message: messageIn,
  parts: all(partIn),
  state: stateIn,
  status: ({ message, update, ...rest }) => present({ ...rest, message: message ?? update }),
})

const writing = shapes({ message: messageOut, parts: all(partOut), state: stateOut })

const statusUpdateIn = (value: unknown): Fields => {
  const { final: _, ...rest } = fieldsOf(value)
  return reading.statusUpdate(rest)
}

const statusUpdateOut = (value: unknown): Fields => ({
  ...writing.statusUpdate(value),
  final: isFinal(fieldsOf(fieldsOf(value)["status"])["state"]),
})

/** Whether something is written as JSON-RPC writes it. */
const isProse = (value: Fields): boolean => typeof value["kind"] === "string"

const eventIn = (value: unknown): unknown => {
  const event = fieldsOf(value)
  if (isProse(event)) return json.eventIn(event)
  const { artifactUpdate, message, msg, statusUpdate, task } = event
  const said = message ?? msg
  if (task !== undefined) return { task: reading.task(task) }
  if (said !== undefined) return { message: messageIn(said) }
  if (statusUpdate !== undefined) return { statusUpdate: statusUpdateIn(statusUpdate) }
  return artifactUpdate === undefined ? value : { artifactUpdate: reading.artifactUpdate(artifactUpdate) }
}

const eventOut = (value: unknown): unknown => {
  const { artifactUpdate, message, statusUpdate, task } = fieldsOf(value)
  if (task !== undefined) return { task: writing.task(task) }
  if (message !== undefined) return { message: messageOut(message) }
  if (statusUpdate !== undefined) return { statusUpdate: statusUpdateOut(statusUpdate) }
  return artifactUpdate === undefined ? value : { artifactUpdate: writing.artifactUpdate(artifactUpdate) }
}

const taskName = (id: unknown): string => `tasks/${String(id ?? "")}`
const configName = (taskId: unknown, id: unknown): string =>
  `${taskName(taskId)}/pushNotificationConfigs/${String(id ?? "")}`

/** Identifiers out of `tasks/{task}/pushNotificationConfigs/{config}`, or its beginning. */
const named = (name: unknown): { readonly taskId?: string; readonly id?: string } => {
  const [, taskId, id] = /^tasks\/([^/]+)(?:\/pushNotificationConfigs\/?([^/]*))?$/.exec(textOf(name) ?? "") ?? []
  return { ...(taskId === undefined ? {} : { taskId }), ...(id === undefined || id === "" ? {} : { id }) }
}

const taskPushIn = (value: unknown): Fields => {
  const config = fieldsOf(value)
  const { name, pushNotificationConfig, ...rest } = config
  return { ...rest, ...named(name), ...present({ ...json.pushIn(pushNotificationConfig) }) }
}

const taskPushOut = (value: unknown): Fields => {
  const { id, taskId } = fieldsOf(value)
  return { name: configName(taskId, id), pushNotificationConfig: json.pushOut(value) }
}

const configurationIn = (value: unknown): unknown => {
  const { blocking, pushNotification, pushNotificationConfig, ...rest } = fieldsOf(value)
  const push = pushNotification ?? pushNotificationConfig
  return present({
    ...rest,
    // Who configures a call but says nothing of waiting cannot be told from one that does not want to.
    returnImmediately: blocking === true ? undefined : true,
    taskPushNotificationConfig: push === undefined ? undefined : json.pushIn(push),
    // Protobuf cannot tell "all of it" from none, and writers of 0.3 say 0 when they were told nothing.
    historyLength: rest["historyLength"] === 0 ? undefined : rest["historyLength"],
  })
}

const configurationOut = (value: unknown): unknown => {
  const { returnImmediately, taskPushNotificationConfig, ...rest } = fieldsOf(value)
  return present({
    ...rest,
    blocking: returnImmediately !== true,
    pushNotification: taskPushNotificationConfig === undefined ? undefined : json.pushOut(taskPushNotificationConfig),
  })
}

/** A body as the text of the specification shows it. */
export const isProseRequest = (params: Fields): boolean => {
  const message = fieldsOf(params["message"])
  return isProse(message) || listOf(message["parts"]).some((part) => isProse(fieldsOf(part)))
}

const readRequest = (operation: Operation, params: Fields): Fields => {
  switch (operation) {
    case "SendMessage":
    case "SendStreamingMessage": {
      if (isProseRequest(params)) return json.legacyJson.request.read(operation, params)
      const { message, request, ...rest } = params
      return changed({ ...rest, message: messageIn(request ?? message) }, "configuration", configurationIn)
    }
    case "GetTask":
    case "CancelTask":
    case "SubscribeToTask": {
      const { historyLength, name, ...rest } = params
      const { taskId } = named(name)
      return present({
        ...rest,
        id: taskId ?? rest["id"],
        historyLength: historyLength === 0 ? undefined : historyLength,
      })
    }
    case "CreateTaskPushNotificationConfig": {
      const { config, configId, parent, ...rest } = params
      const inside = taskPushIn(config ?? rest)
      return present({
        ...inside,
        taskId: named(parent).taskId ?? inside["taskId"],
        id: textOf(inside["id"]) ?? textOf(configId),
      })
    }
    case "GetTaskPushNotificationConfig":
    case "DeleteTaskPushNotificationConfig": {
      const { name, ...rest } = params
      return { ...rest, ...named(name) }
    }
    case "ListTaskPushNotificationConfigs": {
      const { parent, ...rest } = params
      return { ...rest, ...named(parent) }
    }
    default:
      return params
  }
}

const writeRequest = (operation: Operation, params: Fields): Fields => {
  const { tenant: _, ...rest } = params
  switch (operation) {
    case "SendMessage":
    case "SendStreamingMessage": {
      const { configuration, message, ...more } = rest
      return { ...more, message: messageOut(message), configuration: configurationOut(configuration) }
    }
    case "GetTask":
      return present({ name: taskName(rest["id"]), historyLength: rest["historyLength"] })
    case "CancelTask":
    case "SubscribeToTask":
      return { name: taskName(rest["id"]) }
    case "CreateTaskPushNotificationConfig":
      return { parent: taskName(rest["taskId"]), configId: textOf(rest["id"]) ?? "", config: taskPushOut(rest) }
    case "GetTaskPushNotificationConfig":
    case "DeleteTaskPushNotificationConfig":
      return { name: configName(rest["taskId"], rest["id"]) }
    case "ListTaskPushNotificationConfigs":
      return present({ parent: taskName(rest["taskId"]), pageSize: rest["pageSize"], pageToken: rest["pageToken"] })
    default:
      return rest
  }
}

const readResult = resultsBy({
  event: (result) => eventIn(fieldsOf(result)),
  task: (result) => {
    const task = fieldsOf(result)
    return isProse(task) ? json.taskIn(task) : reading.task(task)
  },
  push: taskPushIn,
  pushes: (result) => {
    const value = fieldsOf(result)
    return { ...value, configs: listOf(Array.isArray(result) ? result : value["configs"]).map(taskPushIn) }
  },
  deleted: null,
  card: (result) => fromLegacyProtoCard(fieldsOf(result)),
})

const writeResult = resultsBy({
  event: eventOut,
  task: writing.task,
  push: taskPushOut,
  pushes: (result) => changed(fieldsOf(result), "configs", all(taskPushOut)),
  deleted: {},
  card: (result) => toLegacyProtoCard(fieldsOf(result)),
})

export const legacyProto: Dialect = {
  request: { read: readRequest, write: writeRequest },
  result: { read: readResult, write: writeResult },
}
