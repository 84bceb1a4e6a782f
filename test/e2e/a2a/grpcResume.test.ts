/** Streams between a client and an agent that speak the same gRPC: byte for byte, and taken up again where they break. */
import * as grpc from "@grpc/grpc-js"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { fieldsOf, isFields, listOf } from "../../../protocols/a2a/Fields.ts"
import { grpcService, type Operation, rpcOf, type Version } from "../../../protocols/a2a/operation.ts"
import type { Started } from "../harness.ts"
import { gatewayFor } from "./gateway.ts"

type Json = Readonly<Record<string, unknown>>

const at = (second: number): string => `2026-01-01T00:00:0${second}Z`
const status = (state: string, second: number): Json => ({ state: `TASK_STATE_${state}`, timestamp: at(second) })
const artifact = { artifactId: "a", parts: [{ text: "all of it" }] }
const named = { taskId: "t", contextId: "c" }
const task = (now: Json, artifacts: ReadonlyArray<Json> = []): Json => ({
  task: { id: "t", contextId: "c", status: now, ...(artifacts.length === 0 ? {} : { artifacts }) },
})
const made: Json = { artifactUpdate: { ...named, artifact, lastChunk: true } }
const update = (now: Json): Json => ({ statusUpdate: { ...named, status: now } })

/** A field that nobody here knows of: number 1999, and a one in it. */
const unknownField = Buffer.from([0xf8, 0x7c, 0x01])

const written = (version: Version, event: Json): Buffer => {
  const bytes = codec.writeAnswer("SendStreamingMessage", version, event)
  if (bytes._tag === "Unreadable") throw new Error(bytes.fault.message)
  return Buffer.concat([bytes.value, unknownField])
}

/** In front of the agent: connections that end in the middle of what is said, after the next event that goes through. */
const startWire = async (to: number) => {
  const open = new Set<net.Socket>()
  let isTorn = false
  const server = net.createServer((near) => {
    const far = net.connect(to, "127.0.0.1")
    near.pipe(far)
    far.on("data", (chunk) => {
      near.write(chunk)
      if (!isTorn || !Buffer.from(chunk).includes(unknownField)) return
      isTorn = false
      // What was written arrives before the end does.
      near.end()
      far.destroy()
    })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.on("error", () => other.destroy())
      one.on("close", () => {
        open.delete(one)
        if (one === near) other.destroy()
        else near.end()
      })
    }
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    tear: () => void (isTorn = true),
    close: () =>
      new Promise<void>((resolve) => {
        for (const one of open) one.destroy()
        server.close(() => resolve())
      }),
  }
}

const same = { requestStream: false, responseSerialize: (one: Buffer) => one, requestDeserialize: (one: Buffer) => one }
const plain = { requestSerialize: (one: Buffer) => one, responseDeserialize: (one: Buffer) => one }

type Stream = grpc.ServerWritableStream<Buffer, Buffer>

const fault = (
  code: grpc.status,
  reason: string,
): Partial<grpc.StatusObject> & { code: grpc.status; details: string } => ({
  code,
  details: reason,
})

