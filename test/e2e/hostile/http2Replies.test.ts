/** Servers of HTTP/2 that reply in every way there is, behind a running gateway, with a request behind each. */
import * as net from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { BackendKey } from "../../../ir/Key.ts"
import { type Answer, connect, plain, type RawClient, startGateway, type Started, until } from "../harness.ts"
import { frameServer } from "../upstream/frames.ts"
import { DATA, END_HEADERS, END_STREAM, frame, HEADERS, literal } from "./frames.ts"
import { type Http2Reply, onStream, shapes } from "./http2Replies.ts"

const good = Buffer.concat([
  frame(HEADERS, END_HEADERS, 1, literal([[":status", "200"]])),
  frame(DATA, END_STREAM, 1, "good"),
])

let current: Buffer = good
const { peers, server } = frameServer((peer, { stream, type }) => {
  if (type === HEADERS) peer.socket.write(onStream(current, stream))
})
let gateway: Started

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const snapshot = plain((server.address() as net.AddressInfo).port)
  gateway = await startGateway({
    ...snapshot,
    backends: new Map(
      [...snapshot.backends].map(([key, backend]) => [
        key as BackendKey,
        { ...backend, policies: [{ _tag: "BackendHttp", version: "HTTP/2.0" }] },
      ]),
    ),
  })
})
afterAll(async () => {
  await gateway.close()
  for (const { socket } of peers) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

/** A POST without a body is sent once, whatever becomes of it. */
const request = "POST / HTTP/1.1\r\nhost: x.test\r\ncontent-length: 0\r\n\r\n"

const final = async (client: RawClient): Promise<Answer | undefined> => {
  for (;;) {
    const answer = await client.answer().catch(() => undefined)
    if (answer === undefined || answer.status >= 200) return answer
  }
}

const check = async (shape: Http2Reply): Promise<void> => {
  const { bytes, expect: outcome, fields = {}, status = 200, trailers = {} } = shape
  current = bytes
  const client = await connect(gateway.port)
  try {
    client.write(request)
    const answer = await final(client)
    if (outcome === "refused") {
      expect(answer).toMatchObject({ status: 503 })
      expect(answer?.body).toMatch(/^upstream call failed/)
    } else if (outcome === "broken") {
      if (answer !== undefined) expect(answer).toMatchObject({ status: 503 })
    } else {
      expect(answer).toMatchObject({ status, body: outcome === "empty" ? "" : outcome, trailers })
      for (const [name, value] of Object.entries(fields)) expect([name, answer?.headers[name]]).toEqual([name, value])
    }
    current = good
    const next = answer === undefined ? await connect(gateway.port) : client
    next.write(request)
    expect(await final(next)).toMatchObject({ status: 200, body: "good" })
    next.close()
  } finally {
    client.close()
  }
  await until("nothing is left of it", () => {
    const { connections, exchanges } = gateway.gateway.open()
    return connections === 0 && exchanges === 0
  })
}

describe("a server of HTTP/2 behind the gateway", () => {
  it.each(shapes)("$name", check)
})
