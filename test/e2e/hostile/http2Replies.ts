/** Replies over HTTP/2 that no server should send, frame by frame, and what a client of the gateway gets for each. */
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  GOAWAY,
  HEADERS,
  literal,
  number,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  setting,
  WINDOW_UPDATE,
} from "./frames.ts"

export interface Http2Reply {
  readonly name: string
  /** On stream 1. */
  readonly bytes: Buffer
  /** `refused` is a reply of the gateway's own that says so; `broken` one that visibly does not end, or of the gateway's own. */
  readonly expect: "hello" | "empty" | "refused" | "broken"
  readonly status?: number
  readonly fields?: Readonly<Record<string, string | undefined>>
  readonly trailers?: Readonly<Record<string, string>>
}

const ok: Field = [":status", "200"]
const head = (fields: ReadonlyArray<Field>, flags = END_HEADERS): Buffer => frame(HEADERS, flags, 1, literal(fields))
const data = (text: string, flags = END_STREAM): Buffer => frame(DATA, flags, 1, text)
const hello = data("hello")

type More = Partial<Omit<Http2Reply, "name" | "bytes" | "expect">>

const shape = (
  name: string,
  expect: Http2Reply["expect"],
  parts: ReadonlyArray<Buffer>,
  more: More = {},
): Http2Reply => ({ name, expect, bytes: Buffer.concat(parts), ...more })

const withFields = (name: string, expect: Http2Reply["expect"], fields: ReadonlyArray<Field>, more: More = {}) =>
  shape(name, expect, [head(fields), hello], more)

/** Rules of frames, fields and flow control that a server breaks in front of a good reply, or keeps though it looks odd. */
const wrong = (name: string, ...parts: ReadonlyArray<Buffer>) => shape(name, "refused", [...parts, head([ok]), hello])
const odd = (name: string, ...parts: ReadonlyArray<Buffer>) => shape(name, "hello", [...parts, head([ok]), hello])
const late = (name: string, ...parts: ReadonlyArray<Buffer>) => shape(name, "broken", [head([ok]), ...parts])

const block = literal([ok])
const sayings = (bytes: ReadonlyArray<number>, rest = block): Buffer =>
  frame(HEADERS, END_HEADERS, 1, Buffer.concat([Buffer.from(bytes), rest]))

const rules: ReadonlyArray<Http2Reply> = [
  wrong("a head on stream 0", frame(HEADERS, END_HEADERS, 0, block)),
  wrong("a head on a stream of its own", frame(HEADERS, END_HEADERS, 2, block)),
  wrong("a head on a stream that nobody opened", frame(HEADERS, END_HEADERS, 10_001, block)),
  wrong("data on a stream that nobody opened", frame(DATA, 0, 10_001, "x")),
  wrong("a window for a stream that nobody opened", frame(WINDOW_UPDATE, 0, 10_001, number(1))),
  wrong("a window opened by nothing", frame(WINDOW_UPDATE, 0, 0, number(0))),
  wrong("a window of a stream opened by nothing", frame(WINDOW_UPDATE, 0, 1, number(0))),
  wrong("a window opened too far", frame(WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1))),
  wrong("a window of three bytes", frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))),
  wrong("a reset of stream 0", frame(RST_STREAM, 0, 0, number(0))),
  wrong("a reset of a stream that nobody opened", frame(RST_STREAM, 0, 10_001, number(0))),
  wrong("a reset of three bytes", frame(RST_STREAM, 0, 1, Buffer.alloc(3))),
  wrong("a ping of six bytes", frame(PING, 0, 0, Buffer.alloc(6))),
  wrong("a ping on a stream", frame(PING, 0, 1, Buffer.alloc(8))),
  wrong("a farewell on a stream", frame(GOAWAY, 0, 1, Buffer.alloc(8))),
  wrong("settings on a stream", frame(SETTINGS, 0, 1)),
  wrong("settings of five bytes", frame(SETTINGS, 0, 0, Buffer.alloc(5))),
  wrong("an acknowledgement that says something", frame(SETTINGS, ACK, 0, setting(1, 1))),
  wrong("settings that allow it a push", frame(SETTINGS, 0, 0, setting(2, 1))),
  wrong("settings of a window that is too large", frame(SETTINGS, 0, 0, setting(4, 2 ** 31))),
  wrong("settings of frames that are too small", frame(SETTINGS, 0, 0, setting(5, 1))),
  wrong("a piece of a block that never began", frame(CONTINUATION, END_HEADERS, 1, block)),
  wrong("a ping between the pieces of a block", frame(HEADERS, 0, 1, block), frame(PING, 0, 0, Buffer.alloc(8))),
  wrong("a field that is in no table", sayings([0xff, 0xff, 0x7f])),
  wrong("a table larger than allowed", sayings([0x3f, 0xff, 0xff, 0x7f])),
  wrong(
    "a size of the table behind the fields",
    frame(HEADERS, END_HEADERS, 1, Buffer.concat([block, Buffer.from([0x20])])),
  ),
  shape("an interim reply and nothing behind it", "refused", [head([[":status", "103"]]), hello]),
  late("data on stream 0 in the middle", frame(DATA, 0, 0, "x"), hello),
  late("padding longer than its data", frame(DATA, PADDED | END_STREAM, 1, Buffer.from([200, 1]))),
  late("a frame larger than allowed", frame(DATA, END_STREAM, 1, Buffer.alloc(20_000))),
  late("an interim reply in the middle", head([[":status", "103"]]), hello),
  late("a second head in the middle", data("hel", 0), head([ok]), hello),
  late("trailers with a name in capitals", data("hello", 0), head([["X-Sum", "1"]], END_HEADERS | END_STREAM)),
  late("trailers with a connection field", data("hello", 0), head([["connection", "x"]], END_HEADERS | END_STREAM)),
  odd("settings of something unknown", frame(SETTINGS, 0, 0, setting(0x99, 1))),
  odd("a priority", frame(PRIORITY, 0, 1, Buffer.alloc(5))),
  odd("an unknown frame", frame(0x99, 0xff, 1, "what")),
  shape("a block in three pieces, one of them empty", "hello", [
    frame(HEADERS, 0, 1, block.subarray(0, 3)),
    frame(CONTINUATION, 0, 1),
    frame(CONTINUATION, END_HEADERS, 1, block.subarray(3)),
    hello,
  ]),
  shape("padding", "hello", [
    head([ok]),
    frame(DATA, PADDED | END_STREAM, 1, Buffer.from([2, ...Buffer.from("hello"), 0, 0])),
  ]),
  ...(
    [
      ["NUL in a value", ["x-evil", "a\0b"]],
      ["a line end in a value", ["x-evil", "a\r\nset-cookie: evil=1"]],
      ["a space in a name", ["x-evil y", "a"]],
      ["a colon in a name", ["x-evil:y", "a"]],
      ["an empty name", ["", "x-evil"]],
    ] as ReadonlyArray<readonly [string, Field]>
  ).map(([name, field]) =>
    // The codec leaves such fields out.
    withFields(name, "hello", [ok, field], { fields: { "x-evil": undefined, "set-cookie": undefined } }),
  ),
]

