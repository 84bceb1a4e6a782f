/** Which images, documents and clips Bedrock takes, and under which names. */
import { textToBase64 } from "../../../base64.ts"
import type { DocumentPart, ImagePart, MediaPart } from "../../Conversation.ts"
import { compact, type JsonObject } from "../../Json.ts"
import type { Notes } from "../../Notes.ts"
import { typeOfUrl } from "../gemini/fields.ts"

const images = new Set(["png", "jpeg", "gif", "webp"])

const documents: Readonly<Record<string, string>> = {
  "application/pdf": "pdf",
  "text/csv": "csv",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "text/html": "html",
  "text/plain": "txt",
  "application/json": "txt",
  "text/markdown": "md",
}
const documentFormats = new Set(Object.values(documents))

const videos: Readonly<Record<string, string>> = {
  "video/quicktime": "mov",
  "video/x-matroska": "mkv",
  "video/mp4": "mp4",
  "video/webm": "webm",
  "video/x-flv": "flv",
  "video/mpeg": "mpeg",
  "video/x-ms-wmv": "wmv",
  "video/3gpp": "three_gp",
}

const s3 = (url: string): JsonObject | undefined => (url.startsWith("s3://") ? { s3Location: { uri: url } } : undefined)

export const imageBlock = (part: ImagePart, notes: Notes): JsonObject | undefined => {
  const { source } = part
  if (source.kind === "base64") {
    const format = /^image\/(?:x-)?([a-z]+)/.exec(source.mediaType)?.[1]?.replace("jpg", "jpeg")
    if (format === undefined || !images.has(format))
      return void notes.refuse("content", `images of type ${source.mediaType} are not taken by this model`)
    return { image: { format, source: { bytes: source.data } } }
  }
  if (source.kind === "url") {
    const location = s3(source.url)
    const format = typeOfUrl(source.url)?.slice("image/".length)
    if (location !== undefined && format !== undefined) return { image: { format, source: location } }
    return void notes.refuse("content", "this model takes images as data, not by their address")
  }
  return void notes.refuse("content", "this model cannot see a file that another provider stored")
}

/** Names may hold little, and must differ within a request. */
export class DocumentNames {
  private readonly taken = new Map<string, number>()

  of(name: string | undefined): string {
    const plain = (name ?? "document")
      .replace(/\.[A-Za-z0-9]{1,5}$/, "")
      .replaceAll(/[^A-Za-z0-9\s()[\]-]/g, "-")
      .replaceAll(/\s+/g, " ")
      .trim()
      .slice(0, 180)
    const base = plain === "" ? "document" : plain
    const count = (this.taken.get(base) ?? 0) + 1
    this.taken.set(base, count)
    return count === 1 ? base : `${base} [${count}]`
  }
}

export const documentBlock = (part: DocumentPart, names: DocumentNames, notes: Notes): JsonObject | undefined => {
  const { source } = part
  const extension = /\.([a-z]{2,4})$/i.exec(part.name ?? "")?.[1]?.toLowerCase()
  const byName = extension !== undefined && documentFormats.has(extension) ? extension : undefined
  const block = (format: string, from: JsonObject): JsonObject => ({
    document: compact({
      format,
      name: names.of(part.name),
      source: from,
      context: part.context,
      citations: part.citable === true ? { enabled: true } : undefined,
    }),
  })
  switch (source.kind) {
    case "text":
      return block("txt", { bytes: textToBase64(source.text) })
    case "base64": {
      const format = documents[source.mediaType] ?? byName
      if (format !== undefined) return block(format, { bytes: source.data })
      return void notes.refuse("content", `documents of type ${source.mediaType} are not taken by this model`)
    }
    case "url": {
      const location = s3(source.url)
      const format = documents[source.mediaType ?? typeOfUrl(source.url) ?? ""] ?? byName
      if (location !== undefined && format !== undefined) return block(format, location)
      return void notes.refuse("content", "this model takes documents as data, not by their address")
    }
    case "file":
      return void notes.refuse("content", "this model cannot see a file that another provider stored")
  }
}

export const mediaBlock = (part: MediaPart, notes: Notes): JsonObject | undefined => {
  const { source } = part
  const mediaType = source.kind === "base64" || source.kind === "url" ? (source.mediaType ?? "") : ""
  const video = videos[mediaType]
  const audio = /^audio\/(?:x-)?([a-z0-9]+)/.exec(mediaType)?.[1]?.replace("mpeg", "mp3")
  const from = source.kind === "base64" ? { bytes: source.data } : source.kind === "url" ? s3(source.url) : undefined
  if (from !== undefined && video !== undefined) return { video: { format: video, source: from } }
  if (from !== undefined && audio !== undefined) return { audio: { format: audio, source: from } }
  return void notes.refuse("content", "this sound or video is not taken by this model")
}

const swapped = (table: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  // The first type that has a format is the usual one.
  new Map(
    Object.entries(table)
      .toReversed()
      .map(([type, format]) => [format, type]),
  )
const typesOfDocuments = swapped({ "text/plain": "txt", ...documents })
const typesOfVideos = swapped({ ...videos, "video/mpg": "mpg" })

/** From the words of this interface to the types that everybody else has. */
export const documentType = (format: string | undefined): string =>
  typesOfDocuments.get(format ?? "txt") ?? "application/octet-stream"
export const videoType = (format: string | undefined): string => typesOfVideos.get(format ?? "mp4") ?? "video/mp4"
export const audioType = (format: string | undefined): string =>
  `audio/${format === "mp3" || format === undefined ? "mpeg" : format}`
