/** Keeps a task with the replica that has it, and stops questions that go round in circles. */
import * as Effect from "effect/Effect"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Hop } from "../Hop.ts"
import type { Attempting } from "../Target.ts"
import type { Whereabouts } from "./Whereabouts.ts"

/** Sends what is asked of a task, or in a context, to the endpoint that answered before. */
export const withTask =
  (group: string, whereabouts: Whereabouts, inner: Attempting): Attempting =>
  (attempt) => {
    const conversation = attempt.exchange.notes?.a2a
    if (conversation === undefined || !conversation.isCall) return inner(attempt)
    const { contextId, taskId } = conversation
    const ask = (place: string | undefined): Effect.Effect<Reply, Refusal> => {
      // Whoever asks every replica says itself which one it means.
      attempt.preferred ??= place
      conversation.follow((taskId, contextId) =>
        attempt.member === undefined ? undefined : whereabouts.note(group, attempt.member.id, taskId, contextId),
      )
      return inner(attempt)
    }
    const known = whereabouts.of(group, taskId, contextId)
    const seeking = known === undefined ? whereabouts.seek(group, taskId, contextId) : undefined
    return seeking === undefined ? ask(known) : Effect.flatMap(seeking, ask)
  }

/** Signs every question, and refuses those that go round in circles. */
export const withinHops =
  (hop: Hop, inner: Attempting): Attempting =>
  (attempt) => {
    const { exchange, request } = attempt
    const circling = hop.judge(request.headers)
    if (circling !== undefined) return Effect.fail(circling)
    hop.sign(request.headers, request.version, exchange.trace !== undefined)
    return inner(attempt)
  }
