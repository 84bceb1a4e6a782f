/** Asking an HTTP proxy for a connection to somewhere else (RFC 9110 §9.3.6). */
import type * as net from "node:net"
import { connectFailed, Failed } from "./failure.ts"

/** How long the head of the proxy's answer may be. */
export const TUNNEL_HEAD_BYTES_MAX = 16_384

const refused = (message: string, status: number): Failed => new Failed({ _tag: "TunnelRefused", message, status })

/** Leaves the socket paused, with whatever came after the head put back. */
export const requestTunnel = (
  socket: net.Socket,
  authority: string,
  authorization: string | undefined,
  done: (failed: Failed | undefined) => void,
): void => {
  if (/[^\x21-\x7e]/.test(authority)) {
    socket.destroy()
    return done(refused("tunnel to an invalid host", 0))
  }
  let head: Buffer = Buffer.alloc(0)
  const finish = (failed: Failed | undefined): void => {
    socket.off("data", onData)
    socket.off("close", onClose)
    socket.off("error", onError)
    socket.pause()
    if (failed !== undefined) socket.destroy()
    done(failed)
  }
  const onData = (chunk: Buffer): void => {
    head = head.byteLength === 0 ? chunk : Buffer.concat([head, chunk])
    const end = head.indexOf("\r\n\r\n")
    if (end < 0) {
      if (head.byteLength > TUNNEL_HEAD_BYTES_MAX) finish(refused("tunnel proxy sent too large a head", 0))
      return
    }
    const status = /^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(head.toString("latin1", 0, end + 2))?.[1]
    const rest = head.subarray(end + 4)
    if (status === undefined) return finish(refused("tunnel proxy does not speak HTTP/1.1", 0))
    if (status.startsWith("1")) {
      head = Buffer.alloc(0)
      return rest.byteLength > 0 ? onData(rest) : undefined
    }
    if (!status.startsWith("2")) {
      const what = status === "407" ? "tunnel proxy asks for authentication" : "tunnel proxy refused"
      return finish(refused(`${what} (${status})`, Number(status)))
    }
    socket.pause()
    if (rest.byteLength > 0) socket.unshift(rest)
    finish(undefined)
  }
  const onClose = (): void => finish(refused("tunnel proxy closed the connection", 0))
  const onError = (error: Error): void => finish(connectFailed(error))
  socket.on("data", onData)
  socket.on("close", onClose)
  socket.on("error", onError)
  let text = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n`
  if (authorization !== undefined) text += `Proxy-Authorization: ${authorization}\r\n`
  socket.write(`${text}\r\n`, "latin1")
}
