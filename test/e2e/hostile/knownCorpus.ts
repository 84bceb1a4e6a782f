/**
 * Requests that other parsers and proxies are known to have got wrong, or that their suites hold: each was a defect
 * somewhere. What is right for them is said by RFC 9110 and RFC 9112; what is already in the corpus is not repeated.
 */
import type { Outcome, Shape } from "./corpus.ts"

type More = Partial<Omit<Shape, "name" | "bytes">>

const crlf = "\r\n"
const host = "host: x.test"
const hidden = "GET /hidden HTTP/1.1\r\nhost: x.test\r\n\r\n"
const te = "transfer-encoding: chunked"

const request = (line: string, fields: ReadonlyArray<string>, body = ""): string =>
  [line, ...fields, "", body].join(crlf)
const get = (target: string, ...fields: ReadonlyArray<string>): string =>
  request(`GET ${target} HTTP/1.1`, [host, ...fields])
const post = (body: string, ...fields: ReadonlyArray<string>): string =>
  request("POST / HTTP/1.1", [host, ...fields], body)
const inChunks = (text: string): string => post(text, te)

const shape = (name: string, bytes: string, expect: ReadonlyArray<Outcome>, more: More = {}): Shape => ({
  name: `known: ${name}`,
  bytes,
  expect,
  reaches: 0,
  ...more,
})
const bad = (name: string, bytes: string, more: More = {}): Shape =>
  shape(name, bytes, [400], { closes: true, ...more })
const broken = (name: string, chunks: string): Shape => bad(`chunks: ${name}`, inChunks(chunks), { reaches: "part" })
const fine = (name: string, bytes: string, more: More = {}): Shape => shape(name, bytes, [200], { reaches: 1, ...more })
/** Served, and the connection ends with it. */
const last = (name: string, bytes: string, more: More = {}): Shape => fine(name, bytes, { closes: true, ...more })

const lines: ReadonlyArray<Shape> = [
  bad("another protocol's name with a method of ours", request("GET /a IHTTP/1.0", [host])),
  bad("another protocol's version with a method of ours", request("PUT /a RTSP/1.0", [host])),
  last("another protocol's method", request("ANNOUNCE /a HTTP/1.0", [host])),
  fine("a method that only begins like one", request("MKCOLA / HTTP/1.1", [host]), { sees: "MKCOLA / HTTP/1.1" }),
  bad("a method in quotes and brackets", request('G=":<>(e),[T];?" /get HTTP/1.1', [host])),
  bad("a bare LF in the request line", `GET /\nHTTP/1.1\r\n${host}\r\n\r\n`),
  bad("a vertical tab in the request line", `GET\x0b/\x0bHTTP/1.1\r\n${host}\r\n\r\n`),
  bad("two spaces behind the method", request("GET  / HTTP/1.1", [host])),
  bad("two spaces in front of the version", request("GET /  HTTP/1.1", [host])),
  bad("a target of a bang", request("GET ! HTTP/1.1", [host]), { closes: undefined }),
  bad("bare CRs in the version", request("GET / HTTP/\r\r1.1", [host])),
  shape("version 5.6", request("GET / HTTP/5.6", [host]), [505], { closes: true }),
  bad("version 1.32", request("GET / HTTP/1.32", [host])),
  bad("version 01.1", request("GET / HTTP/01.1", [host])),
  bad("version 4294967295.255", request("GET / HTTP/4294967295.255", [host])),
  bad("version -1.1", request("GET / HTTP/-1.1", [host])),
  bad("NUL for a method", request("\0 / HTTP/............0596.7407.", [host])),
  bad("a line end in front of the fields", `GET / HTTP/1.1\r\n\n${host}\r\n\r\n`),
  bad("fields that end with CR and anything", `GET / HTTP/1.1\r\n${host}\r\n\rZGET /evil: HTTP/1.1\r\n${host}\r\n\r\n`),
  bad("an empty value, a bare CR and another field", post("1\r\nA\r\n0\r\n\r\n", "x:\rtransfer-encoding: chunked")),
  bad("an empty value, a bare LF and another field", post("1\r\nA\r\n0\r\n\r\n", "x:\ntransfer-encoding: chunked")),
  bad("an empty value and a whole request behind bare LFs", get("/", `useless:\n\nGET /hidden HTTP/1.1`)),
  bad("an at sign in a name", get("/", "fo@: x")),
  bad("brackets in a name", get("/", "a[b]: x")),
  bad("a quote in a name", get("/", 'a"b: x')),
  bad("a name that was overwritten", get("/", "connection\r\x1b\x35\xd5eep-alive", "accept-encoding: gzip")),
  bad("a name folded in front of its colon", get("/", "name\r\n : value")),
  bad("a name cut by a line end", post("0\r\n\r\n", "transfer-\r\nencoding: chunked", "content-length: 5")),
  bad("a colon alone, and more behind", get("/", ":", "i: am chopped off")),
  bad("a name that ends with 0x85", post("0123456789", "content-length\x85: 10")),
  bad("a name that ends with 0xa0", post("0123456789", "content-length\xa0: 10")),
  bad("a name and a value without a colon", post("0123456789", "content-length 10")),
  bad("a request hidden behind a bare LF", post(hidden, "dummy: x\ncontent-length: 23")),
  bad("a length behind a space", post(hidden, "foo: bar", ` content-length: ${hidden.length}`)),
  fine("0x85 and 0xa0 around a value", get("/", "user: \x85admin\xa0"), { carries: ["user: \x85admin\xa0"] }),
  fine("a value of commas and spaces", get("/", "x: , ,, "), { carries: ["x: , ,,\r\n"] }),
  fine("a name of digits", get("/", "123: a"), { carries: ["123: a"] }),
  fine("a field sixteen times", get("/", ...Array.from({ length: 16 }, (_, i) => `x: ${i}`)), {
    carries: ["x: 0\r\n", "x: 15\r\n"],
  }),
]

