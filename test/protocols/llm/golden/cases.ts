/** Every case of the corpus: what went in, and what comes out. */
import { Result } from "effect"
import { readError, writeError } from "../../../../protocols/llm/errors.ts"
import { chatFormats, type ChatFormat, type Translation } from "../../../../protocols/llm/Translation.ts"
import { translations } from "../../../../protocols/llm/translations.ts"
import { call } from "../call.ts"
import { failures, replies, streams } from "./answered.ts"
import { anthropicMessages, bedrockConverse, gemini, openaiChat, openaiResponses } from "./asked.ts"

const asked = { openaiChat, openaiResponses, anthropicMessages, gemini, bedrockConverse }
/** Formats whose paths, and not their bodies, say that a stream is wanted. */
const byPath: ReadonlySet<string> = new Set(["gemini", "bedrockConverse"])

const models: Readonly<Record<ChatFormat, string>> = {
  openaiChat: "gpt-5",
  openaiResponses: "gpt-5",
  anthropicMessages: "claude-sonnet-4-5",
  gemini: "gemini-2.5-flash",
  bedrockConverse: "anthropic.claude-sonnet-4-5-20250929-v1:0",
}

export interface Case {
  readonly kind: "request" | "reply" | "stream" | "error"
  readonly from: ChatFormat
  readonly to: ChatFormat
  readonly name: string
  readonly outcome: unknown
}

type ChatPair = Translation & { readonly from: keyof typeof asked; readonly to: ChatFormat }
const pairs = translations.filter(
  (pair): pair is ChatPair => Object.hasOwn(asked, pair.from) && chatFormats.some((format) => format === pair.to),
)

const ids = { "x-amzn-requestid": "amzn-1" }

export const cases = (): ReadonlyArray<Case> =>
  pairs.flatMap((pair): ReadonlyArray<Case> => {
    const { from, to } = pair
    const place = { from, to }
    const plainly = Object.values(asked[from])[0]
    const streaming = { ...asked[from]["a stream"], ...(byPath.has(from) ? plainly : {}) }
    const prepared = (body: unknown) =>
      pair.request(body, { ...call(models[to]), stream: byPath.has(from) ? true : undefined })
    return [
      ...Object.entries(asked[from]).map(([name, body]): Case => {
        const made = pair.request(body, call(models[to]))
        const outcome = Result.isSuccess(made)
          ? { body: made.success.body, dropped: made.success.dropped }
          : { refused: made.failure }
        return { kind: "request", ...place, name, outcome }
      }),
      ...Object.entries(replies[to]).map(([name, body]): Case => {
        const answer = Result.flatMap(pair.request(plainly, call(models[to])), (one) => one.reply(body, ids))
        return {
          kind: "reply",
          ...place,
          name,
          outcome: Result.isSuccess(answer) ? answer.success : { refused: answer.failure },
        }
      }),
      ...Object.entries(streams[to]).map(([name, events]): Case => {
        const stream = Result.getOrThrow(prepared(streaming)).stream()
        const out = [...events.flatMap((event) => stream.feed(event)), ...stream.end()]
        const outcome = out.map((event) => ({
          ...(event.event === undefined ? {} : { event: event.event }),
          data: event.data === "[DONE]" ? event.data : JSON.parse(event.data),
        }))
        return { kind: "stream", ...place, name, outcome }
      }),
      ...Object.entries(failures[to]).map(([name, { status, body, headers }]): Case => {
        const error = readError(to, status, body, headers)
        return { kind: "error", ...place, name, outcome: { status: error.status, body: writeError(from, error) } }
      }),
    ]
  })
