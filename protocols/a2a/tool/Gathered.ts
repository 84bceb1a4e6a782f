/** What an agent said in answer to one message, put together from its events. */
import { isInterrupted, isTerminal } from "../dialect/words.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../Fields.ts"

/** More than that is not kept of one answer. */
export const GATHERED_CHARS_MAX = 10 * 1024 * 1024
const ARTIFACTS_MAX = 1_024

export interface Artifact {
  readonly artifactId: string
  readonly about: Fields
  readonly parts: ReadonlyArray<Fields>
}

const isPlainText = (part: Fields | undefined): part is Fields =>
  part !== undefined && typeof part["text"] === "string" && part["metadata"] === undefined

/** Pieces of one text are one text again. */
const joined = (before: ReadonlyArray<Fields>, more: ReadonlyArray<Fields>): ReadonlyArray<Fields> => {
  const last = before.at(-1)
  const [next, ...rest] = more
  return isPlainText(last) && isPlainText(next)
    ? [...before.slice(0, -1), { ...last, text: `${last["text"]}${next["text"]}` }, ...rest]
    : [...before, ...more]
}

export class Gathered {
  taskId: string | undefined
  contextId: string | undefined
  /** Of the task; absent where the agent only said something. */
  state: string | undefined
  /** What the agent said last of all, or with its last state. */
  message: ReadonlyArray<Fields> = []
  /** Beside the parts of that. */
  metadata: Fields = {}
  private readonly made = new Map<string, Artifact>()
  private chars = 0

  get artifacts(): ReadonlyArray<Artifact> {
    return [...this.made.values()]
  }

  get isTooLarge(): boolean {
    return this.chars > GATHERED_CHARS_MAX
  }

  /** Nothing more comes before somebody does something. */
  get isSettled(): boolean {
    return this.state === undefined ? this.message.length > 0 : isTerminal(this.state) || isInterrupted(this.state)
  }

  /** A whole answer, or one event of a stream; gives back what is new, in words. */
  note(result: unknown, chars: number): string | undefined {
    this.chars += chars
    if (this.isTooLarge) return undefined
    const { artifactUpdate, message, statusUpdate, task } = fieldsOf(result)
    if (isFields(task)) return this.noteTask(task)
    if (isFields(statusUpdate)) {
      this.identify(textOf(statusUpdate["taskId"]), statusUpdate["contextId"])
      return this.noteStatus(statusUpdate["status"])
    }
    if (isFields(artifactUpdate)) {
      this.identify(textOf(artifactUpdate["taskId"]), artifactUpdate["contextId"])
      const parts = this.noteArtifact(artifactUpdate["artifact"], artifactUpdate["append"] === true)
      return textIn(parts) ?? "made something"
    }
    if (isFields(message)) {
      this.identify(textOf(message["taskId"]), message["contextId"])
      this.message = listOf(message["parts"]).map(fieldsOf)
      this.metadata = fieldsOf(message["metadata"])
      return textIn(this.message)
    }
    return undefined
  }

  /** The task as a whole, which takes the place of what was known of it. */
  noteTask(task: Fields): string | undefined {
    this.identify(textOf(task["id"]), task["contextId"])
    if (listOf(task["artifacts"]).length > 0) {
      this.made.clear()
      for (const artifact of listOf(task["artifacts"])) this.noteArtifact(artifact, false)
    }
    return this.noteStatus(task["status"])
  }

  private identify(taskId: string | undefined, contextId: unknown): void {
    this.taskId = taskId ?? this.taskId
    this.contextId = textOf(contextId) ?? this.contextId
  }

  private noteStatus(status: unknown): string | undefined {
    const { message, state } = fieldsOf(status)
    this.state = textOf(state) ?? this.state ?? "TASK_STATE_UNSPECIFIED"
    const said = fieldsOf(message)
    this.message = listOf(said["parts"]).map(fieldsOf)
    this.metadata = fieldsOf(said["metadata"])
    return textIn(this.message) ?? wordOf(this.state)
  }

  private noteArtifact(value: unknown, append: boolean): ReadonlyArray<Fields> {
    const { artifactId, parts, ...about } = fieldsOf(value)
    const id = textOf(artifactId) ?? ""
    const more = listOf(parts).map(fieldsOf)
    const before = append ? this.made.get(id) : undefined
    if (before === undefined && !this.made.has(id) && this.made.size >= ARTIFACTS_MAX) return more
    this.made.set(id, {
      artifactId: id,
      about: before === undefined ? about : { ...before.about, ...about },
      parts: before === undefined ? more : joined(before.parts, more),
    })
    return more
  }
}

/** The texts among the parts, in one. */
export const textIn = (parts: ReadonlyArray<Fields>): string | undefined => {
  const texts = parts.flatMap(({ text }) => textOf(text) ?? [])
  return texts.length === 0 ? undefined : texts.join("\n")
}

/** A state as people write it. */
export const wordOf = (state: string): string =>
  state
    .replace(/^TASK_STATE_/, "")
    .toLowerCase()
    .replaceAll("_", "-")
