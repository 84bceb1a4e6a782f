import * as fc from "fast-check"
import * as http from "node:http"
import * as net from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { RelayedRequest } from "../../../protocols/http/hopByHop.ts"
import type { RequestHead } from "../../../protocols/http/requestHead.ts"
import { parseTarget } from "../../../protocols/http/target.ts"
import { type RequestEvents, RequestReader } from "../../../src/node/downstream/RequestReader.ts"
import { CHUNK_EXTENSION_BYTES_MAX } from "../../../src/node/http1/MessageReader.ts"

const HEAD_BYTES_MAX = 8_192
const HEADERS_MAX = 20

interface Seen {
  readonly line: string
  readonly fields: ReadonlyArray<string>
  readonly malformed: string | undefined
  body: string
  trailers: ReadonlyArray<string> | undefined
  ended: boolean
}

/** Everything that was told of the bytes of one connection. */
class Told implements RequestEvents {
  readonly reader = new RequestReader(this, HEAD_BYTES_MAX, HEADERS_MAX)
  readonly requests: Array<Seen> = []
  refused: { readonly status: number; readonly message: string } | undefined
  /** What nobody read, once nothing more is read. */
  rest = ""

  request({ method, target, version }: RequestHead, fields: RelayedRequest, body: Uint8Array | undefined): void {
    const { chunked, contentLength = 0, headers, malformed } = fields
    const isDone = body !== undefined || (!chunked && contentLength === 0) || this.reader.stopped
    this.requests.push({
      line: `${method} ${target} ${version}`,
      fields: [...headers.flat],
      malformed,
      body: body === undefined ? "" : Buffer.from(body).toString("latin1"),
      trailers: undefined,
      ended: isDone,
    })
  }
  data(chunk: Uint8Array): void {
    const seen = this.requests.at(-1)
    if (seen === undefined || seen.ended) throw new Error("data of no request")
    seen.body += Buffer.from(chunk).toString("latin1")
  }
  end(trailers: Array<string> | undefined): void {
    const seen = this.requests.at(-1)
    if (seen === undefined || seen.ended) throw new Error("an end of no request")
    seen.ended = true
    seen.trailers = trailers
  }
  malformed(status: number, message: string): void {
    this.refused = { status, message }
  }

  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.byteLength) {
      if (this.reader.stopped) {
        this.rest += chunk.toString("latin1", at)
        return
      }
      const next = this.reader.read(chunk, at)
      if (next < 0) return
      at = next
    }
  }
}

const told = (bytes: string, cuts: ReadonlyArray<number> = []): Told => {
  const told = new Told()
  const whole = Buffer.from(bytes, "latin1")
  const places = [...new Set(cuts.map((cut) => cut % (whole.byteLength + 1)))].sort((a, b) => a - b)
  let from = 0
  for (const to of [...places, whole.byteLength]) {
    if (to > from) told.read(whole.subarray(from, to))
    from = to
  }
  return told
}

const outcome = (bytes: string, cuts?: ReadonlyArray<number>) => {
  const { refused, requests, rest } = told(bytes, cuts)
  return { refused, requests, rest }
}

const post = "POST /x HTTP/1.1\r\nhost: a\r\n"
const chunked = `${post}transfer-encoding: chunked\r\n\r\n`
const good: Readonly<Record<string, string>> = {
  plain: "GET / HTTP/1.1\r\nhost: a\r\nX-Own:  b \t\r\n\r\n",
  "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n",
  "no fields but a host": "DELETE /x?y=z HTTP/1.1\r\nhost: a\r\n\r\n",
  "an absolute target": "GET http://a/x HTTP/1.1\r\nhost: b\r\n\r\n",
  length: `${post}content-length: 5\r\n\r\nhello`,
  nothing: `${post}content-length: 0\r\n\r\n`,
  chunks: `${chunked}5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n`,
  "chunks with extensions": `${chunked}5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n`,
  trailers: `${chunked}2\r\nhi\r\n0\r\nx-sum: 42\r\nx-more: 1\r\n\r\n`,
  "leading zeros": `${chunked}0005\r\nhello\r\n000\r\n\r\n`,
  "line ends before": "\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
  "a large head": `GET / HTTP/1.1\r\nhost: a\r\nx-large: ${"x".repeat(6_000)}\r\n\r\n`,
  "high bytes": `${post}x-name: caf\u00e9\r\ncontent-length: 1\r\n\r\n\u00ff`,
  "one behind the other": `${post}content-length: 2\r\n\r\nhi${chunked}1\r\n!\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nhost: a\r\n\r\n`,
}

