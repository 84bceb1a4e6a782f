import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { flowFailure, type Flow, type Sink, type Source } from "../../../../stages/Body.ts"
import { decode, encode } from "../../../../src/node/redisReplies.ts"
import { ReplayFlow } from "../../../../stages/6-dispatch/llm/cache/ReplayFlow.ts"
import { SharedFlow } from "../../../../stages/6-dispatch/llm/cache/SharedFlow.ts"
import { inMemory, type KeptReply } from "../../../../stages/ports/Replies.ts"

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

/** Somebody who reads, at a pace of its own. */
class Listener implements Sink {
  heard = ""
  /** Takes one chunk more, and then no more until it says so. */
  hasEnough = false
  isHeld = false
  end_: "end" | "fail" | undefined
  hasLeft = false
  source: Source | undefined
  readonly problems: Array<string> = []

  private expecting(what: string): void {
    if (this.hasLeft) this.problems.push(`${what} after it left`)
    if (this.end_ !== undefined) this.problems.push(`${what} after the end`)
    if (this.isHeld) this.problems.push(`${what} while it was held back`)
  }
  readOn(): void {
    this.hasEnough = false
    this.isHeld = false
    this.source?.resume()
  }
  write(chunk: Uint8Array): boolean {
    this.expecting("bytes")
    this.heard += latin1(chunk)
    this.isHeld = this.hasEnough
    return !this.isHeld
  }
  end(): void {
    this.expecting("an end")
    this.end_ = "end"
  }
  fail(): void {
    this.expecting("a failure")
    this.end_ = "fail"
  }
}

type Step =
  | { readonly do: "say"; readonly bytes: number }
  | { readonly do: "join" | "end" | "fail" }
  | { readonly do: "hold" | "resume" | "leave"; readonly who: number }

