/**
 * Replies over HTTP/1 that servers in the field send, rightly or wrongly, and what a client of the gateway gets for each.
 * The shapes are those that the suites of other parsers and proxies know; what is right for them is said by RFC 9110 and
 * RFC 9112.
 */

export interface Whole {
  readonly status: number
  readonly body?: string
  /** Of the reply that the client reads. */
  readonly fields?: Readonly<Record<string, string | undefined>>
  readonly trailers?: Readonly<Record<string, string>>
  /** Statuses of interim replies before it. */
  readonly interim?: ReadonlyArray<number>
}

export interface ReplyShape {
  readonly name: string
  readonly method?: string
  /** One character per byte. */
  readonly bytes: string
  /** Whether the server ends the connection behind it. */
  readonly ends?: true
  /**
   * `refused` is a reply of the gateway's own that says so; `broken` is one that begins and visibly does not end, or one
   * of the gateway's own where its head was not sent on yet.
   */
  readonly expect: Whole | "refused" | "broken"
  /** Whether the next request may use the connection to the server again; absent where that is left to how bytes fall. */
  readonly reuses: boolean | undefined
}

const reply = (line: string, fields: ReadonlyArray<string> = [], body = ""): string =>
  [line, ...fields, "", body].join("\r\n")
const ok = (fields: ReadonlyArray<string>, body = ""): string => reply("HTTP/1.1 200 OK", fields, body)

type More = Partial<Omit<ReplyShape, "name" | "bytes" | "expect">>

const fine = (name: string, bytes: string, expect: Whole, more: More = {}): ReplyShape => ({
  name,
  bytes,
  expect,
  reuses: true,
  ...more,
})
/** Served, but the connection must not carry another reply. */
const last = (name: string, bytes: string, expect: Whole, more: More = {}): ReplyShape =>
  fine(name, bytes, expect, { reuses: false, ...more })
const refused = (name: string, bytes: string, more: More = {}): ReplyShape => ({
  name,
  bytes,
  expect: "refused",
  reuses: false,
  ...more,
})
const broken = (name: string, bytes: string, more: More = {}): ReplyShape => ({
  name,
  bytes,
  expect: "broken",
  reuses: false,
  ...more,
})

const five = "content-length: 5"
const te = "transfer-encoding: chunked"
const hello = { status: 200, body: "hello" } as const
const evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"

