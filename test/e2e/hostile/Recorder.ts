/** An upstream server on a bare socket: it answers what it understands, and keeps every byte it was ever sent. */
import * as net from "node:net"
import { ordinary, readOne } from "./readings.ts"

/** The body of the reply to a request for this path, for clients that do not read. */
export const BIG_BYTES = 4 * 1024 * 1024

interface Connection {
  readonly socket: net.Socket
  text: string
  /** Up to here everything was answered. */
  answered: number
}

export class Recorder {
  readonly server: net.Server
  private readonly connections: Array<Connection> = []

  private constructor() {
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection: Connection = { socket, text: "", answered: 0 }
      this.connections.push(connection)
      socket.on("error", () => {})
      socket.on("end", () => socket.end())
      socket.on("data", (bytes: Buffer) => {
        connection.text += bytes.toString("latin1")
        this.answer(connection)
      })
    })
  }

  static async start(): Promise<Recorder> {
    const recorder = new Recorder()
    await new Promise<void>((resolve) => recorder.server.listen(0, "127.0.0.1", resolve))
    return recorder
  }

  get port(): number {
    return (this.server.address() as net.AddressInfo).port
  }

  private answer(connection: Connection): void {
    for (;;) {
      const seen = readOne(connection.text, connection.answered, ordinary)
      if (seen?.complete !== true) return
      connection.answered = seen.end
      const body = seen.line.includes("/big") ? "x".repeat(BIG_BYTES) : seen.line
      const isHead = seen.line.startsWith("HEAD ")
      const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`
      connection.socket.write(isHead ? head : head + body, "latin1")
    }
  }

  /** Where every connection stands now. */
  mark(): ReadonlyArray<number> {
    return this.connections.map(({ text }) => text.length)
  }

  /** What each connection was sent since then, those that were sent nothing left out. */
  since(mark: ReadonlyArray<number>): ReadonlyArray<string> {
    return this.connections.map(({ text }, i) => text.slice(mark[i] ?? 0)).filter((text) => text !== "")
  }

  /** Open connections that were sent something they have not answered. */
  get owing(): number {
    return this.connections.filter(({ answered, socket, text }) => !socket.destroyed && answered < text.length).length
  }

  get open(): number {
    return this.connections.filter(({ socket }) => !socket.destroyed).length
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    for (const { socket } of this.connections) socket.destroy()
    await closed
  }
}
