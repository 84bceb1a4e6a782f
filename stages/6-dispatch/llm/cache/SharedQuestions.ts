/**
 * Questions that are being asked: whoever asks the same meanwhile waits for the answer instead of asking too. Whoever
 * asks and leaves hands the question on to one that waits; an answer that is not for others sets them free to ask.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"

/** Which part somebody takes in a question. */
export type Part<A> =
  /** Asks for all. */
  | { readonly _tag: "Lead" }
  /** Asks for itself. */
  | { readonly _tag: "Alone" }
  /** Is given what another asked for. */
  | { readonly _tag: "Given"; readonly answer: A }

interface Question<A> {
  leader: object
  readonly waiting: Map<object, (part: Part<A>) => void>
  answer: A | undefined
}

const lead = { _tag: "Lead" } as const
const alone = { _tag: "Alone" } as const
const tooLate: Refusal = { _tag: "RequestTimeout" }

export class SharedQuestions<A> {
  private readonly clock: Clock
  private readonly questions = new Map<string, Question<A>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  get size(): number {
    return this.questions.size
  }

  /** `who` is known by identity, and must say `left` however it ends. */
  enter(key: string, who: object, deadlineMillis: number): Effect.Effect<Part<A>, Refusal> {
    return Effect.suspend(() => {
      const question = this.questions.get(key)
      if (question === undefined) {
        this.questions.set(key, { leader: who, waiting: new Map(), answer: undefined })
        return Effect.succeed(lead)
      }
      return question.answer === undefined
        ? this.waited(question, who, deadlineMillis)
        : Effect.succeed<Part<A>>({ _tag: "Given", answer: question.answer })
    })
  }

  private waited(question: Question<A>, who: object, deadlineMillis: number): Effect.Effect<Part<A>, Refusal> {
    return Effect.callback((resume) => {
      const leftMillis = deadlineMillis - this.clock.nowMillis()
      const cancelTimer =
        leftMillis === Infinity
          ? undefined
          : this.clock.after(Math.max(0, leftMillis), () => {
              question.waiting.delete(who)
              resume(Effect.fail(tooLate))
            })
      question.waiting.set(who, (part) => {
        cancelTimer?.()
        resume(Effect.succeed(part))
      })
      return Effect.sync(() => {
        cancelTimer?.()
        question.waiting.delete(who)
      })
    })
  }

  /** There is an answer for everybody; whoever still comes is given it until it is over. */
  answered(key: string, who: object, answer: A): boolean {
    const question = this.questions.get(key)
    if (question?.leader !== who) return false
    question.answer = answer
    this.free(question, { _tag: "Given", answer })
    return true
  }

  /** Nobody can be given it on the way any more. */
  over(key: string, who: object): void {
    const question = this.questions.get(key)
    if (question?.leader !== who) return
    this.questions.delete(key)
    this.free(question, alone)
  }

  /** Whoever asked has gone. `mayBeAsked`: another may do better. */
  left(key: string, who: object, mayBeAsked: boolean): void {
    const question = this.questions.get(key)
    if (question === undefined || question.leader !== who || question.answer !== undefined) return
    const [next] = mayBeAsked ? question.waiting : []
    if (next === undefined) return this.over(key, who)
    const [heir, tell] = next
    question.waiting.delete(heir)
    question.leader = heir
    tell(lead)
  }

  private free(question: Question<A>, part: Part<A>): void {
    const all = [...question.waiting.values()]
    question.waiting.clear()
    for (const tell of all) tell(part)
  }
}
