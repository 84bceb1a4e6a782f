/** The same over HTTP/2: what must not become an HTTP/1 request, and what no connection must survive. */
import { HEAD_BYTES_MAX, HEADERS_MAX } from "./front.ts"
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  GOAWAY,
  HEADERS,
  headers,
  indexed,
  literal,
  MAGIC,
  number,
  type Outcome,
  PADDED,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  setting,
  WINDOW_UPDATE,
} from "./frames.ts"
import type { Reach } from "./whatReached.ts"

export interface Http2Shape extends Reach {
  readonly name: string
  /** After the opening of the connection; the request that matters is on stream 1, unless another is named. */
  readonly bytes: Buffer
  readonly stream?: number
  /** Any of these may become of it. */
  readonly expect: ReadonlyArray<Outcome>
  /** Takes the place of the whole opening. */
  readonly isAll?: true
}

const hidden = "GET /hidden HTTP/1.1\r\nhost: x.test\r\n\r\n"

const good: ReadonlyArray<Field> = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "x.test"],
]

const without = (...names: ReadonlyArray<string>): ReadonlyArray<Field> =>
  good.filter(([name]) => !names.includes(name))
const but = (name: string, value: string): ReadonlyArray<Field> =>
  good.map((field) => (field[0] === name ? [name, value] : field))
const plus = (...fields: ReadonlyArray<Field>): ReadonlyArray<Field> => [...good, ...fields]

type More = Partial<Omit<Http2Shape, "name" | "bytes">>

const shape = (name: string, bytes: Buffer, expect: ReadonlyArray<Outcome>, more: More = {}): Http2Shape => ({
  name,
  bytes,
  expect,
  reaches: 0,
  ...more,
})

/** Not a request: the stream is reset, or whoever says such things is sent away. */
const malformed = (name: string, fields: ReadonlyArray<Field>, more: More = {}): Http2Shape =>
  shape(name, headers(1, fields), ["reset", "goaway", 400], more)

/** A request, but not one that is served. */
const refused = (name: string, fields: ReadonlyArray<Field>, more: More = {}): Http2Shape =>
  shape(name, headers(1, fields), [400, "reset"], more)

const fine = (name: string, fields: ReadonlyArray<Field>, more: More = {}): Http2Shape =>
  shape(name, headers(1, fields), [200], { reaches: 1, ...more })

/** What breaks a rule of the connection ends the connection. */
const fatal = (name: string, bytes: Buffer, more: More = {}): Http2Shape =>
  shape(name, bytes, ["goaway", "close"], more)

/** A head, and then DATA. */
const withBody = (fields: ReadonlyArray<Field>, body: string): Buffer =>
  Buffer.concat([
    headers(1, [[":method", "POST"], ...without(":method"), ...fields], END_HEADERS),
    frame(DATA, END_STREAM, 1, body),
  ])

