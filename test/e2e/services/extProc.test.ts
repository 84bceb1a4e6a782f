/** External processing against servers that are not ours: every phase, every mode of bodies, honest and otherwise. */
import * as http from "node:http"
import { freePort } from "../../freePort.ts"
import { afterEach, describe, expect, it } from "vitest"
import { grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { rawUpstream, until } from "../harness.ts"
import { type Closing, start } from "./place.ts"

const ExternalProcessor = serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor")

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

// The messages of another implementation, as plain objects.
type Message = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- what the peer's library makes of a message
type Call = grpc.ServerDuplexStream<Message, object>

interface Processor {
  readonly port: number
  /** All messages, by the call they came with. */
  readonly calls: Array<Array<Message>>
  readonly metadata: Array<grpc.Metadata>
  /** How calls ended on this side. */
  readonly endings: Array<string>
}

/** A processor that answers each message with some, or does with the call what it likes. */
const processor = async (
  answer: (message: Message, call: Call) => object | ReadonlyArray<object> | undefined,
): Promise<Processor> => {
  const calls: Array<Array<Message>> = []
  const metadata: Array<grpc.Metadata> = []
  const endings: Array<string> = []
  const server = await grpcServer([
    [
      ExternalProcessor,
      {
        Process: (call: Call) => {
          const seen: Array<Message> = []
          calls.push(seen)
          metadata.push(call.metadata)
          const index = endings.push("open") - 1
          call.on("error", () => {})
          call.on("data", (message: Message) => {
            seen.push(message)
            const said = answer(message, call) ?? []
            for (const one of Array.isArray(said) ? (said as ReadonlyArray<object>) : [said]) call.write(one)
          })
          call.on("end", () => {
            endings[index] = "ended"
            call.end()
          })
          call.on("cancelled", () => {
            if (endings[index] === "open") endings[index] = "cancelled"
          })
        },
      },
    ],
  ])
  closing.push(server.close)
  return { port: server.port, calls, metadata, endings }
}

const over = (port: number, options: string, more = ""): string =>
  `extProc:\n  host: 127.0.0.1:${port}\n  processingOptions: {${options}}\n${more}`

const kinds = [
  "requestHeaders",
  "requestBody",
  "requestTrailers",
  "responseHeaders",
  "responseBody",
  "responseTrailers",
]
const kindOf = (message: Message): string => kinds.find((kind) => message["request"] === kind) ?? "nothing"
const fields = (map: Message): Record<string, string> =>
  Object.fromEntries(
    (map["headers"] as ReadonlyArray<Message>).map(({ key, rawValue, value }) => [
      key,
      rawValue.length > 0 ? rawValue.toString() : value,
    ]),
  )

/** Lets everything pass as it is. */
const agreeing = (message: Message): object => ({ [kindOf(message)]: {} })
/** Sends streamed bodies back as they came. */
const returning = (message: Message, change: (text: string) => string = (text) => text): object => {
  const kind = kindOf(message)
  if (!kind.endsWith("Body")) return { [kind]: {} }
  const { body, endOfStream } = message[kind]
  const streamedResponse = { body: Buffer.from(change(body.toString())), endOfStream }
  return { [kind]: { response: { bodyMutation: { streamedResponse } } } }
}
const set = (key: string, value: string, more: object = {}) => ({
  header: { key, rawValue: Buffer.from(value) },
  ...more,
})
const mutating = (
  kind: string,
  setHeaders: ReadonlyArray<object>,
  removeHeaders: ReadonlyArray<string> = [],
  more: object = {},
) => ({
  [kind]: { response: { headerMutation: { setHeaders, removeHeaders }, ...more } },
})

const headersOnly = "requestBodyMode: none, responseBodyMode: none"

describe("headers of both sides", () => {
  it("are shown and changed, the line and the status included", async () => {
    const { calls, endings, port } = await processor((message) =>
      kindOf(message) === "requestHeaders"
        ? mutating(
            "requestHeaders",
            [
              set("x-user", "ann"),
              set("x-list", "b", { append: { value: true } }),
              set(":path", "/elsewhere?q"),
              set(":method", "PUT"),
              set("content-length", "9"),
            ],
            ["x-secret", "host"],
          )
        : mutating("responseHeaders", [set(":status", "203"), set("x-processed", "yes")], ["x-upstream"]),
    )
    const place = await start(closing, over(port, headersOnly), {
      upstream: (request, response) => {
        response.setHeader("x-upstream", "1")
        response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }))
      },
    })
    const answer = await place.send("/p", { headers: { "x-user": "mallory", "x-secret": "s", "x-list": "a" } })
    expect(answer.status).toBe(203)
    expect(answer.headers["x-processed"]).toBe("yes")
    expect(answer.headers).not.toHaveProperty("x-upstream")
    const seen = JSON.parse(answer.body) as { method: string; url: string; headers: Record<string, string> }
    expect([seen.method, seen.url]).toEqual(["PUT", "/elsewhere?q"])
    expect(seen.headers).toMatchObject({ "x-user": "ann", "x-list": "a, b" })
    expect(seen.headers).not.toHaveProperty("x-secret")
    const [call] = calls
    expect(call?.map(kindOf)).toEqual(["requestHeaders", "responseHeaders"])
    expect(call?.[0]?.["requestHeaders"].endOfStream).toBe(true)
    expect(fields(call?.[0]?.["requestHeaders"].headers)).toMatchObject({
      ":method": "GET",
      ":path": "/p",
      "x-secret": "s",
    })
    expect(fields(call?.[1]?.["responseHeaders"].headers)).toMatchObject({ ":status": "200", "x-upstream": "1" })
    expect(call?.[0]?.["protocolConfig"]).toMatchObject({ requestBodyMode: "NONE", responseBodyMode: "NONE" })
    expect(call?.[1]?.["protocolConfig"]).toBeNull()
    await until("the call ends in peace", () => endings[0] === "ended")
  })

  it("are not shown where they are skipped", async () => {
    const { calls, port } = await processor(agreeing)
    const place = await start(closing, over(port, `${headersOnly}, requestHeaderMode: skip`))
    await place.reached("/")
    expect(calls[0]?.map(kindOf)).toEqual(["responseHeaders"])
  })

  it("bring along attributes and metadata, and expressions see what comes back", async () => {
    const { calls, metadata, port } = await processor((message) => ({
      ...agreeing(message),
      dynamicMetadata: { fields: { [kindOf(message)]: { stringValue: "seen", kind: "stringValue" } } },
    }))
    const place = await start(
      closing,
      `${over(
        port,
        headersOnly,
        `  requestAttributes: {path: request.path, none: 'request.headers["none"]'}
  responseAttributes: {code: response.code}
  metadataContext: {agentgateway.dev.grpc_initial_metadata: {X-Tenant: '"blue"', te: '"x"'}, space: {method: request.method}}`,
      )}
transformations: {request: {set: {x-said: extproc.requestHeaders}}}`,
    )
    const seen = await place.reached("/p")
    expect(seen.headers["x-said"]).toBe("seen")
    const attributes = (index: number) => calls[0]?.[index]?.["attributes"]["envoy.filters.http.ext_proc"].fields
    expect(attributes(0)).toMatchObject({ path: { stringValue: "/p" } })
    expect(attributes(0)).not.toHaveProperty("none")
    expect(attributes(1)).toMatchObject({ code: { numberValue: 200 } })
    expect(calls[0]?.[0]?.["metadataContext"].filterMetadata["space"].fields.method.stringValue).toBe("GET")
    expect(metadata[0]?.get("x-tenant")).toEqual(["blue"])
    await until("it is written down", () => place.gateway.told.exchanges.length === 1)
    expect(place.gateway.told.exchanges[0]?.exchange.notes?.extproc).toEqual({
      requestHeaders: "seen",
      responseHeaders: "seen",
    })
  })

  it("are processed at a gateway before a route is chosen, and last on the way back", async () => {
    const outer = await processor((message) =>
      mutating(kindOf(message), [set("x-by", "gateway"), set("x-order", "gateway", { append: { value: true } })]),
    )
    const inner = await processor((message) =>
      mutating(kindOf(message), [set("x-by", "route"), set("x-order", "route", { append: { value: true } })]),
    )
    const place = await start(closing, over(inner.port, headersOnly), { gateway: over(outer.port, headersOnly) })
    const answer = await place.send("/")
    const seen = JSON.parse(answer.body) as { headers: Record<string, string> }
    expect([seen.headers["x-by"], seen.headers["x-order"]]).toEqual(["route", "gateway, route"])
    expect([answer.headers["x-by"], answer.headers["x-order"]]).toEqual(["gateway", "route, gateway"])
  })
})

