/** Keeps a task with the replica that has it, and stops questions that go round in circles. */
import * as Effect from "effect/Effect"
import type { Reply } from "../../Exchange.ts"
import type { Refusal } from "../../Refusal.ts"
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

/** More gateways of ours than a question may pass through. */
export const HOPS_MAX = 16

const pseudonym = "sluice"

const isOurs = (via: string): boolean => new RegExp(`^\\S+\\s+${pseudonym}(?:\\s|$)`, "i").test(via)

const loop: Effect.Effect<Reply, Refusal> = Effect.fail({ _tag: "LoopDetected" })

/** Signs every question in `Via` (RFC 9110 §7.6.3), and refuses those that were signed too often. */
export const withinHops =
  (inner: Attempting): Attempting =>
  (attempt) => {
    const { headers } = attempt.request
    const passed = headers
      .all("via")
      .flatMap((value) => value.split(","))
      .filter((one) => isOurs(one.trim())).length
    if (passed >= HOPS_MAX) return loop
    headers.append("via", `${attempt.request.version} ${pseudonym}`)
    return inner(attempt)
  }
