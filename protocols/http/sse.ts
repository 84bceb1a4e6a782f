/** Server-sent events (WHATWG HTML §9.2), read as bytes arrive and written one at a time. */

export interface SseEvent {
  /** The type as it was sent; absent means `message`. */
  readonly event?: string | undefined
  /** Lines joined by `\n`; empty also when no data was sent. */
  readonly data: string
  /** Only when this event carried one. */
  readonly id?: string | undefined
  readonly retryMillis?: number | undefined
}

/** How much of one unfinished event is held, in characters. */
const SSE_EVENT_CHARS_MAX = 8 * 1024 * 1024

/**
 * Reads a stream of events however it was cut into chunks. An event that carries only an id or a retry is reported
 * too, with empty data: a relay must know of it, though a browser would stay silent.
 */
export class SseParser {
  private readonly decoder = new TextDecoder()
  private readonly onEvent: (event: SseEvent) => void
  private readonly charsMax: number
  private partial = ""
  private afterCr = false
  private any = false
  private event: string | undefined
  private data: string | undefined
  private id: string | undefined
  private retryMillis: number | undefined
  private overflowed = false

  constructor(onEvent: (event: SseEvent) => void, charsMax: number = SSE_EVENT_CHARS_MAX) {
    this.onEvent = onEvent
    this.charsMax = charsMax
  }

  /** False once an event passed the bound; whatever follows is ignored. */
  feed(chunk: Uint8Array): boolean {
    return this.overflowed ? false : this.read(this.decoder.decode(chunk, { stream: true }))
  }

  /** Ends the stream. A last event that lacks only its empty line is reported: many servers forget that line. */
  end(): boolean {
    if (this.overflowed) return false
    if (!this.read(this.decoder.decode())) return false
    if (this.partial !== "") {
      const line = this.partial
      this.partial = ""
      if (!this.line(line)) return false
    }
    this.dispatch()
    return true
  }

  private read(text: string): boolean {
    let start = 0
    if (this.afterCr && text !== "") {
      this.afterCr = false
      if (text.charCodeAt(0) === 0x0a) start = 1
    }
    let lf = text.indexOf("\n", start)
    let cr = text.indexOf("\r", start)
    while (lf >= 0 || cr >= 0) {
      const end = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf
      const line = this.partial === "" ? text.slice(start, end) : this.partial + text.slice(start, end)
      this.partial = ""
      start = end + 1
      if (end === cr) {
        if (lf === start) start++
        else if (start === text.length) this.afterCr = true
        cr = text.indexOf("\r", start)
      }
      if (lf >= 0 && lf < start) lf = text.indexOf("\n", start)
      if (!this.line(line)) return false
    }
    if (start < text.length) {
      this.partial += text.slice(start)
      return this.within(this.partial.length)
    }
    return true
  }

  private within(chars: number): boolean {
    if (chars + (this.data?.length ?? 0) <= this.charsMax) return true
    this.overflowed = true
    this.partial = ""
    this.data = undefined
    return false
  }

  private line(line: string): boolean {
    if (line === "") {
      this.dispatch()
      return true
    }
    if (!this.within(line.length)) return false
    const colon = line.indexOf(":")
    if (colon === 0) return true
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)
    switch (name) {
      case "data":
        this.data = this.data === undefined ? value : `${this.data}\n${value}`
        this.any = true
        break
      case "event":
        this.event = value === "" ? undefined : value
        break
      case "id":
        if (value.includes("\0")) break
        this.id = value
        this.any = true
        break
      case "retry":
        if (!/^\d{1,15}$/.test(value)) break
        this.retryMillis = Number(value)
        this.any = true
        break
      default:
    }
    return true
  }

  private dispatch(): void {
    const { any, event, data, id, retryMillis } = this
    this.any = false
    this.event = this.data = this.id = this.retryMillis = undefined
    if (any) this.onEvent({ event, data: data ?? "", id, retryMillis })
  }
}

/** A name or id goes on one line, so a line break in it would let its author write other fields. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]/g, "")

/** One event, its empty line included. */
export const encodeSse = (event: SseEvent): string => {
  let text = ""
  if (event.event !== undefined) text += `event: ${oneLine(event.event)}\n`
  if (event.id !== undefined) text += `id: ${oneLine(event.id)}\n`
  if (event.retryMillis !== undefined) text += `retry: ${Math.max(0, Math.trunc(event.retryMillis))}\n`
  const data = event.data
  return data.includes("\n") || data.includes("\r")
    ? `${text}data: ${data.split(/\r\n|\r|\n/).join("\ndata: ")}\n\n`
    : `${text}data: ${data}\n\n`
}

/** A line that clients skip, to keep the connection from looking idle. */
export const encodeSseComment = (text: string): string => `: ${oneLine(text)}\n\n`
