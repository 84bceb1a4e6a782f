/** From what an agent said to the result of a tool. */
import { type Fields, present, textOf } from "../Fields.ts"
import { type Artifact, type Gathered, textIn, wordOf } from "./Gathered.ts"

const binary = "application/octet-stream"

const uriOf = (artifact: Artifact | undefined, i: number, part: Fields): string =>
  `a2a://artifact/${encodeURIComponent(artifact?.artifactId ?? "message")}/${i}${
    textOf(part["filename"]) === undefined ? "" : `/${encodeURIComponent(String(part["filename"]))}`
  }`

/** One part as MCP shows it to people and models. */
const contentOf = (part: Fields, artifact: Artifact | undefined, i: number): Fields | undefined => {
  const mimeType = textOf(part["mediaType"])
  if (typeof part["text"] === "string") return { type: "text", text: part["text"] }
  if (typeof part["raw"] === "string") {
    const data = part["raw"]
    if (mimeType?.startsWith("image/")) return { type: "image", data, mimeType }
    if (mimeType?.startsWith("audio/")) return { type: "audio", data, mimeType }
    return {
      type: "resource",
      resource: { uri: uriOf(artifact, i, part), mimeType: mimeType ?? binary, blob: data },
    }
  }
  const uri = textOf(part["url"])
  if (uri !== undefined) {
    const name = textOf(part["filename"]) ?? textOf(artifact?.about["name"]) ?? uri
    return present({ type: "resource_link", uri, name, mimeType })
  }
  return "data" in part ? { type: "text", text: JSON.stringify(part["data"]) } : undefined
}

/** Files are in the content already, and are only named here. */
const shown = ({ raw, ...part }: Fields): Fields =>
  typeof raw === "string" ? { ...part, bytes: Math.floor((raw.length * 3) / 4) } : part

/** The only piece of data, for whoever wants just that. */
const dataOf = ({ artifacts, message }: Gathered): { readonly data: unknown } | undefined => {
  const all = [...artifacts.flatMap(({ parts }) => parts), ...message].filter((part) => "data" in part)
  const [only] = all
  return only === undefined || all.length > 1 ? undefined : { data: only["data"] }
}

export interface Telling {
  readonly conversation: string | undefined
  readonly url?: string | undefined
  /** In front of everything the agent said. */
  readonly note?: string | undefined
}

const failing: ReadonlySet<string> = new Set(["failed", "rejected", "canceled", "auth-required"])

const structured = (gathered: Gathered, state: string, { conversation, url }: Telling): Fields =>
  present({
    state,
    conversation,
    artifacts:
      gathered.artifacts.length === 0
        ? undefined
        : gathered.artifacts.map(({ about, artifactId, parts }) => ({
            artifactId,
            ...present({ name: textOf(about["name"]), description: textOf(about["description"]) }),
            parts: parts.map(shown),
          })),
    message: gathered.message.length === 0 ? undefined : gathered.message.map(shown),
    ...dataOf(gathered),
    url,
  })

/** The result of `tools/call`, as the newest revision has it. */
export const resultOf = (gathered: Gathered, telling: Telling): Fields => {
  const state = gathered.state === undefined ? "completed" : wordOf(gathered.state)
  const content: Array<Fields> = telling.note === undefined ? [] : [{ type: "text", text: telling.note }]
  const push = (one: Fields | undefined): void => {
    if (one !== undefined) content.push(one)
  }
  for (const artifact of gathered.artifacts) {
    for (const [i, part] of artifact.parts.entries()) push(contentOf(part, artifact, i))
  }
  for (const [i, part] of gathered.message.entries()) push(contentOf(part, undefined, i))
  if (content.length === 0) content.push({ type: "text", text: `The agent says: ${state}` })
  return present({
    resultType: "complete",
    content,
    structuredContent: structured(gathered, state, telling),
    isError: failing.has(state) ? true : undefined,
  })
}

const urlNames = [
  "url",
  "authUrl",
  "auth_url",
  "authorizationUrl",
  "authorization_url",
  "loginUrl",
  "verificationUri",
  "verification_uri_complete",
  "verification_uri",
]

const webUrl = (value: unknown): string | undefined => {
  const text = textOf(value)
  if (text === undefined) return undefined
  const url = URL.parse(text)
  return url?.protocol === "https:" || url?.protocol === "http:" ? text : undefined
}

const urlIn = (fields: unknown): string | undefined => {
  if (typeof fields !== "object" || fields === null) return undefined
  for (const name of urlNames) {
    const url = webUrl((fields as Fields)[name])
    if (url !== undefined) return url
  }
  return undefined
}

/** Where a person is sent to sign in: the protocol has no place for it, so agents say it in one of several ways. */
export const signInUrl = ({ message, metadata }: Pick<Gathered, "message" | "metadata">): string | undefined => {
  for (const part of message) {
    const url = webUrl(part["url"]) ?? urlIn(part["data"])
    if (url !== undefined) return url
  }
  const said = textIn(message)?.match(/https?:\/\/[^\s<>"')\]]+/)?.[0]
  return urlIn(metadata) ?? webUrl(said?.replace(/[.,;:!?]+$/, ""))
}