const post = { method: "POST", body: "hello world" }
const chunked = { ...post, headers: { "transfer-encoding": "chunked" } }

describe("buffered bodies", () => {
  const both = "requestBodyMode: buffered, responseBodyMode: buffered"
  const replacing = (message: Message): object => {
    const kind = kindOf(message)
    return kind.endsWith("Body")
      ? mutating(kind, [set("x-length", String(message[kind].body.length))], [], {
          bodyMutation: { body: Buffer.from(message[kind].body.toString().toUpperCase()) },
        })
      : { [kind]: {} }
  }

  it("are shown whole and may be replaced, and headers with them", async () => {
    const { calls, port } = await processor(replacing)
    const place = await start(closing, over(port, both), {
      upstream: (request, response) => {
        let body = ""
        request.on("data", (chunk: Buffer) => (body += chunk.toString()))
        request.on("end", () =>
          response.end(`${body} ${request.headers["content-length"]} ${request.headers["x-length"]} and back`),
        )
      },
    })
    for (const options of [post, chunked]) {
      const answer = await place.send("/", options)
      expect(answer.body).toBe("HELLO WORLD 11 11 AND BACK")
      expect(answer.headers["x-length"]).toBe(String(answer.body.length))
    }
    expect(calls[0]?.map(kindOf)).toEqual(["requestHeaders", "requestBody", "responseHeaders", "responseBody"])
    expect(calls[0]?.[1]?.["requestBody"].endOfStream).toBe(true)
    expect(calls[0]?.[0]?.["requestHeaders"].endOfStream).toBe(false)
  })

  it("may be cleared, and replaced already with the headers", async () => {
    const clearing = await processor((message) =>
      kindOf(message) === "requestBody"
        ? { requestBody: { response: { bodyMutation: { clearBody: true } } } }
        : agreeing(message),
    )
    expect((await (await start(closing, over(clearing.port, both))).reached("/", post)).body).toBe("")
    const atOnce = await processor((message) =>
      kindOf(message) === "requestHeaders"
        ? {
            requestHeaders: {
              response: { status: "CONTINUE_AND_REPLACE", bodyMutation: { body: Buffer.from("instead") } },
            },
          }
        : agreeing(message),
    )
    expect((await (await start(closing, over(atOnce.port, both))).reached("/", post)).body).toBe("instead")
    expect(atOnce.calls[0]?.map(kindOf)).toEqual(["requestHeaders", "responseHeaders", "responseBody"])
  })

  it("that are too long are a failure", async () => {
    const { port } = await processor(agreeing)
    const small = { frontend: "http: {maxBufferSize: 4}" }
    const closed = await start(closing, over(port, "requestBodyMode: buffered, responseBodyMode: none"), small)
    expect(await closed.send("/", post)).toMatchObject({
      status: 500,
      body: "ext_proc failed: the body is longer than 4 bytes",
    })
    const open = await start(
      closing,
      over(port, "requestBodyMode: buffered, responseBodyMode: none", "  failureMode: failOpen"),
      small,
    )
    expect((await open.reached("/", post)).body).toBe("hello world")
    const reply = await start(closing, over(port, "requestBodyMode: none, responseBodyMode: buffered"), small)
    expect(await reply.send("/")).toMatchObject({ status: 500 })
  })

  it("that are buffered in part are shown as far as the limit, and the rest passes", async () => {
    const { calls, port } = await processor(replacing)
    const place = await start(closing, over(port, "requestBodyMode: bufferedPartial, responseBodyMode: none"), {
      frontend: "http: {maxBufferSize: 4}",
    })
    expect((await place.reached("/", post)).body).toBe("HELLo world")
    expect((await place.reached("/", chunked)).body).toBe("HELLo world")
    expect((await place.reached("/", { ...post, body: "hi" })).body).toBe("HI")
    expect(calls.map((call) => call[1]?.["requestBody"].endOfStream)).toEqual([false, false, true])
  })
})