export const shapes: ReadonlyArray<Http2Reply> = [
  ...rules,
  withFields("a good one", "hello", [ok]),
  withFields("a good one with its length", "hello", [ok, ["content-length", "5"]]),
  withFields("longer than its length", "broken", [ok, ["content-length", "2"]]),
  withFields("shorter than its length", "broken", [ok, ["content-length", "10"]]),
  withFields("of a length that is none", "refused", [ok, ["content-length", "x"]]),
  withFields("of two lengths", "refused", [ok, ["content-length", "5"], ["content-length", "5"]]),
  withFields("without a status", "refused", [["x", "y"]]),
  withFields("status 99", "refused", [[":status", "99"]]),
  withFields("a status of letters", "refused", [[":status", "abc"]]),
  withFields("a status of four digits", "refused", [[":status", "2000"]]),
  withFields("two statuses", "refused", [ok, [":status", "404"]]),
  withFields("a status behind a field", "refused", [["x", "y"], ok]),
  withFields("a path, as requests have", "refused", [ok, [":path", "/"]]),
  withFields("transfer-encoding", "refused", [ok, ["transfer-encoding", "chunked"]]),
  withFields("connection", "refused", [ok, ["connection", "x"]]),
  withFields("a name in capitals", "refused", [ok, ["X-A", "x"]]),
  shape("data before a head", "refused", [hello]),
  shape("a push that nobody wants", "refused", [
    frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([number(2), literal([ok])])),
    head([ok]),
    hello,
  ]),
  withFields("101, which does not exist here", "refused", [[":status", "101"]]),
  shape("an interim reply that ends", "refused", [head([[":status", "103"]], END_HEADERS | END_STREAM)]),
  shape("an interim reply before it", "hello", [head([[":status", "103"]]), head([ok]), hello]),
  shape("204", "empty", [head([[":status", "204"]], END_HEADERS | END_STREAM)], { status: 204 }),
  shape(
    "304 with the length of what it stands for",
    "empty",
    [
      head(
        [
          [":status", "304"],
          ["content-length", "5"],
        ],
        END_HEADERS | END_STREAM,
      ),
    ],
    {
      status: 304,
      fields: { "content-length": "5" },
    },
  ),
  shape("trailers", "hello", [head([ok]), data("hello", 0), head([["x-sum", "1"]], END_HEADERS | END_STREAM)], {
    trailers: { "x-sum": "1" },
  }),
  shape("trailers with a status", "broken", [head([ok]), data("hello", 0), head([ok], END_HEADERS | END_STREAM)]),
  shape("trailers that do not end it", "broken", [head([ok]), data("hello", 0), head([["x-sum", "1"]])]),
  shape("reset before its head", "refused", [frame(RST_STREAM, 0, 1, number(2))]),
  shape("reset in the middle", "broken", [head([ok]), data("hel", 0), frame(RST_STREAM, 0, 1, number(2))]),
  shape("reset in the middle as if nothing were wrong", "broken", [
    head([ok]),
    data("hel", 0),
    frame(RST_STREAM, 0, 1, number(0)),
  ]),
  shape("a connection given up in the middle", "broken", [
    head([ok]),
    data("hel", 0),
    frame(GOAWAY, 0, 0, Buffer.concat([number(1), number(2)])),
    frame(DATA, 0, 0, "what"),
  ]),
]

/** The same frames on another stream than the first. */
export const onStream = (bytes: Buffer, stream: number): Buffer => {
  const copy = Buffer.from(bytes)
  for (let at = 0; at < copy.byteLength; at += 9 + copy.readUIntBE(at, 3)) {
    if (copy.readUInt32BE(at + 5) === 1) copy.writeUInt32BE(stream, at + 5)
  }
  return copy
}
