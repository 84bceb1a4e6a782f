/** Messages of A2A as those of a chat, and back. */
import { fromBase64 } from "../../base64.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../Fields.ts"

export interface Turn {
  readonly role: "system" | "user" | "assistant"
  readonly content: unknown
}

const isText = (mediaType: string): boolean => /^text\/|^application\/(?:[^;]+\+)?(?:json|xml)\b/.test(mediaType)

const decoder = new TextDecoder()

const imageOf = (url: string): Fields => ({ type: "image_url", image_url: { url } })

/** One part as a model takes it; a text says why it cannot. */
const contentOf = (part: Fields): Fields | string => {
  const mediaType = textOf(part["mediaType"]) ?? ""
  if (typeof part["text"] === "string") return { type: "text", text: part["text"] }
  if ("data" in part) return { type: "text", text: JSON.stringify(part["data"]) }
  if (typeof part["raw"] === "string") {
    if (mediaType.startsWith("image/")) return imageOf(`data:${mediaType};base64,${part["raw"]}`)
    if (isText(mediaType)) {
      try {
        return { type: "text", text: decoder.decode(fromBase64(part["raw"])) }
      } catch {
        return "a file is not Base64"
      }
    }
    return `files of the kind ${mediaType === "" ? "that is not said" : mediaType} cannot be read`
  }
  const url = textOf(part["url"])
  if (url !== undefined && mediaType.startsWith("image/")) return imageOf(url)
  return url === undefined ? "a part is empty" : "files that are somewhere else cannot be read"
}

/** What a client said as a turn of the user's; a text says what of it no model can take. */
export const turnOf = (message: Fields): Turn | string => {
  const contents: Array<Fields> = []
  for (const part of listOf(message["parts"])) {
    const content = contentOf(fieldsOf(part))
    if (typeof content === "string") return content
    contents.push(content)
  }
  const texts = contents.flatMap(({ text, type }) => (type === "text" ? [text] : []))
  return { role: "user", content: texts.length === contents.length ? texts.join("\n\n") : contents }
}

export const chatRequest = (
  model: string | undefined,
  instructions: string | undefined,
  turns: ReadonlyArray<Turn>,
): Fields => ({
  ...(model === undefined ? {} : { model }),
  messages: [...(instructions === undefined ? [] : [{ role: "system", content: instructions }]), ...turns],
  stream: true,
})

/** What one event of the stream adds. */
export interface Delta {
  readonly text: string
  readonly finish: string | undefined
  /** The stream ended with an error. */
  readonly error: string | undefined
}

export const errorIn = (value: unknown): string | undefined => {
  const { error, message } = fieldsOf(value)
  if (isFields(error)) return textOf(error["message"]) ?? "the model gave no answer"
  return textOf(error) ?? textOf(message)
}

export const deltaOf = (value: unknown): Delta => {
  const [choice] = listOf(fieldsOf(value)["choices"]).map(fieldsOf)
  const { content, refusal } = fieldsOf(choice?.["delta"] ?? choice?.["message"])
  return {
    text: textOf(content) ?? textOf(refusal) ?? "",
    finish: textOf(choice?.["finish_reason"]),
    error: isFields(fieldsOf(value)["error"]) ? errorIn(value) : undefined,
  }
}