describe("streamed bodies", () => {
  const both = "requestBodyMode: fullDuplexStreamed, responseBodyMode: fullDuplexStreamed"

  it("go to the processor as they come, and on as it sends them", async () => {
    const { calls, endings, port } = await processor((message) => returning(message, (text) => text.toUpperCase()))
    const place = await start(closing, over(port, both), {
      upstream: (request, response) => {
        response.write("got: ")
        request.on("data", (chunk: Buffer) => response.write(chunk))
        request.on("end", () => response.end())
      },
    })
    for (const options of [post, chunked]) expect((await place.send("/", options)).body).toBe("GOT: HELLO WORLD")
    expect((await place.send("/")).body).toBe("GOT: ")
    expect(calls[0]?.map(kindOf).filter((kind) => kind.startsWith("request"))).toContain("requestBody")
    await until("all calls end in peace", () => endings.join() === "ended,ended,ended")
  })

  it("may be large, and arrive whole", async () => {
    const { port } = await processor((message) => returning(message))
    const place = await start(closing, over(port, both), {
      upstream: (request, response) => void request.pipe(response),
    })
    const body = Buffer.alloc(3_000_000, "0123456789abcdef")
    const answer = await place.send("/", { method: "POST", body })
    expect(answer.body.length).toBe(body.length)
    expect(answer.body === body.toString()).toBe(true)
  })

  it("may be larger than anything that is kept on the way, however slowly one side is read", async () => {
    const { port } = await processor((message) => returning(message))
    const body = Buffer.alloc(10 * 1024 * 1024, "0123456789abcdef")
    const place = await start(closing, over(port, both), {
      upstream: (request, response) => void request.pipe(response),
    })
    const answer = await place.send("/", { method: "POST", body })
    expect(answer.body.length).toBe(body.length)
    // An upstream that answers first and listens later.
    const talkative = await start(closing, over(port, both), {
      upstream: (request, response) => {
        response.end(body)
        response.on("finish", () => request.resume())
      },
    })
    expect((await talkative.send("/", { method: "POST", body })).body.length).toBe(body.length)
  }, 60_000)

  it("may be sent back all at once, when all of a long one was seen", async () => {
    const held = new Map<Call, Array<Buffer>>()
    const { port } = await processor((message, call) => {
      const kind = kindOf(message)
      if (kind === "requestHeaders") {
        held.set(call, [])
        return undefined
      }
      if (kind !== "requestBody") return undefined
      const all = held.get(call) ?? []
      all.push(message["requestBody"].body)
      if (!message["requestBody"].endOfStream) return undefined
      const streamedResponse = { body: Buffer.concat(all), endOfStream: true }
      return [{ requestHeaders: {} }, { requestBody: { response: { bodyMutation: { streamedResponse } } } }]
    })
    const place = await start(
      closing,
      over(port, "requestBodyMode: fullDuplexStreamed, responseBodyMode: none, responseHeaderMode: skip"),
      { upstream: (request, response) => void request.pipe(response) },
    )
    const body = Buffer.alloc(3 * 1024 * 1024, "0123456789abcdef")
    expect((await place.send("/", { method: "POST", body })).body.length).toBe(body.length)
  }, 60_000)

  it("may be decided about when all of them was seen", async () => {
    // The processor answers the headers only at the end, as one does that judges what is said.
    const held = new Map<Call, string>()
    const { port } = await processor((message, call) => {
      switch (kindOf(message)) {
        case "requestHeaders":
          held.set(call, "")
          return undefined
        case "requestBody": {
          const all = `${held.get(call)}${message["requestBody"].body.toString()}`
          held.set(call, all)
          if (!message["requestBody"].endOfStream) return undefined
          if (all.includes("bomb")) return { immediateResponse: { status: { code: 422 }, body: Buffer.from("no") } }
          const streamedResponse = { body: Buffer.from(`[${all}]`), endOfStream: true }
          return [
            mutating("requestHeaders", [set("x-judged", "yes")]),
            { requestBody: { response: { bodyMutation: { streamedResponse } } } },
          ]
        }
        default:
          return undefined
      }
    })
    const place = await start(
      closing,
      over(port, "requestBodyMode: fullDuplexStreamed, responseBodyMode: none, responseHeaderMode: skip"),
    )
    const seen = await place.reached("/", chunked)
    expect([seen.body, seen.headers["x-judged"]]).toEqual(["[hello world]", "yes"])
    expect(await place.send("/", { ...chunked, body: "a bomb" })).toMatchObject({ status: 422, body: "no" })
    expect(place.backend.requests.length).toBe(1)
  })

  it("can be broken off for an answer of the processor's own, when the upstream has them already in part", async () => {
    const { port } = await processor((message) =>
      kindOf(message) !== "requestBody"
        ? agreeing(message)
        : message["requestBody"].body.toString().includes("bomb")
          ? { immediateResponse: { status: { code: 422 }, body: Buffer.from("stopped") } }
          : returning(message),
    )
    const place = await start(closing, over(port, both), {
      upstream: (request, response) => {
        request.resume()
        request.on("end", () => response.end("all of it"))
      },
    })
    const answer = await new Promise<{ status: number; body: string }>((resolve, reject) => {
      const request = http.request(
        `http://127.0.0.1:${place.gateway.port}/`,
        { agent: false, method: "POST" },
        (response) => {
          let body = ""
          response.on("data", (chunk: Buffer) => (body += chunk.toString()))
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }))
        },
      )
      request.on("error", reject)
      request.write("begin")
      void until("the upstream has the beginning", () => place.backend.requests.length === 1).then(() =>
        request.end("a bomb"),
      )
    })
    expect(answer).toEqual({ status: 422, body: "stopped" })
    await until("the upstream was left", () => place.backend.aborted.length === 1)
  })
})

