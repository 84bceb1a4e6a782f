/** Services that are there and take nothing, or stop half-way: the configuration decides in time, and nothing is left over. */
import * as net from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { httpUpstream, until } from "../harness.ts"
import { ask, type Closing, start } from "./place.ts"
import * as stuck from "./stuckPeers.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

type Message = Record<string, unknown>

/** A processor over gRPC that answers the head of a side, and then stops reading. */
const half = async (side: "request" | "response"): Promise<number> => {
  const server = await grpcServer([
    [
      serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor"),
      {
        Process: (call: grpc.ServerDuplexStream<Message, object>) => {
          call.on("error", () => {})
          call.on("data", (message: Message) => {
            const kind = String(message["request"])
            if (kind.endsWith("Headers")) call.write({ [kind]: {} })
            if (kind === `${side}Headers`) call.pause()
          })
        },
      },
    ],
  ])
  closing.push(server.close)
  return server.port
}

const deaf = () => stuck.deaf(closing)
const shut = () => stuck.shut(closing)
const { freed, long, resets } = stuck
const brief = "policies: {http: {requestTimeout: 300ms}}"

describe("external authorization by a service", () => {
  const over = (port: number, failureMode: string) =>
    `extAuthz: {host: "127.0.0.1:${port}", ${brief}, failureMode: ${failureMode}, includeRequestBody: {maxRequestBytes: 2000000}}`

  it.each(["deaf", "shut"])("that is %s is decided by the configuration, in time", async (which) => {
    const peer = which === "deaf" ? { port: await deaf(), peers: [] } : await shut()
    const deny = await start(closing, over(peer.port, "deny"))
    const allow = await start(closing, over(peer.port, "allow"))
    const post = { method: "POST", body: long }
    const [denied, allowed] = await Promise.all([deny.send("/", post), allow.reached("/", post)])
    expect([denied.status, allowed.body.length]).toEqual([403, long.length])
    if (which === "shut") await until("the calls were given up", () => resets(peer.peers) === 2)
    await freed(deny, 1)
  })

  it.each(["200", "403"])("over HTTP that answers %s and never ends its answer is decided too", async (status) => {
    const server = await httpUpstream((request, response) => {
      request.resume()
      response.writeHead(Number(status)).write("beginning")
    })
    closing.push(server.close)
    const http = (mode: string) =>
      `extAuthz: {host: "127.0.0.1:${server.port}", ${brief}, failureMode: ${mode}, protocol: {http: {}}}`
    const deny = await start(closing, http("{denyWithStatus: 503}"))
    const allow = await start(closing, http("allow"))
    const [denied, allowed] = await Promise.all([deny.send("/"), allow.send("/")])
    expect(denied).toMatchObject({ status: 503, body: "external authorization failed" })
    expect(allowed.status).toBe(200)
    await freed(deny, 1)
  })
})

describe("external processing by a service", () => {
  const over = (port: number, failureMode: string, options: string) =>
    `extProc: {host: "127.0.0.1:${port}", ${brief}, failureMode: ${failureMode}, processingOptions: {${options}}}`
  const post = { method: "POST", body: long } as const

  for (const which of ["deaf", "shut"] as const) {
    it.each(["none", "buffered", "bufferedPartial", "fullDuplexStreamed"])(
      `that is ${which} is decided by the configuration, in time, with bodies %s`,
      async (mode) => {
        const peer = which === "deaf" ? { port: await deaf(), peers: [] } : await shut()
        const options = `requestBodyMode: ${mode}, responseBodyMode: none`
        const closed = await start(closing, over(peer.port, "failClosed", options))
        const open = await start(closing, over(peer.port, "failOpen", options))
        // What was shown of a long body is gone; a short one, and one that was never shown, goes on.
        const body = mode === "fullDuplexStreamed" ? "short" : long
        const [answer, passed] = await Promise.all([closed.send("/", post), open.reached("/", { ...post, body })])
        expect(answer.status).toBe(500)
        expect(answer.body).toMatch(/^ext_proc failed: .*(?:within|timeout)/)
        expect(passed.body).toBe(body)
        if (which === "shut") await until("the calls were given up", () => resets(peer.peers) === 2)
        await freed(closed, 1)
      },
    )

    it(`that is ${which} and is shown bodies only is given up as well`, async () => {
      const port = which === "deaf" ? await deaf() : (await shut()).port
      const options = "requestHeaderMode: skip, requestBodyMode: fullDuplexStreamed, responseBodyMode: none"
      const place = await start(closing, over(port, "failOpen", `${options}, responseHeaderMode: skip`), {
        upstream: (request, response) => void request.resume().on("end", () => response.end("never")),
      })
      expect(await place.send("/", post)).toMatchObject({ status: 500 })
      await freed(place, 1)
    })
  }

  it.each(["failClosed", "failOpen"])("that stops in the middle of a request fails it: %s", async (failureMode) => {
    const options = "requestBodyMode: fullDuplexStreamed, responseBodyMode: none"
    // Its answer about the head must not be late as well: nothing would be lost by then, and an open one lets it pass.
    const patient = over(await half("request"), failureMode, options).replace("300ms", "1s")
    const place = await start(closing, patient, {
      upstream: (request, response) => {
        request.resume()
        if (request.method === "GET") response.end()
      },
    })
    await place.send("/")
    const answer = await place.send("/", post)
    expect(answer).toMatchObject({ status: 500, body: "ext_proc failed: it stood still for 1000 ms" })
    await freed(place, 2)
  })

  it.each(["failClosed", "failOpen"])("that stops in the middle of a reply breaks it off: %s", async (failureMode) => {
    const options = "requestBodyMode: none, responseBodyMode: fullDuplexStreamed"
    const place = await start(closing, over(await half("response"), failureMode, options), {
      upstream: (request, response) => void request.resume().on("end", () => response.end(long)),
    })
    await expect(place.send("/", post)).rejects.toThrow(/aborted|hang up|ECONNRESET/)
    await freed(place, 1)
  })

  it("is not given up for a client or an upstream that takes its time", async () => {
    const server = await grpcServer([
      [
        serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor"),
        {
          Process: (call: grpc.ServerDuplexStream<Message, object>) => {
            call.on("error", () => {})
            call.on("data", (message: Message) => {
              const kind = String(message["request"])
              const streamedResponse = message[kind]
              call.write({
                [kind]: kind.endsWith("Body") ? { response: { bodyMutation: { streamedResponse } } } : {},
              })
            })
            call.on("end", () => call.end())
          },
        },
      ],
    ])
    closing.push(server.close)
    const options = "requestBodyMode: fullDuplexStreamed, responseBodyMode: none"
    const place = await start(closing, over(server.port, "failClosed", options))
    const body = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(place.gateway.port, "127.0.0.1")
      closing.push(() => socket.destroy())
      let said = ""
      socket.on("data", (bytes) => (said += bytes.toString()))
      socket.on("end", () => resolve(said))
      socket.on("error", reject)
      socket.write(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      )
      // Longer than the processor may think.
      setTimeout(() => socket.write("6\r\n world\r\n0\r\n\r\n"), 800)
    })
    expect(body).toContain("hello world")
    expect((await ask(`http://127.0.0.1:${place.gateway.port}/`)).status).toBe(200)
  })
})
