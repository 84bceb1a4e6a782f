/** Questions that every thread can answer about itself: plain data there and back. */
import * as Effect from "effect/Effect"
import { threadId } from "node:worker_threads"
import type { Gateway } from "../Gateway.ts"
import type { Wish } from "../telemetry/Curiosity.ts"
import type { Telemetry } from "../telemetry/Telemetry.ts"

export type Asking =
  | { readonly about: "story"; readonly id: string }
  | { readonly about: "stories"; readonly count: number }
  | { readonly about: "wish"; readonly wish: Wish }
  | { readonly about: "targets" }
  | { readonly about: "connections" }
  | { readonly about: "state" }
  | { readonly about: "sessions" }
  | { readonly about: "endSession"; readonly id: string }
  | { readonly about: "caches" }
  | { readonly about: "clearCaches"; readonly name?: string }
  | { readonly about: "probe"; readonly target?: string }
  | { readonly about: "reconnect"; readonly target: string }
  | { readonly about: "fibers" }
  | { readonly about: "profile"; readonly kind: "cpu" | "heap"; readonly millis: number; readonly thread: number }

/** One thread, in a word. */
export interface ThreadState {
  readonly thread: number
  readonly connections: number
  readonly exchanges: number
  readonly endpoints: number
  readonly draining: boolean
  readonly heapUsedBytes: number
  readonly waiting: { readonly logLines: number; readonly requestLog: number }
}

export interface Thread {
  readonly gateway: Gateway["Service"]
  readonly telemetry: Telemetry["Service"]
}

const stateOf = ({ gateway, telemetry }: Thread): ThreadState => ({
  thread: threadId,
  ...gateway.open(),
  draining: gateway.draining(),
  heapUsedBytes: process.memoryUsage().heapUsed,
  waiting: { logLines: telemetry.sink.waiting, requestLog: telemetry.requestLog?.size ?? 0 },
})

/** Undefined where this thread has nothing to say. */
export const answer = async (thread: Thread, asking: Asking): Promise<unknown> => {
  const { gateway, telemetry } = thread
  switch (asking.about) {
    case "story":
      return telemetry.stories.get(asking.id)
    case "stories":
      return telemetry.stories.latest(asking.count)
    case "wish":
      return telemetry.curiosity.want(asking.wish)
    case "targets":
      return gateway.desk.targets()
    case "connections":
      return gateway.connections()
    case "state":
      return stateOf(thread)
    case "sessions":
      return gateway.desk.sessions()
    case "endSession":
      return gateway.desk.endSession(asking.id)
    case "caches":
      return gateway.desk.caches()
    case "clearCaches":
      return gateway.desk.clearCaches(asking.name)
    case "probe":
      return Effect.runPromise(gateway.desk.probe(asking.target))
    case "reconnect":
      return gateway.desk.reconnect(asking.target)
    case "fibers": {
      const { dump } = await import("../admin/fibers.ts")
      return dump(gateway.fibers())
    }
    case "profile": {
      if (asking.thread !== threadId) return undefined
      const { profile } = await import("../admin/profile.ts")
      return profile(asking.kind, asking.millis)
    }
  }
}
