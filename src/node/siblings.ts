/** Workers of one process hand requests to each other over message ports, body by body, with back-pressure. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { MessageChannel, type MessagePort, postMessageToThread, threadId } from "node:worker_threads"
import { Headers } from "../../protocols/http/headers.ts"
import { discard, empty, type Flow, flowFailure, type FlowFailure, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply } from "../../stages/Exchange.ts"
import type { Identity } from "../../stages/Identity.ts"
import type { Passed, Siblings } from "../../stages/ports/Siblings.ts"

/** How much may be on its way before the sender waits. */
const unackedBytesMax = 256 * 1024

/** How long a worker may take to take a request. */
const handoverMillis = 2_000

/** Secrets do not survive a copy by themselves. */
interface PlainIdentity extends Omit<Identity, "apiKey" | "token"> {
  readonly apiKey?: Omit<NonNullable<Identity["apiKey"]>, "key"> & { readonly key: string }
  readonly token?: string
}

type Handed = Omit<Passed, "identity"> & { readonly identity: PlainIdentity | undefined }

interface Handover {
  readonly sluice: "passed"
  readonly process: string
  readonly passed: Handed
  readonly port: MessagePort
}

/** From whoever answers. */
type Back =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Head"; readonly status: number; readonly flat: ReadonlyArray<string>; readonly isWhole: boolean }
  | { readonly _tag: "Chunk"; readonly bytes: Uint8Array }
  | { readonly _tag: "End" }
  | { readonly _tag: "Fail"; readonly failure: FlowFailure }

/** From whoever passes it on to the client. */
type Forth = { readonly _tag: "Took"; readonly bytes: number } | { readonly _tag: "Cancel" }

const plain = (identity: Identity | undefined): PlainIdentity | undefined => {
  if (identity === undefined) return undefined
  const { apiKey, token, ...rest } = identity
  return {
    ...rest,
    ...(apiKey === undefined ? {} : { apiKey: { ...apiKey, key: Redacted.value(apiKey.key) } }),
    ...(token === undefined ? {} : { token: Redacted.value(token) }),
  }
}

const unplain = (identity: PlainIdentity | undefined): Identity | undefined => {
  if (identity === undefined) return undefined
  const { apiKey, token, ...rest } = identity
  return {
    ...rest,
    ...(apiKey === undefined ? {} : { apiKey: { ...apiKey, key: Redacted.make(apiKey.key) } }),
    ...(token === undefined ? {} : { token: Redacted.make(token) }),
  }
}

class PortFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly port: MessagePort
  private readonly waiting: Array<Back> = []
  private sink: Sink | undefined = undefined
  private isPaused = false
  private isOver = false

  constructor(port: MessagePort) {
    this.port = port
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.resume()
    return this
  }

  take(message: Back): void {
    if (this.isOver) return
    if (this.sink === undefined || this.isPaused || this.waiting.length > 0) return void this.waiting.push(message)
    this.give(message, this.sink)
  }

  private give(message: Back, sink: Sink): void {
    switch (message._tag) {
      case "Chunk":
        this.isPaused = !sink.write(message.bytes)
        return this.say({ _tag: "Took", bytes: message.bytes.byteLength })
      case "End":
        this.over()
        return sink.end(undefined)
      case "Fail":
        this.over()
        return sink.fail(message.failure)
      default:
    }
  }

  private say(message: Forth): void {
    this.port.postMessage(message)
  }

  private over(): void {
    this.isOver = true
    this.port.close()
  }

  resume(): void {
    this.isPaused = false
    while (this.sink !== undefined && !this.isPaused && !this.isOver) {
      const next = this.waiting.shift()
      if (next === undefined) return
      this.give(next, this.sink)
    }
  }

  cancel(): void {
    if (this.isOver) return
    this.say({ _tag: "Cancel" })
    this.over()
  }
}

