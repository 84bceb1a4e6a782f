/**
 * Every place in a question or an answer of 1.0 where somebody's words are, and the same value with other words in those
 * places. Files that are texts are opened for that: their words stand in a field of their own until they are closed again.
 */
import { textToBase64 } from "../base64.ts"
import { bytesOfBase64Url } from "../base64url.ts"
import { type Fields, isFields, listOf, textOf } from "./Fields.ts"

export type Path = ReadonlyArray<string | number>

export interface Said {
  readonly path: Path
  readonly text: string
  readonly role: "user" | "assistant"
  /** Which message or artifact it belongs to. */
  readonly group: number
}

/** Where the words of a file that was opened are: a name that nobody else gives a field. */
const OPEN = "dev.sluice/text"

/** Deeper data is looked at as no words of anybody. */
const DEPTH_MAX = 24

/** Where messages and artifacts are found, in whatever carries them. */
const carriers = [
  "message",
  "task",
  "tasks",
  "status",
  "statusUpdate",
  "artifactUpdate",
  "artifact",
  "artifacts",
  "history",
]

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** What nobody reads as words. */
const isBinary = (mediaType: string | undefined): boolean =>
  mediaType !== undefined && /^(?:image|audio|video|font)\/(?!svg)|^application\/(?:zip|gzip|pdf)\b/i.test(mediaType)

const textIn = (raw: string): string | undefined => {
  try {
    return decoder.decode(bytesOfBase64Url(raw))
  } catch {
    return undefined
  }
}

const mapped = (value: unknown, part: (part: Fields) => Fields): unknown => {
  if (Array.isArray(value)) return value.map((one) => mapped(one, part))
  if (!isFields(value)) return value
  const made: Record<string, unknown> = { ...value }
  for (const name of carriers) if (name in made) made[name] = mapped(made[name], part)
  if (Array.isArray(made["parts"])) made["parts"] = made["parts"].map((one) => (isFields(one) ? part(one) : one))
  return made
}

/** With the words of files where they can be seen. */
export const opened = (value: unknown): unknown =>
  mapped(value, (part) => {
    const raw = textOf(part["raw"])
    if (raw === undefined || isBinary(textOf(part["mediaType"]))) return part
    const text = textIn(raw)
    if (text === undefined || text.includes("\0")) return part
    const { raw: _, ...rest } = part
    return { ...rest, [OPEN]: text }
  })

export const closed = (value: unknown): unknown =>
  mapped(value, (part) => {
    const { [OPEN]: text, ...rest } = part
    return typeof text === "string" ? { ...rest, raw: textToBase64(text) } : part
  })

class Gathering {
  readonly all: Array<Said> = []
  private group = -1

  private add(path: Path, text: unknown, role: Said["role"]): void {
    if (typeof text === "string" && text !== "") this.all.push({ path, text, role, group: this.group })
  }

  private leaves(path: Path, value: unknown, role: Said["role"], depth = 0): void {
    if (depth > DEPTH_MAX) return
    if (typeof value === "string") this.add(path, value, role)
    else if (Array.isArray(value))
      for (const [i, one] of value.entries()) this.leaves([...path, i], one, role, depth + 1)
    else if (isFields(value)) {
      for (const [name, one] of Object.entries(value)) this.leaves([...path, name], one, role, depth + 1)
    }
  }

  visit(path: Path, value: unknown): void {
    if (Array.isArray(value)) {
      for (const [i, one] of value.entries()) this.visit([...path, i], one)
      return
    }
    if (!isFields(value)) return
    if (Array.isArray(value["parts"])) {
      const role = value["role"] === "ROLE_USER" ? "user" : "assistant"
      this.group++
      if (value["artifactId"] !== undefined) {
        this.add([...path, "name"], value["name"], role)
        this.add([...path, "description"], value["description"], role)
      }
      for (const [i, part] of listOf(value["parts"]).entries()) {
        if (!isFields(part)) continue
        const at = [...path, "parts", i]
        for (const name of ["text", OPEN, "filename", "url"]) this.add([...at, name], part[name], role)
        this.leaves([...at, "data"], part["data"], role)
      }
    }
    for (const name of carriers) if (name in value) this.visit([...path, name], value[name])
  }
}

/** Of what was opened. */
export const saidIn = (value: unknown, path: Path = []): ReadonlyArray<Said> => {
  const gathering = new Gathering()
  gathering.visit(path, value)
  return gathering.all
}

const put = (value: unknown, [name, ...rest]: Path, text: string): unknown => {
  if (name === undefined) return text
  if (Array.isArray(value)) return value.map((one: unknown, i) => (i === name ? put(one, rest, text) : one))
  if (!isFields(value)) return value
  return { ...value, [name]: put(value[name], rest, text) }
}

export const withSaid = (value: unknown, texts: Iterable<readonly [Said, string]>): unknown => {
  let out = value
  for (const [{ path }, text] of texts) out = put(out, path, text)
  return out
}

/** More artifacts are not told apart while they are made. */
const ARTIFACTS_MAX = 1_024

/** Of one event: its texts, which of the texts of the stream each one continues, and which are over. */
export interface Heard {
  readonly pieces: ReadonlyArray<{ readonly channel: string; readonly path: Path }>
  readonly repeats: ReadonlyArray<never>
  readonly closes: ReadonlyArray<string>
}

/** Reads the events of one stream, as JSON-RPC carries them: an artifact may be made in pieces, all else is said at once. */
export const eventReader = (): ((event: Fields) => Heard) => {
  const artifacts = new Map<string, string>()
  let open: ReadonlyArray<string> = []
  const channelOf = (id: string): string => {
    let name = artifacts.get(id)
    if (name === undefined) {
      if (artifacts.size >= ARTIFACTS_MAX) return "artifacts"
      artifacts.set(id, (name = `artifact ${artifacts.size}`))
    }
    return name
  }
  return (event) => {
    const result = event["result"]
    const said = saidIn(result, ["result"])
    const update = isFields(result) ? result["artifactUpdate"] : undefined
    const artifact = isFields(update) && isFields(update["artifact"]) ? update["artifact"] : undefined
    if (!isFields(update) || artifact === undefined) {
      const pieces = said.map(({ path }, i) => ({ channel: `said ${i}`, path }))
      // Whatever else is said shows that the piece before it was not cut off in the middle.
      const closes = [...open, ...pieces.map(({ channel }) => channel)]
      open = []
      return { pieces, repeats: [], closes }
    }
    const id = channelOf(textOf(artifact["artifactId"]) ?? "")
    const pieces = said.map(({ path }) => {
      const name = String(path.at(-1))
      // Words go on from part to part and from piece to piece; names and addresses do not.
      return {
        channel: name === "text" || name === OPEN ? `${id} ${name}` : `${id} ${path.slice(4).join(".")}`,
        path,
      }
    })
    const mine = [...new Set(pieces.map(({ channel }) => channel))]
    const goesOn = update["lastChunk"] !== true
    const growing = mine.filter((channel) => (goesOn && channel.endsWith(" text")) || channel.endsWith(` ${OPEN}`))
    const closes = [...open, ...mine].filter((channel) => !growing.includes(channel))
    open = growing
    return { pieces, repeats: [], closes }
  }
}
