/**
 * HTTP/1 requests that two readers could understand differently, that no reader should understand, or that look
 * suspicious and are fine. Everything is written to one connection exactly as it stands here.
 */
import { HEAD_BYTES_MAX, HEADERS_MAX } from "./front.ts"
import type { Reach } from "./whatReached.ts"

/** `close` is an end of the connection without a reply. */
export type Outcome = number | "close"

export interface Shape extends Reach {
  readonly name: string
  /** One character per byte. */
  readonly bytes: string
  /** Any of these may come first. */
  readonly expect: ReadonlyArray<Outcome>
  /** What comes after it. */
  readonly followed?: ReadonlyArray<Outcome>
  /** Nothing after it can be trusted: the connection must end. */
  readonly closes?: true | undefined
  /** In no reply. */
  readonly repliesWithout?: string
}

const crlf = "\r\n"

/** A request that nobody sent, if all goes well. */
const hidden = "GET /hidden HTTP/1.1\r\nhost: x.test\r\n\r\n"

const request = (line: string, fields: ReadonlyArray<string>, body = ""): string =>
  [line, ...fields, "", body].join(crlf)

const host = "host: x.test"
const get = (target: string, ...fields: ReadonlyArray<string>): string =>
  request(`GET ${target} HTTP/1.1`, [host, ...fields])
const post = (body: string, ...fields: ReadonlyArray<string>): string =>
  request("POST / HTTP/1.1", [host, ...fields], body)

type More = Partial<Omit<Shape, "name" | "bytes">>

const shape = (name: string, bytes: string, expect: ReadonlyArray<Outcome>, more: More = {}): Shape => ({
  name,
  bytes,
  expect,
  reaches: 0,
  ...more,
})

/** Refused with 400, and the connection ends: where the next message would begin is anybody's guess. */
const bad = (name: string, bytes: string, more: More = {}): Shape =>
  shape(name, bytes, [400], { closes: true, ...more })

/** Refused with 400; the connection may go on, since it is clear where the request ended. */
const refused = (name: string, bytes: string, more: More = {}): Shape => shape(name, bytes, [400], more)

/** Served. */
const fine = (name: string, bytes: string, more: More = {}): Shape => shape(name, bytes, [200], { reaches: 1, ...more })

const length = `content-length: ${hidden.length}`

const contentLength: ReadonlyArray<Shape> = [
  bad("content-length twice, different", post(`hello${hidden}`, "content-length: 5", length)),
  bad("content-length twice, the same", post("hello", "content-length: 5", "content-length: 5")),
  bad("content-length twice, in other letters", post(`hello${hidden}`, "Content-Length: 5", "CONTENT-LENGTH: 0")),
  bad("content-length as a list of equals", post("hello", "content-length: 5, 5")),
  bad("content-length as a list of others", post(`hello${hidden}`, `content-length: 5,${hidden.length}`)),
  bad("content-length negative", post(hidden, "content-length: -1")),
  bad("content-length with a plus sign", post("hello", "content-length: +5")),
  bad("content-length in hex", post("hello", "content-length: 0x5")),
  bad("content-length with a space inside", post(`hello${hidden}`, "content-length: 5 0")),
  bad("content-length with an exponent", post("hello", "content-length: 5e0")),
  bad("content-length with a fraction", post("hello", "content-length: 5.0")),
  bad("content-length with an underscore", post("hello", "content-length: 0_5")),
  bad("content-length empty", post("hello", "content-length:")),
  bad("content-length of blanks only", post("hello", "content-length: \t ")),
  bad("content-length beyond 64 bits", post("hello", "content-length: 18446744073709551621")),
  bad("content-length of thirty digits", post("hello", `content-length: ${"9".repeat(30)}`)),
  refused("content-length beyond what a number holds", post("hello", "content-length: 9007199254740993")),
  bad("content-length in other digits", post("hello", "content-length: \xef\xbc\x95")),
  bad("content-length quoted", post("hello", 'content-length: "5"')),
  bad("content-length with a parameter", post("hello", "content-length: 5;q=1")),
  bad("content-length folded", post("hello", "content-length: 1\r\n 0")),
  bad("content-length with a space before its colon", post(hidden, `content-length : ${hidden.length}`)),
  bad("content-length with a tab before its colon", post(hidden, `content-length\t: ${hidden.length}`)),
  bad("content-length with NUL in its value", post("hello", "content-length: 5\0")),
  bad("content-length with NUL in its name", post("hello", "content-length\0: 5")),
  bad("content-length after a vertical tab", post("hello", "content-length: \x0b5")),
  fine("content-length with leading zeros", post(hidden, `content-length: 000${hidden.length}`)),
  fine("content-length after a tab", post(hidden, `content-length:\t${hidden.length} `)),
  fine("a request in the body of another", post(hidden, length), { sees: "POST / HTTP/1.1" }),
  fine("a GET with a body", request("GET / HTTP/1.1", [host, length], hidden), { carries: [length] }),
  fine("content_length is another field", get("/", "content_length: 5")),
  fine("two requests, the first with an empty body", request("POST / HTTP/1.1", [host, "content-length: 0"], hidden), {
    followed: [200],
    reaches: 2,
  }),
]

