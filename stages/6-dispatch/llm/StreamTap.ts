/**
 * Looks at a stream of events on its way, without parsing what it need not: only the first event, and the first and the
 * last that tell of usage, are read, the last of them once the stream is over. Only whole events pass, so that an end can
 * be put after any of them; otherwise the bytes stay as they are.
 */
import { isObject, type JsonObject } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"

/** Beyond, the rest of a stream is passed on without being understood. */
const EVENT_BYTES_MAX = 4 * 1024 * 1024
/** How much of what the client received is kept for counting it, should the provider never say. */
export const KEPT_BYTES_MAX = 64 * 1024
/** … and where somebody will ask what was said. */
export const HEARD_BYTES_MAX = 4 * 1024 * 1024

/** A small piece costs several times its bytes where it is kept by itself; so many are, and then become one. */
const LOOSE_MAX = 64

const decoder = new TextDecoder()

const lineFeed = 0x0a
const carriage = 0x0d

/** Where the first empty line at or after `from` ends; -1 without one. */
const eventEnd = (bytes: Uint8Array, from: number): number => {
  for (let i = bytes.indexOf(lineFeed, from); i >= 0; i = bytes.indexOf(lineFeed, i + 1)) {
    const next = bytes[i + 1]
    if (next === lineFeed) return i + 2
    if (next === carriage && bytes[i + 2] === lineFeed) return i + 3
  }
  return -1
}

/** Whether there is a member whose name begins with `usage` and whose value is not null. */
const mentionsUsage = (bytes: Uint8Array): boolean => {
  // `g` is the rarest of its letters.
  for (let i = bytes.indexOf(0x67); i >= 0; i = bytes.indexOf(0x67, i + 1)) {
    if (bytes[i + 1] !== 0x65 || bytes[i - 1] !== 0x61 || bytes[i - 2] !== 0x73 || bytes[i - 3] !== 0x75) continue
    // An escaped quote is one of the model's words.
    if (bytes[i - 4] !== 0x22 || bytes[i - 5] === 0x5c) continue
    let j = bytes.indexOf(0x3a, i + 2) + 1
    if (j === 0) continue
    while (bytes[j] === 0x20) j++
    if (bytes[j] === 0x7b) return true
  }
  return false
}

/** The JSON of an event's data lines. */
const dataOf = (event: Uint8Array): JsonObject | undefined => {
  let data = ""
  for (const line of decoder.decode(event).split(/\r\n|\n|\r/)) {
    if (line.startsWith("data:")) data += line.charCodeAt(5) === 0x20 ? line.slice(6) : line.slice(5)
  }
  if (data === "") return undefined
  try {
    const value: unknown = JSON.parse(data)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.byteLength === 0) return b
  const whole = new Uint8Array(a.byteLength + b.byteLength)
  whole.set(a)
  whole.set(b, a.byteLength)
  return whole
}

const nothing = new Uint8Array(0)
const noBytes: ReadonlyArray<Uint8Array> = []

const isError = (data: JsonObject | undefined): boolean => {
  const type = data?.["type"]
  return data !== undefined && (type === "error" || type === "response.failed" || isObject(data["error"]))
}

const saysUsageOnly = (data: JsonObject): boolean => {
  const { choices, usage } = data
  return Array.isArray(choices) && choices.length === 0 && isObject(usage)
}

/** Where the last event that ends in these bytes ends; those before `from` are known to hold no end. 0 without one. */
const lastEventEnd = (bytes: Uint8Array, from: number): number => {
  for (let i = bytes.lastIndexOf(lineFeed); i > 0 && i >= from; i = bytes.lastIndexOf(lineFeed, i - 1)) {
    if (bytes[i - 1] === lineFeed) return i + 1
    if (bytes[i - 1] === carriage && bytes[i - 2] === lineFeed) return i + 1
  }
  return 0
}

/** The events of a piece of a stream; what follows the last whole one is one too. */
const eventsOf = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const events: Array<Uint8Array> = []
  let from = 0
  for (let end = eventEnd(bytes, 0); end >= 0; end = eventEnd(bytes, end)) {
    events.push(bytes.subarray(from, end))
    from = end
  }
  if (from < bytes.byteLength) events.push(bytes.subarray(from))
  return events
}

/** A stream that tells of usage at its beginning does so within as many bytes. */
const BEGINNING_BYTES = 2048

export class StreamTap {
  private readonly onEvent: (data: JsonObject) => boolean
  private readonly holdsBack: boolean
  private rest: Uint8Array = nothing
  private isFirst = true
  /** The latest piece that told of usage, beyond what is kept. */
  private latest: Uint8Array | undefined
  private isBlind = false
  private readonly kept: Array<Uint8Array> = []
  /** How many of these are gathered ones, and how much is in the others. */
  private slabs = 0
  private looseBytes = 0
  private keptBytes = 0
  private readonly keptBytesMax: number
  private isOver = false
  /** The last piece, unread. */
  private last: Uint8Array = nothing
  /** Of everything that was passed on. */
  passedBytes = 0