describe("trailers", () => {
  const trailing = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString()))
    request.on("end", () => {
      response.setHeader("trailer", "x-sum")
      response.write(JSON.stringify({ body, trailers: request.trailers }))
      response.addTrailers({ "x-sum": "2" })
      response.end()
    })
  }
  const changing = (message: Message): object => {
    const kind = kindOf(message)
    if (kind.endsWith("Trailers")) return { [kind]: { headerMutation: { setHeaders: [set("x-sum", "changed")] } } }
    return returning(message)
  }
  const send = (port: number) =>
    new Promise<{ seen: { body: string; trailers: object }; trailers: NodeJS.Dict<string> }>((resolve, reject) => {
      const request = http.request(
        `http://127.0.0.1:${port}/`,
        { agent: false, method: "POST", headers: { trailer: "x-sum", te: "trailers" } },
        (response) => {
          let body = ""
          response.on("data", (chunk: Buffer) => (body += chunk.toString()))
          response.on("end", () => resolve({ seen: JSON.parse(body) as never, trailers: response.trailers }))
        },
      )
      request.on("error", reject)
      request.write("hello")
      request.addTrailers({ "x-sum": "1" })
      request.end()
    })

  it.each(["none", "buffered", "fullDuplexStreamed"])(
    "are shown and changed behind bodies of mode %s",
    async (mode) => {
      const { calls, port } = await processor((message) => {
        const kind = kindOf(message)
        return mode !== "fullDuplexStreamed" && kind.endsWith("Body") ? { [kind]: {} } : changing(message)
      })
      const modes = `requestBodyMode: ${mode}, responseBodyMode: ${mode}, requestTrailerMode: send, responseTrailerMode: send`
      const place = await start(closing, over(port, modes), { upstream: trailing, target: "http: {version: HTTP/2.0}" })
      const { seen, trailers } = await send(place.gateway.port)
      expect(seen).toEqual({ body: "hello", trailers: { "x-sum": "changed" } })
      expect(trailers).toEqual({ "x-sum": "changed" })
      expect(calls[0]?.map(kindOf)).toContain("requestTrailers")
      expect(calls[0]?.map(kindOf)).toContain("responseTrailers")
    },
  )
})

