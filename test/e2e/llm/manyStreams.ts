/** Many streams at once: a provider that counts aloud at a steady pace, and clients that hear whether it does. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { readFileSync } from "node:fs"

export interface Pace {
  readonly tokens: number
  readonly millis: number
}

export interface Counter {
  readonly port: number
  readonly close: () => Promise<void>
}

/** Streams the numbers from 0 on, each in an event of its own, and what it used at the end. */
export const startCounter = ({ millis, tokens }: Pace): Promise<Counter> =>
  new Promise((resolve) => {
    const server = http.createServer((request, response) => {
      request.resume()
      request.once("end", () => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        let next = 0
        const timer = setInterval(() => {
          if (next < tokens) {
            const choices = [{ index: 0, delta: { content: ` ${next++}` }, finish_reason: null }]
            response.write(`data: ${JSON.stringify({ id: "c", model: "counter", choices, usage: null })}\n\n`)
            return
          }
          clearInterval(timer)
          const usage = { prompt_tokens: 1, completion_tokens: tokens, total_tokens: tokens + 1 }
          const last = [{ index: 0, delta: {}, finish_reason: "stop" }]
          response.write(`data: ${JSON.stringify({ id: "c", model: "counter", choices: last })}\n\n`)
          response.end(`data: ${JSON.stringify({ id: "c", model: "counter", choices: [], usage })}\n\ndata: [DONE]\n\n`)
        }, millis)
        response.once("close", () => clearInterval(timer))
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      }),
    )
  })

export interface Heard {
  /** In the order in which they came. */
  readonly numbers: ReadonlyArray<number>
  readonly isWhole: boolean
  /** Milliseconds between one and the next. */
  readonly gaps: ReadonlyArray<number>
}

const body = JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "count" }] })

export const listen = (port: number): Promise<Heard> =>
  new Promise((resolve, reject) => {
    const request = http.request(
      {
        port,
        host: "127.0.0.1",
        method: "POST",
        path: "/v1/chat/completions",
        headers: { "content-type": "application/json" },
        agent: false,
      },
      (response) => {
        const numbers: Array<number> = []
        const gaps: Array<number> = []
        let rest = ""
        let isWhole = false
        let before = 0
        response.setEncoding("utf8")
        response.on("data", (text: string) => {
          const events = (rest + text).split("\n\n")
          rest = events.pop() ?? ""
          for (const event of events) {
            const data = event.replace(/^data: /, "")
            if (data === "[DONE]") isWhole = true
            else {
              const content: unknown = JSON.parse(data).choices?.[0]?.delta?.content
              if (typeof content !== "string") continue
              const now = performance.now()
              if (numbers.length > 0) gaps.push(now - before)
              before = now
              numbers.push(Number(content))
            }
          }
        })
        response.once("end", () => resolve({ numbers, isWhole, gaps }))
        response.once("error", reject)
      },
    )
    request.once("error", reject)
    request.end(body)
  })

/** What is wrong with what was heard; nothing if it is all of it in its order. */
export const wrong = ({ isWhole, numbers }: Heard, { tokens }: Pace): string | undefined => {
  const at = numbers.findIndex((number, i) => number !== i)
  if (at >= 0) return `${numbers[at]} came at place ${at}`
  if (numbers.length !== tokens) return `${numbers.length} came instead of ${tokens}`
  return isWhole ? undefined : "there was no end"
}

export const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1024

export const configuration = (port: number, upstreamPort: number): string =>
  JSON.stringify({
    config: { workerThreads: 1, adminAddr: "off", statsAddr: "off", readinessAddr: "off" },
    binds: [
      {
        port,
        listeners: [
          {
            routes: [
              {
                backends: [
                  {
                    ai: {
                      name: "counter",
                      provider: { custom: { formats: [{ type: "completions" }] } },
                      hostOverride: `127.0.0.1:${upstreamPort}`,
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  })
