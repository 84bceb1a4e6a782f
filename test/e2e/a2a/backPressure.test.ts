/**
 * A client that does not read stops the agent, however differently the two speak: what nobody takes is not fetched, and
 * nothing of it is lost once it is taken.
 */
import * as grpc from "@grpc/grpc-js"
import { once } from "node:events"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { type Fields, fieldsOf, listOf } from "../../../protocols/a2a/Fields.ts"
import { type Binding, grpcService } from "../../../protocols/a2a/operation.ts"
import { gatewayFor } from "./gateway.ts"
import { rawClient } from "./Raw.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const chunk = "x".repeat(64 * 1024)
const chunks = 384
/** What the sockets on both sides of the gateway may take, of 24 MB; all the rest has to stay at the agent. */
const takenBytesMax = 14 * 1024 * 1024

const status = (state: string): Fields => ({ state: `TASK_STATE_${state}` })
const ids = { taskId: "t", contextId: "c" }
const eventAt = (i: number): Fields =>
  i === 0
    ? { task: { id: "t", contextId: "c", status: status("WORKING") } }
    : i <= chunks
      ? {
          artifactUpdate: {
            ...ids,
            artifact: { artifactId: "a", name: String(i), parts: [{ text: chunk }] },
            append: i > 1,
          },
        }
      : { statusUpdate: { ...ids, status: status("COMPLETED") } }

interface Teller {
  readonly port: number
  /** How many events were handed to the socket. */
  readonly sent: () => number
}

/** Hands over one event after the other, as fast as they are taken. */
const telling = async (
  count: () => void,
  write: (event: Fields) => boolean,
  drained: () => Promise<unknown>,
): Promise<void> => {
  for (let i = 0; i <= chunks + 1; i++) {
    const isTaken = write(eventAt(i))
    count()
    if (!isTaken) await drained()
  }
}

const overHttp = async (binding: "JSONRPC" | "HTTP+JSON"): Promise<Teller> => {
  let sent = 0
  const server = http.createServer((request, response) => {
    const pieces: Array<Buffer> = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      const { id } = JSON.parse(Buffer.concat(pieces).toString()) as { readonly id?: unknown }
      response.writeHead(200, { "content-type": "text/event-stream" })
      const write = (event: Fields): boolean =>
        response.write(
          `data: ${JSON.stringify(binding === "JSONRPC" ? { jsonrpc: "2.0", id, result: event } : event)}\n\n`,
        )
      void telling(
        () => sent++,
        write,
        () => once(response, "drain"),
      ).then(() => response.end())
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sent: () => sent }
}

const same = (bytes: Buffer): Buffer => bytes

const overGrpc = async (): Promise<Teller> => {
  let sent = 0
  const server = new grpc.Server()
  const written = (event: Fields): Buffer => {
    const answer = codec.writeAnswer("SendStreamingMessage", "1.0", event)
    if (answer._tag === "Unreadable") throw new Error(answer.fault.message)
    return Buffer.from(answer.value)
  }
  const method = {
    path: `/${grpcService["1.0"]}/SendStreamingMessage`,
    requestStream: false,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
  server.addService(
    { send: method },
    {
      send: (call: grpc.ServerWritableStream<Buffer, Buffer>) =>
        void telling(
          () => sent++,
          (event) => call.write(written(event)),
          () => once(call, "drain"),
        ).then(() => call.end()),
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  closing.push(() => server.forceShutdown())
  return { port, sent: () => sent }
}

const tellerOf = (binding: Binding): Promise<Teller> => (binding === "GRPC" ? overGrpc() : overHttp(binding))

/** Looks until nothing has moved for several looks on end. */
const stalled = async (sent: () => number): Promise<number> => {
  for (let before = -1, same = 0; ;) {
    const now = sent()
    same = now === before ? same + 1 : 0
    before = now
    if (now > 0 && same >= 8) return now
    if (now > chunks) return now
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const bindings: ReadonlyArray<Binding> = ["JSONRPC", "HTTP+JSON", "GRPC"]
const cells: ReadonlyArray<readonly [client: Binding, agent: Binding, how: "relayed" | "bridged"]> = [
  ...bindings.map((one) => [one, one, "relayed"] as const),
  ["JSONRPC", "GRPC", "bridged"],
  ["GRPC", "HTTP+JSON", "bridged"],
  ["HTTP+JSON", "JSONRPC", "bridged"],
]

describe.each(cells)("a client of %s that does not read, of an agent of %s that is %s", (client, agent, how) => {
  it("stops the agent, and misses nothing of what it takes later", { timeout: 60_000 }, async () => {
    const teller = await tellerOf(agent)
    const gateway = await gatewayFor(`
routes:
- policies: {a2a: {${how === "relayed" ? "" : `bridge: {interfaces: [{binding: '${agent}'}]}`}}}
  backends: [{host: '127.0.0.1:${teller.port}'${agent === "GRPC" ? ", policies: {http: {version: HTTP/2.0}}" : ""}}]
`)
    closing.push(() => gateway.close())
    const raw = rawClient(client, gateway.port)
    closing.push(() => raw.close())
    const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "go" }] }
    const events = await raw.stream("SendStreamingMessage", { message })
    if ("failed" in events) throw new Error(JSON.stringify(events.failed))
    const sent = await stalled(teller.sent)
    expect(sent * chunk.length).toBeLessThan(takenBytesMax)

    const all = await events.rest()
    const names = all.flatMap((one) => {
      const { artifact } = fieldsOf(one["artifactUpdate"])
      return artifact === undefined ? [] : [Number(fieldsOf(artifact)["name"])]
    })
    expect(names).toEqual(Array.from({ length: chunks }, (_, i) => i + 1))
    const [first] = listOf(fieldsOf(fieldsOf(all[1]?.["artifactUpdate"])["artifact"])["parts"])
    expect(fieldsOf(first)["text"]).toBe(chunk)
    expect(all.at(-1)).toMatchObject({ statusUpdate: { status: status("COMPLETED") } })
  })
})
