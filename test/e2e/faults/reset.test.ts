import * as Effect from "effect/Effect"
import * as net from "node:net"
import { expect, it } from "vitest"
import { NodeSocket } from "../../../src/node/socket.ts"
import { connect, rawUpstream, until } from "../harness.ts"
import { stage } from "./stage.ts"

const ends = stage()

it.each<[string, (socket: net.Socket) => void]>([
  ["untouched", () => {}],
  ["while its end is on its way", (socket) => void socket.end()],
  ["while its end waits behind what nobody reads", (socket) => void socket.end(Buffer.alloc(50_000_000))],
])("a socket that is reset closes, and leaves no descriptor: %s", async (_when, before) => {
  const server = ends(await rawUpstream((connection) => connection.pause()))
  const client = ends(await connect(server.port))
  const stream = client.stream as net.Socket
  before(stream)
  const socket = new NodeSocket(stream)
  socket.reset()
  await Effect.runPromise(Effect.timeout(socket.closed, 5_000))
  await until("the other side knows", () => {
    server.connections[0]?.stream.resume()
    return server.connections[0]?.ended === true || server.connections[0]?.closed === true
  })
  expect(stream.destroyed).toBe(true)
})