const pseudo: ReadonlyArray<Http2Shape> = [
  fine("a good request", good, { sees: "GET / HTTP/1.1", carries: ["host: x.test\r\n"] }),
  malformed("no method", without(":method")),
  malformed("no path", without(":path")),
  malformed("no scheme", without(":scheme")),
  malformed("nothing at all", []),
  refused("no authority and no host", without(":authority")),
  ...good.map(([name, value]) => malformed(`${name} twice`, plus([name, value]))),
  malformed("a second path, another one", plus([":path", "/hidden"])),
  malformed("an unknown pseudo-header", plus([":evil", "x"])),
  malformed("a status in a request", plus([":status", "200"])),
  malformed("a pseudo-header in capitals", [...without(":path"), [":Path", "/"]]),
  malformed("a pseudo-header after a field", [...without(":path"), ["x", "y"], [":path", "/"]]),
  malformed("an authority after a field", [...without(":authority"), ["x", "y"], [":authority", "evil.test"]]),
  malformed("a pseudo-header with a space", [...without(":path"), [":path ", "/"]]),
  malformed("method empty", but(":method", "")),
  malformed("method with a space", but(":method", "GET /hidden")),
  malformed("method with a line end", but(":method", `GET /hidden HTTP/1.1\r\nhost: x.test\r\n\r\nGET`)),
  fine("method that nobody knows", but(":method", "get"), { sees: "get / HTTP/1.1" }),
  malformed("path empty", but(":path", "")),
  malformed("path without a slash", but(":path", "evil")),
  malformed("path of a star for GET", but(":path", "*")),
  malformed("path that is a URL", but(":path", "http://evil.test/")),
  malformed("path with a space", but(":path", "/a b")),
  malformed("path with a line end", but(":path", `/ HTTP/1.1\r\nhost: x.test\r\n\r\n${hidden}`)),
  malformed("path with a bare LF", but(":path", "/\nx: y")),
  malformed("path with NUL", but(":path", "/a\0b")),
  malformed("path with a fragment", but(":path", "/a#b")),
  malformed("path with a backslash", but(":path", "/a\\b")),
  malformed("path with 8-bit bytes", but(":path", "/caf\xe9")),
  malformed("path with DEL", but(":path", "/a\x7fb")),
  fine("path with two slashes", but(":path", "//evil.test/"), { sees: "GET //evil.test/ HTTP/1.1" }),
  fine("path with an encoded line end", but(":path", "/%0d%0a"), { sees: "GET /%0d%0a HTTP/1.1" }),
  fine("path with encoded slashes", but(":path", "/%2e%2e%2f"), { sees: "GET /%2e%2e%2f HTTP/1.1" }),
  malformed("authority empty", but(":authority", "")),
  malformed("authority with user information", but(":authority", "evil@x.test")),
  malformed("authority with a path", but(":authority", "x.test/evil")),
  malformed("authority with a space", but(":authority", "x.test evil")),
  malformed("authority with a line end", but(":authority", "x.test\r\nx: y")),
  malformed("authority with port 0", but(":authority", "x.test:0")),
  malformed("authority with a comma", but(":authority", "x.test,evil.test")),
  malformed("a host that says something else", plus(["host", "evil.test"])),
  malformed("two hosts", [...without(":authority"), ["host", "x.test"], ["host", "evil.test"]]),
  fine("a host that says the same", plus(["host", "X.test"]), { carries: ["host: x.test\r\n"] }),
  fine("a host in place of the authority", [...without(":authority"), ["host", "x.test"]], {
    carries: ["host: x.test\r\n"],
  }),
  fine("scheme of another kind", but(":scheme", "ftp")),
  malformed("scheme with a line end", but(":scheme", "http\r\nx: y")),
  malformed("scheme with a URL", but(":scheme", "http://evil.test/?")),
]

const fields: ReadonlyArray<Http2Shape> = [
  ...(
    [
      ["connection", "close"],
      ["keep-alive", "timeout=5"],
      ["proxy-connection", "keep-alive"],
      ["transfer-encoding", "chunked"],
      ["upgrade", "h2c"],
      ["te", "gzip"],
      ["te", "trailers, gzip"],
    ] as const
  ).map((field) => malformed(`${field[0]}: ${field[1]}`, plus(field))),
  fine("te: trailers", plus(["te", "trailers"]), { carries: ["te: trailers"] }),
  malformed("transfer-encoding with a body", plus(["transfer-encoding", "chunked"]), {}),
  malformed("a name in capitals", plus(["X-Evil", "y"])),
  malformed("transfer-encoding in capitals", plus(["Transfer-Encoding", "chunked"])),
  ...(
    [
      ["a line end in a value", ["x", `y\r\n\r\n${hidden}`]],
      ["a bare LF in a value", ["x", "y\ntransfer-encoding: chunked"]],
      ["a bare CR in a value", ["x", "y\rz: a"]],
      ["NUL in a value", ["x", "y\0z"]],
      ["a line end in a name", ["x: y\r\ntransfer-encoding", "chunked"]],
      ["a colon in a name", ["transfer-encoding: chunked\r\nx", "y"]],
      ["a space in a name", ["transfer-encoding ", "chunked"]],
      ["an empty name", ["", "chunked"]],
      ["a colon as a name", [":", "chunked"]],
      ["an 8-bit byte in a name", ["x\xe9", "chunked"]],
      ["a control byte in a value", ["x", "y\x01chunked"]],
      ["DEL in a value", ["x", "y\x7fchunked"]],
    ] as ReadonlyArray<readonly [string, Field]>
  ).map(([name, field]) =>
    // The codec leaves such fields out.
    shape(name, headers(1, plus(field)), [200, 400, "reset", "goaway"], {
      reaches: "at most one",
      never: ["chunked", "\nz", "y\0z"],
    }),
  ),
  fine("cookies in crumbs", plus(["cookie", "a=b"], ["cookie", "c=d"]), { carries: ["cookie: a=b; c=d\r\n"] }),
  shape("expect something else", headers(1, plus(["expect", "evil"])), [417]),
]

