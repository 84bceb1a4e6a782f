import * as Body from "../../../Body.ts"
import { type Send, trailersMessage } from "./messages.ts"
import type { ProcessorCall } from "./ProcessorCall.ts"
import { changeAsAnswered, type Side } from "./Side.ts"

/** Lets a body pass unseen, and shows what follows it. */
export const passTrailers = (call: ProcessorCall, side: Side, flow: Body.Flow, send: Send): Body.Flow => {
  const { clock, timeoutMillis } = call.options
  const over = call.show()
  return {
    _tag: "Flow",
    length: flow.length,
    open: (sink) => {
      let cancelTimer: (() => void) | undefined
      let stop: (() => void) | undefined
      const source = flow.open({
        write: (chunk) => sink.write(chunk),
        fail: (failure) => {
          over()
          sink.fail(failure)
        },
        end: (trailers) => {
          if (trailers === undefined || !call.isOpen) {
            over()
            return sink.end(trailers)
          }
          const done = (problem: string | undefined): void => {
            cancelTimer?.()
            over()
            if (problem === undefined) sink.end(trailers)
            else sink.fail(Body.flowFailure("gone", problem))
          }
          send(trailersMessage(side.name, trailers))
          cancelTimer = clock.after(timeoutMillis, () => {
            stop?.()
            done(`no answer within ${timeoutMillis} ms`)
          })
          stop = side.take((said) =>
            done(
              said._tag === "Closed"
                ? undefined
                : said._tag === "Response"
                  ? changeAsAnswered(side, said, trailers)
                  : said._tag === "Failed"
                    ? said.reason
                    : "the external processor ended it",
            ),
          )
        },
      })
      return {
        resume: () => source.resume(),
        cancel: () => {
          stop?.()
          cancelTimer?.()
          over()
          source.cancel()
        },
      }
    },
  }
}
