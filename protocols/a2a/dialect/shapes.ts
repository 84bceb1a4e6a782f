/**
 * How tasks and events are put together, which is the same in every spelling; what is spelled differently is said by the
 * spelling.
 */
import { changed, type Fields, fieldsOf, listOf } from "../Fields.ts"
import type { Operation } from "../operation.ts"

export type Change = (value: unknown) => unknown

export const all =
  (change: Change): Change =>
  (values) =>
    listOf(values).map(change)

/** What changes on the way from one spelling to another. */
export interface Spelling {
  readonly message: Change
  readonly parts: Change
  readonly state: Change
  /** Done to a status before its parts are. */
  readonly status?: (status: Fields) => Fields
}

export interface Shapes {
  readonly task: (value: unknown) => Fields
  readonly statusUpdate: (value: unknown) => Fields
  readonly artifactUpdate: (value: unknown) => Fields
}

export const shapes = ({ message, parts, state, status: before }: Spelling): Shapes => {
  const status = (value: unknown): Fields => {
    const given = fieldsOf(value)
    return changed(changed(before === undefined ? given : before(given), "state", state), "message", message)
  }
  const artifact = (value: unknown): Fields => changed(fieldsOf(value), "parts", parts)
  return {
    task: (value) =>
      changed(changed(changed(fieldsOf(value), "status", status), "history", all(message)), "artifacts", all(artifact)),
    statusUpdate: (value) => changed(fieldsOf(value), "status", status),
    artifactUpdate: (value) => changed(fieldsOf(value), "artifact", artifact),
  }
}

/** What becomes of each kind of result. */
export interface Results {
  readonly event: Change
  readonly task: Change
  readonly push: Change
  readonly pushes: Change
  readonly deleted: unknown
  readonly card: Change
}

/** A whole answer, or one event of an operation that streams. */
export const resultsBy =
  ({ card, deleted, event, push, pushes, task }: Results) =>
  (operation: Operation, result: unknown): unknown => {
    switch (operation) {
      case "SendMessage":
      case "SendStreamingMessage":
      case "SubscribeToTask":
        return event(result)
      case "GetTask":
      case "CancelTask":
        return task(result)
      case "ListTasks":
        return changed(fieldsOf(result), "tasks", all(task))
      case "CreateTaskPushNotificationConfig":
      case "GetTaskPushNotificationConfig":
        return push(result)
      case "ListTaskPushNotificationConfigs":
        return pushes(result)
      case "DeleteTaskPushNotificationConfig":
        return deleted
      case "GetExtendedAgentCard":
        return card(result)
    }
  }
