/**
 * What the vendors' own libraries declare is asked for and answered piece by piece: whatever may be said in one format
 * is carried to the others, or named as left out, or left out for a reason that stands in `leftOut.ts`.
 */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import type { Delta } from "../../../protocols/llm/Conversation.ts"
import type { ChatFormat, WireEvent } from "../../../protocols/llm/Translation.ts"
import { translation } from "../../../protocols/llm/translations.ts"
import { Declarations, type Type } from "./declared/declarations.ts"
import { leftOut } from "./declared/leftOut.ts"
import { type Sample, Samples } from "./declared/samples.ts"
import { judge } from "./grammar.ts"
import { call, upstreamEvents } from "./upstream.ts"

const MINUTES = 120_000

const named = (name: string): Type => ({ kind: "name", name, within: "" })
const modules = new URL("../../../node_modules/", import.meta.url).pathname
const read = (...files: ReadonlyArray<string>) => new Declarations(...files.map((file) => modules + file))

interface Api {
  readonly declared: Declarations
  readonly request: Type
  readonly root: Readonly<Record<string, unknown>>
  readonly reply: Type
  readonly event: Type
  readonly isEvent: (value: Record<string, unknown>) => WireEvent | undefined
}

const asData = (value: Record<string, unknown>): WireEvent => ({ data: JSON.stringify(value) })
const withName = (value: Record<string, unknown>): WireEvent => ({
  event: String(value["type"]),
  data: JSON.stringify(value),
})

const bedrock = "@aws-sdk/client-bedrock-runtime/dist-types/models"
const messages = [{ role: "user", content: "hi" }]
const optional = (name: string, type: Type) => ({ name, optional: true, type })

const apis: Readonly<Record<ChatFormat, Api>> = {
  openaiChat: {
    declared: read("openai/resources/chat/completions/completions.d.ts", "openai/resources/shared.d.ts"),
    request: named("ChatCompletionCreateParamsBase"),
    root: { model: "m" },
    reply: named("ChatCompletion"),
    event: named("ChatCompletionChunk"),
    isEvent: asData,
  },
  openaiResponses: {
    declared: read("openai/resources/responses/responses.d.ts", "openai/resources/shared.d.ts"),
    request: named("ResponseCreateParamsBase"),
    root: { model: "m", input: "hi" },
    reply: named("Response"),
    event: named("ResponseStreamEvent"),
    isEvent: withName,
  },
  anthropicMessages: {
    declared: read("@anthropic-ai/sdk/resources/messages/messages.d.ts"),
    request: named("MessageCreateParamsBase"),
    root: { model: "m", max_tokens: 4096 },
    reply: named("Message"),
    event: named("RawMessageStreamEvent"),
    isEvent: withName,
  },
  gemini: {
    declared: read("@google/genai/dist/genai.d.ts"),
    request: {
      kind: "object",
      above: [],
      fields: [
        { name: "contents", optional: false, type: { kind: "list", of: named("Content") } },
        optional("systemInstruction", named("Content")),
        optional("tools", { kind: "list", of: named("Tool") }),
        optional("toolConfig", named("ToolConfig")),
        optional("generationConfig", named("GenerationConfig")),
      ],
    },
    root: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
    reply: named("GenerateContentResponse"),
    event: named("GenerateContentResponse"),
    isEvent: asData,
  },
  bedrockConverse: {
    declared: read(`${bedrock}/models_0.d.ts`, `${bedrock}/enums.d.ts`),
    request: named("ConverseRequest"),
    root: { messages: [{ role: "user", content: [{ text: "hi" }] }] },
    reply: named("ConverseResponse"),
    event: named("ConverseStreamOutput"),
    isEvent: (value) => {
      const [entry] = Object.entries(value)
      if (entry === undefined) return undefined
      const [name, said] = entry
      return { event: name.endsWith("Exception") ? `exception:${name}` : name, data: JSON.stringify(said) }
    },
  },
}

const formats = Object.keys(apis) as ReadonlyArray<ChatFormat>
const bytes = { data: "aGk=", bytes: "aGk=", format: "png", media_type: "image/png", mimeType: "image/png" }

/** All events speak of the first part of the first item; what a tool is called with is JSON. */
const places = { index: 0, output_index: 0, content_index: 0, contentBlockIndex: 0, arguments: "{}" }

/** A piece of a part comes while that is open, everything else between two parts. */
const isPiece = (path: string): boolean => /delta/i.test(path.split(".", 2).join("."))

const samplesOf = ({ declared, root }: Api, type: Type, isRequest = false): Generator<Sample> =>
  new Samples(declared, isRequest ? bytes : places, isRequest ? root : {}).of(type, "", "")

