/** Lets nothing of an answer through before what hangs on it is done: a client may ask about its task at once. */
import * as Effect from "effect/Effect"
import type { Headers } from "../../../protocols/http/headers.ts"
import { whole } from "../../5-policy/buffer.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { brokenOff, type Refusal } from "../../Refusal.ts"
import type { Conversation } from "./Conversation.ts"
import type { Run } from "./stream.ts"
import { ANSWER_BYTES_MAX } from "./watch.ts"

/** How long an answer is held up at most; a client that is told late is worse off than one that has to ask again. */
const HELD_MILLIS_MAX = 2_000

const doing = (due: ReadonlyArray<Effect.Effect<void>>): Effect.Effect<void> =>
  Effect.forEach(due, (one) => one, { discard: true }).pipe(
    Effect.timeoutOrElse({ duration: HELD_MILLIS_MAX, orElse: () => Effect.void }),
  )

class Held implements Body.Sink, Body.Source {
  source: Body.Source | undefined
  private readonly sink: Body.Sink
  private readonly conversation: Conversation
  private readonly run: Run
  private readonly waiting: Array<Uint8Array> = []
  private isDoing = false
  private isCancelled = false
  private ending: (() => void) | undefined

  constructor(sink: Body.Sink, conversation: Conversation, run: Run) {
    this.sink = sink
    this.conversation = conversation
    this.run = run
  }

  write(chunk: Uint8Array): boolean {
    this.look()
    if (!this.isDoing) return this.sink.write(chunk)
    this.waiting.push(chunk)
    return false
  }

  end(trailers: Headers | undefined): void {
    this.look()
    this.finally(() => this.sink.end(trailers))
  }

  fail(failure: Body.FlowFailure): void {
    this.finally(() => this.sink.fail(failure))
  }

  resume(): void {
    if (!this.isDoing) this.source?.resume()
  }

  cancel(): void {
    this.isCancelled = true
    this.source?.cancel()
  }

  private look(): void {
    const due = this.conversation.takeDue()
    if (due.length === 0) return
    this.isDoing = true
    this.run(
      Effect.ensuring(
        doing(due),
        Effect.sync(() => this.done()),
      ),
    )
  }

  private finally(ending: () => void): void {
    if (this.isDoing) this.ending = ending
    else ending()
  }

  private done(): void {
    this.isDoing = false
    if (this.isCancelled) return
    let isFlowing = true
    for (const chunk of this.waiting.splice(0)) isFlowing = this.sink.write(chunk) && isFlowing
    if (this.ending !== undefined) this.ending()
    else if (isFlowing) this.source?.resume()
  }
}

export const hold = (reply: Reply, conversation: Conversation, run: Run | undefined): Effect.Effect<Reply, Refusal> => {
  if (run === undefined || !conversation.isFollowed) return Effect.succeed(reply)
  const { body, headers } = reply
  if (body._tag !== "Flow") {
    const due = conversation.takeDue()
    return due.length === 0 ? Effect.succeed(reply) : Effect.as(doing(due), reply)
  }
  // Of one that is whole at its end only the end says what it is about.
  if (/\bjson\b/i.test(headers.get("content-type") ?? "")) {
    reply.body = Body.empty
    return Effect.matchEffect(Body.collect(body, ANSWER_BYTES_MAX), {
      onFailure: (failure): Effect.Effect<Reply, Refusal> => Effect.fail(brokenOff(failure)),
      onSuccess: (collected) => {
        reply.body = collected._tag === "Partial" ? collected.body : whole(collected)
        return Effect.as(doing(conversation.takeDue()), reply)
      },
    })
  }
  reply.body = {
    _tag: "Flow",
    length: body.length,
    open: (sink) => {
      const held = new Held(sink, conversation, run)
      held.source = body.open(held)
      return held
    },
  }
  return Effect.succeed(reply)
}