const malformed: Readonly<Record<string, string>> = {
  "another protocol": "SSH-2.0-OpenSSH_9.6\r\n",
  "a handshake": "\x16\x03\x01\x00\xc8\x01\x00",
  "a method in lower case": "get / HTTP/1.1\r\nhost: a\r\n\r\n",
  "a method of signs": "-EVIL / HTTP/1.1\r\nhost: a\r\n\r\n",
  "no target": "GET  HTTP/1.1\r\nhost: a\r\n\r\n",
  "a space in the target": "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
  "a zero byte in the target": "GET /a\0b HTTP/1.1\r\nhost: a\r\n\r\n",
  "no version": "GET /\r\nhost: a\r\n\r\n",
  "a relative of HTTP": "GET / RTSP/1.0\r\nhost: a\r\n\r\n",
  "a version in lower case": "GET / http/1.1\r\nhost: a\r\n\r\n",
  "line feeds alone": "GET / HTTP/1.1\nhost: a\n\n",
  "a field without a colon": "GET / HTTP/1.1\r\nhost a\r\n\r\n",
  "a field without a name": "GET / HTTP/1.1\r\n: a\r\n\r\n",
  "a chunk without a size": `${chunked}\r\nhello\r\n0\r\n\r\n`,
  "a chunk of a wrong size": `${chunked}4\r\nhello\r\n0\r\n\r\n`,
  "a size of no digits": `${chunked}x\r\nhello\r\n0\r\n\r\n`,
  "a size with a prefix": `${chunked}0x5\r\nhello\r\n0\r\n\r\n`,
  "a size with a space": `${chunked}5 \r\nhello\r\n0\r\n\r\n`,
  "a size that overflows": `${chunked}ffffffffffffffffff\r\nhello\r\n0\r\n\r\n`,
  "a line feed behind a size": `${chunked}5\nhello\r\n0\r\n\r\n`,
  "a line feed behind a chunk": `${chunked}5\r\nhello\n0\r\n\r\n`,
  "a line feed in an extension": `${chunked}5;a\nb\r\nhello\r\n0\r\n\r\n`,
  "a trailer without a colon": `${chunked}0\r\nnonsense\r\n\r\n`,
  "a trailer that frames the message": `${chunked}0\r\ncontent-length: 5\r\n\r\n`,
  "a line feed in trailers": `${chunked}0\r\nx-a: b\n\r\n`,
  "a tunnel with a body": "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\ncontent-length: 1\r\n\r\n!",
}