const te = "transfer-encoding: chunked"
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

const transferEncoding: ReadonlyArray<Shape> = [
  bad("content-length, then transfer-encoding", post(`0\r\n\r\n${hidden}`, `content-length: ${hidden.length + 5}`, te)),
  bad("transfer-encoding, then content-length", post(`0\r\n\r\n${hidden}`, te, `content-length: ${hidden.length + 5}`)),
  bad("content-length: 0 with transfer-encoding", post(chunked("hello"), "content-length: 0", te)),
  bad("content-length: 4 with transfer-encoding", post(`5c\r\n${hidden}`, "content-length: 4", te)),
  bad("xchunked", post(chunked("hello"), "transfer-encoding: xchunked")),
  bad("chunkedx", post(chunked("hello"), "transfer-encoding: chunkedx")),
  bad("xchunked with content-length", post(`0\r\n\r\n${hidden}`, "content-length: 5", "transfer-encoding: xchunked")),
  bad("chunked, chunked", post(chunked("hello"), "transfer-encoding: chunked, chunked")),
  bad("chunked in two fields", post(chunked("hello"), te, te)),
  bad("identity", post(chunked("hello"), "transfer-encoding: identity")),
  bad("chunked, identity", post(chunked("hello"), "transfer-encoding: chunked, identity")),
  bad("identity, chunked", post(chunked("hello"), "transfer-encoding: identity, chunked")),
  bad("chunked, then identity in another field", post(chunked("hello"), te, "transfer-encoding: identity")),
  bad("cow, then chunked in another field", post(chunked("hello"), "transfer-encoding: cow", te)),
  bad("gzip", post(chunked("hello"), "transfer-encoding: gzip")),
  bad("gzip, chunked", post(chunked("hello"), "transfer-encoding: gzip, chunked")),
  bad("chunked, gzip", post(chunked("hello"), "transfer-encoding: chunked, gzip")),
  bad("chunked with a parameter", post(chunked("hello"), "transfer-encoding: chunked;q=1")),
  bad("chunked quoted", post(chunked("hello"), 'transfer-encoding: "chunked"')),
  bad("chunked with an empty member", post(chunked("hello"), "transfer-encoding: ,chunked")),
  bad("chunked and a comma", post(chunked("hello"), "transfer-encoding: chunked,")),
  bad("transfer-encoding empty", post(chunked("hello"), "transfer-encoding:")),
  bad("transfer-encoding empty, with content-length", post("hello", "transfer-encoding:", "content-length: 5")),
  bad("chunked after a vertical tab", post(chunked("hello"), "transfer-encoding: \x0bchunked")),
  bad("chunked with NUL", post(chunked("hello"), "transfer-encoding: chunked\0")),
  bad("chunked with an 8-bit byte", post(chunked("hello"), "transfer-encoding: chunked\xa0")),
  bad("chunked folded to the next line", post(chunked("hello"), "transfer-encoding:\r\n chunked")),
  bad("chunked, identity folded to the next line", post(chunked("hello"), "transfer-encoding: chunked\r\n , identity")),
  bad("transfer-encoding with a space before its colon", post(chunked("hello"), "transfer-encoding : chunked")),
  bad("transfer-encoding with a tab before its colon", post(chunked("hello"), "transfer-encoding\t: chunked")),
  bad("transfer-encoding with NUL in its name", post(chunked("hello"), "transfer-encoding\0: chunked")),
  bad("transfer-encoding after a space at the line's start", post(chunked("hello"), " transfer-encoding: chunked")),
  bad(
    "transfer-encoding behind a bare LF",
    post(`0\r\n\r\n${hidden}`, "content-length: 5", "x: y\ntransfer-encoding: chunked"),
  ),
  bad(
    "transfer-encoding behind a bare CR",
    post(`0\r\n\r\n${hidden}`, "content-length: 5", "x: y\rtransfer-encoding: chunked"),
  ),
  bad("transfer-encoding in HTTP/1.0", request("POST / HTTP/1.0", [host, te], chunked("hello"))),
  bad(
    "transfer-encoding and content-length in HTTP/1.0",
    request("POST / HTTP/1.0", [host, te, "content-length: 5"], "hello"),
  ),
  fine("chunked in other letters", post(chunked(hidden), "Transfer-Encoding: ChUnKeD")),
  fine("chunked after a tab", post(chunked(hidden), "transfer-encoding:\tchunked ")),
  fine("GET with an empty chunked body", request("GET / HTTP/1.1", [host, te], "0\r\n\r\n")),
  fine("te: chunked asks for nothing", get("/", "te: chunked"), { never: ["te: chunked"] }),
  fine("transfer_encoding is another field", post("hello", "transfer_encoding: gzip", "content-length: 5")),
]

