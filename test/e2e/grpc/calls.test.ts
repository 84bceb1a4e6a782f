/** Calls over our own HTTP/2, to servers of another implementation. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as http2 from "node:http2"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as timer from "../../../src/node/timer.ts"
import { Code } from "../../../protocols/grpc/status.ts"
import { type Duplex, type Event, FAREWELL_MILLIS, open } from "../../../stages/grpc/duplex.ts"
import { type CallFailed, throughEndpoint } from "../../../stages/grpc/Transport.ts"
import { unary, type UnaryOptions } from "../../../stages/grpc/unary.ts"
import { Echo, method, type Words } from "../../peers/echo.ts"
import { grpc, grpcServer, type GrpcServer } from "../../peers/grpc.ts"
import { caPem, client, server as certificates } from "../upstream/certificates.ts"
import { Bench, until } from "../upstream/gateway.ts"

let bench: Bench
let server: GrpcServer | undefined
beforeEach(() => {
  bench = new Bench()
})
afterEach(async () => {
  server?.close()
  server = undefined
  await bench.close()
})

type Once = grpc.handleUnaryCall<Words, Words>
type Many = grpc.handleBidiStreamingCall<Words, Words>

const serve = async (
  services: { readonly Once?: Once; readonly Many?: Many },
  credentials?: grpc.ServerCredentials,
) => {
  server = await grpcServer([[Echo, services as grpc.UntypedServiceImplementation]], credentials)
  return server.port
}

const to = (port: number, more: Partial<Parameters<Bench["open"]>[0]> = {}) =>
  throughEndpoint(bench.open({ target: { _tag: "Host", host: "127.0.0.1", port }, ...more }))

const options: UnaryOptions = { clock: timer.clock, authority: "echo.test" }

const ask = (port: number, words: Partial<Words> = {}, more: Partial<UnaryOptions> = {}) =>
  Effect.runPromiseExit(unary(to(port), method("Once"), { text: "hi", times: 1, ...words }, { ...options, ...more }))

const failure = (exit: Exit.Exit<Words, CallFailed>): CallFailed => {
  if (Exit.isSuccess(exit)) throw new Error(`answered: ${JSON.stringify(exit.value)}`)
  const reason = exit.cause.reasons.find(Cause.isFailReason)
  if (reason === undefined) throw new Error(Cause.pretty(exit.cause))
  return reason.error
}

describe("one message there and one back", () => {
  it("is understood, metadata and deadline included", async () => {
    let seen: grpc.Metadata | undefined
    let deadline: unknown
    const port = await serve({
      Once: (call, done) => {
        seen = call.metadata
        deadline = call.getDeadline()
        done(null, { text: call.request.text.repeat(call.request.times), times: 0 })
      },
    })
    const exit = await ask(port, { text: "ab", times: 3 }, { metadata: ["x-tenant", "blue"], timeoutMillis: 5_000 })
    expect(Exit.isSuccess(exit) && exit.value).toMatchObject({ text: "ababab" })
    expect(seen?.get("x-tenant")).toEqual(["blue"])
    expect(Number(deadline)).toBeLessThan(Date.now() + 6_000)
  })

  it("may be large", async () => {
    const port = await serve({ Once: (call, done) => done(null, call.request) })
    const text = "x".repeat(3_000_000)
    const exit = await ask(port, { text })
    expect(Exit.isSuccess(exit) && exit.value.text === text).toBe(true)
    expect(failure(await ask(port, { text }, { messageBytesMax: 1_000 }))).toMatchObject({
      code: Code.RESOURCE_EXHAUSTED,
    })
  })

  it("goes over TLS with a client certificate", async () => {
    const credentials = grpc.ServerCredentials.createSsl(
      Buffer.from(caPem),
      [{ cert_chain: Buffer.from(certificates.certificatePem), private_key: Buffer.from(certificates.keyPem) }],
      true,
    )
    const port = await serve({ Once: (call, done) => done(null, call.request) }, credentials)
    const transport = to(port, {
      tls: {
        verify: "full",
        hostname: "server.test",
        rootsPem: caPem,
        subjectAltNames: [],
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.3",
        cipherSuites: [],
        keyExchangeGroups: [],
        identity: { certificatePem: client.certificatePem, keyPem: Redacted.make(client.keyPem) },
      },
    })
    const answer = await Effect.runPromise(unary(transport, method("Once"), { text: "sealed", times: 1 }, options))
    expect(answer.text).toBe("sealed")
  })

  it("fails with the status the server said", async () => {
    const port = await serve({
      Once: (_call, done) => done({ code: grpc.status.RESOURCE_EXHAUSTED, details: "zu viel für heute 100%" }),
    })
    expect(failure(await ask(port))).toEqual({
      _tag: "CallFailed",
      code: Code.RESOURCE_EXHAUSTED,
      message: "zu viel für heute 100%",
    })
  })

  it("fails with UNIMPLEMENTED where the server knows no such service", async () => {
    server = await grpcServer([])
    expect(failure(await ask(server.port)).code).toBe(Code.UNIMPLEMENTED)
  })

  it("is given up at its deadline, and the server learns of it", async () => {
    let isCancelled = false
    const port = await serve({ Once: (call) => void call.on("cancelled", () => (isCancelled = true)) })
    expect(failure(await ask(port, {}, { timeoutMillis: 50 })).code).toBe(Code.DEADLINE_EXCEEDED)
    await until("the server heard of it", () => isCancelled)
  })

  it("is taken back when whoever wanted it is interrupted", async () => {
    let isBegun = false
    let isCancelled = false
    const port = await serve({
      Once: (call) => {
        isBegun = true
        call.on("cancelled", () => (isCancelled = true))
      },
    })
    const fiber = Effect.runFork(unary(to(port), method("Once"), { text: "", times: 1 }, options))
    await until("the call arrived", () => isBegun)
    await Effect.runPromise(Fiber.interrupt(fiber))
    await until("the server heard of it", () => isCancelled)
  })

  it("fails with UNAVAILABLE where nobody listens", async () => {
    const port = await serve({})
    server?.close()
    expect(failure(await ask(port)).code).toBe(Code.UNAVAILABLE)
  })
})

describe("what is no answer", () => {
  const lying = async (script: (stream: http2.ServerHttp2Stream) => void): Promise<CallFailed> => {
    const liar = http2.createServer()
    liar.on("stream", (stream: http2.ServerHttp2Stream) => {
      stream.on("error", () => {})
      stream.resume()
      script(stream)
    })
    const { port } = await bench.listen(liar)
    return failure(await ask(port, {}, { timeoutMillis: 5_000 }))
  }
  const head = { ":status": 200, "content-type": "application/grpc" }
  const ending = (trailers: http2.OutgoingHttpHeaders, body: ReadonlyArray<number> = []) =>
    lying((stream) => {
      stream.respond(head, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers(trailers))
      stream.end(Buffer.from(body))
    })
  const ok = { "grpc-status": "0" }

  it("is an HTTP status of somebody in between", async () => {
    expect(await lying((stream) => stream.respond({ ":status": 503 }, { endStream: true }))).toMatchObject({
      code: Code.UNAVAILABLE,
      message: "answered with the HTTP status 503",
    })
  })

  it("is a page", async () => {
    const failed = await lying((stream) => {
      stream.respond({ ":status": 200, "content-type": "text/html" })
      stream.end("<html>")
    })
    expect(failed).toMatchObject({ code: Code.UNKNOWN, message: "the answer is not gRPC" })
  })

  it("is a message without a status after it", async () => {
    const failed = await lying((stream) => {
      stream.respond(head)
      stream.end(Buffer.from([0, 0, 0, 0, 0]))
    })
    expect(failed).toMatchObject({ code: Code.INTERNAL, message: "the answer ended without a status" })
  })

  it("is a status without a message", async () => {
    expect(await ending(ok)).toMatchObject({ code: Code.INTERNAL, message: "the answer holds no message" })
    expect(await lying((stream) => stream.respond({ ...head, "grpc-status": "0" }, { endStream: true }))).toMatchObject(
      { code: Code.INTERNAL, message: "the answer holds no message" },
    )
  })

  it("is half a message, two of them, a compressed one, or one that is no such message", async () => {
    expect(await ending(ok, [0, 0, 0, 0, 9, 1])).toMatchObject({ message: "the answer ended inside a message" })
    expect(await ending(ok, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toMatchObject({
      message: "the answer holds more than one message",
    })
    expect(await ending(ok, [1, 0, 0, 0, 0])).toMatchObject({
      message: "a message is compressed, which was not agreed upon",
    })
    expect((await ending(ok, [0, 0, 0, 0, 1, 0xff])).message).toMatch(/^the answer cannot be read/)
  })

  it("is what a reset cuts off", async () => {
    const failed = await lying((stream) => {
      stream.respond(head)
      stream.write(Buffer.from([0, 0, 0, 0, 9, 1]), () => setTimeout(() => stream.session?.destroy(), 20))
    })
    expect(failed).toMatchObject({ code: Code.UNAVAILABLE, message: expect.stringContaining("stream broken off") })
  })
})

describe("messages both ways", () => {
  /** Runs a conversation in a fiber of its own, which the call belongs to. */
  const converse = <A>(port: number, talk: (call: Duplex<Words, Words>) => Effect.Effect<A>): Fiber.Fiber<A> =>
    Effect.runFork(Effect.flatMap(open(to(port), method("Many"), { clock: timer.clock, authority: "echo.test" }), talk))
  const said = (event: Event<Words>): string =>
    event._tag === "Message" ? event.message.text : `end ${event.status.code} ${event.status.message}`
  const say = (text: string): Words => ({ text, times: 1 })

  it("come in order, and the status last", async () => {
    const port = await serve({
      Many: (call) => {
        call.on("data", ({ text, times }: Words) => {
          for (let i = 0; i < times; i++) call.write({ text: `${text}${i}`, times: 0 })
        })
        call.on("end", () => call.end())
      },
    })
    const heard = await Effect.runPromise(
      Fiber.join(
        converse(port, (call) => {
          call.send({ text: "a", times: 2 })
          call.send({ text: "b", times: 1 })
          call.end()
          return Effect.map(Effect.all([call.next, call.next, call.next, call.next]), (events) => events.map(said))
        }),
      ),
    )
    expect(heard).toEqual(["a0", "a1", "b0", "end 0 OK"])
  })

  it("end with the status of a server that gives up", async () => {
    const port = await serve({
      Many: (call) => {
        call.on("error", () => {})
        call.on("data", () => call.emit("error", { code: 9, details: "no more" }))
      },
    })
    const heard = await Effect.runPromise(
      Fiber.join(
        converse(port, (call) => {
          call.send(say("x"))
          return Effect.map(call.next, (event) => [said(event), call.isOpen, call.send(say("nobody hears this"))])
        }),
      ),
    )
    expect(heard).toEqual(["end 9 no more", false, true])
  })

  it("hold back when the server does not read, and go on when it does", async () => {
    let begin: (() => void) | undefined
    const received: Array<number> = []
    const port = await serve({
      Many: (call) => {
        call.pause()
        call.on("data", ({ text }: Words) => received.push(text.length))
        call.on("end", () => call.end())
        begin = () => void call.resume()
      },
    })
    const chunk = say("x".repeat(100_000))
    let held = 0
    let isDrained = false
    const fiber = converse(port, (call) =>
      Effect.callback<void>((resume) => {
        call.onDrain = () => {
          isDrained = true
          call.end()
          resume(Effect.void)
        }
        const pump = (): void => {
          if (held > 200) return resume(Effect.die("never held back"))
          held++
          if (call.send(chunk)) setImmediate(pump)
        }
        pump()
      }).pipe(Effect.andThen(call.next)),
    )
    await until("the call arrived", () => begin !== undefined && held > 0)
    begin?.()
    await Effect.runPromise(Fiber.join(fiber))
    await until("all was received", () => received.length === held)
    expect(isDrained).toBe(true)
  })

  it("are not read ahead of whoever takes them", async () => {
    let written = 0
    const port = await serve({
      Many: (call) => {
        call.on("error", () => {})
        const pump = (): void => {
          while (written < 400) {
            written++
            if (!call.write({ text: "y".repeat(50_000), times: written })) return void call.once("drain", pump)
          }
          call.end()
        }
        pump()
      },
    })
    const total = await Effect.runPromise(
      Fiber.join(
        converse(port, (call) =>
          Effect.gen(function* () {
            yield* Effect.sleep(200)
            const ahead = written
            let count = 0
            while ((yield* call.next)._tag === "Message") count++
            return { ahead, count }
          }),
        ),
      ),
    )
    expect(total.count).toBe(400)
    expect(total.ahead).toBeLessThan(100)
  })

  it("are broken off when their owner ends in the middle", async () => {
    let isCancelled = false
    const port = await serve({
      Many: (call) => {
        call.on("error", () => {})
        call.on("data", () => call.write({ text: "there", times: 0 }))
        call.on("cancelled", () => (isCancelled = true))
      },
    })
    await Effect.runPromise(
      Fiber.join(
        converse(port, (call) => {
          call.send(say("hello"))
          return call.next
        }),
      ),
    )
    await until("the server heard of it", () => isCancelled)
  })

  it("end without a reset when nothing more was to be said", async () => {
    let ended: string | undefined
    const port = await serve({
      Many: (call) => {
        call.on("error", () => {})
        call.on("data", () => call.write({ text: "there", times: 0 }))
        call.on("cancelled", () => (ended ??= "reset"))
        call.on("end", () =>
          setTimeout(() => {
            ended ??= "in peace"
            call.end()
          }, 20),
        )
      },
    })
    await Effect.runPromise(
      Fiber.join(
        converse(port, (call) => {
          call.send(say("hello"))
          return Effect.tap(call.next, () => Effect.sync(() => call.end()))
        }),
      ),
    )
    await until("it ended", () => ended !== undefined)
    expect(ended).toBe("in peace")
  })

  it("are reset where the server never says goodbye", { timeout: FAREWELL_MILLIS + 10_000 }, async () => {
    const begunAt = performance.now()
    let isCancelled = false
    const port = await serve({
      Many: (call) => {
        call.on("error", () => {})
        call.on("data", () => call.write({ text: "there", times: 0 }))
        call.on("cancelled", () => (isCancelled = true))
      },
    })
    await Effect.runPromise(
      Fiber.join(
        converse(port, (call) => {
          call.send(say("hello"))
          return Effect.tap(call.next, () => Effect.sync(() => call.end()))
        }),
      ),
    )
    await until("the server heard of it", () => isCancelled, FAREWELL_MILLIS + 5_000)
    expect(performance.now() - begunAt).toBeGreaterThan(FAREWELL_MILLIS - 50)
  })

  it("end at once where nobody listens", async () => {
    const port = await serve({})
    server?.close()
    const event = await Effect.runPromise(Fiber.join(converse(port, (call) => call.next)))
    expect(event).toMatchObject({ _tag: "End", status: { code: Code.UNAVAILABLE } })
  })
})