const lengths: ReadonlyArray<Http2Shape> = [
  ...(
    [
      ["more than there is", `${hidden.length + 5}`],
      ["less than there is", "5"],
      ["zero", "0"],
      ["negative", "-1"],
      ["with a plus sign", "+5"],
      ["in hex", "0x26"],
      ["a list", `${hidden.length}, ${hidden.length}`],
      ["empty", ""],
      ["with a line end", `${hidden.length}\r\nx: y`],
      ["beyond 64 bits", `${2n ** 64n + BigInt(hidden.length)}`],
    ] as const
  ).map(([name, value]) =>
    shape(`content-length ${name}`, withBody([["content-length", value]], hidden), ["reset", "goaway", 400, 503], {
      reaches: "part",
    }),
  ),
  shape(
    "content-length twice",
    withBody(
      [
        ["content-length", `${hidden.length}`],
        ["content-length", `${hidden.length}`],
      ],
      hidden,
    ),
    ["reset", "goaway", 400],
  ),
  shape("content-length without a body", headers(1, plus(["content-length", "5"])), ["reset", "goaway", 400, 503], {
    reaches: "part",
  }),
  shape("a request in a body", withBody([["content-length", `${hidden.length}`]], hidden), [200], {
    reaches: 1,
    sees: "POST / HTTP/1.1",
    carries: [`content-length: ${hidden.length}\r\n`],
  }),
  shape("a request in a body of no declared length", withBody([], hidden), [200], {
    reaches: 1,
    sees: "POST / HTTP/1.1",
    carries: ["transfer-encoding: chunked\r\n"],
  }),
  shape(
    "a request in the body of a GET",
    Buffer.concat([headers(1, good, END_HEADERS), frame(DATA, END_STREAM, 1, hidden)]),
    [200],
    { reaches: 1, sees: "GET / HTTP/1.1" },
  ),
  shape(
    "a chunk in a body",
    Buffer.concat([headers(1, but(":method", "POST"), END_HEADERS), frame(DATA, END_STREAM, 1, `0\r\n\r\n${hidden}`)]),
    [200],
    { reaches: 1, sees: "POST / HTTP/1.1" },
  ),
]

const trailing = (trailers: ReadonlyArray<Field>, flags = END_STREAM | END_HEADERS): Buffer =>
  Buffer.concat([
    headers(1, but(":method", "POST"), END_HEADERS),
    frame(DATA, 0, 1, "hello"),
    headers(1, trailers, flags),
  ])

const trailers: ReadonlyArray<Http2Shape> = [
  shape("trailers with a pseudo-header", trailing([[":path", "/hidden"]]), ["reset", "goaway", 400], {
    reaches: "part",
  }),
  shape("trailers that do not end the stream", trailing([["x", "y"]], END_HEADERS), ["reset", "goaway", 400], {
    reaches: "part",
  }),
  shape("trailers with a connection field", trailing([["transfer-encoding", "chunked"]]), ["reset", "goaway", 400], {
    reaches: "part",
  }),
  shape("trailers that frame the message anew", trailing([["content-length", "99"]]), ["reset", "goaway", 400], {
    reaches: "part",
  }),
  shape(
    "trailers that decide about the message",
    trailing([
      ["authorization", "evil"],
      ["host", "evil.test"],
    ]),
    [200],
    {
      reaches: 1,
      never: ["evil"],
    },
  ),
]