  /**
   * `onEvent` says whether it learned of usage. `holdsBack`: an event that only tells of usage, which the client did not
   * ask for, is not passed on.
   */
  constructor(onEvent: (data: JsonObject) => boolean, holdsBack: boolean, keptBytesMax = KEPT_BYTES_MAX) {
    this.onEvent = onEvent
    this.holdsBack = holdsBack
    this.keptBytesMax = keptBytesMax
  }

  /** What may be passed on now. */
  feed(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    if (this.isBlind) return [chunk]
    const { rest } = this
    const bytes = joined(rest, chunk)
    const end = lastEventEnd(bytes, rest.byteLength)
    const { byteLength } = bytes
    this.rest = end === byteLength ? nothing : end === 0 ? bytes : bytes.subarray(end)
    if (this.rest.byteLength > EVENT_BYTES_MAX) {
      this.isBlind = true
      this.rest = nothing
      return this.passing(bytes)
    }
    if (end === 0) return noBytes
    return this.passing(end === byteLength ? bytes : bytes.subarray(0, end))
  }

  /** Whole events. */
  private passing(bytes: Uint8Array): ReadonlyArray<Uint8Array> {
    if (this.isFirst) this.begin(bytes)
    this.last = bytes
    if (!this.holdsBack || !mentionsUsage(bytes)) {
      this.keep(bytes)
      return [bytes]
    }
    const passed: Array<Uint8Array> = []
    for (const event of eventsOf(bytes)) {
      const data = mentionsUsage(event) ? dataOf(event) : undefined
      if (data !== undefined) this.onEvent(data)
      if (data !== undefined && saysUsageOnly(data)) continue
      this.keep(event)
      passed.push(event)
    }
    return passed
  }

  /** Comments may come before the first event that says anything. */
  private begin(bytes: Uint8Array): void {
    for (const event of eventsOf(bytes)) {
      const data = dataOf(event)
      if (data === undefined) continue
      this.isFirst = false
      this.onEvent(data)
      return
    }
  }

  private keep(bytes: Uint8Array): void {
    const { byteLength } = bytes
    this.passedBytes += byteLength
    if (this.keptBytes + byteLength <= this.keptBytesMax) {
      this.keptBytes += byteLength
      this.kept.push(bytes)
      this.looseBytes += byteLength
      if (this.kept.length - this.slabs >= LOOSE_MAX) this.gather()
    } else if (mentionsUsage(bytes)) this.latest = bytes
  }

  private gather(): void {
    const loose = this.kept.splice(this.slabs)
    this.kept.push(Body.join(loose, this.looseBytes))
    this.slabs++
    this.looseBytes = 0
  }

  /** What is left once the stream is over; a last event may lack its empty line. */
  end(): ReadonlyArray<Uint8Array> {
    const { rest } = this
    this.rest = nothing
    const passed = rest.byteLength === 0 ? noBytes : this.passing(rest)
    this.readLatest()
    return passed
  }

  /** Reads what was put off; to be called when nothing more comes. */
  readLatest(): void {
    if (this.isOver) return
    this.isOver = true
    const { kept, latest } = this
    this.readFirst()
    if (latest !== undefined && this.readLast(latest)) return
    for (let i = kept.length - 1; i >= 0; i--) {
      const bytes = kept[i] as Uint8Array
      if (mentionsUsage(bytes) && this.readLast(bytes)) return
    }
  }

  private readFirst(): void {
    let length = 0
    for (const bytes of this.kept) {
      if (length >= BEGINNING_BYTES) return
      length += bytes.byteLength
      if (!mentionsUsage(bytes)) continue
      for (const event of eventsOf(bytes)) if (this.read(event)) return
    }
  }

  private readLast(bytes: Uint8Array): boolean {
    const events = eventsOf(bytes)
    for (let i = events.length - 1; i >= 0; i--) if (this.read(events[i] as Uint8Array)) return true
    return false
  }

  /** Says whether it tells of usage. */
  private read(event: Uint8Array): boolean {
    const data = mentionsUsage(event) ? dataOf(event) : undefined
    return data !== undefined && this.onEvent(data)
  }

  /** Whether the last thing that the provider said is that it failed. */
  get isFailed(): boolean {
    const event = eventsOf(this.last).at(-1)
    return event !== undefined && isError(dataOf(event))
  }

  /** The events that the client was given, from the beginning; `share` says how much of all it is. */
  received(): { readonly events: ReadonlyArray<JsonObject>; readonly share: number } {
    const events: Array<JsonObject> = []
    for (const bytes of this.kept) {
      for (const event of eventsOf(bytes)) {
        const data = dataOf(event)
        if (data !== undefined) events.push(data)
      }
    }
    return { events, share: this.passedBytes === 0 ? 1 : this.keptBytes / this.passedBytes }
  }
}
