/** Which extensions somebody speaks goes through in both directions, under the name that each side has for it. */
import * as grpc from "@grpc/grpc-js"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { type Dialed, grpcService } from "../../../protocols/a2a/operation.ts"
import { everyInterface } from "./agent.ts"
import { ask, gatewayFor } from "./gateway.ts"

const wanted = "https://example.com/ext/a, https://example.com/ext/b"
const spoken = "https://example.com/ext/a"
const modern = { messageId: "m", role: "ROLE_AGENT", parts: [{ text: "ok" }] }
const legacy = { kind: "message", messageId: "m", role: "agent", parts: [{ kind: "text", text: "ok" }] }
const nameIn = ({ binding, version }: Dialed): string =>
  version === "0.3" && binding !== "GRPC" ? "x-a2a-extensions" : "a2a-extensions"

interface Speaker {
  readonly port: number
  /** What it heard of extensions, message by message. */
  readonly heard: Array<string | undefined>
  readonly close: () => Promise<unknown>
}

const same = (bytes: Buffer): Buffer => bytes

const startGrpcSpeaker = async (dialed: Dialed): Promise<Speaker> => {
  const heard: Array<string | undefined> = []
  const server = new grpc.Server()
  const answer = codec.writeAnswer("SendMessage", dialed.version, { message: modern })
  if (answer._tag === "Unreadable") throw new Error(answer.fault.message)
  const bytes = Buffer.from(answer.value)
  const method = {
    path: `/${grpcService[dialed.version]}/SendMessage`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  }
  server.addService(
    { send: method },
    {
      send: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        heard.push(call.metadata.get(nameIn(dialed)).join(", ") || undefined)
        const metadata = new grpc.Metadata()
        metadata.set(nameIn(dialed), spoken)
        call.sendMetadata(metadata)
        done(null, bytes)
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return { port, heard, close: async () => server.forceShutdown() }
}

/** What a server of HTTP+JSON of 0.3 writes: the values of protobuf. */
const legacyProto = { msg: { messageId: "m", role: "ROLE_AGENT", content: [{ text: "ok" }] } }

/** An agent that only says what it speaks. */
const startSpeaker = async (dialed: Dialed): Promise<Speaker> => {
  if (dialed.binding === "GRPC") return startGrpcSpeaker(dialed)
  const heard: Array<string | undefined> = []
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      heard.push(request.headers[nameIn(dialed)]?.toString())
      const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly id?: unknown }
      const isRpc = dialed.binding === "JSONRPC"
      const result = dialed.version === "1.0" ? { message: modern } : isRpc ? legacy : legacyProto
      response.writeHead(200, { "content-type": "application/json", [nameIn(dialed)]: spoken })
      response.end(JSON.stringify(isRpc ? { jsonrpc: "2.0", id, result } : result))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const said = { messageId: "1", role: "ROLE_USER", parts: [{ text: "hi" }] }
const saidBefore = { kind: "message", messageId: "1", role: "user", parts: [{ kind: "text", text: "hi" }] }

/** What a client that asks for extensions is told of them. */
const toldTo = async (dialed: Dialed, port: number): Promise<string | undefined> => {
  const { binding, version } = dialed
  const root = `http://127.0.0.1:${port}`
  const headers = { [nameIn(dialed)]: wanted, "a2a-version": version }
  if (binding === "GRPC") {
    const call = codec.writeCall({ operation: "SendMessage", params: { message: said } }, version)
    if (call._tag === "Unreadable") throw new Error(call.fault.message)
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
    const metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
    try {
      return await new Promise((resolve, reject) => {
        let told: string | undefined
        client
          .makeUnaryRequest(
            `/${grpcService[version]}/SendMessage`,
            same,
            same,
            Buffer.from(call.value),
            metadata,
            (error) => (error === null ? resolve(told) : reject(error)),
          )
          .on("metadata", (initial: grpc.Metadata) => {
            told = initial.get(nameIn(dialed)).join(", ")
          })
      })
    } finally {
      client.close()
    }
  }
  const message = version === "1.0" ? said : saidBefore
  const method = version === "1.0" ? "SendMessage" : "message/send"
  const posted =
    binding === "JSONRPC"
      ? await ask("POST", root, { jsonrpc: "2.0", id: 1, method, params: { message } }, headers)
      : await ask("POST", `${root}${version === "1.0" ? "" : "/v1"}/message:send`, { message }, headers)
  expect(posted.status).toBe(200)
  return posted.headers.get(nameIn(dialed)) ?? undefined
}

describe.each(everyInterface)("an agent of $binding $version", (speaks) => {
  it("hears which extensions clients want, and clients hear which it speaks", async () => {
    const agent = await startSpeaker(speaks)
    const gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {interfaces: [{binding: '${speaks.binding}', version: '${speaks.version}'}]}}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`)
    try {
      for (const dialed of everyInterface) {
        const what = `${dialed.binding} ${dialed.version}`
        expect(await toldTo(dialed, gateway.port), what).toBe(spoken)
        expect(agent.heard.at(-1), what).toBe(wanted)
      }
      expect(agent.heard).toHaveLength(everyInterface.length)
    } finally {
      await gateway.close()
      await agent.close()
    }
  })
})
