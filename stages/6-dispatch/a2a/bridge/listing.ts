import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Answer, failed, result } from "../../../../protocols/a2a/Answer.ts"
import { fault } from "../../../../protocols/a2a/Fault.ts"
import { fieldsOf, present, textOf } from "../../../../protocols/a2a/Fields.ts"
import { type Cursor, cursorsOf, merged, PAGE_SIZE } from "../../../../protocols/a2a/listing.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Refusal } from "../../../Refusal.ts"
import { Try } from "../../Target.ts"
import { isStopped, type Stopped } from "../guard.ts"
import type { Ear } from "../Speech.ts"
import type { Replica } from "./BridgePorts.ts"
import { earOf, hear, put } from "./put.ts"
import { answered, refused, stop } from "./tell.ts"
import type { Heard, Turn } from "./Turn.ts"

/** Says that a list is not whole. */
const partialHeader = "x-sluice-partial"

/** More replicas than that are not asked for their tasks at once. */
const ASKED_AT_ONCE_MAX = 8

interface Page {
  readonly name: string
  readonly cursor: Cursor
  readonly heard: Heard
}

/** The tasks of all replicas as one list. Whoever does not answer is left out, unless nobody does. */
export const listing = (
  turn: Turn,
  replicas: ReadonlyArray<Replica>,
  judged: (turn: Turn, heard: Heard) => Effect.Effect<Answer | Stopped>,
): Effect.Effect<Reply, Refusal> => {
  const { call, conversation, line, voice } = turn
  const { pageSize: asked, pageToken } = call.params
  const pageSize = typeof asked === "number" && asked >= 1 && asked <= 100 ? asked : PAGE_SIZE
  const cursors = cursorsOf(
    replicas.map(({ name }) => name),
    textOf(pageToken),
  )
  if (cursors === undefined) {
    return Effect.succeed(
      refused(conversation, voice, call.operation, fault("InvalidParams", "`pageToken` is none of ours")),
    )
  }
  return Effect.flatMap(earOf(line), (ear) =>
    Effect.flatMap(
      Effect.forEach(
        replicas.flatMap((replica) => {
          const cursor = cursors.lists.get(replica.name)
          return cursor === undefined ? [] : [{ replica, cursor }]
        }),
        ({ cursor, replica }) => Effect.result(askOne(turn, ear, replica, cursor, pageSize)),
        { concurrency: ASKED_AT_ONCE_MAX },
      ),
      (results): Effect.Effect<Reply, Refusal> => {
        const heard = results.flatMap((one) => (Result.isSuccess(one) ? [one.success] : []))
        const pages = heard.flatMap(({ cursor, heard: { answer }, name }) =>
          answer._tag === "Result" ? [{ name, cursor, result: fieldsOf(answer.result) }] : [],
        )
        const [first] = heard
        if (pages.length === 0 && first !== undefined) return Effect.succeed(answered(turn, first.heard))
        const [broken] = results.flatMap((one) => (Result.isFailure(one) ? [one.failure] : []))
        if (pages.length === 0 && broken !== undefined) return Effect.fail(broken)
        const all: Heard = { answer: result(merged(pages, cursors.ended, pageSize)), headers: new Headers([]) }
        return Effect.map(judged(turn, all), (answer) => {
          if (isStopped(answer)) return stop(turn, answer)
          const reply = answered(turn, { ...all, answer })
          const missing = results.length - pages.length
          if (missing > 0) reply.headers.set(partialHeader, `${missing} of ${results.length} replicas did not answer`)
          return reply
        })
      },
    ),
  )
}

const askOne = (
  { attempt, call, line }: Turn,
  ear: Ear,
  { id, name }: Replica,
  cursor: Cursor,
  pageSize: number,
): Effect.Effect<Page, Refusal> => {
  const worded = ear.put({
    operation: "ListTasks",
    params: present({ ...call.params, pageSize, pageToken: cursor.token === "" ? undefined : cursor.token }),
  })
  if ("fault" in worded) {
    return Effect.succeed({ name, cursor, heard: { answer: failed(worded.fault), headers: new Headers([]) } })
  }
  const own = new Try(attempt.exchange, attempt.request)
  own.preferred = id
  return Effect.map(
    Effect.flatMap(put(own, line, ear, call, worded.put), (reply) => hear(ear, "ListTasks", reply)),
    (heard) => ({ name, cursor, heard }),
  )
}
