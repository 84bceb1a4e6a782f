/** A server that asks by results, for a client that is asked by requests: ask, and call again with the answers. */
import * as Effect from "effect/Effect"
import { asNumber, asString, Fields, type Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Answer, Ask, Call, Outcome, TargetFailure } from "../target/McpTarget.ts"

export interface Unrolling {
  readonly runtime: McpRuntime
  readonly target: string
  readonly call: (call: Call) => Effect.Effect<Outcome, TargetFailure>
  readonly ask: (ask: Ask) => Effect.Effect<Answer>
  /** A person was sent somewhere, and the server no longer asks for that. */
  readonly completed: (url: string) => void
}

const isAsking = (outcome: Outcome): Fields | undefined => {
  if (outcome._tag !== "Result" || outcome.era !== "modern") return undefined
  const fields = Fields.parse(outcome.result)
  return fields?.string("resultType") === "input_required" ? fields : undefined
}

const urlOf = ({ method, params }: Pick<Ask, "method" | "params">): string | undefined => {
  if (method !== "elicitation/create") return undefined
  const fields = Fields.parse(params)
  return fields?.string("mode") === "url" ? fields.string("url") : undefined
}

const failed = (error: Json): Effect.Effect<Outcome> => Effect.succeed({ _tag: "Error", error, era: "modern" })

/** How long a server that only wants to be asked again is left alone. */
const backoffMillis = (round: number, runtime: McpRuntime): number =>
  Math.min(250 * 2 ** round, 5_000) * (0.75 + runtime.clock.random() / 2)

/** How often a server may say that it needs more time. */
const patienceMax = 600

/** One progress out of that of several calls: it only ever grows, and goes on while somebody thinks about a question. */
class Progress {
  private readonly runtime: McpRuntime
  private readonly events: Call["events"]
  private last = 0
  private base = 0

  constructor(runtime: McpRuntime, events: Call["events"]) {
    this.runtime = runtime
    this.events = events
  }

  readonly report = (params: Fields): void => {
    const value = asNumber(params.get("progress"))
    if (value === undefined) return this.events.progress(params)
    this.last = Math.max(this.last, this.base + value)
    this.events.progress(this.base === 0 ? params : params.with("progress", String(this.base + value)))
  }

  /** The next call begins to count anew. */
  nextRound(): void {
    this.base = this.last
  }

  /** Clients that hear nothing for a minute give up, however long a person may take. */
  during<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      let disarm = (): void => {}
      const arm = (): void => {
        disarm = this.runtime.clock.after(limits.tickMillis, () => {
          this.last += smallStep
          this.events.progress(Fields.of({ progress: String(this.last), message: '"waiting for an answer"' }))
          arm()
        })
      }
      arm()
      return Effect.ensuring(
        effect,
        Effect.sync(() => disarm()),
      )
    })
  }
}

/** Little enough that it says nothing about how much is left. */
const smallStep = 1 / 1024

export const unrolled = (unrolling: Unrolling, sent: Call): Effect.Effect<Outcome, TargetFailure> => {
  const { ask, completed, runtime, target } = unrolling
  /** Where people were sent; they may still be busy there. */
  const visited = new Set<string>()
  const progress = sent.wantsProgress ? new Progress(runtime, sent.events) : undefined
  const call = progress === undefined ? sent : { ...sent, events: { ...sent.events, progress: progress.report } }
  const waiting = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => progress?.during(effect) ?? effect
  const leave = (url: string): void => {
    visited.delete(url)
    completed(url)
  }

  const next = (outcome: Outcome, round: number, waits: number): Effect.Effect<Outcome, TargetFailure> => {
    const asking = isAsking(outcome)
    if (asking === undefined) {
      for (const url of visited) leave(url)
      return Effect.succeed(outcome)
    }
    if (round >= limits.roundsMax || waits >= patienceMax) {
      return failed(errorOf(codes.internal, `${target} asked too often`))
    }
    const state = asking.get("requestState")
    const requests = asking.object("inputRequests") ?? Fields.empty
    const questions = [...requests.names].map((key) => {
      const entry = requests.object(key) ?? Fields.empty
      return { key, method: entry.string("method") ?? "", params: entry.get("params") }
    })
    const urls = new Set(questions.map(urlOf))
    for (const url of visited) if (!urls.has(url)) leave(url)
    const isBusy = questions.length > 0 && questions.every((one) => visited.has(urlOf(one) ?? ""))
    if (questions.length === 0 || isBusy) {
      const responses = isBusy ? responsesOf(questions.map(({ key }) => [key, '{"action":"accept"}'])) : undefined
      return Effect.andThen(
        waiting(Effect.sleep(backoffMillis(waits, runtime))),
        Effect.suspend(() => again(state, responses, round, waits + 1)),
      )
    }
    return Effect.flatMap(
      waiting(
        Effect.forEach(
          questions,
          ({ key, method, params }) =>
            Effect.map(ask({ method, params, target }), (answer) => ({ key, method, params, answer })),
          { concurrency: "unbounded" },
        ),
      ),
      (answers) => {
        const responses: Array<readonly [string, Json]> = []
        for (const { answer, key, method, params } of answers) {
          if (answer._tag === "Result") {
            const url = urlOf({ method, params })
            const action = asString(Fields.parse(answer.result)?.get("action"))
            if (url !== undefined && action === "accept") visited.add(url)
            responses.push([key, answer.result])
          } else if (method === "elicitation/create") responses.push([key, '{"action":"cancel"}'])
          // There is no way to tell such a server that its question failed.
          else return failed(answer.error)
        }
        return again(state, responsesOf(responses), round + 1, 0)
      },
    )
  }

  const again = (
    state: Json | undefined,
    responses: Json | undefined,
    round: number,
    waits: number,
  ): Effect.Effect<Outcome, TargetFailure> => {
    progress?.nextRound()
    const params = (call.params ?? Fields.empty).with("inputResponses", responses).with("requestState", state)
    return Effect.flatMap(unrolling.call({ ...call, params }), (outcome) => next(outcome, round, waits))
  }

  return Effect.flatMap(unrolling.call(call), (outcome) => next(outcome, 0, 0))
}

const responsesOf = (answers: ReadonlyArray<readonly [string, Json]>): Json =>
  Fields.of(Object.fromEntries(answers)).toJson()
