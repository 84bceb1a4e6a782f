/** A translation of what is asked once and answered once, out of a function for each direction. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "./Json.ts"
import { Notes } from "./Notes.ts"
import type { Call, PlainFormat, Translation, TranslatedReply, Untranslatable } from "./Translation.ts"
import { readUsage } from "./readUsage.ts"

export type ReplyHeaders = { readonly [name: string]: string | undefined }

export interface PlainPair {
  readonly from: PlainFormat
  readonly to: PlainFormat
  readonly request: (body: JsonObject, call: Call, notes: Notes) => JsonObject
  readonly reply: (
    reply: JsonObject,
    asked: JsonObject,
    call: Call,
    headers: ReplyHeaders,
  ) => JsonObject | Untranslatable
}

const notAnObject: Untranslatable = { path: "", reason: "the body is not a JSON object" }

const isUntranslatable = (value: JsonObject | Untranslatable): value is Untranslatable =>
  typeof value["reason"] === "string" && typeof value["path"] === "string"

const nothing = {
  feed: () => [],
  end: () => [],
  fail: () => [],
  seen: () => ({ usage: undefined, model: undefined, finish: undefined, content: false, error: undefined, over: true }),
}

export const plain = ({ from, to, request, reply }: PlainPair): Translation => ({
  from,
  to,
  request: (body, call) => {
    if (!isObject(body)) return Result.fail(notAnObject)
    const notes = new Notes()
    const written = request(body, call, notes)
    if (notes.refusal !== undefined) return Result.fail(notes.refusal)
    return Result.succeed({
      body: written,
      streaming: false,
      dropped: notes.dropped,
      reply: (answer, headers = {}): Result.Result<TranslatedReply, Untranslatable> => {
        if (!isObject(answer)) return Result.fail(notAnObject)
        const back = reply(answer, body, call, headers)
        return isUntranslatable(back)
          ? Result.fail(back)
          : Result.succeed({
              body: back,
              usage: readUsage(to, answer, headers),
              model: call.model,
              finish: undefined,
            })
      },
      stream: () => nothing,
    })
  },
})
