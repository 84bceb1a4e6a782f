/**
 * Load over raw sockets: each connection sends its next request when the last byte of the reply is there. A process of its
 * own when forked, so that what it costs is not what is measured.
 */
import * as net from "node:net"

export interface Load {
  readonly port: number
  readonly method?: "GET" | "POST"
  /** Taken in turn. */
  readonly paths: ReadonlyArray<string>
  readonly bodyBytes?: number
  readonly headers?: Readonly<Record<string, string>>
  /** JSON; instead of so many bytes. */
  readonly body?: string
  readonly connections: number
  /** All connections ask at once, and again when the last of them has its reply: only the last one of each time is timed. */
  readonly together?: boolean
  /** Whichever comes first; every request that was begun is awaited. */
  readonly millis?: number
  readonly requests?: number
}

export interface Loaded {
  /** Answered with a 2xx, completely. */
  readonly requests: number
  readonly failed: number
  readonly seconds: number
  readonly p50Micros: number
  readonly p99Micros: number
}

/** A reply that does not come is a failure, and not a benchmark that hangs. */
const REPLY_MILLIS_MAX = 30_000

const HEAD = 0
const LENGTH = 1
const CHUNK_HEAD = 2
const CHUNK = 3
const TRAILERS = 4

const headEnd = Buffer.from("\r\n\r\n")
const lineEnd = Buffer.from("\r\n")

/** Finds the end of replies that a correct proxy writes: with a length, or chunked. */
export class ReplyReader {
  status = 0
  /** Of the body of the reply being read. */
  bodyBytes = 0
  private state = HEAD
  private left = 0
  private rest: Buffer | undefined
  private readonly onEnd: () => void

  constructor(onEnd: () => void) {
    this.onEnd = onEnd
  }

  read(chunk: Buffer): void {
    let bytes = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    this.rest = undefined
    while (bytes.byteLength > 0) {
      const used = this.step(bytes)
      if (used === 0) {
        this.rest = bytes
        return
      }
      bytes = bytes.subarray(used)
    }
  }

  private step(bytes: Buffer): number {
    switch (this.state) {
      case HEAD: {
        const end = bytes.indexOf(headEnd)
        if (end < 0) return 0
        this.head(bytes.toString("latin1", 0, end))
        return end + 4
      }
      case LENGTH:
      case CHUNK: {
        const used = Math.min(this.left, bytes.byteLength)
        this.left -= used
        this.bodyBytes += used
        if (this.left === 0) {
          if (this.state === LENGTH) this.end()
          else {
            this.bodyBytes -= 2
            this.state = CHUNK_HEAD
          }
        }
        return used
      }
      case CHUNK_HEAD: {
        const end = bytes.indexOf(lineEnd)
        if (end < 0) return 0
        const size = Number.parseInt(bytes.toString("latin1", 0, end), 16)
        if (Number.isNaN(size)) throw new Error("malformed chunk")
        this.left = size + 2
        this.state = size === 0 ? TRAILERS : CHUNK
        return end + 2
      }
      default: {
        const end = bytes.indexOf(lineEnd)
        if (end < 0) return 0
        if (end === 0) this.end()
        return end + 2
      }
    }
  }

  private head(text: string): void {
    this.status = Number(text.slice(9, 12))
    this.bodyBytes = 0
    const lower = text.toLowerCase()
    const at = lower.indexOf("\r\ncontent-length:")
    if (at >= 0) {
      this.left = Number.parseInt(lower.slice(at + 17), 10)
      if (this.left > 0) this.state = LENGTH
      else this.end()
    } else if (lower.includes("\r\ntransfer-encoding: chunked")) this.state = CHUNK_HEAD
    else throw new Error(`a reply without an end: ${text}`)
  }

  private end(): void {
    this.state = HEAD
    this.onEnd()
  }
}

export const requestOf = (
  { body, bodyBytes, headers = {}, method = "GET" }: Pick<Load, "body" | "bodyBytes" | "headers" | "method">,
  path: string,
): Buffer => {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  if (body !== undefined) {
    const content = Buffer.from(body)
    const head = `${method} ${path} HTTP/1.1\r\nhost: bench.example\r\naccept: */*\r\nuser-agent: bench\r\n${more.join("")}content-type: application/json\r\ncontent-length: ${content.byteLength}\r\n\r\n`
    return Buffer.concat([Buffer.from(head), content])
  }
  const head =
    `${method} ${path} HTTP/1.1\r\nhost: bench.example\r\naccept: */*\r\nuser-agent: bench\r\n${more.join("")}` +
    (bodyBytes === undefined ? "\r\n" : `content-type: text/plain\r\ncontent-length: ${bodyBytes}\r\n\r\n`)
  return bodyBytes === undefined ? Buffer.from(head) : Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, "x")])
}

const quantile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

export const run = (load: Load): Promise<Loaded> =>
  new Promise((resolve) => {
    const requests = load.paths.map((path) => requestOf(load, path))
    const begun = process.hrtime.bigint()
    const endsAt = load.millis === undefined ? Infinity : performance.now() + load.millis
    const most = load.requests ?? Infinity
    const micros: Array<number> = []
    let next = 0
    let failed = 0
    let open = load.connections
    /** Connections that are ready to ask together; each begins by being so. */
    const ready: Array<() => void> = []

    const closed = (): void => {
      if (--open > 0) return
      const sorted = Float64Array.from(micros).sort()
      resolve({
        requests: micros.length,
        failed,
        seconds: Number(process.hrtime.bigint() - begun) / 1e9,
        p50Micros: quantile(sorted, 0.5),
        p99Micros: quantile(sorted, 0.99),
      })
    }

    const connect = (): void => {
      const socket = net.connect({ port: load.port, host: "127.0.0.1", noDelay: true })
      let sentAt = 0
      let waiting = false
      const ask = (): void => {
        if (load.together !== true) return send()
        ready.push(send)
        if (ready.length < load.connections) return
        for (const one of ready.splice(0)) one()
      }
      const send = (): void => {
        if (next >= most || performance.now() >= endsAt) return void socket.end()
        waiting = true
        sentAt = performance.now()
        socket.write(requests[next++ % requests.length] as Buffer)
      }
      const reader = new ReplyReader(() => {
        waiting = false
        const isTimed = load.together !== true || ready.length === load.connections - 1
        if (reader.status < 200 || reader.status >= 300) failed++
        else if (isTimed) micros.push((performance.now() - sentAt) * 1000)
        ask()
      })
      socket.on("connect", ask)
      socket.on("data", (chunk: Buffer) => {
        try {
          reader.read(chunk)
        } catch {
          socket.destroy()
        }
      })
      socket.setTimeout(REPLY_MILLIS_MAX, () => socket.destroy())
      socket.on("error", () => {})
      socket.once("close", () => {
        if (waiting || sentAt === 0) failed++
        // Between two requests a gateway may ask for a new connection.
        if (sentAt > 0 && next < most && performance.now() < endsAt) connect()
        else closed()
      })
    }
    for (let i = 0; i < load.connections; i++) connect()
  })

if (process.send !== undefined && import.meta.main) {
  process.on("message", (load: Load) => {
    void run(load).then((loaded) => process.send?.({ loaded }))
  })
  process.once("disconnect", () => process.exit())
}