const framing: ReadonlyArray<Shape> = [
  bad("a length with a sign and an underscore", post("0123456789", "content-length: +1_0")),
  bad("a length with a letter behind", post("Z", "content-length: 1Z")),
  bad("a length of -48", get("/", "content-length: -48")),
  bad("a length of one, then of none", post("Z", "content-length: 1", "content-length: 0")),
  bad("a length of none, then of one", post("Z", "content-length: 0", "content-length: 1")),
  bad("an empty length, then another", post("Z", "content-length:", "content-length: 1")),
  bad("a length of spaces", get("/", "content-length:  \t ")),
  bad("a length that ends with 0xa0", post("Z", "content-length: 1\xa0")),
  bad("a length that ends with a form feed", post("Z", "content-length: 1\x0c")),
  fine("a length with a zero in front, which is not octal", post("0123456789", "content-length: 010"), {
    carries: ["content-length: 10\r\n"],
  }),
  bad(
    "three empty codings and a length",
    post("2\r\nAA\r\n0\r\n\r\n", "content-length: 10", ...Array<string>(3).fill("transfer-encoding:")),
  ),
  bad("a coding of pigeons", post("", "transfer-encoding: pigeons")),
  bad("chunkedchunked", post("5\r\nWorld\r\n0\r\n\r\n", "transfer-encoding: chunkedchunked")),
  bad("deflate, chunked", post("5\r\nWorld\r\n0\r\n\r\n", "transfer-encoding: deflate, chunked")),
  bad("deflate, then chunked in another field", post("5\r\nWorld\r\n0\r\n\r\n", "transfer-encoding: deflate", te)),
  bad("chunked between 0xa0", post("0\r\n\r\n", "transfer-encoding: \xa0chunked\xa0")),
  bad("chunked with 0x85 behind", post("0\r\n\r\n", "transfer-encoding: chunked\x85")),
  bad("a comma, then chunked, and a length", post("0\r\n\r\n", "transfer-encoding: ,chunked", "content-length: 5")),
  bad("chunked in a folded list", post("5\r\nWorld\r\n0\r\n\r\n", "transfer-encoding: chunked\r\n  abc")),
  bad("HTTP/1.0 with chunks and nothing else", request("POST / HTTP/1.0", [host, te], "0\r\n\r\n")),
  broken("a size with an underscore in it", `0_2e\r\n\r\n${hidden}`),
  broken("a size of letters", "Z\r\nZZ\r\nZZZ\r\n\r\n"),
  broken("a size that is empty, then another", "\r\n\r\n"),
  broken("a size, two CRs and an extension", `5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n${hidden}`),
  broken("an extension and two CRs", `41;a=b\r\r${"X".repeat(65)}\r\n0\r\n\r\n${hidden}`),
  broken("a size and a word without a semicolon", "2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n"),
  broken("a size, a bare LF and spaces", "3 \n  \r\nfoo\r\n\r\n"),
  broken("no last chunk", "3\r\nfoo\r\n\r\n"),
  broken("an end of the last chunk that is a bare LF", "0\n\r\n"),
  broken("a semicolon with nothing behind", "2;\r\naa\r\n0\r\n\r\n"),
  broken("two semicolons", "2;;a\r\naa\r\n0\r\n\r\n"),
  broken("an extension with a value and no name", "2;=a\r\naa\r\n0\r\n\r\n"),
  broken("an extension whose quotes do not end", '5;a="abc";b="def; ghi\r\nhello\r\n6;c;d\r\n world\r\n0\r\n\r\n'),
  broken("an extension with a quote in a word", '5;a=b"c\r\nhello\r\n0\r\n\r\n'),
  fine(
    "chunks: a quoted extension that holds what would end it",
    inChunks('5;a="b;c=\\"d\\\\";e\r\nhello\r\n0\r\n\r\n'),
  ),
  fine("chunks: white space around what an extension is made of", inChunks("5; a\t=  b ;c\r\nhello\r\n0\r\n\r\n")),
  fine("chunks: a trailer that reads like a request line", inChunks("0\r\nX:POST / HTTP/1.1\r\n\r\n")),
  fine("chunks: sizes in either case", inChunks("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n")),
  broken("a size of sixteen zeros and a one", "00000000000000001\r\na\r\n0\r\n\r\n"),
]

