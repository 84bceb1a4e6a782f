/** Against the codec of AWS's own library, in both directions. */
import { BedrockRuntimeClient, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime"
import { Readable } from "node:stream"
import { crc32 as zlibCrc32 } from "node:zlib"
import { describe, expect, it } from "vitest"
import { eventDecoder } from "../../../../protocols/llm/framing.ts"
import {
  crc32,
  encodeEventStreamMessage,
  EventStreamDecoder,
  type EventStreamMessage,
} from "../../../../protocols/llm/framing/awsEventStream.ts"
import type { WireEvent } from "../../../../protocols/llm/Translation.ts"

const utf8 = new TextEncoder()
const message = (event: string, body: unknown, type = "event"): Uint8Array =>
  encodeEventStreamMessage(
    { [`:${type}-type`]: event, ":content-type": "application/json", ":message-type": type },
    utf8.encode(JSON.stringify(body)),
  )
const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** `{"a":1}` with one header `x: y`, put together by hand after the public description of the format. */
const byHand = (): Uint8Array => {
  const payload = utf8.encode('{"a":1}')
  const headers = Uint8Array.from([1, 0x78, 7, 0, 1, 0x79])
  const total = 16 + headers.length + payload.length
  const head = Buffer.alloc(8)
  head.writeUInt32BE(total, 0)
  head.writeUInt32BE(headers.length, 4)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(zlibCrc32(head))
  const body = Buffer.concat([head, sum, headers, payload])
  const end = Buffer.alloc(4)
  end.writeUInt32BE(zlibCrc32(body))
  return joined(body, end)
}

const read = (chunks: Iterable<Uint8Array>, bytesMax?: number) => {
  const messages: Array<EventStreamMessage> = []
  const decoder = new EventStreamDecoder((one) => messages.push(one), bytesMax)
  let problem: string | undefined
  for (const chunk of chunks) problem = decoder.feed(chunk)
  return { messages, problem: problem ?? decoder.end() }
}

describe("AWS event streams", () => {
  it("have the checksum of zip", () => {
    for (const text of ["", "a", "123456789", "é".repeat(1000)]) expect(crc32(utf8.encode(text))).toBe(zlibCrc32(text))
  })

  it("are read as described, byte by byte as well", () => {
    const bytes = byHand()
    for (const chunks of [
      [bytes],
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
      [bytes.subarray(0, 13), bytes.subarray(13)],
    ]) {
      const { messages, problem } = read(chunks)
      expect(problem).toBe(undefined)
      expect(messages.length).toBe(1)
      expect(messages[0]?.headers.get("x")).toBe("y")
      expect(new TextDecoder().decode(messages[0]?.payload)).toBe('{"a":1}')
    }
    expect(encodeEventStreamMessage({ x: "y" }, utf8.encode('{"a":1}'))).toEqual(bytes)
  })

  it("with any one bit flipped are told, whatever the bit", () => {
    const bytes = byHand()
    for (let at = 0; at < bytes.length * 8; at++) {
      const broken = bytes.slice()
      broken[at >> 3] = (broken[at >> 3] ?? 0) ^ (1 << (at & 7))
      const { messages, problem } = read([broken])
      expect(messages).toEqual([])
      expect(problem).toMatch(/checksum|inside a message|larger|contradict/)
    }
  })

  it("cut off anywhere are told", () => {
    const bytes = joined(byHand(), byHand())
    for (let length = 0; length < bytes.length; length++) {
      const { messages, problem } = read([bytes.subarray(0, length)])
      const whole = length >= bytes.length / 2 ? 1 : 0
      expect(messages.length).toBe(whole)
      expect(problem === undefined).toBe(length === 0 || length === bytes.length / 2)
    }
  })

  it("larger than the bound are refused before they are held", () => {
    expect(read([byHand()], 20).problem).toMatch(/larger than 20/)
  })

  it("name their exceptions", () => {
    const events: Array<WireEvent> = []
    const decoder = eventDecoder("awsEventStream", (event) => events.push(event))
    decoder.feed(
      joined(
        message("messageStart", { role: "assistant" }),
        message("throttlingException", { message: "slow" }, "exception"),
      ),
    )
    expect(events).toEqual([
      { event: "messageStart", data: '{"role":"assistant"}' },
      { event: "exception:throttlingException", data: '{"message":"slow"}' },
    ])
  })

  it("are what the library of AWS reads", async () => {
    const bytes = joined(
      message("messageStart", { role: "assistant" }),
      message("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Hé" } }),
      message("messageStop", { stopReason: "end_turn" }),
    )
    const client = new BedrockRuntimeClient({
      region: "us-east-1",
      credentials: { accessKeyId: "a", secretAccessKey: "s" },
      requestHandler: {
        handle: () =>
          Promise.resolve({
            response: {
              statusCode: 200,
              headers: { "content-type": "application/vnd.amazon.eventstream" },
              body: Readable.from([Buffer.from(bytes)]),
            },
          }),
      },
    })
    const { stream } = await client.send(new ConverseStreamCommand({ modelId: "m", messages: [] }))
    const read: Array<unknown> = []
    for await (const event of stream ?? []) read.push(event)
    expect(read).toMatchObject([
      { messageStart: { role: "assistant" } },
      { contentBlockDelta: { delta: { text: "Hé" } } },
      { messageStop: { stopReason: "end_turn" } },
    ])
  })
})