describe("an answer of the processor's own", () => {
  it("may take the place of the upstream's, at any phase", async () => {
    for (const phase of ["requestHeaders", "requestBody", "responseHeaders", "responseBody"]) {
      const { port } = await processor((message) =>
        kindOf(message) === phase
          ? {
              immediateResponse: {
                status: { code: 418 },
                headers: { setHeaders: [set("x-why", phase), set("content-type", "text/html")] },
                body: Buffer.from("<p>no"),
              },
            }
          : agreeing(message),
      )
      const place = await start(closing, over(port, "requestBodyMode: buffered, responseBodyMode: buffered"))
      const answer = await place.send("/", post)
      expect([answer.status, answer.body, answer.headers["x-why"]]).toEqual([418, "<p>no", phase])
      expect(place.backend.requests.length).toBe(phase.startsWith("request") ? 0 : 1)
    }
  })

  it("tells a gRPC client in its own way", async () => {
    const { port } = await processor(() => ({
      immediateResponse: { grpcStatus: { status: 9 }, body: Buffer.from("not now") },
    }))
    const place = await start(closing, over(port, headersOnly))
    const answer = await place.send("/", { method: "POST", headers: { "content-type": "application/grpc" } })
    expect(answer.headers).toMatchObject({ "grpc-status": "9", "grpc-message": "not now" })
  })
})