/** Told as a request, so that its refusal has the words of all others; nothing behind its head is read. */
const unclear: Readonly<Record<string, string>> = {
  "two lengths": `${post}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`,
  "the same length twice": `${post}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
  "a length that is none": `${post}content-length: +5\r\n\r\nhello`,
  "a length beside chunks": `${post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  "a coding that is not known": `${post}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  "chunks in HTTP/1.0": "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  "two hosts": "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
  "a space before the colon": "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
  "a folded field": "GET / HTTP/1.1\r\nhost: a\r\n x: y\r\n\r\n",
  "a line feed in a value": "GET / HTTP/1.1\r\nhost: a\nx: y\r\n\r\n",
  "a zero byte in a value": "GET / HTTP/1.1\r\nhost: a\0\r\n\r\n",
}

describe("a reader of requests", { timeout: 60_000 }, () => {
  it("tells what a request holds", () => {
    expect(outcome(good["plain"] as string).requests).toEqual([
      { line: "GET / 1.1", fields: ["x-own", "b"], malformed: undefined, body: "", trailers: undefined, ended: true },
    ])
    expect(outcome(good["chunks"] as string).requests).toMatchObject([{ body: "hello 0123456789", ended: true }])
    const [trailed] = outcome(good["trailers"] as string).requests
    expect(trailed).toMatchObject({ body: "hi", trailers: ["x-sum", "42", "x-more", "1"] })
    expect(outcome(good["one behind the other"] as string).requests).toMatchObject([
      { body: "hi", ended: true },
      { body: "!", ended: true },
      { line: "GET /3 1.1", ended: true },
    ])
  })

  it("reads nothing behind what wants the connection for another protocol", () => {
    const upgrade = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    expect(outcome(`${upgrade}GET /hidden HTTP/1.1\r\n`)).toMatchObject({
      requests: [{ line: "GET / 1.1" }],
      rest: "GET /hidden HTTP/1.1\r\n",
    })
    expect(outcome("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\nraw")).toMatchObject({
      requests: [{ line: "CONNECT a:1 1.1" }],
      rest: "raw",
    })
    expect(outcome(`${upgrade.replace("GET", "POST").replace("host", "content-length: 2\r\nhost")}hi`)).toMatchObject({
      requests: [{ body: "hi", ended: true }],
      rest: "",
    })
  })

  it("refuses what is no request, and tells of none that could not be read to its end", () => {
    for (const [what, bytes] of Object.entries(malformed)) {
      const { refused, requests } = outcome(`${bytes}GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n`)
      expect([what, refused?.status]).toEqual([what, 400])
      expect([what, requests.filter(({ ended }) => ended)]).toEqual([what, []])
    }
    expect(outcome("GET / HTTP/2.0\r\nhost: a\r\n\r\n").refused?.status).toBe(505)
    expect(outcome("GET / HTTP/1.2\r\nhost: a\r\n\r\n").refused?.status).toBe(505)
  })

  it("stops behind a head that frames its message in no way or in two", () => {
    for (const [what, bytes] of Object.entries(unclear)) {
      const { requests } = outcome(`${bytes}GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n`)
      expect([what, requests.length, requests[0]?.malformed === undefined, requests[0]?.body]).toEqual([
        what,
        1,
        false,
        "",
      ])
    }
  })

  it("notices early that a greeting is of another protocol", () => {
    for (const bytes of ["\x16", "\0", "GET\t", "\xef\xbb\xbf", "*1\r\n", "EHLO a\r\n", "GET / HTTP/1.1 evil\r\n"]) {
      expect([bytes, outcome(bytes).refused?.status]).toEqual([bytes, 400])
    }
    for (const bytes of ["", "G", "GET", "GET ", "GET /", "GET / ", "GET / HTTP/1.1", "GET / HTTP/1.1\r", "M-S"]) {
      expect([bytes, outcome(bytes).refused]).toEqual([bytes, undefined])
    }
  })

  it("bounds heads, their fields, trailers and the extensions of a chunk", () => {
    const endless = "x".repeat(HEAD_BYTES_MAX)
    expect(outcome(`GET / HTTP/1.1\r\nx-a: ${endless}`).refused?.status).toBe(431)
    expect(outcome(`GET / HTTP/1.1\r\nx-a: ${endless}\r\n\r\n`).refused?.status).toBe(431)
    expect(outcome(`GET /${endless}`).refused?.status).toBe(431)
    expect(outcome(`${chunked}0\r\nx-a: ${endless}`).refused?.status).toBe(431)
    const fields = (count: number) => `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(count)}\r\n`
    expect(outcome(fields(HEADERS_MAX)).refused).toBeUndefined()
    expect(outcome(fields(HEADERS_MAX + 1)).refused?.status).toBe(431)
    const extended = (size: number) => `1;${"e".repeat(size)}\r\n!\r\n`
    expect(outcome(`${chunked}${extended(CHUNK_EXTENSION_BYTES_MAX)}0\r\n\r\n`).refused).toBeUndefined()
    expect(outcome(`${chunked}${extended(CHUNK_EXTENSION_BYTES_MAX + 1)}0\r\n\r\n`).refused?.status).toBe(413)
  })

  it("says the same however the bytes are cut", () => {
    const whole = [...Object.values(good), ...Object.values(malformed), ...Object.values(unclear)]
    // Some of what is wrong is noticed where it is read or where it is judged, whichever comes first.
    const told_ = (bytes: string, cuts: ReadonlyArray<number>) => {
      const { refused, requests } = outcome(bytes, cuts)
      const isRefused = refused !== undefined || requests.some(({ malformed: why }) => why !== undefined)
      return { isRefused, requests: requests.filter(({ ended, malformed: why }) => ended && why === undefined) }
    }
    fc.assert(
      fc.property(fc.constantFrom(...whole), fc.array(fc.nat(), { maxLength: 12 }), (bytes, cuts) => {
        expect(told_(bytes, cuts)).toEqual(told_(bytes, []))
      }),
      { numRuns: 2_000 },
    )
    for (const bytes of whole) {
      const each = Array.from({ length: bytes.length }, (_, i) => i)
      expect(told_(bytes, each)).toEqual(told_(bytes, []))
    }
  })

  it("never throws, and tells nothing of a message that has not begun, whatever comes", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        "\r\n",
        "\n",
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\n",
        "transfer-encoding: chunked\r\n",
        "0",
        "5",
        ";",
        "\r\n\r\n",
        "content-length: 3\r\n",
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        ": ",
      ),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 6 }), (pieces, cuts) => {
        const { requests } = told(pieces.join(""), cuts)
        for (const { ended } of requests.slice(0, -1)) expect(ended).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})

/** What is compared over sockets is the same in every run. */
const SEED = 22

describe("beside the parser of Node", () => {
  let seen: Array<{ readonly line: string; readonly body: string }> = []
  let told_: (() => void) | undefined
  const server = http.createServer({ maxHeaderSize: 65_536, requireHostHeader: false }, (request, response) => {
    let body = ""
    const { headers, httpVersion, method, url } = request
    if (headers["expect"] !== undefined) response.statusCode = 417
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")))
    request.on("end", () => {
      seen.push({ line: `${method} ${url} ${httpVersion}`, body })
      response.end()
    })
  })
  server.on("clientError", (_error, socket) => {
    socket.destroy()
    told_?.()
  })
  server.on("connect", ({ httpVersion, method, url }, socket) => {
    seen.push({ line: `${method} ${url} ${httpVersion}`, body: "" })
    socket.end()
  })
  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)))
  afterAll(() => void server.close())

  /** Whole requests that Node makes of these bytes. */
  const byNode = async (bytes: string) => {
    seen = []
    const socket = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1")
    await new Promise<void>((resolve) => {
      told_ = resolve
      socket.on("error", () => {})
      socket.on("close", () => resolve())
      socket.resume()
      socket.end(bytes, "latin1")
    })
    socket.destroy()
    return seen
  }

  it("reads the same from every good request", async () => {
    for (const [what, bytes] of Object.entries(good)) {
      const ours = outcome(bytes).requests.map(({ body, line }) => ({ line, body }))
      expect([what, await byNode(bytes)]).toEqual([what, ours])
    }
  })

  it("accepts nothing that Node refuses, and reads nothing otherwise", { timeout: 120_000 }, async () => {
    const bytes = fc.constantFrom("\r", "\n", "\r\n", " ", "\t", ":", "0", "9", "f", "\0", ";", "x", "\x7f", "\xe9")
    const changed = fc
      .record({
        from: fc.constantFrom(...Object.values(good), ...Object.values(malformed), ...Object.values(unclear)),
        at: fc.nat(),
        cut: fc.nat({ max: 2 }),
        put: bytes,
      })
      .map(({ at, cut, from, put }) => {
        const place = at % (from.length + 1)
        return from.slice(0, place) + put + from.slice(place + cut)
      })
    await fc.assert(
      fc.asyncProperty(changed, async (text) => {
        // What extensions hold, which nobody reads, and white space behind what frames a body, Node judges more strictly.
        if (/\r\n[\da-f]+;|(?:chunked|\d)[ \t]+\r/i.test(text)) return
        const { requests } = outcome(text)
        // Nor is it for a gateway to say which methods there are.
        if (requests.some(({ line }) => !http.METHODS.includes(line.slice(0, line.indexOf(" "))))) return
        // The parser of Node judges targets as well, which we do where we know what they are for.
        const end = requests.findIndex(({ ended, line, malformed: why }) => {
          const [method = "", target = ""] = line.split(" ")
          return !ended || why !== undefined || parseTarget(method, target) === undefined
        })
        const ours = end < 0 ? requests : requests.slice(0, end)
        const theirs = await byNode(text)
        // Node may read on where we have stopped; never may it have read something else until there.
        expect(theirs.slice(0, ours.length)).toEqual(ours.map(({ body, line }) => ({ line, body })))
      }),
      { numRuns: 1_000, seed: SEED },
    )
  })
})
