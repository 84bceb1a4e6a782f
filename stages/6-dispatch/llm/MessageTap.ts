/**
 * Looks at an AWS event stream on its way. Only whole messages pass, so that one that tells of an error can be put after
 * any of them; their bytes stay as they are.
 */
import { fromBase64 } from "../../../protocols/base64.ts"
import { eventDecoder } from "../../../protocols/llm/framing.ts"
import { MESSAGE_BYTES_MAX } from "../../../protocols/llm/framing/awsEventStream.ts"
import { isObject, type JsonObject, parseJson } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"
import { KEPT_BYTES_MAX } from "./StreamTap.ts"

const utf8 = new TextDecoder()
const nothing = new Uint8Array(0)
const PRELUDE_BYTES = 12

/** What a model says in a format of its own is wrapped in Base64. */
const unwrapped = (body: JsonObject): JsonObject => {
  const { bytes } = body
  if (typeof bytes !== "string") return body
  try {
    const inner = parseJson(utf8.decode(fromBase64(bytes)))
    return isObject(inner) ? inner : body
  } catch {
    return body
  }
}

export class MessageTap {
  private readonly onEvent: (data: JsonObject) => boolean
  private readonly decoder
  private rest: Uint8Array = nothing
  private isBlind = false
  private kept: Array<JsonObject> = []
  private keptBytes = 0
  private saidBytes = 0
  /** The provider said that it failed. */
  isFailed = false

  constructor(onEvent: (data: JsonObject) => boolean) {
    this.onEvent = onEvent
    this.decoder = eventDecoder("awsEventStream", ({ data, event }) => {
      if (event?.startsWith("exception:") === true) this.isFailed = true
      else this.read(data)
    })
  }

  /** What may be passed on now. */
  feed(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    if (this.isBlind) return [chunk]
    const bytes =
      this.rest.byteLength === 0 ? chunk : Body.join([this.rest, chunk], this.rest.byteLength + chunk.byteLength)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let at = 0
    while (bytes.byteLength - at >= PRELUDE_BYTES) {
      const length = view.getUint32(at)
      // What is no event stream after all passes without being understood.
      if (length <= PRELUDE_BYTES || length > MESSAGE_BYTES_MAX) return this.goBlind(bytes)
      if (bytes.byteLength - at < length) break
      at += length
    }
    this.rest = at === bytes.byteLength ? nothing : bytes.subarray(at)
    if (at === 0) return []
    const passed = bytes.subarray(0, at)
    if (this.decoder.feed(passed) !== undefined) this.isBlind = this.rest.byteLength === 0
    return [passed]
  }

  private goBlind(bytes: Uint8Array): ReadonlyArray<Uint8Array> {
    this.isBlind = true
    this.rest = nothing
    return [bytes]
  }

  private read(data: string): void {
    const body = parseJson(data)
    if (!isObject(body)) return
    const said = unwrapped(body)
    this.onEvent(said)
    this.saidBytes += data.length
    if (this.keptBytes + data.length > KEPT_BYTES_MAX) return
    this.keptBytes += data.length
    this.kept.push(said)
  }

  end(): ReadonlyArray<Uint8Array> {
    const { rest } = this
    this.rest = nothing
    return rest.byteLength === 0 ? [] : [rest]
  }

  /** Everything was read as it came. */
  readLatest = (): void => {}

  received(): { readonly events: ReadonlyArray<JsonObject>; readonly share: number } {
    return { events: this.kept, share: this.saidBytes === 0 ? 1 : this.keptBytes / this.saidBytes }
  }
}