const connects: ReadonlyArray<Http2Shape> = [
  shape(
    "CONNECT is denied",
    headers(
      1,
      [
        [":method", "CONNECT"],
        [":authority", "x.test:443"],
      ],
      END_HEADERS,
    ),
    [405],
  ),
  malformed("CONNECT with a path", [
    [":method", "CONNECT"],
    [":path", "/"],
    [":scheme", "http"],
    [":authority", "x.test:443"],
  ]),
  refused("CONNECT without a port", [
    [":method", "CONNECT"],
    [":authority", "x.test"],
  ]),
  malformed("CONNECT without an authority", [[":method", "CONNECT"]]),
  malformed("extended CONNECT without a path", [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":authority", "x.test"],
  ]),
  malformed(":protocol without CONNECT", [...good, [":protocol", "websocket"]]),
  shape(
    "extended CONNECT to a protocol with a line end",
    headers(1, [[":method", "CONNECT"], [":protocol", "websocket\r\nx: evil"], ...without(":method")], END_HEADERS),
    ["reset", "goaway", 400, 500, 502, 503],
    {
      never: ["evil"],
    },
  ),
  shape(
    "extended CONNECT to h2c",
    headers(1, [[":method", "CONNECT"], [":protocol", "h2c"], ...without(":method")], END_HEADERS),
    [400],
  ),
]

const many = (count: number, size: number): ReadonlyArray<Field> =>
  Array.from({ length: count }, (_, i): Field => [`x-${i}`, "y".repeat(size)])

/** A block in frames of a size every peer takes. */
const inPieces = (block: Buffer, last: boolean): Buffer => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < block.byteLength; at += 16_384) {
    const end = at + 16_384 >= block.byteLength && last ? END_HEADERS : 0
    const piece = block.subarray(at, at + 16_384)
    pieces.push(at === 0 ? frame(HEADERS, END_STREAM | end, 1, piece) : frame(CONTINUATION, end, 1, piece))
  }
  return Buffer.concat(pieces)
}

/** One large field in the table, and one byte for each time it is meant again. */
const bomb = Buffer.concat([literal(good), indexed(["x", "y".repeat(3_900)]), Buffer.alloc(4_000, 0x80 | 62)])

const sizes: ReadonlyArray<Http2Shape> = [
  shape("one field more than allowed", headers(1, plus(...many(HEADERS_MAX + 1, 1))), [431]),
  shape("many fields more than allowed", headers(1, plus(...many(HEADERS_MAX * 8, 1))), [431, "reset", "goaway"]),
  shape("a head of too many bytes", inPieces(literal(plus(...many(40, 1_000))), true), [431, "reset", "goaway"]),
  shape("one field of too many bytes", inPieces(literal(plus(["x", "y".repeat(HEAD_BYTES_MAX * 4)])), true), [
    431,
    "reset",
    "goaway",
  ]),
  shape("a small block that unpacks to a large one", frame(HEADERS, END_STREAM | END_HEADERS, 1, bomb), [
    431,
    "reset",
    "goaway",
  ]),
  fatal(
    "a block that never ends",
    Buffer.concat([
      headers(1, good, END_STREAM),
      ...Array.from({ length: 2_000 }, () => frame(CONTINUATION, 0, 1, literal(many(1, 100)))),
    ]),
  ),
  fatal(
    "a block of empty pieces that never ends",
    Buffer.concat([headers(1, good, END_STREAM), ...Array.from({ length: 20_000 }, () => frame(CONTINUATION, 0, 1))]),
  ),
]