const connections: ReadonlyArray<Shape> = [
  last("connection: close, in any letters", get("/", "connection: cLoSe")),
  last("connection: close, behind a tab", get("/", "connection: \tclose")),
  last("connection: close, at the end of a list", get("/", "connection: te, something, close"), {
    never: ["something"],
  }),
  last("connection: close, in a second field", get("/", "connection: x-a", "connection: close")),
  last("connection: keep-alive and close", get("/", "connection: keep-alive, close")),
  last("connection: close and keep-alive", get("/", "connection: close, keep-alive")),
  last("connection: close, and a request behind", `${get("/", "connection: close")}${hidden}`, {
    sees: "GET / HTTP/1.1",
  }),
  last(
    "connection: close with a body, and a request behind",
    `${post("hello", "content-length: 5", "connection: close")}${hidden}`,
    {
      sees: "POST / HTTP/1.1",
    },
  ),
  last(
    "connection: close with chunks, and a request behind",
    `${request("POST / HTTP/1.1", [host, te, "connection: close"], "5\r\nhello\r\n0\r\n\r\n")}${hidden}`,
    {
      sees: "POST / HTTP/1.1",
    },
  ),
  fine("connection: what only holds the word", get("/", "connection: not-close, closed")),
  fine("connection: empty members", get("/", "connection: , ,keep-alive,,")),
  fine("connection: nothing", get("/", "connection:")),
  last("HTTP/1.0", request("GET / HTTP/1.0", [host])),
  last("HTTP/1.0 with another option", request("GET / HTTP/1.0", [host, "connection: x-a"])),
  fine("HTTP/1.0 that stays, in any letters", request("GET / HTTP/1.0", [host, "connection: Keep-Alive"])),
  fine(
    "HTTP/1.0 with a body that stays",
    request("POST / HTTP/1.0", [host, "connection: keep-alive", "content-length: 5"], "hello"),
  ),
  fine("line ends between requests", `${get("/a")}\r\n\r\n${get("/b")}`, { followed: [200], reaches: 2 }),
  fine("a line end behind a body that its length does not count", `${post("hello", "content-length: 5")}\r\n`),
  fine("four requests at once", ["/a", "/b", "/c", "/d"].map((target) => get(target)).join(""), {
    followed: [200, 200, 200],
    reaches: 4,
  }),
]