const ask = (thread: number, handover: Omit<Handover, "port">): Effect.Effect<Reply | "Gone" | undefined> =>
  Effect.callback((resume) => {
    const { port1, port2 } = new MessageChannel()
    let flow: PortFlow | undefined
    let isSettled = false
    const settle = (reply: Reply | "Gone" | undefined): void => {
      if (isSettled) return
      isSettled = true
      resume(Effect.succeed(reply))
    }
    port1.on("message", (message: Back) => {
      if (message._tag === "Unknown") {
        port1.close()
        return settle(undefined)
      }
      if (message._tag !== "Head") return flow?.take(message)
      const headers = new Headers([...message.flat])
      if (message.isWhole) port1.close()
      else flow = new PortFlow(port1)
      settle({ status: message.status, headers, body: flow ?? empty, origin: "upstream" })
    })
    port1.on("close", () => {
      flow?.take({ _tag: "Fail", failure: flowFailure("gone", "the worker that answered is gone") })
      settle("Gone")
    })
    postMessageToThread(thread, { ...handover, port: port2 }, [port2], handoverMillis).catch(() => {
      port1.close()
      settle("Gone")
    })
    return Effect.sync(() => {
      if (isSettled) return
      isSettled = true
      port1.postMessage({ _tag: "Cancel" } satisfies Forth)
      port1.close()
    })
  })

const answer = (
  { passed, port }: Handover,
  serve: (passed: Passed) => Effect.Effect<Reply | undefined>,
  run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>,
): void => {
  const say = (message: Back): void => port.postMessage(message)
  let source: Source | undefined
  let unacked = 0
  let isPaused = false
  let isOver = false
  const end = (message: Back): void => {
    if (isOver) return
    isOver = true
    say(message)
  }
  const send = ({ body, headers, status }: Reply): void => {
    say({ _tag: "Head", status, flat: headers.flat, isWhole: body._tag === "Empty" })
    if (body._tag === "Empty") return
    const sink: Sink = {
      write(bytes) {
        if (isOver) return true
        unacked += bytes.byteLength
        say({ _tag: "Chunk", bytes })
        isPaused = unacked > unackedBytesMax
        return !isPaused
      },
      end: () => end({ _tag: "End" }),
      fail: (failure) => end({ _tag: "Fail", failure }),
    }
    if (body._tag === "Bytes") {
      sink.write(body.bytes)
      return sink.end(undefined)
    }
    source = body.open(sink)
    if (isOver) source.cancel()
  }
  const fiber = run(
    Effect.map(serve({ ...passed, identity: unplain(passed.identity) }), (reply) => {
      if (reply === undefined) say({ _tag: "Unknown" })
      else if (isOver) discard(reply.body)
      else send(reply)
    }),
  )
  const leave = (): void => {
    if (isOver) return
    isOver = true
    fiber.interruptUnsafe()
    source?.cancel()
  }
  port.on("message", (message: Forth) => {
    if (message._tag === "Cancel") return leave()
    unacked -= message.bytes
    if (!isPaused || unacked > unackedBytesMax / 2) return
    isPaused = false
    source?.resume()
  })
  port.on("close", leave)
}

/** `process` is the same for all workers of one process, and for nobody else. */
export const siblings = (process: string, run: (effect: Effect.Effect<unknown>) => Fiber.Fiber<unknown>): Siblings => {
  const nameOf = (thread: number): string => `${process}.${thread}`
  const self = nameOf(threadId)
  const threadOf = (worker: string): number | undefined =>
    worker !== self && worker.startsWith(`${process}.`) ? Number(worker.slice(process.length + 1)) : undefined
  return {
    self,
    gateway: process,
    isOther: (worker) => threadOf(worker) !== undefined,
    pass: (worker, passed) => {
      const thread = threadOf(worker)
      return thread === undefined
        ? Effect.succeed("Gone")
        : ask(thread, { sluice: "passed", process, passed: { ...passed, identity: plain(passed.identity) } })
    },
    receive: (serve) => {
      globalThis.process.on("workerMessage", (message: Partial<Handover>) => {
        if (message.sluice === "passed" && message.process === process) answer(message as Handover, serve, run)
      })
    },
  }
}
