/** How long the first byte of a body takes, from several servers by turns, one request at a time. */
import * as net from "node:net"
import { requestOf } from "./load.ts"

class Timed {
  private readonly socket: net.Socket
  private onClose: (() => void) | undefined
  private onData: ((chunk: Buffer) => void) | undefined

  constructor(port: number) {
    this.socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    this.socket.on("data", (chunk: Buffer) => this.onData?.(chunk))
    this.socket.once("close", () => this.onClose?.())
  }

  ask(path: string): Promise<number> {
    return new Promise((resolve, reject) => {
      let text = ""
      let first = 0
      const sent = performance.now()
      this.onClose = () => reject(new Error("the connection was closed"))
      this.onData = (chunk) => {
        text += chunk.toString("latin1")
        if (first === 0 && text.includes("data:")) first = performance.now()
        if (text.endsWith("\r\n0\r\n\r\n")) resolve(first - sent)
      }
      this.socket.write(requestOf({}, path))
    })
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Milliseconds, by server and turn. */
export const firstBytes = async (
  ports: ReadonlyArray<number>,
  path: string,
  turns: number,
): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  const clients = ports.map((port) => new Timed(port))
  const millis = ports.map((): Array<number> => [])
  // The first few find the way.
  for (let turn = -3; turn < turns; turn++) {
    for (const [i, client] of clients.entries()) {
      const took = await client.ask(path)
      if (turn >= 0) millis[i]?.push(took)
    }
  }
  for (const client of clients) client.close()
  return millis
}
