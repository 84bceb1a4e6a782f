/**
 * Listens to a socket for somebody who has thousands of them: the functions are shared, and the socket knows its owner, which
 * is cheaper to hold than a function for each event of each socket.
 */
import type { Socket } from "node:net"

/** Who is told of everything that happens to a socket. */
export interface Owner {
  onData(chunk: Buffer): void
  onEnd(): void
  onDrain(): void
  onError(error: Error): void
  onClose(): void
}

const owner = Symbol("owner")

type Owned = Socket & { readonly [owner]: Owner }

function data(this: Socket, chunk: Buffer): void {
  ;(this as Owned)[owner].onData(chunk)
}
function end(this: Socket): void {
  ;(this as Owned)[owner].onEnd()
}
function drain(this: Socket): void {
  ;(this as Owned)[owner].onDrain()
}
function error(this: Socket, cause: Error): void {
  ;(this as Owned)[owner].onError(cause)
}
function close(this: Socket): void {
  ;(this as Owned)[owner].onClose()
}

export const listen = (socket: Socket, who: Owner): void => {
  Object.defineProperty(socket, owner, { value: who, writable: true, configurable: true })
  socket.on("data", data)
  socket.on("end", end)
  socket.on("drain", drain)
  socket.on("error", error)
  socket.on("close", close)
}

/** What arrives stays where it is; everything else is still told. */
export const stopReading = (socket: Socket): void => {
  socket.off("data", data)
  socket.pause()
  // As new: it flows when somebody listens.
  ;(socket as { readableFlowing: boolean | null }).readableFlowing = null
}

/** Tells nothing any more but errors, which would end the process if nobody listened. */
export const leave = (socket: Socket): void => {
  stopReading(socket)
  socket.off("end", end)
  socket.off("drain", drain)
  socket.off("close", close)
}

/** After `stopReading`: what arrives is told again. */
export const readAgain = (socket: Socket): void => {
  socket.on("data", data)
  socket.resume()
}