const rules: ReadonlyArray<Http2Shape> = [
  fatal(
    "a frame between the pieces of a block",
    Buffer.concat([headers(1, good, END_STREAM), frame(PING, 0, 0, Buffer.alloc(8))]),
  ),
  fatal(
    "the rest of a block on another stream",
    Buffer.concat([headers(1, good, END_STREAM), frame(CONTINUATION, END_HEADERS, 3)]),
  ),
  fatal("the rest of a block that never began", frame(CONTINUATION, END_HEADERS, 1, literal(good))),
  fatal("HEADERS on stream 0", headers(0, good)),
  fatal("HEADERS on an even stream", headers(2, good)),
  shape(
    "HEADERS on an older stream",
    Buffer.concat([headers(5, good), headers(1, but(":path", "/hidden"))]),
    [200, "goaway"],
    { stream: 5, reaches: "at most one", never: ["get /hidden"] },
  ),
  fatal("DATA on stream 0", frame(DATA, 0, 0, "hello")),
  fatal("DATA on a stream that never was", frame(DATA, 0, 1, hidden)),
  shape(
    "DATA on a stream that is closed",
    Buffer.concat([headers(1, good), frame(DATA, END_STREAM, 1, hidden)]),
    [200, "reset", "goaway"],
    { reaches: "at most one" },
  ),
  fatal("RST_STREAM on a stream that never was", frame(RST_STREAM, 0, 1, number(8))),
  fatal("RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, number(8))),
  fatal(
    "RST_STREAM of another size",
    Buffer.concat([headers(1, good, END_HEADERS), frame(RST_STREAM, 0, 1, Buffer.alloc(3))]),
    { reaches: "part" },
  ),
  fatal("a frame larger than allowed", frame(DATA, 0, 1, Buffer.alloc(20_000))),
  fatal(
    "padding longer than its frame",
    Buffer.concat([
      headers(1, but(":method", "POST"), END_HEADERS),
      frame(DATA, PADDED | END_STREAM, 1, Buffer.from([200, 1, 2])),
    ]),
    { reaches: "part" },
  ),
  fatal("SETTINGS on a stream", frame(SETTINGS, 0, 1)),
  fatal("SETTINGS of half a setting", frame(SETTINGS, 0, 0, Buffer.alloc(5))),
  fatal("an acknowledgement with content", frame(SETTINGS, 1, 0, setting(3, 1))),
  fatal("a window beyond its maximum", frame(SETTINGS, 0, 0, setting(4, 2 ** 31))),
  fatal("frames of one byte at most", frame(SETTINGS, 0, 0, setting(5, 1))),
  fatal("push of value 2", frame(SETTINGS, 0, 0, setting(2, 2))),
  fatal("PUSH_PROMISE from a client", frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([number(2), literal(good)]))),
  fatal("PING on a stream", frame(PING, 0, 1, Buffer.alloc(8))),
  fatal("PING of another size", frame(PING, 0, 0, Buffer.alloc(7))),
  fatal("GOAWAY on a stream", frame(GOAWAY, 0, 1, Buffer.alloc(8))),
  fatal("a window opened by nothing", frame(WINDOW_UPDATE, 0, 0, number(0))),
  fatal("a window opened too far", frame(WINDOW_UPDATE, 0, 0, number(2 ** 31 - 1))),
  shape(
    "a stream that depends on itself",
    Buffer.concat([frame(PRIORITY, 0, 1, Buffer.concat([number(1), Buffer.from([1])])), headers(1, good)]),
    [200, "reset", "goaway"],
    { reaches: "at most one" },
  ),
  fatal("an index that is not in any table", frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x80 | 100]))),
  fatal("index 0", frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x80]))),
  fatal(
    "a string longer than its block",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x00, 0x7f, 0xff, 0xff, 0xff, 0x0f])),
  ),
  fatal(
    "a table larger than allowed",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x3f, 0xff, 0xff, 0x7f])),
  ),
  fatal(
    "a string in a code that has no end",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, Buffer.from([0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00])),
  ),
  shape("an unknown frame", Buffer.concat([frame(0xbe, 0xff, 1, "evil"), headers(1, good)]), [200], { reaches: 1 }),
]

const openings: ReadonlyArray<Http2Shape> = [
  shape("HTTP/1 behind the preface", Buffer.from(`${MAGIC}${hidden}`), ["goaway", "close"], { isAll: true }),
  shape("a request before the settings", Buffer.concat([Buffer.from(MAGIC), headers(1, good)]), ["goaway", "close"], {
    isAll: true,
  }),
  shape("a preface that goes wrong", Buffer.from("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), ["goaway", "close"], {
    isAll: true,
  }),
]

export const shapes: ReadonlyArray<Http2Shape> = [
  ...pseudo,
  ...fields,
  ...lengths,
  ...trailers,
  ...connects,
  ...sizes,
  ...rules,
  ...openings,
]
