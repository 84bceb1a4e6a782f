/** What an API answered, as the result of a tool. JSON is passed on in the very characters it came in. */
import { toBase64 } from "../base64.ts"

export interface ApiReply {
  readonly status: number
  readonly contentType: string | undefined
  readonly bytes: Uint8Array
  /** Of the request, for content that needs a name. */
  readonly path: string
}

const phrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
}

const statusLine = (status: number): string =>
  `HTTP ${status}${phrases[status] === undefined ? "" : ` ${phrases[status]}`}`

const utf8 = new TextDecoder("utf-8")

const text = (words: string): string => `{"type":"text","text":${JSON.stringify(words)}}`

const result = (content: string, more = ""): string => `{"content":[${content}]${more}}`

const structured = (words: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(words)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? words : `{"data":${words}}`
  } catch {
    return undefined
  }
}

const isText = (essence: string): boolean =>
  essence === "" ||
  essence.startsWith("text/") ||
  /(?:\bxml|\byaml|javascript|x-www-form-urlencoded|ndjson)$/.test(essence)

/** The JSON text of a `CallToolResult`. */
export const resultOf = ({ bytes, contentType = "", path, status }: ApiReply): string => {
  const essence = (contentType.split(";")[0] ?? "").trim().toLowerCase()
  const isError = status >= 400
  if (isError) {
    const words = isText(essence) || essence.endsWith("json") ? utf8.decode(bytes).trim() : ""
    return result(text(words === "" ? statusLine(status) : `${statusLine(status)}\n${words}`), ',"isError":true')
  }
  if (bytes.byteLength === 0) return result(text(statusLine(status)))
  if (essence.endsWith("json") || essence === "") {
    const words = utf8.decode(bytes).trim()
    const object = structured(words)
    if (object !== undefined) return result(text(words), `,"structuredContent":${object}`)
  }
  if (isText(essence) || essence.endsWith("json")) return result(text(utf8.decode(bytes)))
  const [kind] = essence.split("/")
  const mimeType = JSON.stringify(essence)
  if (kind === "image" || kind === "audio") {
    return result(`{"type":"${kind}","data":"${toBase64(bytes)}","mimeType":${mimeType}}`)
  }
  const uri = JSON.stringify(`openapi:${path}`)
  return result(`{"type":"resource","resource":{"uri":${uri},"mimeType":${mimeType},"blob":"${toBase64(bytes)}"}}`)
}