const inChunks = (text: string): string => post(text, te)

/** Framing that breaks after the head was fine: the upstream may have been sent a beginning, never an end. */
const broken = (name: string, chunks: string, more: More = {}): Shape =>
  bad(`chunks: ${name}`, inChunks(chunks), { reaches: "part", ...more })

const chunkTricks: ReadonlyArray<Shape> = [
  broken("size beyond 64 bits", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
  broken("size that wraps around to 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
  broken("size negative", `-1\r\nhello\r\n0\r\n\r\n${hidden}`),
  broken("size with a plus sign", "+5\r\nhello\r\n0\r\n\r\n"),
  broken("size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
  broken("size with an underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
  broken("size with a dot", "5.0\r\nhello\r\n0\r\n\r\n"),
  broken("size after a space", " 5\r\nhello\r\n0\r\n\r\n"),
  broken("size before a space", "5 \r\nhello\r\n0\r\n\r\n"),
  broken("size before a tab", "5\t\r\nhello\r\n0\r\n\r\n"),
  broken("size with a space inside", "0 5\r\nhello\r\n0\r\n\r\n"),
  broken("size empty", "\r\nhello\r\n0\r\n\r\n"),
  broken("size not hex", "g\r\nhello\r\n0\r\n\r\n"),
  broken("size in quotes", '"5"\r\nhello\r\n0\r\n\r\n'),
  broken("size with NUL", "5\0\r\nhello\r\n0\r\n\r\n"),
  broken("an empty extension before a bare LF", `5;\nhello\r\n0\r\n\r\n${hidden}`),
  broken("a bare LF inside an extension", `5;a\nhello;b\r\nworld\r\n0\r\n\r\n${hidden}`),
  broken("a bare CR inside an extension", `5;a\rhello\r\nworld\r\n0\r\n\r\n${hidden}`),
  broken("size line ended by a bare LF", "5\nhello\r\n0\r\n\r\n"),
  broken("size line ended by a bare CR", "5\rhello\r\n0\r\n\r\n"),
  broken("data ended by a bare LF", "5\r\nhello\n0\r\n\r\n"),
  broken("data ended by nothing", "5\r\nhello0\r\n\r\n"),
  broken("data ended by two other bytes", "5\r\nhelloXX0\r\n\r\n"),
  broken("more data than its size", `5\r\nhello, world\r\n0\r\n\r\n${hidden}`),
  broken("last chunk ended by bare LFs", "5\r\nhello\r\n0\n\n"),
  broken("last chunk ended by CRLF and a bare LF", "5\r\nhello\r\n0\r\n\n"),
  broken("a request where the last chunk ends", `5\r\nhello\r\n0\r\n${hidden}`),
  broken("extensions without end", `5;${"x".repeat(32_768)}\r\nhello\r\n0\r\n\r\n`, { expect: [400, 413] }),
  fine("chunks: extensions of many chunks", inChunks(`${`1;${"x".repeat(1_000)}\r\nh\r\n`.repeat(40)}0\r\n\r\n`)),
  broken("a trailer without a colon", "5\r\nhello\r\n0\r\ntrailer\r\n\r\n"),
  broken("a trailer with a space before its colon", "5\r\nhello\r\n0\r\nx-sum : 1\r\n\r\n"),
  broken("a trailer with a bare LF", `5\r\nhello\r\n0\r\nx-sum: 1\nx: y\r\n\r\n`),
  broken("a trailer with NUL", "5\r\nhello\r\n0\r\nx-sum: \0\r\n\r\n"),
  broken("a trailer that is folded", "5\r\nhello\r\n0\r\nx-sum: 1\r\n 2\r\n\r\n"),
  broken("trailers without end", `5\r\nhello\r\n0\r\n${"x-sum: 1\r\n".repeat(4_000)}\r\n`, { expect: [400, 431] }),
  fine("chunks: an extension", inChunks(`5;a=1;b="c;d"\r\nhello\r\n0;e\r\n\r\n`), { never: ["a=1"] }),
  fine("chunks: leading zeros", inChunks("0005\r\nhello\r\n000\r\n\r\n")),
  fine("chunks: a request inside", inChunks(chunked(hidden))),
  broken("a trailer that frames the message anew", "5\r\nhello\r\n0\r\ncontent-length: 9\r\n\r\n"),
  broken("a trailer that names another coding", "5\r\nhello\r\n0\r\ntransfer-encoding: gzip\r\n\r\n"),
  fine(
    "chunks: trailers that decide about the message",
    inChunks("5\r\nhello\r\n0\r\nhost: evil.test\r\nauthorization: evil\r\nconnection: evil\r\nx: 1\r\n\r\n"),
    { never: ["evil"] },
  ),
  fine("chunks: garbage behind the last one", `${inChunks(chunked("hello"))}garbage\r\n\r\n`, {
    followed: [400],
    sees: "POST / HTTP/1.1",
  }),
]

const lines: ReadonlyArray<Shape> = [
  bad("every line ends with a bare LF", "GET / HTTP/1.1\nhost: x.test\n\n"),
  bad("the request line ends with a bare LF", "GET / HTTP/1.1\nhost: x.test\r\n\r\n"),
  bad("the request line ends with a bare CR", "GET / HTTP/1.1\rhost: x.test\r\n\r\n"),
  bad("a field ends with a bare LF", "GET / HTTP/1.1\r\nhost: x.test\nx: y\r\n\r\n"),
  bad("the head ends with a bare LF", "GET / HTTP/1.1\r\nhost: x.test\r\n\n"),
  bad("a bare CR in a value", get("/", "x: a\rb")),
  bad("a bare CR, then a request", get("/", `x: a\r\r${hidden}`)),
  bad("a request behind a bare LF in a value", get("/", "x: a\n\nGET /hidden HTTP/1.1\nhost: x.test\n")),
  bad("CR CR LF", "GET / HTTP/1.1\r\nhost: x.test\r\r\n\r\n"),
  bad("an ordinary field folded", get("/", "x: a\r\n b")),
  bad("an ordinary field folded with a tab", get("/", "x: a\r\n\tb")),
  bad("the first field begins with a space", "GET / HTTP/1.1\r\n x: y\r\nhost: x.test\r\n\r\n"),
  bad("a field without a colon", get("/", "nonsense")),
  bad("a field without a name", get("/", ": value")),
  bad("a space before the colon", get("/", "x : y")),
  bad("a space in a name", get("/", "x y: z")),
  bad("a parenthesis in a name", get("/", "x(y): z")),
  bad("an 8-bit byte in a name", get("/", "x\xe9: z")),
  bad("NUL in a name", get("/", "x\0: z")),
  bad("a control byte in a name", get("/", "x\x01: z")),
  bad("a slash in a name", get("/", "x/y: z")),
  bad("a pseudo-header of HTTP/2", get("/", ":path: /hidden")),
  bad("NUL in a value", get("/", "x: a\0b")),
  bad("a control byte in a value", get("/", "x: a\x01b")),
  bad("DEL in a value", get("/", "x: a\x7fb")),
  fine("8-bit bytes in a value", get("/", "x: caf\xc3\xa9 \xff"), { carries: ["x: caf\xc3\xa9 \xff"] }),
  fine("a tab in a value", get("/", "x: a\tb"), { carries: ["x: a\tb"] }),
  fine("a name of odd but allowed characters", get("/", "!#$%&'*+-.^_`|~9a: z"), { carries: ["!#$%&'*+-.^_`|~9a: z"] }),
  fine("an empty value", get("/", "x:")),
]

const withHost = (...fields: ReadonlyArray<string>): string => request("GET / HTTP/1.1", fields)

const hosts: ReadonlyArray<Shape> = [
  refused("no host", withHost("x: y")),
  refused("no host in HTTP/1.0", request("GET / HTTP/1.0", [])),
  refused("host twice", withHost(host, "host: evil.test")),
  refused("host twice, the same", withHost(host, host)),
  ...(
    [
      ["empty", ""],
      ["with a path", "x.test/evil"],
      ["with user information", "evil@x.test"],
      ["with a password", "x.test:pw@evil.test"],
      ["with a space", "x.test evil.test"],
      ["with a comma", "x.test, evil.test"],
      ["with port 0", "x.test:0"],
      ["with port 65536", "x.test:65536"],
      ["with a negative port", "x.test:-1"],
      ["with a port that is a word", "x.test:http"],
      ["with two ports", "x.test:80:80"],
      ["with a port of six digits", "x.test:000080"],
      ["of a port only", ":80"],
      ["of an IPv6 address without brackets", "::1"],
      ["of an IPv6 address without its end", "[::1"],
      ["of an IPv6 address with something behind", "[::1]evil.test"],
      ["of an IPv6 address with a zone", "[fe80::1%25eth0]"],
      ["of brackets around a name", "[x.test]"],
      ["with an empty label", "x..test"],
      ["beginning with a dot", ".x.test"],
      ["of a dot only", "."],
      ["with a fragment", "x.test#evil"],
      ["with a query", "x.test?evil"],
      ["with a backslash", "x.test\\evil"],
      ["percent-encoded", "%78.test"],
      ["of 8-bit bytes", "x\xe9.test"],
      ["of a star", "*"],
      ["with a semicolon", "x.test;evil"],
      ["with a quote", 'x.test"'],
      ["with a scheme", "http://x.test"],
      ["too long for DNS", `${"a".repeat(63)}.`.repeat(5)],
    ] as const
  ).map(([name, value]) => refused(`host ${name}`, withHost(`host: ${value}`))),
  bad("host folded", withHost("host: x.test\r\n .evil.test")),
  bad("host with NUL", withHost("host: x.test\0")),
  bad("host with a space before its colon", withHost("host : evil.test", host)),
  fine("host with an empty port", withHost("host: x.test:")),
  fine("host with a final dot", withHost("host: x.test.")),
  fine("host in capitals", withHost("HOST: X.TEST"), { carries: ["host: x.test"] }),
]

const target = (text: string): string => request(`GET ${text} HTTP/1.1`, [host])
/** Goes on as it came, not a byte nicer. */
const raw = (name: string, text: string): Shape =>
  fine(`target ${name}`, target(text), { sees: `GET ${text} HTTP/1.1`, carries: ["host: x.test\r\n"] })

const targets: ReadonlyArray<Shape> = [
  raw("//evil.test/path", "//evil.test/path"),
  raw("with an encoded NUL", "/a%00b"),
  raw("with encoded slashes and dots", "/%2e%2e/%2f..%2fetc%2fpasswd"),
  raw("with dot segments", "/a/../../b/./c"),
  raw("with double encoding", "/%252e%252e/"),
  raw("with percent signs that encode nothing", "/%zz%"),
  raw("with path parameters", "/a;b=c/..;/d"),
  raw("with empty segments", "/a//b///"),
  raw("with an encoded line end", "/%0d%0aset-cookie:%20a=b"),
  raw("with a question mark in its query", "/a?b?c=?"),
  raw("with a backslash in its query", "/a?b=\\c"),
  raw("with an address in its query", "/a?u=http://evil.test/"),
  raw("with odd but allowed characters", "/!$&'()*+,=:@~-_.[]{}|^`\"<>"),
  fine("absolute target and another host", request("GET http://good.test/a HTTP/1.1", ["host: evil.test"]), {
    sees: "GET /a HTTP/1.1",
    carries: ["host: good.test\r\n"],
    never: ["evil.test"],
  }),
  fine("absolute target without a path", request("GET http://good.test?q HTTP/1.1", [host]), {
    sees: "GET /?q HTTP/1.1",
    carries: ["host: good.test\r\n"],
  }),
  refused("absolute target without a host field", request("GET http://good.test/ HTTP/1.1", ["x: y"])),
  refused("absolute target and two hosts", request("GET http://good.test/ HTTP/1.1", [host, "host: evil.test"])),
  ...(
    [
      ["ftp:", "ftp://x.test/"],
      ["file:", "file:///etc/passwd"],
      ["javascript:", "javascript://x.test/"],
      ["without slashes", "http:x.test"],
      ["with one slash", "http:/x.test/"],
      ["without a host", "http:///path"],
      ["without anything", "http://"],
      ["with user information", "http://evil@x.test/"],
      ["with a password", "http://a:b@x.test/"],
      ["with port 0", "http://x.test:0/"],
      ["with port 65536", "http://x.test:65536/"],
      ["with a fragment", "http://x.test/#evil"],
      ["with a backslash", "http://x.test\\@evil.test/"],
      ["with an encoded host", "http://%78.test/"],
    ] as const
  ).map(([name, text]) => shape(`absolute target ${name}`, target(text), [400])),
  ...(
    [
      ["of authority form", "x.test:80"],
      ["of a star", "*"],
      ["of a word", "evil"],
      ["of a query", "?x"],
      ["of a dot segment", "../x"],
      ["with a fragment", "/a#b"],
      ["with a backslash", "/a\\..\\b"],
      ["of a backslash", "\\evil"],
      ["with a space", "/a b"],
      ["with a tab", "/a\tb"],
      ["with NUL", "/a\0b"],
      ["with DEL", "/a\x7fb"],
      ["with an 8-bit byte", "/caf\xe9"],
      ["with UTF-8", "/caf\xc3\xa9"],
      ["with a bare CR", "/a\rb"],
      ["with a second request", "/ HTTP/1.1\r\nhost: x.test\r\n\r\nGET /hidden"],
      ["that is empty", ""],
    ] as const
  )
    .filter(([name]) => name !== "with a second request")
    .map(([name, text]) => shape(`target ${name}`, target(text), [400])),
  shape("target OPTIONS *", request("OPTIONS * HTTP/1.1", [host]), [404]),
  refused("target OPTIONS of authority form", request("OPTIONS x.test:80 HTTP/1.1", [host])),
  shape("target longer than a head may be", target(`/${"a".repeat(HEAD_BYTES_MAX * 2)}`), [414, 431], { closes: true }),
  fine("target as long as fits", target(`/${"a".repeat(HEAD_BYTES_MAX - 512)}`)),
  shape(
    "CONNECT with one field more than allowed",
    request("CONNECT x.test:443 HTTP/1.1", [
      "host: x.test:443",
      ...Array.from({ length: HEADERS_MAX }, (_, i) => `x-${i}: y`),
    ]),
    [431],
    { closes: true },
  ),
  shape("CONNECT in HTTP/2.0", request("CONNECT x.test:443 HTTP/2.0", ["host: x.test:443"]), [505], { closes: true }),
  shape("CONNECT is denied", request("CONNECT x.test:443 HTTP/1.1", ["host: x.test:443"]), [405], { closes: true }),
  shape(
    "CONNECT is denied, with a request behind",
    `${request("CONNECT x.test:443 HTTP/1.1", ["host: x.test:443"])}${hidden}`,
    [405],
    { closes: true },
  ),
  bad("CONNECT with a path", request("CONNECT /path HTTP/1.1", [host])),
  bad("CONNECT without a port", request("CONNECT x.test HTTP/1.1", [host])),
  bad("CONNECT with an absolute target", request("CONNECT http://x.test:443/ HTTP/1.1", [host])),
  bad("CONNECT with port 0", request("CONNECT x.test:0 HTTP/1.1", [host])),
]

const manyFields = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `x-${i}: y`)

const sizes: ReadonlyArray<Shape> = [
  shape("a head of too many bytes", get("/", ...manyFields(50).map((field) => field + "z".repeat(1_000))), [431], {
    closes: true,
  }),
  shape("one field of too many bytes", get("/", `x: ${"y".repeat(HEAD_BYTES_MAX * 4)}`), [431], { closes: true }),
  shape("one name of too many bytes", get("/", `${"x".repeat(HEAD_BYTES_MAX * 4)}: y`), [431], { closes: true }),
  shape("one field more than allowed", get("/", ...manyFields(HEADERS_MAX)), [431], { closes: true }),
  shape("many fields more than allowed", get("/", ...manyFields(HEADERS_MAX * 8)), [431], { closes: true }),
  shape("a length behind the last field that counts", post(hidden, ...manyFields(HEADERS_MAX * 2), length), [431], {
    closes: true,
  }),
  shape("chunked behind the last field that counts", post(chunked(hidden), ...manyFields(HEADERS_MAX * 2), te), [431], {
    closes: true,
  }),
  shape("host behind the last field that counts", withHost(...manyFields(HEADERS_MAX * 2), host), [431], {
    closes: true,
  }),
  fine("as many fields as allowed", get("/", ...manyFields(HEADERS_MAX - 1))),
]

const methods: ReadonlyArray<Shape> = [
  ...(
    [
      ["in lower case", "get"],
      ["with capitals and others", "Get"],
      ["that begins with a sign", "-GET"],
      ["of the preface of HTTP/2", "PRI"],
      ["with a space", "G ET"],
      ["with NUL", "GET\0"],
      ["in parentheses", "(GET)"],
      ["with a colon", "GET:"],
      ["of 8-bit bytes", "G\xcbT"],
      ["too long", "G".repeat(1_000)],
    ] as const
  ).map(([name, text]) => bad(`method ${name}`, request(`${text} / HTTP/1.1`, [host]))),
  ...["LIST", "EVIL", "GETX", "VERSION-CONTROL", "X_Y"].map((method) =>
    fine(`method ${method}, which is for the server to judge`, request(`${method} / HTTP/1.1`, [host]), {
      sees: `${method} / HTTP/1.1`,
    }),
  ),
  bad("a tab behind the method", "GET\t/ HTTP/1.1\r\nhost: x.test\r\n\r\n"),
  bad("a space before the method", ` ${get("/")}`),
  bad("no method", request(" / HTTP/1.1", [host])),
  ...(
    [
      ["HTTP/0.9", "HTTP/0.9"],
      ["HTTP/1.2", "HTTP/1.2"],
      ["HTTP/1.10", "HTTP/1.10"],
      ["HTTP/11", "HTTP/11"],
      ["HTTP/1", "HTTP/1"],
      ["HTTP/1.", "HTTP/1."],
      ["HTTP/2.0", "HTTP/2.0"],
      ["HTTP/3.0", "HTTP/3.0"],
      ["in lower case", "http/1.1"],
      ["with a space", "HTTP/ 1.1"],
      ["HTTPS/1.1", "HTTPS/1.1"],
      ["with something behind", "HTTP/1.1 evil"],
      ["with a space behind", "HTTP/1.1 "],
      ["with NUL behind", "HTTP/1.1\0"],
    ] as const
  ).map(([name, text]) => shape(`version ${name}`, request(`GET / ${text}`, [host]), [400, 505], { closes: true })),
  shape("no version", "GET /\r\n", [400, 408, 505], { closes: true }),
  shape("no version, with fields", request("GET /", [host]), [400, 505], { closes: true }),
  // Relatives of HTTP/1 that some parsers take for it.
  bad("version RTSP/1.0", request("GET / RTSP/1.0", [host])),
  bad("version ICE/1.0", request("SOURCE / ICE/1.0", [host])),
]

const clientHello = "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + "\x5a".repeat(200)

const garbage: ReadonlyArray<Shape> = [
  fine("empty lines before a request", `\r\n\r\n${get("/")}`),
  bad("NUL before a request", `\0${get("/")}`),
  bad("a byte order mark before a request", `\xef\xbb\xbf${get("/")}`),
  bad("random bytes", "\x92\x01\xfe\x00\x17\r\n\r\n\x00\x00"),
  bad("a TLS handshake", clientHello),
  bad("an SSH banner", "SSH-2.0-OpenSSH_9.9\r\n"),
  bad("a mail client", "EHLO x.test\r\n"),
  bad("a Redis client", "*1\r\n$4\r\nPING\r\n"),
  bad("a PROXY line nobody asked for", `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${get("/")}`),
  bad("a PROXY v2 header nobody asked for", `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c${"\x01".repeat(12)}${get("/")}`),
  bad("a reply", `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`),
  shape("half of a head", "GET / HTTP/1.1\r\nhost: x", [408], { closes: true }),
  shape("nothing but an empty line", "\r\n", [408, "close"], { closes: true }),
  shape("half of an HTTP/2 preface", "PRI * HTTP/2.0\r\n", [400, 408, "close"], { closes: true }),
  shape("half of a body", post("hel", "content-length: 5"), [408], { closes: true, reaches: "part" }),
  shape("half of a chunk", inChunks("5\r\nhel"), [408], { closes: true, reaches: "part" }),
]

const upgrade = (protocol: string, ...fields: ReadonlyArray<string>): string =>
  get("/", "connection: upgrade", `upgrade: ${protocol}`, ...fields)
const websocket = ["sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="] as const

const switching: ReadonlyArray<Shape> = [
  fine(
    "upgrade to h2c",
    get("/", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA"),
    {
      never: ["h2c", "http2-settings", "upgrade"],
    },
  ),
  fine("upgrade to H2C", upgrade("H2C"), { never: ["h2c", "upgrade"] }),
  fine("upgrade to websocket or h2c", upgrade("websocket, h2c", ...websocket), { never: ["h2c", "upgrade:"] }),
  fine("upgrade to h2c in a second field", upgrade("websocket", "upgrade: h2c"), { never: ["h2c", "upgrade:"] }),
  fine("upgrade to HTTP/2.0", upgrade("HTTP/2.0"), { never: ["upgrade"] }),
  fine("upgrade to TLS", upgrade("TLS/1.2, HTTP/1.1"), { never: ["upgrade", "tls"] }),
  fine("upgrade nobody vouches for", get("/", "upgrade: websocket", ...websocket), { never: ["upgrade"] }),
  fine(
    "upgrade with a body",
    request("POST / HTTP/1.1", [host, "connection: upgrade", "upgrade: websocket", length], hidden),
    {
      never: ["upgrade"],
    },
  ),
  fine("upgrade with chunks", post(chunked(hidden), te, "connection: upgrade", "upgrade: websocket"), {
    never: ["upgrade"],
  }),
  shape("upgrade that is declined, with a request behind", `${upgrade("websocket", ...websocket)}${hidden}`, [200], {
    reaches: 1,
    closes: true,
    sees: "GET / HTTP/1.1",
  }),
  shape("upgrade in HTTP/1.0", request("GET / HTTP/1.0", [host, "connection: upgrade", "upgrade: websocket"]), [200], {
    reaches: 1,
    never: ["upgrade"],
    closes: true,
  }),
  fine("connection names what frames the body", post("hello", "content-length: 5", "connection: content-length"), {
    carries: ["content-length: 5"],
  }),
  fine("connection names transfer-encoding", post(chunked(hidden), te, "connection: transfer-encoding"), {
    carries: [te],
  }),
  fine("connection names host", get("/", "connection: host"), { carries: [host] }),
  fine(
    "connection names who the client is",
    get(
      "/",
      "authorization: Bearer t",
      "cookie: a=b",
      "x-forwarded-for: 1.2.3.4",
      "connection: authorization, cookie, x-forwarded-for",
    ),
    {
      carries: ["authorization: bearer t", "cookie: a=b", "x-forwarded-for: 1.2.3.4"],
      never: ["connection: authorization"],
    },
  ),
  fine("connection names a field of the hop", get("/", "x-hop: evil", "connection: close, X-Hop"), {
    never: ["x-hop", "evil"],
    closes: true,
  }),
  refused(
    "connection names too much",
    get("/", `connection: ${Array.from({ length: 40 }, (_, i) => `x-${i}`).join(",")}`),
  ),
  fine(
    "fields of the hop",
    get("/", "keep-alive: timeout=9999", "proxy-connection: keep-alive", "proxy-authenticate: Basic"),
    {
      never: ["keep-alive:", "proxy-"],
    },
  ),
  shape("expect something else", get("/", "expect: evil"), [417]),
  shape("expect 100-continue and something else", get("/", "expect: 100-continue, evil"), [417]),
  shape("expect twice", get("/", "expect: 100-continue", "expect: 100-continue"), [200, 417], { reaches: 0 }),
  shape("expect something else, with a body", post(hidden, "expect: evil", length), [417]),
  fine("expect 100-continue without a body", get("/", "expect: 100-continue"), { never: ["expect"] }),
  fine("expect 100-continue and the body at once", post(hidden, "expect: 100-continue", length), { never: ["expect"] }),
]

const bodies: ReadonlyArray<Shape> = [
  shape("a request in a body that nobody reads", request("POST /answer HTTP/1.1", [host, length], hidden), [200]),
  shape("a request in chunks that nobody reads", request("POST /answer HTTP/1.1", [host, te], chunked(hidden)), [200]),
  shape("a request in a body of a refused one", request("POST / HTTP/1.1", [length], hidden), [400]),
  shape("a request in chunks of a refused one", request("POST / HTTP/1.1", [te], chunked(hidden)), [400]),
  shape(
    "a request where an uninvited body would be",
    `${request("POST /answer HTTP/1.1", [host, "expect: 100-continue", length])}${hidden}`,
    [200],
  ),
  shape("a request behind a request that closes", `${get("/", "connection: close")}${hidden}`, [200], {
    reaches: 1,
    closes: true,
  }),
  shape("a request behind HTTP/1.0", `${request("GET / HTTP/1.0", [host])}${hidden}`, [200], {
    reaches: 1,
    closes: true,
  }),
  fine("HTTP/1.0 that stays", request("GET / HTTP/1.0", [host, "connection: keep-alive"])),
]

const replies: ReadonlyArray<Shape> = [
  shape("a line end in what becomes a location", get("/redirect/%0d%0aset-cookie:%20evil=1"), [302], {
    repliesWithout: "\r\nset-cookie",
  }),
  shape("a host in what becomes a location", get("/redirect//evil.test"), [302], { repliesWithout: "://evil" }),
  fine("a line end in what is rewritten", get("/rewrite/%0d%0ax:%20evil"), {
    sees: "GET /rewritten/%0d%0ax:%20evil HTTP/1.1",
  }),
  fine("dot segments in what is rewritten", get("/rewrite/../../evil"), { sees: "GET /rewritten/../../evil HTTP/1.1" }),
  fine("TRACE is passed as it is", request("TRACE / HTTP/1.1", [host])),
]

export const shapes: ReadonlyArray<Shape> = [
  ...contentLength,
  ...transferEncoding,
  ...chunkTricks,
  ...lines,
  ...hosts,
  ...targets,
  ...sizes,
  ...methods,
  ...garbage,
  ...switching,
  ...bodies,
  ...replies,
]