describe("a mode that the processor asks for", () => {
  const asking = (message: Message): object =>
    kindOf(message) === "requestHeaders"
      ? {
          requestHeaders: {},
          modeOverride: { requestBodyMode: "BUFFERED", responseHeaderMode: "SKIP", responseBodyMode: "NONE" },
        }
      : agreeing(message)

  it("is followed where that is allowed, and else not", async () => {
    const { calls, port } = await processor(asking)
    await (await start(closing, over(port, `${headersOnly}, allowModeOverride: true`))).reached("/", post)
    await (await start(closing, over(port, headersOnly))).reached("/", post)
    expect(calls[0]?.map(kindOf)).toEqual(["requestHeaders", "requestBody"])
    expect(calls[1]?.map(kindOf)).toEqual(["requestHeaders", "responseHeaders"])
  })

  it("may be to stream a body that was not to be shown", async () => {
    const { calls, port } = await processor((message) => ({
      ...returning(message, (text) => text.toUpperCase()),
      ...(kindOf(message) === "requestHeaders"
        ? { modeOverride: { requestBodyMode: "FULL_DUPLEX_STREAMED", responseBodyMode: "NONE" } }
        : {}),
    }))
    const place = await start(closing, over(port, `${headersOnly}, allowModeOverride: true`))
    expect((await place.reached("/", post)).body).toBe("HELLO WORLD")
    expect(calls[0]?.map(kindOf)).toContain("requestBody")
  })

  it("that does not exist here is a failure", async () => {
    const { port } = await processor(() => ({ requestHeaders: {}, modeOverride: { requestBodyMode: "STREAMED" } }))
    const place = await start(closing, over(port, `${headersOnly}, allowModeOverride: true`))
    expect(await place.send("/", post)).toMatchObject({
      status: 500,
      body: "ext_proc failed: it asks for a mode that is not supported",
    })
  })
})

const troubles: Record<string, () => Promise<number>> = {
  "nobody listens": freePort,
  "it does not answer": async () => (await processor(() => undefined)).port,
  "it resets the connection": async () => {
    const server = await rawUpstream(async (connection) => {
      await connection.take("PRI")
      connection.reset()
    })
    closing.push(server.close)
    return server.port
  },
  "it says an error": async () =>
    (await processor((_message, call) => void call.emit("error", { code: 13, details: "broken" }))).port,
  "it answers something else": async () => (await processor(() => ({ responseHeaders: {} }))).port,
  "it answers nothing": async () => (await processor(() => ({}))).port,
  "it sets what no header can carry": async () =>
    (await processor(() => mutating("requestHeaders", [set("x-a", "a\nb")]))).port,
  "it answers what it was not asked": async () =>
    (await processor(() => Array.from({ length: 100 }, () => ({ responseBody: {} })))).port,
}

