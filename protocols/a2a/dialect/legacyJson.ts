/** 0.3 as its JSON-RPC writes it: `kind` tells things apart, words are in lower case. */
import { fromLegacyCard, toLegacyCard } from "../card/legacy.ts"
import { changed, type Fields, fieldsOf, isFields, listOf, present, textOf } from "../Fields.ts"
import type { Operation } from "../operation.ts"
import type { Dialect } from "./Dialect.ts"
import { partsFromLegacy, partsToLegacy } from "./part.ts"
import { resultsBy, shapes } from "./shapes.ts"
import { isFinal, roleFromLegacy, roleToLegacy, stateFromLegacy, stateToLegacy } from "./words.ts"

const messageIn = (value: unknown): unknown => {
  if (!isFields(value)) return value
  const { kind: _, ...rest } = value
  return changed(changed(rest, "role", roleFromLegacy), "parts", partsFromLegacy)
}

const messageOut = (value: unknown): unknown =>
  isFields(value)
    ? { kind: "message", ...changed(changed(value, "role", roleToLegacy), "parts", partsToLegacy) }
    : value

const reading = shapes({ message: messageIn, parts: partsFromLegacy, state: stateFromLegacy })

const writing = shapes({
  message: messageOut,
  parts: partsToLegacy,
  state: stateToLegacy,
  status: (status) => ({ state: "TASK_STATE_UNSPECIFIED", ...status }),
})

export const taskIn = (value: unknown): Fields => {
  const { kind: _, ...rest } = fieldsOf(value)
  return reading.task(rest)
}

/** Both always have a status, since readers count on it. */
const stated = (value: unknown): Fields => ({ status: {}, ...fieldsOf(value) })

const taskOut = (value: unknown): Fields => ({ kind: "task", ...writing.task(stated(value)) })

const statusUpdateIn = (value: Fields): Fields => {
  const { final: _, kind: __, ...rest } = value
  return reading.statusUpdate(rest)
}

const statusUpdateOut = (value: unknown): Fields => ({
  kind: "status-update",
  ...writing.statusUpdate(stated(value)),
  final: isFinal(fieldsOf(fieldsOf(value)["status"])["state"]),
})

const artifactUpdateIn = (value: Fields): Fields => {
  const { kind: _, ...rest } = value
  return reading.artifactUpdate(rest)
}

const artifactUpdateOut = (value: unknown): Fields => ({ kind: "artifact-update", ...writing.artifactUpdate(value) })

/** Says by its member what 0.3 says by `kind`; older agents leave `kind` out, and then the shape has to tell. */
export const eventIn = (value: unknown): unknown => {
  const event = fieldsOf(value)
  switch (event["kind"] ?? kindOf(event)) {
    case "message":
      return { message: messageIn(event) }
    case "status-update":
      return { statusUpdate: statusUpdateIn(event) }
    case "artifact-update":
      return { artifactUpdate: artifactUpdateIn(event) }
    case "task":
      return { task: taskIn(event) }
    default:
      return value
  }
}

const kindOf = (event: Fields): string | undefined => {
  if ("messageId" in event) return "message"
  if ("artifact" in event) return "artifact-update"
  if ("status" in event) return "taskId" in event ? "status-update" : "task"
  return undefined
}

const eventOut = (value: unknown): unknown => {
  const { artifactUpdate, message, statusUpdate, task } = fieldsOf(value)
  if (message !== undefined) return messageOut(message)
  if (task !== undefined) return taskOut(task)
  if (statusUpdate !== undefined) return statusUpdateOut(statusUpdate)
  return artifactUpdate === undefined ? value : artifactUpdateOut(artifactUpdate)
}

/** Several schemes were allowed, of which 1.0 keeps one. */
const authenticationIn = (value: unknown): unknown => {
  const { schemes, ...rest } = fieldsOf(value)
  return present({ ...rest, scheme: textOf(listOf(schemes)[0]) })
}

