/** Replies over HTTP/2 that no server should send, frame by frame, and what a client of the gateway gets for each. */
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  GOAWAY,
  HEADERS,
  literal,
  number,
  PUSH_PROMISE,
  RST_STREAM,
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

export const shapes: ReadonlyArray<Http2Reply> = [
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
