/**
 * Lines on their way out. They are gathered for a moment and written together, without ever waiting for whoever reads
 * them: what is beyond the bound is dropped and counted, so that a reader that sleeps holds up nobody. A reader that is
 * gone ends the writing, never the gateway.
 */
import * as fs from "node:fs"
import type { Clock } from "../../stages/ports/Timer.ts"

/** Lines that may wait; what comes then is dropped. */
const waitingLinesMax = 10_000
/** More that may wait of what the gateway says about itself, so that it is not drowned by what it does. */
export const reservedLines = 1_000
/** Bytes that may wait, for the sake of very long lines. */
const waitingBytesMax = 16 * 1024 * 1024

/** Lines are written when so many bytes are there, about. */
const batchLength = 16 * 1024
/** … or after so long. */
const delayMillis = 10
/** How soon a reader that takes nothing is tried again. */
const retryMillis = 5
/** How long the end of the process waits for a reader that takes nothing. */
const farewellMillis = 2_000

/** Takes some of the bytes and says how many; throws `EAGAIN` when it cannot take any yet. */
export type Out = (bytes: Uint8Array) => number

export const toDescriptor =
  (descriptor: number): Out =>
  (bytes) =>
    fs.writeSync(descriptor, bytes)

const nap = new Int32Array(new SharedArrayBuffer(4))

/** Holds up the thread: it is only called at the end of the process. */
const sleep = (millis: number): void => void Atomics.wait(nap, 0, 0, millis)

const countOf = (lines: string): number => {
  let count = 0
  for (let at = lines.indexOf("\n"); at >= 0; at = lines.indexOf("\n", at + 1)) count++
  return Math.max(1, count)
}

export interface LineSinkOptions {
  readonly out: Out
  readonly clock: Pick<Clock, "after" | "nowMillis">
  readonly linesMax?: number
  /** Told how many lines were lost, because too many wait or there is no way to write them. */
  readonly onDropped?: (lines: number) => void
}

export class LineSink {
  private readonly out: Out
  private readonly clock: Pick<Clock, "after" | "nowMillis">
  private readonly linesMax: number
  private readonly onDropped: (lines: number) => void
  private text = ""
  private lines = 0
  /** What was handed out already but not all taken. */
  private rest: Uint8Array = new Uint8Array(0)
  private restLines = 0
  private cancel: (() => void) | undefined
  private closed = false

  constructor({ clock, linesMax = waitingLinesMax, onDropped = () => {}, out }: LineSinkOptions) {
    this.out = out
    this.clock = clock
    this.linesMax = linesMax
    this.onDropped = onDropped
  }

  /** Takes a line of which there are many, with the end of line it comes with. */
  offer(line: string): void {
    this.take(line, 1, this.linesMax)
  }

  /** Takes one line, or several, that are worth more room. */
  write(lines: string): void {
    this.take(lines, countOf(lines), this.linesMax + reservedLines)
  }

  private take(text: string, count: number, linesMax: number): void {
    if (this.closed || this.waiting >= linesMax || this.text.length + this.rest.byteLength > waitingBytesMax) {
      return this.onDropped(count)
    }
    this.text += text
    this.lines += count
    if (this.text.length >= batchLength && this.rest.byteLength === 0) this.push()
    else if (this.cancel === undefined) this.later(delayMillis)
  }

  /** Writes everything now and waits for the reader, at most so long. */
  flush(waitMillis = farewellMillis): void {
    const giveUpAt = this.clock.nowMillis() + waitMillis
    while (!this.push()) {
      if (this.clock.nowMillis() >= giveUpAt) return
      sleep(1)
    }
  }

  /** How many lines wait. */
  get waiting(): number {
    return this.lines + this.restLines
  }

  /** Writes what can be written without waiting; says whether nothing is left. */
  private push(): boolean {
    this.cancel?.()
    this.cancel = undefined
    while (this.rest.byteLength > 0 || this.text !== "") {
      if (this.rest.byteLength === 0) {
        this.rest = Buffer.from(this.text, "utf8")
        this.restLines = this.lines
        this.text = ""
        this.lines = 0
      }
      try {
        this.rest = this.rest.subarray(this.out(this.rest))
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (code === "EINTR") continue
        if (code === "EAGAIN") {
          this.later(retryMillis)
          return false
        }
        this.lose(code)
      }
    }
    this.restLines = 0
    return true
  }

  private lose(code: string | undefined): void {
    const lost = this.restLines
    this.rest = new Uint8Array(0)
    this.restLines = 0
    this.onDropped(lost)
    // Nobody will ever read again; anything else, such as a full disk, may pass.
    if (code === "EPIPE" || code === "EBADF" || code === "ECONNRESET") {
      this.closed = true
      this.onDropped(this.lines)
      this.text = ""
      this.lines = 0
    }
  }

  private later(millis: number): void {
    this.cancel?.()
    this.cancel = this.clock.after(millis, () => {
      this.cancel = undefined
      this.push()
    })
  }
}
