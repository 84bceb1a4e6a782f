/**
 * What suites of conformance ask of a server of HTTP/2, frame by frame (RFC 9113, RFC 7541), beside what is in the corpus
 * already; and what a client does that is unusual and right.
 */
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
  headers,
  literal,
  number,
  type Outcome,
  PADDED,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  setting,
  WINDOW_UPDATE,
} from "./frames.ts"
import type { Http2Shape } from "./http2Corpus.ts"

const HAS_PRIORITY = 0x20

const method = (name: string): ReadonlyArray<Field> => [
  [":method", name],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x.test"],
]
const good = method("GET")
const posted = method("POST")

type More = Partial<Omit<Http2Shape, "name" | "bytes">>

const shape = (
  name: string,
  parts: ReadonlyArray<Buffer>,
  expect: ReadonlyArray<Outcome>,
  more: More = {},
): Http2Shape => ({ name: `known: ${name}`, bytes: Buffer.concat(parts), expect, reaches: 0, ...more })

const fatal = (name: string, parts: ReadonlyArray<Buffer>, more: More = {}): Http2Shape =>
  shape(name, parts, ["goaway", "close"], more)
/** Means nothing, or is right: the request behind it is served. */
const ignored = (name: string, ...parts: ReadonlyArray<Buffer>): Http2Shape =>
  shape(name, [...parts, headers(1, good)], [200], { reaches: 1 })
const served = (name: string, ...parts: ReadonlyArray<Buffer>): Http2Shape => shape(name, parts, [200], { reaches: 1 })
/** The stream is reset, or its connection ended, and whatever was begun of it is no request. */
const harmsItself = (name: string, parts: ReadonlyArray<Buffer>, more: More = {}): Http2Shape =>
  shape(name, parts, ["reset", "goaway", "close"], { reaches: "part", ...more })
/** It was answered before it went wrong, or not any more. */
const late = (name: string, ...parts: ReadonlyArray<Buffer>): Http2Shape =>
  shape(name, parts, [200, "reset", "goaway", "close"], { reaches: "at most one" })

/** A request on another stream behind it is served, unless the connection was ended for it. */
const indulged = (name: string, ...parts: ReadonlyArray<Buffer>): Http2Shape =>
  shape(name, [...parts, headers(9, good)], [200, "goaway", "close"], { stream: 9, reaches: "at most two" })
const dependsOn = (stream: number): Buffer => Buffer.concat([number(stream), Buffer.from([15])])
const reserved = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  copy[5] = (copy[5] as number) | 0x80
  return copy
}
const ping = Buffer.alloc(8, 7)
const open = headers(1, posted, END_HEADERS)
const block = literal(good)
const resized = Buffer.from([0x20])

const frames: ReadonlyArray<Http2Shape> = [
  ignored("PING with flags that mean nothing", frame(PING, 0xfe, 0, ping)),
  ignored("PING with the reserved bit", reserved(frame(PING, 0, 0, ping))),
  // Node takes it for an attempt to make it work, and ends the connection.
  indulged("an answer to a PING that nobody sent", frame(PING, ACK, 0, ping)),
  ignored("SETTINGS of something unknown", frame(SETTINGS, 0, 0, setting(0xff, 1))),
  ignored("SETTINGS without any", frame(SETTINGS, 0, 0)),
  ignored(
    "SETTINGS that say one thing twice",
    frame(SETTINGS, 0, 0, Buffer.concat([setting(4, 1), setting(4, 65_535)])),
  ),
  ignored("a PRIORITY for a stream that is still to come", frame(PRIORITY, 0, 9, dependsOn(0))),
  ignored("an unknown frame on a stream that is still to come", frame(0x42, 0, 9, "what")),
  indulged(
    "GOAWAY with an unknown code, and requests go on",
    frame(GOAWAY, 0, 0, Buffer.concat([number(0), number(0xff)])),
  ),
  shape(
    "a stream that was reset with an unknown code, and another behind it",
    [open, frame(RST_STREAM, 0, 1, number(0xff)), headers(3, good)],
    [200],
    { stream: 3, reaches: "at most two" },
  ),
  // The engine reads no priorities at all, as RFC 9113 gave them up.
  indulged("PRIORITY on stream 0", frame(PRIORITY, 0, 0, dependsOn(1))),
  late("PRIORITY of four bytes", open, frame(PRIORITY, 0, 1, Buffer.alloc(4))),
  fatal("WINDOW_UPDATE of three bytes", [frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))]),
  fatal("PING of six bytes", [frame(PING, 0, 0, Buffer.alloc(6))]),
  fatal("HEADERS larger than allowed", [frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.alloc(20_000))]),
  fatal("frames larger than there are", [frame(SETTINGS, 0, 0, setting(5, 2 ** 24))]),
  fatal("padding longer than its HEADERS", [
    frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1, Buffer.concat([Buffer.from([255]), block])),
  ]),
  served(
    "HEADERS with padding and a priority",
    frame(
      HEADERS,
      PADDED | HAS_PRIORITY | END_STREAM | END_HEADERS,
      1,
      Buffer.concat([Buffer.from([3]), dependsOn(0), block, Buffer.alloc(3)]),
    ),
  ),
  late(
    "HEADERS that depend on themselves",
    frame(HEADERS, HAS_PRIORITY | END_STREAM | END_HEADERS, 1, Buffer.concat([dependsOn(1), block])),
  ),
]