const methods: ReadonlyArray<Shape> = [
  "COPY",
  "DELETE",
  "LINK",
  "LOCK",
  "M-SEARCH",
  "MERGE",
  "MKACTIVITY",
  "MKCALENDAR",
  "MKCOL",
  "MOVE",
  "NOTIFY",
  "OPTIONS",
  "PATCH",
  "PROPFIND",
  "PROPPATCH",
  "PURGE",
  "PUT",
  "QUERY",
  "REBIND",
  "REPORT",
  "SEARCH",
  "SOURCE",
  "SUBSCRIBE",
  "TRACE",
  "UNBIND",
  "UNLINK",
  "UNLOCK",
  "UNSUBSCRIBE",
  "ACL",
  "BIND",
  "CHECKOUT",
].map((method) => fine(`method ${method}`, request(`${method} /a HTTP/1.1`, [host]), { sees: `${method} /a HTTP/1.1` }))

const hops: ReadonlyArray<Shape> = [
  fine("OPTIONS that may pass three more", request("OPTIONS /a HTTP/1.1", [host, "max-forwards: 3"]), {
    carries: ["max-forwards: 2\r\n"],
  }),
  shape("OPTIONS that may pass nobody", request("OPTIONS /a HTTP/1.1", [host, "max-forwards: 0"]), [200]),
  shape(
    "OPTIONS that may pass nobody, with a body",
    request("OPTIONS /a HTTP/1.1", [host, "max-forwards: 0", "content-length: 5"], "hello"),
    [200],
  ),
  fine("TRACE that may pass one more", request("TRACE /a HTTP/1.1", [host, "max-forwards: 1"]), {
    carries: ["max-forwards: 0\r\n"],
  }),
  shape("TRACE that may pass nobody", request("TRACE /a HTTP/1.1", [host, "max-forwards: 0"]), [405]),
  fine("GET, for which it means nothing", get("/", "max-forwards: 0"), { carries: ["max-forwards: 0\r\n"] }),
  fine("OPTIONS that says nothing sensible about it", request("OPTIONS /a HTTP/1.1", [host, "max-forwards: few"]), {
    carries: ["max-forwards: few\r\n"],
  }),
]

const targets: ReadonlyArray<Shape> = [
  fine("an absolute target with the default port", request("GET http://x.test:80/a HTTP/1.1", [host]), {
    sees: "GET /a HTTP/1.1",
  }),
  fine("an absolute target with an empty port", request("GET http://x.test:/a HTTP/1.1", [host]), {
    sees: "GET /a HTTP/1.1",
  }),
  fine("an absolute target in capitals", request("GET HTTP://X.TEST/a HTTP/1.1", [host]), { sees: "GET /a HTTP/1.1" }),
  fine("an absolute target of an IPv6 address", request("GET http://[::1]:8080/a HTTP/1.1", ["host: [::1]:8080"]), {
    sees: "GET /a HTTP/1.1",
  }),
  shape("OPTIONS of a host as a whole", request("OPTIONS http://x.test HTTP/1.1", [host]), [200, 404], {
    reaches: "at most one",
  }),
  bad("OPTIONS of a star and a path", request("OPTIONS */test HTTP/1.1", [host]), { closes: undefined }),
  bad("a target that is only a word and a path", request("GET admin/a/b HTTP/1.1", [host]), { closes: undefined }),
  bad("an absolute target of a colon", request("GET http://: HTTP/1.1", ["host: :80"]), { closes: undefined }),
  bad("CONNECT with an empty port", request("CONNECT x.test: HTTP/1.1", [host])),
  bad("CONNECT with chunks", request("CONNECT x.test:80 HTTP/1.1", ["host: x.test:80", te], "0\r\n\r\n")),
  bad(
    "CONNECT with a length",
    request("CONNECT x.test:80 HTTP/1.1", ["host: x.test:80", "content-length: 5"], "hello"),
  ),
]

export const known: ReadonlyArray<Shape> = [...lines, ...framing, ...connections, ...methods, ...hops, ...targets]
