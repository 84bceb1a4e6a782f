/** What a peer said before a write to it failed: a socket would throw it away, and with it perhaps the reason. */
import type { Socket } from "node:net"

const isFailedWrite = (error: Error | undefined): error is Error =>
  (error as NodeJS.ErrnoException | undefined)?.syscall === "write"

/** Nothing more of what had arrived comes after a turn that brought nothing. */
const whenRead = (socket: Socket, done: () => void): void => {
  const before = socket.bytesRead
  const look = (): void => {
    if (socket.destroyed) return
    if (socket.bytesRead === before) done()
    else whenRead(socket, done)
  }
  // Between the two every socket is looked at.
  setImmediate(() => setImmediate(look))
}

/**
 * A failed write destroys the socket only when what had arrived was heard. `isWanted` is asked when one has failed: whether that
 * is of any use.
 */
export const hearOut = (
  socket: Socket,
  hear: (chunk: Buffer) => void,
  isWanted: (error: Error) => boolean = () => true,
): void => {
  const { destroy } = socket
  let failed: Error | undefined
  socket.destroy = (error) => {
    if (!isFailedWrite(error) || failed === error) return destroy.call(socket, error)
    if (failed !== undefined) return socket
    // What waits for its reader would come behind what follows it.
    const isBehind = socket.isPaused() || socket.readableLength > 0
    if (isBehind || !isWanted(error)) return destroy.call(socket, error)
    failed = error
    // After a failed write a stream drops what it is given.
    socket.push = (chunk: Buffer | null) => {
      if (chunk !== null) hear(chunk)
      return true
    }
    whenRead(socket, () => socket.destroy(error))
    return socket
  }
}

/** The socket is destroyed as any other from now on. */
export const hearNoMore = (socket: Socket): void => void Reflect.deleteProperty(socket, "destroy")
