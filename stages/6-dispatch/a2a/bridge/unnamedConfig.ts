/** 0.3 may leave out which configuration is meant; 1.0 has to be asked for all of them. */
import { failed, result } from "../../../../protocols/a2a/Answer.ts"
import { fault } from "../../../../protocols/a2a/Fault.ts"
import { fieldsOf, listOf, textOf } from "../../../../protocols/a2a/Fields.ts"
import type { Call } from "../../../../protocols/a2a/operation.ts"
import type { Line } from "../Agent.ts"
import type { Heard } from "./Turn.ts"

/** The question as every agent understands it; the same one where it says what it means. */
export const spelledOut = (call: Call, line: Line): Call =>
  isUnnamedConfig(call, line)
    ? { operation: "ListTaskPushNotificationConfigs", params: { taskId: call.params["taskId"] } }
    : call

const isUnnamedConfig = ({ operation, params }: Call, { dialed }: Line): boolean =>
  operation === "GetTaskPushNotificationConfig" &&
  textOf(params["id"]) === undefined &&
  !(dialed.version === "0.3" && dialed.binding === "JSONRPC")

/** What the client asked for, out of the answer to a question that was spelled out. */
export const firstConfig = ({ answer, headers }: Heard): Heard => {
  if (answer._tag === "Fault") return { answer, headers }
  const [first] = listOf(fieldsOf(answer.result)["configs"])
  return {
    headers,
    answer: first === undefined ? failed(fault("TaskNotFound", "the task has no push notifications")) : result(first),
  }
}
