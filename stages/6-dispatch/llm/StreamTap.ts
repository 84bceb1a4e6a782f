/**
 * Looks at a stream of events on its way, without parsing what it need not: only the first event, and the first and the
 * last that tell of usage, are read. Only whole events pass, so that an end can be put after any of them; otherwise the
 * bytes stay as they are.
 */
import { isObject, type JsonObject } from "../../../protocols/llm/Json.ts"

/** Beyond, the rest of a stream is passed on without being understood. */
const EVENT_BYTES_MAX = 4 * 1024 * 1024
/** How much of what the client received is kept for counting it, should the provider never say. */
export const KEPT_BYTES_MAX = 256 * 1024

const decoder = new TextDecoder()

const lineFeed = 0x0a
const carriage = 0x0d

/** Where the first empty line at or after `from` ends; -1 without one. */
export const eventEnd = (bytes: Uint8Array, from: number): number => {
  for (let i = bytes.indexOf(lineFeed, from); i >= 0; i = bytes.indexOf(lineFeed, i + 1)) {
    const next = bytes[i + 1]
    if (next === lineFeed) return i + 2
    if (next === carriage && bytes[i + 2] === lineFeed) return i + 3
  }
  return -1
}

/** Whether there is a member whose name begins with `usage` and whose value is not null. */
export const mentionsUsage = (bytes: Uint8Array): boolean => {
  // `g` is the rarest of its letters.
  for (let i = bytes.indexOf(0x67); i >= 0; i = bytes.indexOf(0x67, i + 1)) {
    if (bytes[i + 1] !== 0x65 || bytes[i - 1] !== 0x61 || bytes[i - 2] !== 0x73 || bytes[i - 3] !== 0x75) continue
    if (bytes[i - 4] !== 0x22) continue
    let j = bytes.indexOf(0x3a, i + 2) + 1
    if (j === 0) continue
    while (bytes[j] === 0x20) j++
    if (bytes[j] === 0x7b) return true
  }
  return false
}

/** The JSON of an event's data lines. */
export const dataOf = (event: Uint8Array): JsonObject | undefined => {
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

const saysUsageOnly = (data: JsonObject): boolean => {
  const { choices, usage } = data
  return Array.isArray(choices) && choices.length === 0 && isObject(usage)
}

export class StreamTap {
  private readonly onEvent: (data: JsonObject) => void
  private readonly holdsBack: boolean
  private rest: Uint8Array = nothing
  private isFirst = true
  private hasUsage = false
  /** The latest event that told of usage, unread. */
  private latest: Uint8Array | undefined
  private isBlind = false
  private kept: Array<Uint8Array> = []
  private keptBytes = 0
  /** Of everything that was passed on. */
  passedBytes = 0

  /** `holdsBack`: an event that only tells of usage, which the client did not ask for, is not passed on. */
  constructor(onEvent: (data: JsonObject) => void, holdsBack: boolean) {
    this.onEvent = onEvent
    this.holdsBack = holdsBack
  }

  /** What may be passed on now. */
  feed(chunk: Uint8Array): ReadonlyArray<Uint8Array> {
    if (this.isBlind) return [chunk]
    const bytes = joined(this.rest, chunk)
    let from = 0
    let passFrom = 0
    let passed: Array<Uint8Array> | undefined
    for (let end = eventEnd(bytes, 0); end >= 0; end = eventEnd(bytes, end)) {
      if (this.withholds(bytes.subarray(from, end))) {
        passed ??= []
        if (from > passFrom) passed.push(bytes.subarray(passFrom, from))
        passFrom = end
      }
      from = end
    }
    this.rest = from === bytes.byteLength ? nothing : bytes.subarray(from)
    if (this.rest.byteLength > EVENT_BYTES_MAX) {
      this.isBlind = true
      from = bytes.byteLength
      this.rest = nothing
    }
    if (from > passFrom) {
      const last = passFrom === 0 && from === bytes.byteLength ? bytes : bytes.subarray(passFrom, from)
      if (passed === undefined) passed = [last]
      else passed.push(last)
    }
    if (passed === undefined) return noBytes
    this.keep(passed)
    return passed
  }

  private withholds(event: Uint8Array): boolean {
    const tells = mentionsUsage(event)
    if (!tells && !this.isFirst) return false
    const isToRead = this.isFirst || !this.hasUsage || this.holdsBack
    this.isFirst = false
    if (tells) this.hasUsage = true
    if (!isToRead) {
      this.latest = event
      return false
    }
    if (tells) this.latest = undefined
    const data = dataOf(event)
    if (data === undefined) return false
    this.onEvent(data)
    return this.holdsBack && saysUsageOnly(data)
  }

  private keep(passed: ReadonlyArray<Uint8Array>): void {
    for (const bytes of passed) {
      this.passedBytes += bytes.byteLength
      if (this.keptBytes + bytes.byteLength > KEPT_BYTES_MAX) continue
      this.keptBytes += bytes.byteLength
      this.kept.push(bytes)
    }
  }

  /** What is left once the stream is over; a last event may lack its empty line. */
  end(): Uint8Array {
    const { rest } = this
    this.rest = nothing
    const isHeldBack = rest.byteLength > 0 && this.withholds(rest)
    this.readLatest()
    return isHeldBack ? nothing : rest
  }

  /** Reads what was put off; to be called when nothing more comes. */
  readLatest(): void {
    const { latest } = this
    this.latest = undefined
    const data = latest === undefined ? undefined : dataOf(latest)
    if (data !== undefined) this.onEvent(data)
  }

  /** The events that the client was given, from the beginning; `share` says how much of all it is. */
  received(): { readonly events: ReadonlyArray<JsonObject>; readonly share: number } {
    const events: Array<JsonObject> = []
    for (const bytes of this.kept) {
      let from = 0
      for (let end = eventEnd(bytes, 0); end >= 0; end = eventEnd(bytes, end)) {
        const data = dataOf(bytes.subarray(from, end))
        if (data !== undefined) events.push(data)
        from = end
      }
    }
    return { events, share: this.passedBytes === 0 ? 1 : this.keptBytes / this.passedBytes }
  }
}