const authenticationOut = (value: unknown): unknown => {
  const { scheme, ...rest } = fieldsOf(value)
  return { ...rest, schemes: textOf(scheme) === undefined ? [] : [scheme] }
}

export const pushIn = (value: unknown): Fields => changed(fieldsOf(value), "authentication", authenticationIn)

export const pushOut = (value: unknown): Fields => {
  const { taskId: _, tenant: __, ...rest } = fieldsOf(value)
  return changed(rest, "authentication", authenticationOut)
}

const taskPushIn = (value: unknown): Fields => {
  const { pushNotificationConfig, ...rest } = fieldsOf(value)
  return { ...rest, ...pushIn(pushNotificationConfig) }
}

const taskPushOut = (value: unknown): Fields => ({
  taskId: fieldsOf(value)["taskId"],
  pushNotificationConfig: pushOut(value),
})

const configurationIn = (value: unknown): unknown => {
  const { blocking, pushNotificationConfig, ...rest } = fieldsOf(value)
  return present({
    ...rest,
    returnImmediately: blocking === false ? true : undefined,
    taskPushNotificationConfig: pushNotificationConfig === undefined ? undefined : pushIn(pushNotificationConfig),
  })
}

/** Whether to wait is always said: agents of 0.3 differ in what they do when it is not. */
const configurationOut = (value: unknown): unknown => {
  const { returnImmediately, taskPushNotificationConfig, ...rest } = fieldsOf(value)
  return present({
    ...rest,
    blocking: returnImmediately !== true,
    pushNotificationConfig: taskPushNotificationConfig === undefined ? undefined : pushOut(taskPushNotificationConfig),
  })
}

const readRequest = (operation: Operation, params: Fields): Fields => {
  switch (operation) {
    case "SendMessage":
    case "SendStreamingMessage":
      return changed(changed(params, "message", messageIn), "configuration", configurationIn)
    case "CreateTaskPushNotificationConfig":
      return taskPushIn(params)
    case "GetTaskPushNotificationConfig":
    case "DeleteTaskPushNotificationConfig": {
      const { id, pushNotificationConfigId, ...rest } = params
      return present({ ...rest, taskId: id, id: pushNotificationConfigId })
    }
    case "ListTaskPushNotificationConfigs": {
      const { id, ...rest } = params
      return present({ ...rest, taskId: id })
    }
    default:
      return params
  }
}

const writeRequest = (operation: Operation, params: Fields): Fields => {
  const { tenant: _, ...rest } = params
  switch (operation) {
    case "SendMessage":
    case "SendStreamingMessage":
      return { ...changed(rest, "message", messageOut), configuration: configurationOut(rest["configuration"]) }
    case "CreateTaskPushNotificationConfig":
      return taskPushOut(rest)
    case "GetTaskPushNotificationConfig":
    case "DeleteTaskPushNotificationConfig": {
      const { id, taskId, ...more } = rest
      return present({ ...more, id: taskId, pushNotificationConfigId: textOf(id) })
    }
    case "ListTaskPushNotificationConfigs": {
      const { pageSize: __, pageToken: ___, taskId, ...more } = rest
      return present({ ...more, id: taskId })
    }
    default:
      return rest
  }
}

const readResult = resultsBy({
  event: eventIn,
  task: taskIn,
  push: taskPushIn,
  pushes: (result) => ({ configs: listOf(result).map(taskPushIn) }),
  deleted: null,
  card: (result) => fromLegacyCard(fieldsOf(result)),
})

const writeResult = resultsBy({
  event: eventOut,
  task: taskOut,
  push: taskPushOut,
  pushes: (result) => listOf(fieldsOf(result)["configs"]).map(taskPushOut),
  deleted: null,
  card: (result) => toLegacyCard(fieldsOf(result)),
})

export const legacyJson: Dialect = {
  request: { read: readRequest, write: writeRequest },
  result: { read: readResult, write: writeResult },
}
