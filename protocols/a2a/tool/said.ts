/** From the arguments of a tool to the message an agent gets. */
import { type Fields, isFields, listOf, present, textOf } from "../Fields.ts"

const known: ReadonlySet<string> = new Set(["message", "data", "files", "conversation"])

export interface Speaking {
  readonly messageId: string
  readonly skill: string | undefined
  readonly contextId: string | undefined
  readonly taskId: string | undefined
}

/** A message of the client's; what is absent is left out. */
export const messageOf = (parts: ReadonlyArray<Fields>, { contextId, messageId, skill, taskId }: Speaking): Fields =>
  present({
    messageId,
    role: "ROLE_USER",
    parts,
    contextId,
    taskId,
    metadata: skill === undefined ? undefined : { skill },
  })

const filePart = (value: unknown, i: number): Fields | string => {
  if (!isFields(value)) return `\`files[${i}]\` must be an object`
  const url = textOf(value["url"])
  const raw = textOf(value["bytes"])
  if ((url === undefined) === (raw === undefined)) return `\`files[${i}]\` needs one of \`url\` and \`bytes\``
  if (raw !== undefined && !/^[A-Za-z0-9+/]*={0,2}$/.test(raw)) return `\`files[${i}].bytes\` must be Base64`
  return present({ url, raw, filename: textOf(value["name"]), mediaType: textOf(value["mediaType"]) })
}

/** The parts of a message; a text says what is wrong with the arguments. */
export const partsOf = (args: Fields): ReadonlyArray<Fields> | string => {
  const unknown = Object.keys(args).filter((name) => !known.has(name))
  if (unknown.length > 0) return `Unknown arguments: ${unknown.join(", ")}. See the input schema of the tool.`
  const { data, files, message } = args
  const parts: Array<Fields> = []
  if (message !== undefined) {
    if (typeof message !== "string") return "Wrong arguments: `message` must be a text."
    if (message !== "") parts.push({ text: message })
  }
  if (data !== undefined) parts.push({ data })
  if (files !== undefined && !Array.isArray(files)) return "Wrong arguments: `files` must be a list."
  for (const [i, value] of listOf(files).entries()) {
    const part = filePart(value, i)
    if (typeof part === "string") return `Wrong arguments: ${part}.`
    parts.push(part)
  }
  return parts
}