const statusLines: ReadonlyArray<ReplyShape> = [
  fine("no reason", reply("HTTP/1.1 200", [five], "hello"), hello),
  fine("an empty reason", reply("HTTP/1.1 200 ", [five], "hello"), hello),
  fine("a reason that begins with a space", reply("HTTP/1.1 200  OK", [five], "hello"), hello),
  fine("a reason of 8-bit bytes", reply("HTTP/1.1 200 \xc3\x96k", [five], "hello"), hello),
  fine("a reason with a tab", reply("HTTP/1.1 200 a\tb", [five], "hello"), hello),
  fine("a status without a name", reply("HTTP/1.1 299 Odd", [five], "hello"), { status: 299, body: "hello" }),
  fine("a status of a class nobody knows", reply("HTTP/1.1 799 Odd", [five], "hello"), { status: 799, body: "hello" }),
  refused("a word that is not HTTP", reply("HTP/1.1 200 OK", [five], "hello")),
  refused("HTTPER", reply("HTTPER/1.1 200 OK", [five], "hello")),
  refused("RTSP", reply("RTSP/1.1 200 OK", [five], "hello")),
  refused("ICE", reply("ICE/1.1 200 OK", [five], "hello")),
  refused("ICY, as radio stations say", reply("ICY 200 OK", [five], "hello")),
  refused("lower case", reply("http/1.1 200 OK", [five], "hello")),
  refused("a version with too many digits in front", reply("HTTP/01.1 200 OK", [five], "hello")),
  refused("version 11.1", reply("HTTP/11.1 200 OK", [five], "hello")),
  refused("a version with too many digits behind", reply("HTTP/1.01 200 OK", [five], "hello")),
  refused("version 1.2", reply("HTTP/1.2 200 OK", [five], "hello")),
  refused("version 0.9", reply("HTTP/0.9 200 OK", [five], "hello")),
  refused("version 2.0", reply("HTTP/2.0 200 OK", [five], "hello")),
  refused("version 5.6", reply("HTTP/5.6 200 OK", [five], "hello")),
  refused("a tab behind the version", reply("HTTP/1.1\t200 OK", [five], "hello")),
  refused("two spaces behind the version", reply("HTTP/1.1  200 OK", [five], "hello")),
  refused("a status of one digit", reply("HTTP/1.1 2 OK", [five], "hello")),
  refused("a status of two digits", reply("HTTP/1.1 20 OK", [five], "hello")),
  refused("a status of four digits", reply("HTTP/1.1 2000 OK", [five], "hello")),
  refused("a negative status", reply("HTTP/1.1 -20 OK", [five], "hello")),
  refused("status 000", reply("HTTP/1.1 000 OK", [five], "hello")),
  refused("status 099", reply("HTTP/1.1 099 OK", [five], "hello")),
  refused("a status of letters", reply("HTTP/1.1 2OO OK", [five], "hello")),
  refused("no status", reply("HTTP/1.1 OK", [five], "hello")),
  refused("a bare CR in the reason", reply("HTTP/1.1 200 O\rK", [five], "hello")),
  refused("NUL in the reason", reply("HTTP/1.1 200 O\0K", [five], "hello")),
  refused("a status line that ends with a bare LF", "HTTP/1.1 200 OK\ncontent-length: 5\r\n\r\nhello"),
  refused("every line ends with a bare LF", "HTTP/1.1 200 OK\ncontent-length: 5\n\nhello"),
  refused("a body alone, as HTTP/0.9 had it", "<html>hello</html>", { ends: true }),
  refused("the greeting of an SSH server", "SSH-2.0-OpenSSH_9.9\r\n"),
  refused("the greeting of a mail server", "220 mail.test ESMTP\r\n"),
  refused("an alert of TLS", "\x15\x03\x01\x00\x02\x02\x46"),
  refused("frames of HTTP/2", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
  fine("line ends in front of it", `\r\n\r\n${ok([five], "hello")}`, hello),
]

const fieldLines: ReadonlyArray<ReplyShape> = [
  fine("a name with a dollar", ok([five, "x-$a: b"], "hello"), { ...hello, fields: { "x-$a": "b" } }),
  fine("a name with an underscore", ok([five, "a_b: c"], "hello"), { ...hello, fields: { a_b: "c" } }),
  fine("a name that begins with a dot", ok([five, ".et-cookie: a"], "hello"), {
    ...hello,
    fields: { ".et-cookie": "a" },
  }),
  fine("a value that is empty", ok(["pragma:", five], "hello"), { ...hello, fields: { pragma: "" } }),
  fine("a value behind a tab", ok([`content-length:\t 5 \t`], "hello"), hello),
  fine("8-bit bytes in a value", ok([five, "x: caf\xe9"], "hello"), { ...hello, fields: { x: "caf\xe9" } }),
  fine("a colon in a value", ok([five, "location: http://a.test:80/"], "hello"), {
    ...hello,
    fields: { location: "http://a.test:80/" },
  }),
  refused("a folded field", ok([five, "x: a\r\n b"], "hello")),
  refused("a folded status line", ok([" host: a", five], "hello")),
  refused("a folded coding", ok(["transfer-encoding: chunked\r\n  abc"], "5\r\nhello\r\n0\r\n\r\n")),
  refused("a field that ends with a bare LF", ok([`x: y\n${five}`], "hello")),
  refused("fields told apart by a bare CR", ok([`x: 1\r${five}`], "hello")),
  refused("a field without a colon", ok([five, "nonsense"], "hello")),
  refused("a field without a name", ok([five, ": x"], "hello")),
  refused("a space in a name", ok([five, "x y: z"], "hello")),
  refused("a space before the colon", ok(["content-length : 5"], "hello")),
  refused("NUL in a value", ok([five, "x: a\0b"], "hello")),
  refused("a control byte in a value", ok([five, "x: a\x02b"], "hello")),
  refused("an 8-bit byte in a name", ok([five, "x\xe9: a"], "hello")),
  refused("a head without end", `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(30_000)}`),
  refused("one field without end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}`),
  refused("a head that breaks off", "HTTP/1.1 200 OK\r\ncontent-le", { ends: true }),
  refused("nothing", "", { ends: true, method: "POST" }),
]

const lengths: ReadonlyArray<ReplyShape> = [
  fine("a length", ok([five], "hello"), hello),
  fine("a length of zero", ok(["content-length: 0"]), { status: 200, body: "" }),
  fine("a length with zeros in front", ok(["content-length: 005"], "hello"), {
    ...hello,
    fields: { "content-length": "5" },
  }),
  last("no length: the body is what comes until the end", ok([], "hello"), hello, { ends: true }),
  last("no length, and keep-alive in HTTP/1.0", reply("HTTP/1.0 200 OK", ["connection: keep-alive"], "hello"), hello, {
    ends: true,
  }),
  last(
    "no length, and what looks like another reply is the body",
    ok([], evil),
    { status: 200, body: evil },
    {
      ends: true,
    },
  ),
  last("a length in HTTP/1.0", reply("HTTP/1.0 200 OK", [five], "hello"), hello),
  fine("a length in HTTP/1.0 that stays", reply("HTTP/1.0 200 OK", [five, "connection: keep-alive"], "hello"), hello),
  last("a connection that is to be closed", ok([five, "connection: close"], "hello"), hello),
  last("a connection that is to be closed, in other letters", ok([five, "connection: CLOSE"], "hello"), hello),
  last("a connection that is to be closed, in a list", ok([five, "connection: x-a, close"], "hello"), {
    ...hello,
    fields: { "x-a": undefined },
  }),
  fine("proxy-connection means nothing", ok([five, "proxy-connection: close"], "hello"), {
    ...hello,
    fields: { "proxy-connection": undefined },
  }),
  refused("two lengths", ok([five, "content-length: 4"], "hello")),
  refused("a length twice", ok([five, five], "hello")),
  refused("a length as a list", ok(["content-length: 5, 5"], "hello")),
  refused("a negative length", ok(["content-length: -5"], "hello")),
  refused("a length with a plus sign", ok(["content-length: +5"], "hello")),
  refused("a length in hex", ok(["content-length: 0x5"], "hello")),
  refused("a length with a word behind", ok(["content-length: 5a"], "hello")),
  refused("a length with a space inside", ok(["content-length: 4 2"], "hello")),
  refused("an empty length", ok(["content-length:"], "hello")),
  refused("a length beyond 64 bits", ok(["content-length: 18446744073709551621"], "hello")),
  broken("a body shorter than its length", ok(["content-length: 50"], "hello"), { ends: true }),
  last("a body longer than its length", ok([five], `hello${evil}`), hello),
  last("a body and a line end more", ok([five], "hello\r\nX"), hello),
  fine("a body and only a line end more", ok([five], "hello\r\n"), hello, { reuses: undefined }),
]

const chunks = (text: string, fields: ReadonlyArray<string> = []): string => ok([te, ...fields], text)

const codings: ReadonlyArray<ReplyShape> = [
  fine("chunks", chunks("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), hello),
  fine("chunks with sizes in capitals", chunks("A\r\n0123456789\r\n0\r\n\r\n"), { status: 200, body: "0123456789" }),
  fine("a size with zeros in front, and three for the end", chunks("0005\r\nhello\r\n000\r\n\r\n"), hello),
  fine("no chunk but the last", chunks("0\r\n\r\n"), { status: 200, body: "" }),
  fine("extensions", chunks('5;a;b=c;d="e;f\\"g"\r\nhello\r\n0;last\r\n\r\n'), hello),
  fine("extensions with white space", chunks("5;a = b ; c\r\nhello\r\n0\r\n\r\n"), hello),
  fine("trailers", chunks("5\r\nhello\r\n0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n", ["trailer: x-sum"]), {
    ...hello,
    trailers: { "x-sum": "1", "x-b": "2" },
  }),
  fine("chunked in other letters", ok(["Transfer-Encoding: Chunked"], "5\r\nhello\r\n0\r\n\r\n"), hello),
  last("chunks, and the connection is to be closed", chunks("5\r\nhello\r\n0\r\n\r\n", ["connection: close"]), hello),
  last("chunks, and another reply behind", chunks(`5\r\nhello\r\n0\r\n\r\n${evil}`), hello),
  refused("chunks in HTTP/1.0", reply("HTTP/1.0 200 OK", [te], "5\r\nhello\r\n0\r\n\r\n")),
  refused("chunks and a length", chunks("5\r\nhello\r\n0\r\n\r\n", ["content-length: 30"])),
  refused("a length and chunks", ok([five, te], "5\r\nhello\r\n0\r\n\r\n")),
  refused("an empty coding, and a length", ok(["transfer-encoding:", five], "hello")),
  refused("chunked twice", ok(["transfer-encoding: chunked, chunked"], "0\r\n\r\n")),
  refused("chunked in two fields", ok([te, te], "0\r\n\r\n")),
  refused("chunked, gzip, chunked", ok(["transfer-encoding: chunked, gzip, chunked"], "0\r\n\r\n")),
  refused("chunked, then another coding", ok(["transfer-encoding: chunked, deflate"], "World"), { ends: true }),
  refused("chunked, then identity in another field", ok([te, "transfer-encoding: identity"], "World"), { ends: true }),
  refused("chunkedchunked", ok(["transfer-encoding: chunkedchunked"], "2\r\nOK\r\n0\r\n\r\n")),
  refused("gzip alone", ok(["transfer-encoding: gzip"], "x"), { ends: true }),
  refused("identity", ok(["transfer-encoding: identity"], "hello"), { ends: true }),
  broken("a size and spaces", chunks("25  \r\nThis is the data in the first chunk\r\n\r\n0  \r\n\r\n")),
  broken("a size and a word", chunks("2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n")),
  broken("a semicolon with nothing behind", chunks("2;\r\naa\r\n0\r\n\r\n")),
  broken("quotes without end", chunks('5;a="abc";b="def; ghi\r\nhello\r\n0\r\n\r\n')),
  broken("a size that is empty", chunks("\r\nhello\r\n0\r\n\r\n")),
  broken("a size that is negative", chunks("-5\r\nhello\r\n0\r\n\r\n")),
  broken("a size that is not hex", chunks("xyz\r\nhello\r\n0\r\n\r\n")),
  broken("a size beyond 64 bits", chunks("FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n")),
  broken("a size that ends with a bare LF", chunks("5\nhello\r\n0\r\n\r\n")),
  broken("a size that ends with two CRs", chunks("5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n")),
  broken("data that does not end where its size says", chunks("5\r\nhelloo\r\n0\r\n\r\n")),
  broken("data that ends with a bare LF", chunks("5\r\nhello\n0\r\n\r\n")),
  broken("no last chunk", chunks("5\r\nhello\r\n"), { ends: true }),
  broken("the last chunk without its end", chunks("5\r\nhello\r\n0\r\n"), { ends: true }),
  broken("a chunk that breaks off", chunks("5\r\nhel"), { ends: true }),
  broken("a trailer without a colon", chunks("5\r\nhello\r\n0\r\nnonsense\r\n\r\n")),
  broken("a trailer that frames the message anew", chunks("5\r\nhello\r\n0\r\ncontent-length: 9\r\n\r\n")),
  broken("trailers without end", chunks(`5\r\nhello\r\n0\r\n${"x: y\r\n".repeat(30_000)}`)),
]

const bodiless: ReadonlyArray<ReplyShape> = [
  fine("204", reply("HTTP/1.1 204 No Content"), { status: 204, body: "" }),
  fine("204 in HTTP/1.0 that stays", reply("HTTP/1.0 204 No Content", ["connection: keep-alive"]), {
    status: 204,
    body: "",
  }),
  fine("204 with a length of zero", reply("HTTP/1.1 204 No Content", ["content-length: 0"]), {
    status: 204,
    body: "",
    fields: { "content-length": undefined },
  }),
  last("204 with a body all the same", reply("HTTP/1.1 204 No Content", [five], "hello"), {
    status: 204,
    body: "",
    fields: { "content-length": undefined },
  }),
  last("204 and another reply behind", reply("HTTP/1.1 204 No Content", [], evil), { status: 204, body: "" }),
  fine("304 with the length of what it stands for", reply("HTTP/1.1 304 Not Modified", ["content-length: 500"]), {
    status: 304,
    body: "",
    fields: { "content-length": "500" },
  }),
  last("304 with a body all the same", reply("HTTP/1.1 304 Not Modified", [five], "hello"), { status: 304, body: "" }),
  fine("304 that speaks of chunks", reply("HTTP/1.1 304 Not Modified", [te]), { status: 304, body: "" }),
  fine("205 without content", reply("HTTP/1.1 205 Reset Content", ["content-length: 0"]), { status: 205, body: "" }),
  fine(
    "HEAD",
    ok(["content-length: 500"]),
    { status: 200, body: "", fields: { "content-length": "500" } },
    {
      method: "HEAD",
    },
  ),
  fine("HEAD of something in chunks", ok([te]), { status: 200, body: "" }, { method: "HEAD" }),
  fine("HEAD without any length", ok(["x: y"]), { status: 200, body: "", fields: { x: "y" } }, { method: "HEAD" }),
  last("HEAD with a body all the same", ok([five], "hello"), { status: 200, body: "" }, { method: "HEAD" }),
  last(
    "HEAD with chunks all the same",
    chunks("5\r\nhello\r\n0\r\n\r\n"),
    { status: 200, body: "" },
    { method: "HEAD" },
  ),
]

const interim = (status: number, ...fields: ReadonlyArray<string>): string => reply(`HTTP/1.1 ${status} Wait`, fields)

const interims: ReadonlyArray<ReplyShape> = [
  fine("100 that nobody asked for", interim(100) + ok([five], "hello"), { ...hello, interim: [] }),
  fine("100, three times", interim(100).repeat(3) + ok([five], "hello"), { ...hello, interim: [] }),
  fine("103, twice", interim(103, "link: </a>; rel=preload") + interim(103) + ok([five], "hello"), {
    ...hello,
    interim: [103, 103],
    fields: { link: undefined },
  }),
  fine("102 before chunks", interim(102) + chunks("5\r\nhello\r\n0\r\n\r\n"), { ...hello, interim: [102] }),
  fine("103 before 204", interim(103) + reply("HTTP/1.1 204 No Content"), { status: 204, body: "", interim: [103] }),
  fine("an interim status without a name", interim(199) + ok([five], "hello"), { ...hello, interim: [199] }),
  fine("103 with a length, which means nothing", interim(103, five) + ok([five], "hello"), {
    ...hello,
    interim: [103],
  }),
  last("103 before the last reply of a connection", interim(103) + ok([five, "connection: close"], "hello"), {
    ...hello,
    interim: [103],
  }),
  refused("103, and no more", interim(103), { ends: true }),
  refused(
    "101 that nobody asked for",
    reply("HTTP/1.1 101 Switching Protocols", ["connection: upgrade", "upgrade: x"]),
  ),
  refused("101 that nobody asked for, with a length", reply("HTTP/1.1 101 Switching Protocols", [five], "hello")),
  fine("200 that offers another protocol", ok([five, "connection: upgrade", "upgrade: h2c"], "hello"), {
    ...hello,
    fields: { upgrade: undefined },
  }),
]

export const shapes: ReadonlyArray<ReplyShape> = [
  ...statusLines,
  ...fieldLines,
  ...lengths,
  ...codings,
  ...bodiless,
  ...interims,
]