const blocks: ReadonlyArray<Http2Shape> = [
  served(
    "a block in five pieces, one of them empty",
    frame(HEADERS, END_STREAM, 1, block.subarray(0, 4)),
    frame(CONTINUATION, 0, 1, block.subarray(4, 5)),
    frame(CONTINUATION, 0, 1),
    frame(CONTINUATION, 0, 1, block.subarray(5, 20)),
    frame(CONTINUATION, END_HEADERS, 1, block.subarray(20)),
  ),
  fatal("PRIORITY between the pieces of a block", [
    frame(HEADERS, END_STREAM, 1, block),
    frame(PRIORITY, 0, 1, dependsOn(0)),
  ]),
  fatal("the head of another stream between the pieces of a block", [
    frame(HEADERS, END_STREAM, 1, block),
    headers(3, good),
  ]),
  fatal("DATA between the pieces of a block", [frame(HEADERS, 0, 1, block), frame(DATA, END_STREAM, 1, "x")]),
  fatal("an unknown frame between the pieces of a block", [
    frame(HEADERS, END_STREAM, 1, block),
    frame(0x42, 0, 1, "x"),
  ]),
  fatal("a piece of a block on stream 0", [frame(HEADERS, END_STREAM, 1, block), frame(CONTINUATION, END_HEADERS, 0)]),
  shape(
    "a piece of a block that was whole",
    [headers(1, good), frame(CONTINUATION, END_HEADERS, 1, literal([["x", "y"]]))],
    [200, "goaway", "close"],
    { reaches: "at most one" },
  ),
  fatal("a literal with a name that is in no table", [
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x7f, 0x50, 1, 0x78])),
  ]),
  fatal("a smaller table said at the end of a block", [
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.concat([block, resized])),
  ]),
  served(
    "a smaller table said at the beginning of a block",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.concat([resized, block])),
  ),
  fatal("a coded string padded with more than seven bits", [
    frame(
      HEADERS,
      END_STREAM | END_HEADERS,
      1,
      Buffer.concat([block, Buffer.from([0x00, 0x01, 0x78, 0x82, 0x1f, 0xff])]),
    ),
  ]),
  fatal("a coded string padded with zeros", [
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.concat([block, Buffer.from([0x00, 0x01, 0x78, 0x81, 0x18])])),
  ]),
  fatal("a coded string that holds its own end", [
    frame(
      HEADERS,
      END_STREAM | END_HEADERS,
      1,
      Buffer.concat([block, Buffer.from([0x00, 0x01, 0x78, 0x85, 0x1f, 0xff, 0xff, 0xff, 0xff])]),
    ),
  ]),
  served(
    "a coded string as it should be",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.concat([block, Buffer.from([0x00, 0x01, 0x78, 0x81, 0x1f])])),
  ),
]

const states: ReadonlyArray<Http2Shape> = [
  fatal("a window for a stream that never was", [frame(WINDOW_UPDATE, 0, 9, number(1))]),
  late("DATA behind the end", headers(1, good), frame(DATA, 0, 1, "x")),
  late("a second head behind the end", headers(1, good), headers(1, good)),
  indulged("DATA behind a reset of our own", open, frame(RST_STREAM, 0, 1, number(8)), frame(DATA, END_STREAM, 1, "x")),
  indulged("a head behind a reset of our own", open, frame(RST_STREAM, 0, 1, number(8)), headers(1, good)),
  late("a window behind the end", headers(1, good), frame(WINDOW_UPDATE, 0, 1, number(100))),
  indulged("a reset behind the end", headers(1, method("GET")), frame(RST_STREAM, 0, 1, number(8))),
  harmsItself("a window of a stream opened by nothing", [open, frame(WINDOW_UPDATE, 0, 1, number(0))]),
  harmsItself("a window of a stream opened too far", [
    open,
    frame(WINDOW_UPDATE, 0, 1, number(2 ** 31 - 1)),
    frame(WINDOW_UPDATE, 0, 1, number(2 ** 31 - 1)),
  ]),
  harmsItself("a body of two pieces that is longer than its length", [
    headers(1, [...posted, ["content-length", "3"]], END_HEADERS),
    frame(DATA, 0, 1, "ab"),
    frame(DATA, END_STREAM, 1, "cd"),
  ]),
  harmsItself("a body of two pieces that is shorter than its length", [
    headers(1, [...posted, ["content-length", "9"]], END_HEADERS),
    frame(DATA, 0, 1, "ab"),
    frame(DATA, END_STREAM, 1, "cd"),
  ]),
  served(
    "a body in padded pieces, empty ones too",
    headers(1, [...posted, ["content-length", "4"]], END_HEADERS),
    frame(DATA, PADDED, 1, Buffer.from([2, 0x61, 0x62, 0, 0])),
    frame(DATA, 0, 1),
    frame(DATA, PADDED, 1, Buffer.from([0, 0x63, 0x64])),
    frame(DATA, PADDED | END_STREAM, 1, Buffer.from([1, 0])),
  ),
  served("trailers without a body", headers(1, posted, END_HEADERS), headers(1, [["x-sum", "1"]])),
  shape("a method with a question mark", [headers(1, method("GET?"))], [400, "reset", "goaway"]),
]

export const known: ReadonlyArray<Http2Shape> = [...frames, ...blocks, ...states]
