/** An HTTP/2 server that writes the frames a test asks for, also those that a library would not write. */
import * as net from "node:net"

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const END_STREAM = 1
export const END_HEADERS = 4

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** `:status: 200`, from the static table of HPACK. */
export const STATUS_200 = Buffer.from([0x88])

export class Peer {
  readonly socket: net.Socket
  readonly frames: Array<Frame> = []
  private rest = Buffer.alloc(0)
  private greeted = false

  constructor(socket: net.Socket, settings: Buffer, onFrame: (peer: Peer, frame: Frame) => void) {
    this.socket = socket
    socket.on("error", () => {})
    socket.setNoDelay(true)
    this.write(SETTINGS, 0, 0, settings)
    socket.on("data", (chunk: Buffer) => {
      this.rest = Buffer.concat([this.rest, chunk])
      if (!this.greeted) {
        if (this.rest.byteLength < 24) return
        this.greeted = true
        this.rest = this.rest.subarray(24)
      }
      while (this.rest.byteLength >= 9) {
        const length = this.rest.readUIntBE(0, 3)
        if (this.rest.byteLength < 9 + length) return
        const frame: Frame = {
          type: this.rest.readUInt8(3),
          flags: this.rest.readUInt8(4),
          stream: this.rest.readUInt32BE(5),
          payload: this.rest.subarray(9, 9 + length),
        }
        this.rest = this.rest.subarray(9 + length)
        this.frames.push(frame)
        if (frame.type === SETTINGS && (frame.flags & 1) === 0) this.write(SETTINGS, 1, 0)
        onFrame(this, frame)
      }
    })
  }

  write(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): void {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.byteLength, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(stream, 5)
    this.socket.write(Buffer.concat([head, payload]))
  }

  goaway(lastStream: number, code: number): void {
    this.write(GOAWAY, 0, 0, Buffer.concat([number(lastStream), number(code)]))
  }
}

/** A server of such peers; `onFrame` is called for every frame of every connection. */
export const frameServer = (
  onFrame: (peer: Peer, frame: Frame) => void,
  settings: Buffer = Buffer.alloc(0),
): { server: net.Server; peers: Array<Peer> } => {
  const peers: Array<Peer> = []
  const server = net.createServer((socket) => void peers.push(new Peer(socket, settings, onFrame)))
  return { server, peers }
}