describe("where the processor fails", () => {
  it.each(Object.keys(troubles))("because %s, the configuration decides", async (why) => {
    const port = await troubles[why]?.()
    if (port === undefined) throw new Error(why)
    for (const mode of ["none", "buffered", "fullDuplexStreamed"]) {
      const impatient = (failureMode: string) =>
        over(
          port,
          `requestBodyMode: ${mode}, responseBodyMode: ${mode}`,
          `  policies: {http: {requestTimeout: 200ms}}\n  failureMode: ${failureMode}`,
        )
      const closed = await start(closing, impatient("failClosed"))
      const open = await start(closing, impatient("failOpen"))
      const answer = await closed.send("/", chunked)
      expect([mode, answer.status]).toEqual([mode, 500])
      expect(answer.body).toMatch(/^ext_proc failed: /)
      expect([mode, (await open.reached("/", chunked)).body]).toEqual([mode, "hello world"])
    }
  })

  it("while the reply is shown, the reply fails, whatever the mode says", async () => {
    const { port } = await processor((message, call) =>
      kindOf(message) === "responseHeaders"
        ? void call.emit("error", { code: 13, details: "broken" })
        : agreeing(message),
    )
    for (const mode of ["failClosed", "failOpen"]) {
      const place = await start(closing, over(port, headersOnly, `  failureMode: ${mode}`))
      expect(await place.send("/")).toMatchObject({ status: 500, body: "ext_proc failed: INTERNAL: broken" })
    }
  })

  it("in the middle of a streamed request, the client is told and the upstream left", async () => {
    const { port } = await processor((message, call) =>
      kindOf(message) === "requestBody" ? void call.emit("error", { code: 14, details: "gone" }) : agreeing(message),
    )
    const place = await start(
      closing,
      over(port, "requestBodyMode: fullDuplexStreamed, responseBodyMode: none", "  failureMode: failOpen"),
      { upstream: (request) => void request.resume() },
    )
    const answer = await place.send("/", chunked)
    expect(answer).toMatchObject({ status: 500, body: "ext_proc failed: UNAVAILABLE: gone" })
  })

  it("in the middle of a streamed reply, the reply breaks off visibly", async () => {
    const { port } = await processor((message, call) => {
      if (kindOf(message) !== "responseBody") return agreeing(message)
      call.emit("error", { code: 14, details: "gone" })
      return undefined
    })
    const place = await start(closing, over(port, "requestBodyMode: none, responseBodyMode: fullDuplexStreamed"))
    await expect(place.send("/")).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  })

  const ended = { requestBody: { response: { bodyMutation: { streamedResponse: { endOfStream: true } } } } }
  it.each([
    ["goes on after the end of a body", [{ requestHeaders: {} }, ended, ended], "it answers a body that has ended"],
    ["answers headers again", [{ requestHeaders: {} }, { requestHeaders: {} }], "it answers what it was not asked"],
  ])("because it %s, a streamed request fails", async (_name, answers, reason) => {
    const { port } = await processor((message) => (kindOf(message) === "requestHeaders" ? answers : agreeing(message)))
    const place = await start(closing, over(port, "requestBodyMode: fullDuplexStreamed, responseBodyMode: none"))
    expect(await place.send("/", chunked)).toMatchObject({ status: 500, body: `ext_proc failed: ${reason}` })
  })

  it("with nothing more to say, everything passes", async () => {
    const { port } = await processor((_message, call) => void call.end())
    const place = await start(closing, over(port, "requestBodyMode: buffered, responseBodyMode: buffered"))
    expect((await place.reached("/", post)).body).toBe("hello world")
  })

  it("a client that leaves takes the call along", async () => {
    const { endings, port } = await processor(() => undefined)
    const place = await start(closing, over(port, headersOnly))
    const request = http.get(`http://127.0.0.1:${place.gateway.port}/`, { agent: false })
    request.on("error", () => {})
    await until("the processor was asked", () => endings.length === 1)
    request.destroy()
    await until("the call is over", () => endings[0] !== "open")
  })
})
