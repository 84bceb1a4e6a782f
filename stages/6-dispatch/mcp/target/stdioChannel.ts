/**
 * Pipes to the processes of one target, as channels. One that fails at once is not started again and again, there are
 * never more than may be, and the one that has been silent for longest makes room for another caller's.
 */
import * as Effect from "effect/Effect"
import type { StdioProcess } from "../../../../ir/backend/Mcp.ts"
import { isJson } from "../../../../protocols/mcp/json.ts"
import { LineReader } from "../../../../protocols/mcp/lines.ts"
import type { Processes, RunningProcess } from "../../../ports/Processes.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { limits } from "../limits.ts"
import { type Broken, broken, type Channel, type OpenChannel, type Receiver } from "./Channel.ts"

/** A process that lived for so long did not fail to start. */
const healthyMillis = 10_000
const backoffMinMillis = 500
const backoffMaxMillis = 30_000
/** Lines in a row that are no messages, from a process that has not said anything else yet. */
const nonsenseMax = 3
/** A process without traffic for so long may be stopped for the sake of another caller's. */
const evictableMillis = 30_000
/** What is kept of the last lines of its standard error. */
const complaintChars = 2_000

interface Live {
  seenMillis: number
  readonly stop: (why: string) => void
}

export interface StdioChannels {
  readonly open: OpenChannel
  /** Whether the last attempt to start a process failed before there was one. */
  readonly failedToStart: () => boolean
  /** What failed so far was no fault of the program. */
  readonly forgive: () => void
  readonly count: () => number
  readonly close: () => void
}

export interface StdioPorts {
  readonly clock: Clock
  readonly processes: Processes
  /** Told what a process wrote to its standard error before it ended on its own. */
  readonly complain?: (how: string, complaint: string) => void
}

export const stdioChannels = (spec: StdioProcess, { clock, complain, processes }: StdioPorts): StdioChannels => {
  const live = new Set<Live>()
  /** Counted before they run, so that a rush cannot start too many. */
  let starting = 0
  let failures = 0
  let notBeforeMillis = 0
  let failedToStart = false
  let isClosed = false

  const failed = (): void => {
    failures++
    const wait = Math.min(backoffMinMillis * 2 ** (failures - 1), backoffMaxMillis)
    notBeforeMillis = clock.nowMillis() + wait * (0.5 + clock.random() / 2)
  }

  const makeRoom = (): boolean => {
    if (live.size + starting < spec.processesMax) return true
    let oldest: Live | undefined
    for (const one of live) if (oldest === undefined || one.seenMillis < oldest.seenMillis) oldest = one
    if (oldest === undefined || clock.nowMillis() - oldest.seenMillis < evictableMillis) return false
    oldest.stop("the process made room for another caller's")
    return true
  }

  const refusal = (): Broken | undefined => {
    if (isClosed) return broken("closed by the gateway", false)
    const waitMillis = notBeforeMillis - clock.nowMillis()
    if (waitMillis > 0) {
      return broken("the process ended right after it was started and is given time", false, {
        status: 503,
        retryAfterMillis: Math.ceil(waitMillis),
      })
    }
    return makeRoom() ? undefined : broken(`all ${spec.processesMax} processes are in use`, false, { status: 503 })
  }

  const open: OpenChannel = (receiver) =>
    Effect.suspend(() => {
      const refused = refusal()
      if (refused !== undefined) return Effect.fail(refused)
      starting++
      failedToStart = false
      return Effect.ensuring(
        start(receiver),
        Effect.sync(() => starting--),
      )
    })

  const start = (receiver: Receiver): Effect.Effect<Channel, Broken> => {
    const startedMillis = clock.nowMillis()
    let running: RunningProcess | undefined
    let isOver = false
    let hasSpoken = false
    let nonsense = 0
    let complaint = ""

    const end = (why: string): void => {
      if (isOver) return
      isOver = true
      live.delete(entry)
      receiver.closed(why)
    }
    const stop = (why: string): void => {
      end(why)
      running?.stop()
    }
    const entry: Live = { seenMillis: startedMillis, stop }

    const lines = new LineReader(limits.messageBytesMax, {
      line: (text) => {
        entry.seenMillis = clock.nowMillis()
        if (text.trimStart().startsWith("{") && isJson(text)) {
          hasSpoken = true
          if (!isOver) receiver.message(text)
        } else if (!hasSpoken && ++nonsense >= nonsenseMax) {
          failed()
          stop("the process writes something else than messages")
        }
      },
      // Its request is answered by nobody, which is better than by somebody who ran out of memory.
      tooLong: () => stop("the process wrote a message that is too large"),
    })
    const errors = new TextDecoder()

    const events = {
      output: (chunk: Uint8Array) => lines.push(chunk),
      errorOutput: (chunk: Uint8Array) => {
        complaint = `${complaint}${errors.decode(chunk, { stream: true })}`.slice(-complaintChars)
      },
      exited: (how: string) => {
        lines.end()
        const wasOurs = isOver
        end(how)
        if (wasOurs) return
        if (!hasSpoken || clock.nowMillis() - startedMillis < healthyMillis) failed()
        complain?.(how, complaint)
      },
    }
    return Effect.matchEffect(processes.start(spec, events), {
      onFailure: ({ message }): Effect.Effect<Channel, Broken> =>
        Effect.suspend(() => {
          failedToStart = true
          failed()
          return Effect.fail(broken(message, false))
        }),
      onSuccess: (process) =>
        Effect.sync((): Channel => {
          running = process
          if (isClosed) stop("closed by the gateway")
          else if (!isOver) live.add(entry)
          return {
            send: (message) =>
              Effect.suspend(() => {
                if (isOver) return Effect.fail(broken("the process is gone", false))
                entry.seenMillis = clock.nowMillis()
                return Effect.tap(
                  Effect.mapError(process.write(`${message}\n`), (failure) => broken(failure.message, true)),
                  () => Effect.sync(healthy),
                )
              }),
            close: () => stop("closed by the gateway"),
          }
        }),
    })
  }

  /** Nothing is forgiven before a process has shown that it stays. */
  const healthy = (): void => {
    if (failures > 0 && clock.nowMillis() - notBeforeMillis > healthyMillis) failures = 0
  }

  return {
    open,
    failedToStart: () => failedToStart,
    forgive: () => {
      failures = 0
      notBeforeMillis = 0
    },
    count: () => live.size,
    close: () => {
      isClosed = true
      for (const one of live) one.stop("closed by the gateway")
    },
  }
}
