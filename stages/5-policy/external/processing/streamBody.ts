import * as Effect from "effect/Effect"
import type { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import { bodyMessage, nothing, type Send, trailersMessage } from "./messages.ts"
import type { ProcessorCall } from "./ProcessorCall.ts"
import type { Side } from "./Side.ts"
import { type Outcome, proceed, type Subject } from "./Subject.ts"

/** A body on its way to the processor. */
export interface StreamedBody {
  /** What the processor sends goes on in its place. */
  readonly goOn: () => Effect.Effect<Outcome, string>
  readonly stop: () => void
}

/** The body goes to the processor as it comes. */
export const streamBody = (call: ProcessorCall, side: Side, subject: Subject, send: Send): StreamedBody => {
  const { clock } = call.options
  side.startStreaming()
  const sent = subject.body
  const back = new Body.HeldFlow(undefined)
  let trailers: Headers | undefined
  let wake: (() => void) | undefined
  let isTaken = true
  let isShown = sent._tag !== "Flow"
  const moved = (): void => {
    side.movedMillis = clock.nowMillis()
  }
  const show = (): (() => void) => {
    if (sent._tag === "Bytes") {
      send(bodyMessage(side.name, sent.bytes, true))
      return () => {}
    }
    if (sent._tag === "Empty") return () => {}
    let source: Body.Source | undefined
    wake = () => {
      if (side.heldBytes === 0) source?.resume()
    }
    const shown = call.show(() => {
      isTaken = true
      moved()
      wake?.()
    })
    const over = (): void => {
      isShown = true
      shown()
    }
    source = sent.open({
      write: (chunk) => {
        if (!call.isOpen) return true
        isTaken = send(bodyMessage(side.name, chunk, false))
        moved()
        return isTaken && side.heldBytes === 0
      },
      end: (after) => {
        trailers = after
        if (call.isOpen) {
          send(after === undefined ? bodyMessage(side.name, nothing, true) : trailersMessage(side.name, after))
          moved()
        }
        over()
      },
      fail: (failure) => {
        over()
        call.cancel()
        back.fail(failure)
      },
    })
    return () => {
      over()
      source?.cancel()
    }
  }
  const stop = show()
  back.source = {
    resume: () => {
      side.heldBytes = 0
      moved()
      call.pump()
      wake?.()
    },
    cancel: () => {
      stop()
      side.drop()
      side.stream = undefined
      side.onOver?.()
      side.heldBytes = 0
      call.pump()
    },
  }
  return {
    stop,
    goOn: () => {
      subject.headers.remove("content-length")
      subject.body = back
      const problem = side.begin(back, () => trailers)
      if (problem !== undefined) return Effect.fail(problem)
      // What nobody comes to read any more ends with the exchange, and the watch with it.
      if (side.stream !== undefined) side.onOver = watch(call, side, () => isShown || !isTaken)
      return Effect.succeed(proceed)
    },
  }
}

/**
 * A processor that neither takes nor gives for as long as it may think is given up, unless it waits for others: for more
 * of the body, or for whoever reads what it gives. The result stops the watch.
 */
const watch = (call: ProcessorCall, side: Side, isAskedFor: () => boolean): (() => void) => {
  const { clock, timeoutMillis } = call.options
  let cancel = (): void => {}
  const look = (): void => {
    if (call.isOver) return
    if (!isAskedFor() || side.heldBytes > 0 || call.isHeldBack) side.movedMillis = clock.nowMillis()
    const leftMillis = side.movedMillis + timeoutMillis - clock.nowMillis()
    if (leftMillis > 0) cancel = clock.after(leftMillis, look)
    else call.fail(`it stood still for ${timeoutMillis} ms`)
  }
  side.movedMillis = clock.nowMillis()
  look()
  return () => cancel()
}
