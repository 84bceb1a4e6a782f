/**
 * Loaded ahead of the gateway into each of its threads: tells what the threads do, and makes them fail on request.
 *
 *   SIGUSR2            the workers end as if something had killed them
 *   FAIL_PORT=1234     no worker can listen on that port
 *   HANG_PORT=1234     a worker that is to listen on that port does not answer any more
 */
import * as fs from "node:fs"
import * as net from "node:net"
import { isMainThread, type Worker } from "node:worker_threads"

const say = (text: string): void => void fs.writeSync(2, `${text}\n`)

const prototype = net.Server.prototype
const { emit, listen } = prototype

if (isMainThread) {
  const alive = new Set<Worker>()
  process.on("worker", (worker: Worker) => {
    alive.add(worker)
    say("thread began")
    worker.once("exit", () => {
      alive.delete(worker)
      say("thread ended")
    })
  })
  process.on("SIGUSR2", () => {
    for (const worker of alive) void worker.terminate()
  })
} else {
  prototype.listen = function (this: net.Server, ...args: ReadonlyArray<unknown>) {
    const port = String((args[0] as { readonly port?: number }).port)
    if (port === process.env["HANG_PORT"]) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    if (port !== process.env["FAIL_PORT"]) return Reflect.apply(listen, this, args) as net.Server
    queueMicrotask(() => this.emit("error", new Error("this worker may not")))
    return this
  } as typeof listen
}

prototype.emit = function (this: net.Server, event: string | symbol, ...args: ReadonlyArray<unknown>) {
  if (event === "connection") say(isMainThread ? "accepted by the main thread" : "accepted by a worker")
  return Reflect.apply(emit, this, [event, ...args]) as boolean
} as typeof emit
