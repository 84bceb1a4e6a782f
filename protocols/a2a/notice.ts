/** What an agent tells a webhook of a task, and how the one who asked to be told expects to hear it. */
import { type Read, read, unreadable } from "./Answer.ts"
import { legacyJson } from "./dialect/legacyJson.ts"
import { legacyProto } from "./dialect/legacyProto.ts"
import { isTerminal } from "./dialect/words.ts"
import { fault } from "./Fault.ts"
import { type Fields, fieldsOf, isFields, parse, textOf } from "./Fields.ts"
import type { Version } from "./operation.ts"

/** The header in which a webhook is shown the token it was registered with. */
export const tokenHeader = "x-a2a-notification-token"

const wrappers = ["task", "message", "statusUpdate", "artifactUpdate"] as const

/** One event of a task as 1.0 has it, known by the one member it has. */
export interface Notice {
  readonly event: Fields
  readonly taskId: string | undefined
  /** Nothing more is going to happen to the task. */
  readonly isLast: boolean
  /** By what a repetition is known: by all it says, or only where nothing else came between, or not at all. */
  readonly repeats: "anywhere" | "next" | "never"
}

const noticeOf = (event: Fields): Notice | undefined => {
  const kind = wrappers.find((name) => isFields(event[name]))
  if (kind === undefined) return undefined
  const said = fieldsOf(event[kind])
  const status = fieldsOf(said["status"])
  return {
    event: { [kind]: said },
    taskId: textOf(kind === "task" ? said["id"] : said["taskId"]),
    isLast: (kind === "task" || kind === "statusUpdate") && isTerminal(status["state"]),
    // Two equal pieces may belong to one artifact; everything else that is said twice in a row says nothing new.
    repeats:
      kind === "artifactUpdate" && said["append"] === true
        ? "never"
        : textOf(status["timestamp"]) === undefined && kind !== "message"
          ? "next"
          : "anywhere",
  }
}

/** Agents of 0.3 say the event itself; some that speak its protobuf package say it in those words. */
export const readNotice = (text: string, version: Version): Read<Notice> => {
  const value = parse(text)?.value
  if (!isFields(value)) return unreadable(fault("ParseError"))
  const isPlain = typeof value["kind"] === "string" || !wrappers.some((name) => isFields(value[name]))
  const event = isPlain
    ? legacyJson.result.read("SubscribeToTask", value)
    : version === "0.3"
      ? legacyProto.result.read("SubscribeToTask", value)
      : value
  const notice = noticeOf(fieldsOf(event))
  return notice === undefined ? unreadable(fault("InvalidRequest", "it is no event of a task")) : read(notice)
}

export interface WrittenNotice {
  readonly contentType: string
  readonly body: unknown
}

export const writeNotice = (event: Fields, version: Version): WrittenNotice =>
  version === "1.0"
    ? { contentType: "application/a2a+json", body: event }
    : { contentType: "application/json", body: legacyJson.result.write("SubscribeToTask", event) }
