/** HTTP/2 on one connection. */
import type { Duplex } from "node:stream"
import type { HttpConnection, HttpEvents, HttpSettings, Socket } from "../../stages/ports/Network.ts"

export const serve = (
  _socket: Duplex,
  _settings: HttpSettings,
  _events: HttpEvents,
  _asSocket: (stream: Duplex) => Socket,
): HttpConnection => {
  throw new Error("HTTP/2 is not built yet")
}
