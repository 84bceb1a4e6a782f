/** Reading bodies for expressions. What is too long is not refused: it streams on, and only its beginning is known. */
import * as Effect from "effect/Effect"
import * as Body from "../../Body.ts"
import type { Captured, Reply, Request, Subject } from "../../Exchange.ts"
import { collectRequest, whole } from "../buffer.ts"
import { pass, type Step } from "../Step.ts"
import type { PolicyPorts } from "../steps.ts"

const all = (bytes: Uint8Array): Captured => ({ bytes, prefix: bytes })

const none = all(new Uint8Array(0))

/** What is in memory already needs no reading, but is no more known than it would be otherwise. */
const present = (body: Body.Body, bytesMax: number): Captured | undefined => {
  if (body._tag === "Flow") return undefined
  if (body._tag === "Empty") return none
  const { bytes } = body
  return bytes.byteLength <= bytesMax ? all(bytes) : { bytes: undefined, prefix: bytes.subarray(0, bytesMax) }
}

const capturedOf = (collected: Body.Collected): Captured =>
  collected._tag === "Whole" ? all(collected.bytes) : { bytes: undefined, prefix: collected.prefix }

const restored = (collected: Body.Collected): Body.Body =>
  collected._tag === "Whole" ? whole(collected) : collected.body

const isTunnel = ({ method, upgrade }: Request): boolean => upgrade !== undefined || method === "CONNECT"

/** Stands before the first step that looks at the body. */
export const captureRequest = ({ clock, maxBufferBytes }: PolicyPorts): Step<Subject> => ({
  kind: "Body",
  run: ({ exchange, request }) => {
    if (request.captured !== undefined || isTunnel(request)) return pass
    request.captured = present(request.body, maxBufferBytes)
    if (request.captured !== undefined) return pass
    return Effect.flatMap(collectRequest(request, maxBufferBytes, clock, exchange.deadlineMillis), (collected) => {
      request.captured = capturedOf(collected)
      request.body = restored(collected)
      return pass
    })
  },
})

/** Undefined when there is nothing to wait for. A body that breaks off breaks off for the client too. */
export const captureReply = (reply: Reply, bytesMax: number, isHead: boolean): Effect.Effect<void> | undefined => {
  if (reply.captured !== undefined) return undefined
  if (isHead || reply.tunnel !== undefined) {
    reply.captured = none
    return undefined
  }
  const { body } = reply
  const known = present(body, bytesMax)
  if (known !== undefined) {
    reply.captured = known
    return undefined
  }
  // Whoever reads a body takes it along, so that an interrupted exchange does not let go of it a second time.
  reply.body = Body.empty
  return Effect.match(Body.collect(body, bytesMax), {
    onFailure: (failure) => {
      reply.body = broken(failure)
    },
    onSuccess: (collected) => {
      reply.captured = capturedOf(collected)
      reply.body = restored(collected)
    },
  })
}

const broken = (failure: Body.FlowFailure): Body.Body => {
  const held = new Body.HeldFlow(undefined)
  held.source = { resume: () => {}, cancel: () => {} }
  held.fail(failure)
  return held
}

/** Keeps the beginning of what flows by, for what is written when all is over. */
export const record = (body: Body.Body, bytesMax: number, done: (captured: Captured) => void): Body.Body => {
  if (body._tag !== "Flow") {
    done(present(body, bytesMax) ?? none)
    return body
  }
  const chunks: Array<Uint8Array> = []
  let length = 0
  let isWhole = true
  const say = (): void => {
    const prefix = Body.join(chunks, length)
    done({ bytes: isWhole ? prefix : undefined, prefix })
  }
  // A body that never ends has a beginning all the same.
  done({ bytes: undefined, prefix: none.prefix })
  return Body.tap(body, {
    chunk: (chunk) => {
      if (!isWhole) return
      const room = bytesMax - length
      if (chunk.byteLength <= room) {
        chunks.push(chunk.slice())
        length += chunk.byteLength
        return
      }
      if (room > 0) chunks.push(chunk.slice(0, room))
      length = bytesMax
      isWhole = false
      say()
    },
    end: say,
  })
}
