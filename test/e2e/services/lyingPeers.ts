/** Services that answer over gRPC, frame by frame: half of an answer, one that breaks off, and one that cannot be meant. */
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  HEADERS,
  number,
  type Peer,
  RST_STREAM,
  STATUS_200,
} from "../upstream/frames.ts"
import type { Closing } from "./place.ts"
import { framed } from "./stuckPeers.ts"

/** A field that HPACK writes out, without a table. */
export const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])

export const head = Buffer.concat([STATUS_200, field("content-type", "application/grpc")])
const ok = field("grpc-status", "0")

export const message = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0]), number(bytes.length), bytes])

export type Say = (peer: Peer, stream: number) => void

/** Lets a service say something once it has been asked, by a call that ends or by the first message of one that goes on. */
export const saying = (closing: Closing, say: Say, after: "call" | "message" = "call") => {
  const answered = new WeakMap<Peer, Set<number>>()
  return framed(closing, (peer, { flags, stream, type }: Frame) => {
    if (type !== DATA || (after === "call" && (flags & END_STREAM) === 0)) return
    const before = answered.get(peer) ?? new Set()
    if (before.has(stream)) return
    answered.set(peer, before.add(stream))
    say(peer, stream)
  })
}

export const whole =
  (...data: ReadonlyArray<Buffer>): Say =>
  (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    for (const bytes of data) peer.write(DATA, 0, stream, bytes)
    peer.write(HEADERS, END_HEADERS | END_STREAM, stream, ok)
  }

export interface Words {
  readonly half: Readonly<Record<string, Say>>
  readonly broken: Readonly<Record<string, Say>>
  readonly lies: Readonly<Record<string, Say>>
}

/** `passes` is the message that would let the request through. */
export const wordsOf = (passes: Buffer): Words => {
  /** What a service leaves its caller waiting with. */
  const half: Readonly<Record<string, Say>> = {
    "says nothing at all": () => {},
    "stops after the head of its answer": (peer, stream) => peer.write(HEADERS, END_HEADERS, stream, head),
    "stops in the middle of a message": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, head)
      peer.write(DATA, 0, stream, message(passes).subarray(0, 6))
    },
    "gives its answer and no status": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, head)
      peer.write(DATA, 0, stream, message(passes))
    },
  }

  /** What a service ends an answer with that is none. */
  const broken: Readonly<Record<string, Say>> = {
    "resets the call": (peer, stream) => peer.write(RST_STREAM, 0, stream, number(2)),
    "resets the call in the middle of a message": (peer, stream) => {
      half["stops in the middle of a message"]?.(peer, stream)
      peer.write(RST_STREAM, 0, stream, number(8))
    },
    "loses the connection in the middle of a message": (peer, stream) => {
      half["stops in the middle of a message"]?.(peer, stream)
      peer.socket.end()
    },
    "resets the connection": (peer) => void peer.socket.resetAndDestroy(),
    "goes away": (peer, stream) => {
      peer.goaway(stream - 2 < 0 ? 0 : stream - 2, 0)
      peer.socket.end()
    },
  }

  /** What a service says that cannot be meant. */
  const lies: Readonly<Record<string, Say>> = {
    "announces four gigabytes": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, head)
      peer.write(DATA, 0, stream, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 8, 1]))
    },
    "says that it is done and gives no message": whole(),
    "gives two messages": whole(message(passes), message(passes)),
    "ends inside a message": whole(message(passes).subarray(0, 6)),
    "gives a message that is compressed": whole(Buffer.concat([Buffer.from([1]), number(2), passes])),
    "gives a message that is none": whole(message(Buffer.from([0xff, 0xff, 0xff]))),
    "gives a message that does not say whether": whole(message(Buffer.alloc(0))),
    "ends without a status": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, head)
      peer.write(DATA, END_STREAM, stream, message(passes))
    },
    "answers as a web site does": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, Buffer.concat([STATUS_200, field("content-type", "text/html")]))
      peer.write(DATA, END_STREAM, stream, Buffer.from("<html>OK</html>"))
    },
    "gives its answer with a failure": (peer, stream) => {
      peer.write(HEADERS, END_HEADERS, stream, head)
      peer.write(DATA, 0, stream, message(passes))
      peer.write(HEADERS, END_HEADERS | END_STREAM, stream, field("grpc-status", "13"))
    },
  }
  return { half, broken, lies }
}