const over = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const others = (format: ChatFormat) =>
  formats.flatMap((other) => {
    if (other === format) return []
    const there = translation(format, other)
    const back = translation(other, format)
    if (there === undefined || back === undefined) throw new Error(`no translation between ${format} and ${other}`)
    return [{ other, there, back }]
  })

describe.each(formats)("what a client of %s may ask", (format) => {
  const api = apis[format]
  it(
    "reaches the others, is named as left out, or is left out for a reason",
    () => {
      const lost = new Set<string>()
      let count = 0
      for (const { other, there } of others(format)) {
        let usual: ReadonlySet<string> | undefined
        for (const { mark, path, value } of samplesOf(api, api.request, true)) {
          count++
          const made = there.request(over(value), call)
          // What cannot be put to the other is refused, and says where and why.
          if (Result.isFailure(made)) {
            expect(made.failure.reason).not.toBe("")
            continue
          }
          const { body, dropped } = made.success
          usual ??= new Set(dropped)
          const isNamed = dropped.some((one) => usual?.has(one) === false)
          if (mark !== undefined && !isNamed && !JSON.stringify(body).includes(mark)) lost.add(`${other}: ${path}`)
        }
      }
      expect(count).toBeGreaterThan(500)
      const reasons = leftOut[format]
      expect([...lost].filter((one) => !reasons.some(([what]) => what.test(one)))).toEqual([])
      // A reason for what is not left out any more is none.
      expect(
        reasons.filter(([what]) => ![...lost].some((one) => what.test(one))).map(([what]) => String(what)),
      ).toEqual([])
    },
    MINUTES,
  )
})

const asked: Readonly<Record<ChatFormat, unknown>> = {
  openaiChat: { model: "m", messages, stream_options: { include_usage: true } },
  openaiResponses: { model: "m", input: "hi" },
  anthropicMessages: { model: "m", max_tokens: 9, messages },
  gemini: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
  bedrockConverse: { messages: [{ role: "user", content: [{ text: "hi" }] }] },
}

describe.each(formats)("what %s may answer", (format) => {
  const api = apis[format]
  it(
    "is a reply to clients of the others, or is refused with a reason",
    () => {
      let count = 0
      for (const { back, other } of others(format)) {
        const prepared = Result.getOrThrow(back.request(asked[other], call))
        for (const { path, value } of samplesOf(api, api.reply)) {
          count++
          const made = prepared.reply(over(value))
          const isRefused = Result.isFailure(made) && made.failure.reason !== ""
          expect(isRefused || (Result.isSuccess(made) && typeof over(made.success.body) === "object"), path).toBe(true)
        }
      }
      expect(count).toBeGreaterThan(100)
    },
    MINUTES,
  )

  it(
    "keeps a stream one that clients of the others can read, whatever event comes in between",
    () => {
      const deltas: ReadonlyArray<Delta> = [
        { kind: "start", id: "x", model: "m" },
        { kind: "open", key: "0", choice: 0, opening: { kind: "text" } },
        { kind: "grow", key: "0", text: "one" },
        { kind: "grow", key: "0", text: "two" },
        { kind: "close", key: "0" },
        { kind: "finish", choice: 0, finish: "stop" },
        { kind: "usage", usage: { inputTokens: 1, outputTokens: 1 } },
        { kind: "end" },
      ]
      const usual = upstreamEvents(format, deltas)
      const broken: Array<string> = []
      let count = 0
      for (const { back, other } of others(format)) {
        const prepared = Result.getOrThrow(
          back.request({ ...(asked[other] as object), stream: true }, { ...call, stream: true }),
        )
        for (const { path, value } of samplesOf(api, api.event)) {
          const event = api.isEvent(over(value) as Record<string, unknown>)
          if (event === undefined || (other === "openaiChat" && path.includes("custom_tool_call"))) continue
          count++
          const stream = prepared.stream()
          const place = isPiece(path) ? 2 : 1
          const out = [...usual.slice(0, place), event].flatMap((one) => [...stream.feed(one)])
          // What ends a stream is followed by nothing.
          if (stream.seen().finish === undefined) for (const one of usual.slice(place)) out.push(...stream.feed(one))
          out.push(...stream.end())
          try {
            judge(other, out)
          } catch (error) {
            broken.push(`${other}: ${path}: ${error instanceof Error ? error.message : String(error)}`)
          }
        }
      }
      expect(count).toBeGreaterThan(50)
      expect(broken).toEqual([])
    },
    MINUTES,
  )
})