describe.each(["1.0", "0.3"] as const)("a stream in gRPC of %s", (version) => {
  const server = new grpc.Server()
  let wire: Awaited<ReturnType<typeof startWire>>
  let gateway: Started
  let client: grpc.Client
  /** What each who subscribes is told, one after the other. */
  let subscribed: Array<(call: Stream) => void> = []
  let subscriptions = 0

  const say = (call: Stream, ...events: ReadonlyArray<Json>): void => {
    for (const event of events) call.write(written(version, event))
  }
  const path = (operation: Operation): string => `/${grpcService[version]}/${rpcOf(version, operation)}`
  const torn = (call: Stream, event: Json): void => {
    wire.tear()
    say(call, event)
  }

  beforeAll(async () => {
    const streaming = { ...same, ...plain, responseStream: true }
    server.addService(
      {
        send: { ...streaming, path: path("SendStreamingMessage") },
        subscribe: { ...streaming, path: path("SubscribeToTask") },
        get: { ...streaming, responseStream: false, path: path("GetTask") },
      },
      {
        send: (call: Stream) => torn(call, task(status("WORKING", 1))),
        subscribe: (call: Stream) => {
          const next = subscribed[subscriptions++]
          if (next === undefined) call.emit("error", fault(grpc.status.FAILED_PRECONDITION, "over"))
          else next(call)
        },
        get: (_: unknown, done: grpc.sendUnaryData<Buffer>) => {
          const whole = codec.writeAnswer("GetTask", version, task(status("COMPLETED", 2), [artifact])["task"])
          done(null, Buffer.from(whole._tag === "Read" ? whole.value : []))
        },
      },
    )
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    )
    wire = await startWire(port)
    gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {interfaces: [{binding: GRPC, version: '${version}'}]}}}
  backends: [{host: '127.0.0.1:${wire.port}'}]
`)
    client = new grpc.Client(`127.0.0.1:${gateway.port}`, grpc.credentials.createInsecure())
  })
  afterAll(async () => {
    client.close()
    await gateway.close()
    await wire.close()
    server.forceShutdown()
  })

  const sent = async () => {
    subscriptions = 0
    const asked = codec.writeCall(
      {
        operation: "SendStreamingMessage",
        params: { message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text: "x" }] } },
      },
      version,
    )
    if (asked._tag === "Unreadable") throw new Error(asked.fault.message)
    const call = client.makeServerStreamRequest(
      path("SendStreamingMessage"),
      plain.requestSerialize,
      plain.responseDeserialize,
      Buffer.from(asked.value),
    )
    const messages: Array<Buffer> = []
    for await (const one of call) messages.push(one as Buffer)
    const states: Array<unknown> = []
    const artifacts: Array<unknown> = []
    for (const bytes of messages) {
      const answer = codec.readAnswer("SendStreamingMessage", version, bytes)
      if (answer._tag === "Fault") throw new Error(answer.fault.message)
      const { artifactUpdate, statusUpdate, task: snapshot } = fieldsOf(answer.result)
      for (const one of [snapshot, statusUpdate]) if (isFields(one)) states.push(fieldsOf(one["status"])["state"])
      if (isFields(artifactUpdate)) artifacts.push(fieldsOf(artifactUpdate["artifact"])["artifactId"])
      for (const one of listOf(fieldsOf(snapshot)["artifacts"])) artifacts.push(fieldsOf(one)["artifactId"])
    }
    return { states, artifacts, messages }
  }

  it("goes on where it broke, and nothing is said twice", async () => {
    subscribed = [
      (call) => {
        say(call, task(status("WORKING", 1)), made, update(status("COMPLETED", 2)))
        call.end()
      },
    ]
    const { artifacts, messages, states } = await sent()
    expect(states).toEqual(["TASK_STATE_WORKING", "TASK_STATE_COMPLETED"])
    expect(artifacts).toEqual(["a"])
    // What nobody understands is still there.
    for (const one of messages) expect(one.includes(unknownField)).toBe(true)
  })

  it("that breaks again and again goes on as well", async () => {
    subscribed = [
      (call) => torn(call, task(status("WORKING", 1))),
      (call) => {
        say(call, task(status("WORKING", 1)), made, update(status("COMPLETED", 2)))
        call.end()
      },
    ]
    const { artifacts, states } = await sent()
    expect(states).toEqual(["TASK_STATE_WORKING", "TASK_STATE_COMPLETED"])
    expect(artifacts).toEqual(["a"])
  })

  it("tells what was missed where the task moved on meanwhile", async () => {
    subscribed = [
      (call) => {
        say(call, task(status("WORKING", 1), [artifact]), update(status("COMPLETED", 2)))
        call.end()
      },
    ]
    const { artifacts, states } = await sent()
    expect(states.at(-1)).toBe("TASK_STATE_COMPLETED")
    expect(artifacts).toEqual(["a"])
  })

  it("is taken up three times in a row at most, and ends with an error then", async () => {
    subscribed = Array.from({ length: 8 }, () => (call: Stream) => torn(call, task(status("WORKING", 1))))
    await expect(sent()).rejects.toThrow(/UNAVAILABLE|broke off/)
    expect(subscriptions).toBe(3)
  })
})