const who = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("say" as const), bytes: fc.integer({ min: 1, max: 40_000 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("join" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("hold" as const), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("resume" as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("leave" as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("end" as const, "fail" as const) }) },
)

describe("one answer for several", () => {
  it("everybody hears all of it from its beginning in order, whoever else holds back or leaves", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom(0, 1_000, 100_000, 10_000_000),
        (steps, bytesMax) => {
          let sink: Sink | undefined
          let isCancelled = false
          let isPaused = false
          const flow: Flow = {
            _tag: "Flow",
            length: undefined,
            open: (given) => {
              sink = given
              return { resume: () => (isPaused = false), cancel: () => (isCancelled = true) }
            },
          }
          let remembered: string | undefined
          let times = 0
          const shared = new SharedFlow(
            flow,
            bytesMax,
            () => 0,
            (whole) => {
              times++
              remembered = whole === undefined ? undefined : latin1(whole.bytes)
            },
          )
          const listeners: Array<Listener> = []
          const join = (): void => {
            const joined = shared.join()
            if (joined === undefined) return
            const listener = new Listener()
            listeners.push(listener)
            listener.source = joined.open(listener)
          }
          join()
          let said = ""
          let ending: "end" | "fail" | undefined
          const isOver = (): boolean => ending !== undefined || isCancelled
          for (const one of steps) {
            switch (one.do) {
              case "say": {
                // A source that was asked to hold back says nothing.
                if (isOver() || isPaused || sink === undefined) break
                const bytes = new Uint8Array(one.bytes).fill(65 + (said.length % 26))
                said += latin1(bytes)
                isPaused = !sink.write(bytes)
                break
              }
              case "join":
                join()
                break
              case "end":
              case "fail":
                if (isOver()) break
                ending = one.do
                if (one.do === "end") sink?.end(undefined)
                else sink?.fail(flowFailure("gone", "gone"))
                break
              default: {
                const listener = listeners[one.who % listeners.length]
                if (listener === undefined || listener.hasLeft) break
                if (one.do === "hold") listener.hasEnough = true
                else if (one.do === "resume") listener.readOn()
                else {
                  listener.hasLeft = true
                  listener.source?.cancel()
                }
              }
            }
          }
          const present = listeners.filter(({ hasLeft }) => !hasLeft)
          for (const listener of present) listener.readOn()
          expect(listeners.flatMap(({ problems }) => problems)).toEqual([])
          for (const listener of listeners) {
            expect(said.startsWith(listener.heard)).toBe(true)
            if (listener.hasLeft) continue
            expect(listener.heard.length).toBe(said.length)
            expect(listener.end_).toBe(ending)
          }
          // The source is told to stop when the last one leaves, and never before; it is never held back for nobody.
          if (ending === undefined) {
            expect(isCancelled).toBe(present.length === 0)
            if (present.length > 0) expect(isPaused).toBe(false)
          }
          const isKept = ending === "end" && said.length <= bytesMax
          expect(remembered).toBe(isKept ? said : undefined)
          expect(times).toBe(isOver() ? 1 : 0)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

const piece = fc.record({ text: fc.string({ minLength: 1, maxLength: 8 }), gap: fc.nat(50) })
const replyOf = (parts: ReadonlyArray<{ readonly text: string; readonly gap: number }>): KeptReply => {
  const bytes: Array<Buffer> = []
  const pieces: Array<[number, number]> = []
  let end = 0
  let millis = 0
  for (const { gap, text } of parts) {
    const part = Buffer.from(text)
    bytes.push(part)
    end += part.byteLength
    millis += gap
    pieces.push([end, millis])
  }
  return {
    contentType: "text/event-stream",
    provider: "p",
    model: undefined,
    responseModel: "r",
    storedMillis: 7,
    bytes: Buffer.concat(bytes),
    pieces,
  }
}

describe("an answer that is given again", () => {
  it("is the same bytes, none of them early, however the client takes them", () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 20 }), fc.array(fc.boolean()), (parts, takes) => {
        const reply = replyOf(parts)
        let now = 0
        const timers: Array<{ readonly at: number; readonly run: () => void }> = []
        const clock = {
          nowMillis: () => now,
          wallMillis: () => now,
          random: () => 0,
          after: (millis: number, run: () => void) => {
            timers.push({ at: now + millis, run })
            return () => {}
          },
        }
        const turns = takes.values()
        let heard = Buffer.alloc(0)
        let hasEnded = false
        let isHeld = false
        const sink: Sink = {
          write: (chunk) => {
            heard = Buffer.concat([heard, chunk])
            const due = reply.pieces.find(([end]) => end >= heard.byteLength)?.[1] ?? 0
            expect(now).toBeGreaterThanOrEqual(due)
            isHeld = turns.next().value === false
            return !isHeld
          },
          end: () => void (hasEnded = true),
          fail: () => expect.unreachable(),
        }
        const source = new ReplayFlow(reply, clock).open(sink)
        for (let i = 0; i < 200; i++) {
          if (hasEnded) break
          if (isHeld) {
            isHeld = false
            source.resume()
            continue
          }
          const timer = timers.shift()
          if (timer === undefined) break
          now = timer.at
          timer.run()
        }
        expect(hasEnded).toBe(true)
        expect(heard.equals(reply.bytes)).toBe(true)
      }),
    )
  })

  it("comes back from Redis as it was put there", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (parts) => {
        const reply = replyOf(parts)
        const back = decode(encode(reply))
        expect({ ...back, bytes: latin1(back?.bytes ?? new Uint8Array(0)) }).toEqual({
          ...reply,
          bytes: latin1(reply.bytes),
        })
      }),
    )
  })

  it("is the one that was put last, for its time and no longer, and all of them fit", () => {
    const key = fc.constantFrom("a", "b", "c", "d")
    const operation = fc.oneof(
      fc.record({ put: key, size: fc.nat(3_000), ttl: fc.nat(50) }),
      fc.record({ get: key }),
      fc.record({ wait: fc.nat(30) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.integer({ min: 500, max: 6_000 }), (all, bytesMax) => {
        let now = 0
        const replies = inMemory(bytesMax, () => now)
        const model = new Map<string, { readonly bytes: Uint8Array; readonly until: number }>()
        for (const one of all) {
          if ("wait" in one) now += one.wait
          else if ("put" in one) {
            const bytes = new Uint8Array(one.size)
            replies.put(one.put, { ...replyOf([]), bytes }, one.ttl)
            model.set(one.put, { bytes, until: now + one.ttl })
          } else {
            const found = Effect.runSync(replies.get(one.get))
            const known = model.get(one.get)
            // It may have had to make room; what is there is right.
            if (found !== undefined) {
              expect(found.bytes).toBe(known?.bytes)
              expect(known?.until).toBeGreaterThan(now)
            }
          }
          expect(replies.bytes).toBeLessThanOrEqual(bytesMax)
        }
      }),
    )
  })
})
