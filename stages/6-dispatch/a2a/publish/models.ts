/** A model as an agent: what is said in a conversation is a chat, and what the model says is the artifact of the task. */
import * as Effect from "effect/Effect"
import { cardOfModel, type SkillWords, type Words } from "../../../../protocols/a2a/publish/card.ts"
import { chatRequest, deltaOf, errorIn, type Turn, turnOf } from "../../../../protocols/a2a/publish/chat.ts"
import { type Fields, fieldsOf, listOf, parse, textOf } from "../../../../protocols/a2a/Fields.ts"
import type { Reply } from "../../../Exchange.ts"
import * as Refusal from "../../../Refusal.ts"
import { contentOf, readEvents, textOf as wholeOf } from "../../mcp/target/reading.ts"
import { call, type Inner } from "./inner.ts"
import { completed, type Done, type Doing, failedWith, type Work } from "./Work.ts"

export interface ModelWords extends Words {
  readonly model: string | undefined
  readonly instructions: string | undefined
  readonly skills: ReadonlyArray<SkillWords>
  readonly pushes: boolean
}

const ARTIFACT = "answer"

/** Of earlier tasks only what was said is told again, and what came of it. */
const turnsOf = (earlier: ReadonlyArray<Fields>): ReadonlyArray<Turn> =>
  earlier.flatMap((task) => {
    const asked = listOf(task["history"])
      .map(fieldsOf)
      .filter(({ role }) => role === "ROLE_USER")
    const answer = listOf(task["artifacts"])
      .flatMap((artifact) => listOf(fieldsOf(artifact)["parts"]))
      .flatMap((part) => textOf(fieldsOf(part)["text"]) ?? [])
      .join("")
    const turns = asked.map(turnOf).filter((turn) => typeof turn !== "string")
    return answer === "" ? [] : [...turns, { role: "assistant" as const, content: answer }]
  })

const isAbout =
  (message: Fields) =>
  (task: Fields): boolean =>
    !listOf(task["history"]).some((one) => fieldsOf(one)["messageId"] === message["messageId"])

export const modelWork = (words: ModelWords, inner: Inner): Work => {
  const { clock } = inner

  const refused = (reply: Reply): Effect.Effect<Done> =>
    Effect.match(wholeOf(reply), {
      onFailure: () => failedWith(`The model answered with the status ${reply.status}.`),
      onSuccess: (text) =>
        failedWith(errorIn(parse(text)?.value) ?? `The model answered with the status ${reply.status}.`),
    })

  const heard = (reply: Reply, { makes }: Doing): Effect.Effect<Done> => {
    if (reply.status >= 400) return refused(reply)
    let pieces = 0
    let finish: string | undefined
    let error: string | undefined
    const take = (value: unknown): void => {
      const delta = deltaOf(value)
      error ??= delta.error
      finish = delta.finish ?? finish
      if (delta.text === "") return
      makes({ artifactId: ARTIFACT, name: ARTIFACT, parts: [{ text: delta.text }] }, pieces++ > 0, false)
    }
    const read =
      contentOf(reply) === "events"
        ? readEvents(reply, {
            clock,
            idleMillis: Number.POSITIVE_INFINITY,
            event: ({ data }) => {
              if (data === "[DONE]") return true
              if (data !== "") take(parse(data)?.value)
              return error !== undefined
            },
          })
        : Effect.map(wholeOf(reply), (text) => take(parse(text)?.value))
    return Effect.match(read, {
      onFailure: ({ message }) => failedWith(`The model broke off: ${message}`),
      onSuccess: () => {
        if (error !== undefined) return failedWith(error)
        if (finish === "content_filter") return failedWith("The answer was held back by a filter.")
        return pieces === 0 ? failedWith("The model said nothing.") : completed
      },
    })
  }

  return {
    card: () => Effect.succeed(cardOfModel(words, words.skills, words.pushes)),
    refuses: (message) => {
      const turn = turnOf(message)
      return typeof turn === "string" ? turn : undefined
    },
    run: ({ earlier, exchange, message, request }, doing) => {
      const turn = turnOf(message)
      if (typeof turn === "string") return Effect.succeed(failedWith(turn))
      const turns = [...turnsOf(earlier.filter(isAbout(message))), turn]
      const body = JSON.stringify(chatRequest(words.model, words.instructions, turns))
      const fields = ["accept", "text/event-stream, application/json"]
      return Effect.matchEffect(call(inner, exchange, request, "/v1/chat/completions", fields, body), {
        onFailure: (refusal) => Effect.succeed(failedWith(Refusal.message(refusal))),
        onSuccess: (reply) => heard(reply, doing),
      })
    },
  }
}
