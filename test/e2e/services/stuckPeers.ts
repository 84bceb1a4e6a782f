/** Services that take nothing, and what must be left of an exchange that met one: nothing. */
import * as net from "node:net"
import { outcomes, sockets } from "../faults/freed.ts"
import { until } from "../harness.ts"
import { type Frame, frameServer, number, type Peer, RST_STREAM } from "../upstream/frames.ts"
import type { Closing, Place } from "./place.ts"

export const listening = async (closing: Closing, server: net.Server): Promise<number> => {
  const open = new Set<net.Socket>()
  server.on("connection", (socket: net.Socket) => {
    open.add(socket)
    socket.on("error", () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** Accepts connections, and reads no byte of them. */
export const deaf = (closing: Closing): Promise<number> =>
  listening(
    closing,
    net.createServer({ pauseOnConnect: true }, () => {}),
  )

export interface Framed {
  readonly port: number
  readonly peers: ReadonlyArray<Peer>
}

/** Speaks HTTP/2 in the frames that a test writes. */
export const framed = async (
  closing: Closing,
  onFrame: (peer: Peer, frame: Frame) => void,
  settings?: Buffer,
): Promise<Framed> => {
  const { peers, server } = frameServer(onFrame, settings)
  return { port: await listening(closing, server), peers }
}

/** Speaks HTTP/2 and lets nobody send it a body: SETTINGS_INITIAL_WINDOW_SIZE is 0, and no window is ever opened. */
export const shut = (closing: Closing): Promise<Framed> =>
  framed(closing, () => {}, Buffer.concat([Buffer.from([0, 4]), number(0)]))

export const resets = (peers: ReadonlyArray<Peer>): number =>
  peers.flatMap(({ frames }) => frames).filter(({ type }) => type === RST_STREAM).length

export const long = "x".repeat(1_000_000)

/** More exchanges of the kind, each over in time and none with a trace. */
export const freed = async ({ gateway, send }: Place, exchanges: number): Promise<void> => {
  await outcomes(gateway, exchanges)
  const before = sockets()
  await Promise.all(Array.from({ length: 5 }, () => send("/", { method: "POST", body: long }).catch(() => undefined)))
  await outcomes(gateway, exchanges + 5)
  // The same few connections, however often it was tried.
  await until("no socket is left of any of them", () => sockets() <= before + 2)
}
