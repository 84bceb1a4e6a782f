import { Result } from "effect"
import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { ChatReply, ChatRequest, Part } from "../../../protocols/llm/Conversation.ts"
import { eventDecoder, eventEncoder, type Framing } from "../../../protocols/llm/framing.ts"
import { encodeEventStreamMessage } from "../../../protocols/llm/framing/awsEventStream.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import { Notes } from "../../../protocols/llm/Notes.ts"
import { streamObserver } from "../../../protocols/llm/observe.ts"
import { readUsage } from "../../../protocols/llm/readUsage.ts"
import {
  chatFormats,
  type ChatFormat,
  type Prepared,
  type Translation,
  type WireEvent,
} from "../../../protocols/llm/Translation.ts"
import { translation, translations } from "../../../protocols/llm/translations.ts"
import { totalOf, type Usage } from "../../../protocols/llm/Usage.ts"
import { deltasOf, replies, requests } from "./conversations.ts"
import { judge } from "./grammar.ts"
import { call, clients, plainContext, upstreamEvents, upstreamReply, upstreams } from "./upstream.ts"

const pairs = translations.filter((one): one is Translation & { from: ChatFormat; to: ChatFormat } =>
  chatFormats.some((format) => format === one.from),
)

/** Formats whose paths, and not their bodies, say that a stream is wanted. */
const byPath: ReadonlySet<string> = new Set(["gemini", "bedrockConverse"])

/** The request as a client of the format would write it. */
const asked = (format: ChatFormat, request: ChatRequest): JsonObject => ({
  ...clients[format].writeRequest(
    { ...request, extras: { vendor: clients[format].vendor, fields: {} } },
    { ...plainContext(format), call: { ...call, model: "a-model" } },
    new Notes(),
  ),
  ...(format === "openaiChat" ? { stream_options: { include_usage: true } } : {}),
})
const prepare = (pair: Translation, body: JsonObject): Prepared =>
  Result.getOrThrowWith(
    pair.request(body, { ...call, stream: byPath.has(pair.from) ? true : undefined }),
    (problem) => new Error(`${problem.path}: ${problem.reason}`),
  )
const simple = (format: ChatFormat): JsonObject =>
  asked(format, {
    turns: [{ role: "user", parts: [{ kind: "text", text: "hi" }] }],
    tools: [],
    maxTokens: 100,
    stream: true,
    extras: { vendor: "openai", fields: {} },
  })

const parsed = (text: string): unknown => (text === "" ? {} : JSON.parse(text))

/** What every format can say of a conversation. */
const gist = (request: ChatRequest): unknown => {
  const system: Array<string> = []
  const said: Array<unknown> = []
  let role = ""
  const ids = new Map<string, number>()
  const say = (who: string, what: unknown): void => {
    if (who !== role) said.push([who])
    role = who
    ;(said.at(-1) as Array<unknown>).push(what)
  }
  const number = (id: string): number => {
    if (!ids.has(id)) ids.set(id, ids.size)
    return ids.get(id) ?? -1
  }
  for (const turn of request.turns) {
    if (turn.role === "system" || turn.role === "developer") {
      for (const part of turn.parts) if (part.kind === "text") system.push(part.text)
      continue
    }
    const results = turn.parts.filter((part) => part.kind === "toolResult")
    const others = turn.parts.filter((part) => part.kind !== "toolResult")
    for (const part of results)
      say(turn.role, [
        number(part.id),
        part.content.length === 0 ? part.object : part.content.map((one) => (one.kind === "text" ? one.text : one)),
      ])
    for (const part of others)
      if (part.kind === "text") {
        const before = (said.at(-1) as Array<unknown> | undefined)?.at(-1)
        if (turn.role === role && turn.role === "assistant" && typeof before === "string")
          (said.at(-1) as Array<unknown>).splice(-1, 1, before + part.text)
        else say(turn.role, part.text)
      } else if (part.kind === "image") say(turn.role, part.source)
      else if (part.kind === "toolCall") say(turn.role, [number(part.id), part.name, parsed(part.input)])
  }
  return {
    system: system.join("\n"),
    said,
    tools: request.tools.map(({ name, description, schema }) => ({ name, description, schema })),
    choice: request.tools.length === 0 ? undefined : request.toolChoice,
    maxTokens: request.maxTokens,
    stream: request.stream,
  }
}

const thoughts = (parts: ReadonlyArray<Part>): string =>
  parts.map((part) => (part.kind === "reasoning" ? part.text : "")).join("")
const texts = (parts: ReadonlyArray<Part>): string =>
  parts.map((part) => (part.kind === "text" ? part.text : "")).join("")
const calls = (parts: ReadonlyArray<Part>): ReadonlyArray<unknown> =>
  parts.flatMap((part) => (part.kind === "toolCall" ? [[part.id, part.name, parsed(part.input)]] : []))

/** Chat Completions says one reason for "cut" and one for "called". */
const reasonOf: Readonly<Record<ChatFormat, (finish: string) => string>> = {
  openaiChat: (finish) => (finish === "length" ? "length" : finish === "toolCalls" ? "tool_calls" : "stop"),
  anthropicMessages: (finish) =>
    finish === "length" ? "max_tokens" : finish === "toolCalls" ? "tool_use" : "end_turn",
  openaiResponses: (finish) => (finish === "length" ? "incomplete" : "completed"),
  gemini: (finish) => (finish === "length" ? "MAX_TOKENS" : "STOP"),
  bedrockConverse: (finish) => (finish === "length" ? "max_tokens" : finish === "toolCalls" ? "tool_use" : "end_turn"),
}

const counts = (usage: Usage | undefined): unknown =>
  usage === undefined
    ? undefined
    : { input: usage.inputTokens, output: usage.outputTokens, total: totalOf(usage), read: usage.cacheReadTokens ?? 0 }

/** What the upstream's format can say of it. */
const reported = (format: ChatFormat, reply: ChatReply): Usage | undefined =>
  readUsage(format, upstreamReply(format, reply))

const framingOf = (format: ChatFormat): Framing => (format === "bedrockConverse" ? "awsEventStream" : "sse")
const bytesOf = (format: ChatFormat, events: ReadonlyArray<WireEvent>): Uint8Array => {
  const encoder = new TextEncoder()
  const encode = eventEncoder("sse")
  const chunks = events.map((event) =>
    format === "bedrockConverse"
      ? encodeEventStreamMessage(
          { ":message-type": "event", ":event-type": event.event ?? "", ":content-type": "application/json" },
          encoder.encode(event.data),
        )
      : encode.events([event]),
  )
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
const cut = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

const cuts = fc.array(fc.nat(), { maxLength: 6 })

describe("the pairs", () => {
  it("lead from every format of a client to every other of a provider", () => {
    for (const from of chatFormats)
      for (const to of chatFormats) expect(translation(from, to) !== undefined, `${from} to ${to}`).toBe(from !== to)
  })
})

describe.each(pairs.map((pair) => [`${pair.from} to ${pair.to}`, pair] as const))("%s", (_, pair) => {
  const back = translation(pair.to, pair.from)

  if (back !== undefined)
    it("there and back, a request still says what both can say", () => {
      fc.assert(
        fc.property(requests, (request) => {
          const body = asked(pair.from, request)
          const there = prepare(pair, body)
          const again = Result.getOrThrow(
            back.request(there.body, {
              ...call,
              model: "gpt-4o",
              stream: byPath.has(pair.to) ? request.stream : undefined,
            }),
          )
          const before = clients[pair.from].readRequest(body, new Notes())
          const after = clients[pair.from].readRequest(again.body, new Notes())
          // Converse cannot say that none of the tools is to be called, so it is not told of them.
          const says = (said: ChatRequest): ChatRequest =>
            pair.to === "bedrockConverse" && said.toolChoice?.kind === "none"
              ? { ...said, tools: [], toolChoice: undefined }
              : said
          const streams = byPath.has(pair.from) || byPath.has(pair.to)
          // Names that one of the two refuses come back only with the reply.
          const fits = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name)
          fc.pre(request.tools.every((tool) => fits(tool.name)))
          fc.pre(request.turns.every((turn) => turn.parts.every((part) => part.kind !== "toolCall" || fits(part.name))))
          expect(gist({ ...after, stream: streams ? before.stream : after.stream })).toEqual(gist(says(before)))
        }),
        { numRuns: 60 },
      )
    })

  it("a reply arrives with its words, calls, reason and sums", () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const prepared = prepare(pair, simple(pair.from))
        const answered = Result.getOrThrow(prepared.reply(upstreamReply(pair.to, reply)))
        const read = upstreams[pair.from].readReply(answered.body, plainContext(pair.from))
        if ("reason" in read) throw new Error(read.reason)
        const parts = reply.choices[0]?.parts ?? []
        const [choice] = read.choices
        expect(texts(choice?.parts ?? [])).toBe(texts(parts))
        expect(thoughts(choice?.parts ?? [])).toBe(thoughts(parts))
        expect(calls(choice?.parts ?? [])).toEqual(calls(parts))
        expect(counts(answered.usage)).toEqual(counts(reported(pair.to, reply)))
        expect(counts(readUsage(pair.from, answered.body))).toEqual(counts(answered.usage))
      }),
      { numRuns: 60 },
    )
  })

  it("a stream in any pieces says what the reply says, and is whole", () => {
    fc.assert(
      fc.property(replies, cuts, cuts, (reply, pieces, chunks) => {
        const stream = prepare(pair, simple(pair.from)).stream()
        const events: Array<WireEvent> = []
        const decoder = eventDecoder(framingOf(pair.to), (event) => events.push(...stream.feed(event)))
        for (const chunk of cut(bytesOf(pair.to, upstreamEvents(pair.to, deltasOf(reply, pieces))), chunks))
          expect(decoder.feed(chunk)).toBe(undefined)
        expect(decoder.end()).toBe(undefined)
        events.push(...stream.end())
        const judged = judge(pair.from, events)
        const [choice] = reply.choices
        const parts = choice?.parts ?? []
        expect(judged.ended).toBe(true)
        expect(judged.text).toBe(texts(parts))
        expect(judged.thought).toBe(thoughts(parts))
        expect(judged.calls.map((one) => [one.id, one.name, parsed(one.input)])).toEqual(calls(parts))
        const called = parts.some((part) => part.kind === "toolCall")
        const finish = choice?.finish ?? "stop"
        // A response that was cut off says so, whether or not it called tools before.
        expect(judged.reason).toBe(reasonOf[pair.from](finish === "length" ? "length" : called ? "toolCalls" : "stop"))
        expect(counts(stream.seen().usage)).toEqual(counts(reported(pair.to, reply)))
        const field = pair.from === "gemini" ? "usageMetadata" : "usage"
        expect(counts(readUsage(pair.from, { [field]: judged.usage }))).toEqual(counts(stream.seen().usage))
      }),
      { numRuns: 80 },
    )
  })

  it("a stream that breaks anywhere is a valid beginning with an error at its end", () => {
    fc.assert(
      fc.property(replies, cuts, fc.nat(), fc.boolean(), (reply, pieces, place, silently) => {
        const events = upstreamEvents(pair.to, deltasOf(reply, pieces))
        const ends = events.findIndex((event) =>
          /\[DONE\]|message_stop|response\.(completed|incomplete)|finishReason|finish_reason":"|message_delta|messageStop/.test(
            event.data + (event.event ?? ""),
          ),
        )
        const stream = prepare(pair, simple(pair.from)).stream()
        const before = events.slice(0, ends <= 0 ? 0 : place % (ends + 1))
        const out = before.flatMap((event) => stream.feed(event))
        expect(judge(pair.from, out)).toMatchObject({ ended: false, failed: false })
        out.push(...(silently ? stream.end() : stream.fail({ kind: "unavailable", status: 502, message: "gone" })))
        expect(judge(pair.from, out)).toMatchObject({ ended: false, failed: true })
        expect(stream.end()).toEqual([])
        expect(stream.seen().over).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it("whatever a stranger sends, there is a result or a reason", () => {
    const shapes = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, -1, 1e300, "", "user", "assistant", "text", "[DONE]"),
        tie("list"),
        tie("object"),
      ),
      list: fc.array(tie("value"), { maxLength: 3 }),
      object: fc.dictionary(
        fc.constantFrom(
          "messages",
          "role",
          "content",
          "type",
          "input",
          "contents",
          "parts",
          "tools",
          "function",
          "name",
          "delta",
          "choices",
          "message",
          "index",
          "item",
          "response",
          "output",
          "usage",
          "error",
          "text",
          "id",
          "system",
          "candidates",
          "functionCall",
          "tool_calls",
          "finish_reason",
          "toolUse",
          "schema",
          "properties",
          "$ref",
          "parameters",
          "input_schema",
        ),
        tie("value"),
        { maxKeys: 5 },
      ),
    }))
    const names = fc.constantFrom(
      undefined,
      "message_start",
      "content_block_start",
      "content_block_delta",
      "response.output_item.done",
      "response.completed",
      "contentBlockDelta",
      "contentBlockStart",
      "exception:x",
      "error",
      "metadata",
    )
    fc.assert(
      fc.property(shapes.value!, fc.array(fc.tuple(names, shapes.value!), { maxLength: 5 }), (body, events) => {
        pair.request(body, call)
        const prepared = prepare(pair, simple(pair.from))
        prepared.reply(body)
        const stream = prepared.stream()
        const out = events.flatMap(([event, value]) => stream.feed({ event, data: JSON.stringify(value ?? null) }))
        out.push(...stream.end())
        const { failed, ended } = judge(pair.from, out)
        return failed !== ended
      }),
      { numRuns: 150 },
    )
  })
})

describe.each(chatFormats)("a stream of %s that is passed on", (format) => {
  it("is read along with: usage, model and reason, without most of it being parsed", () => {
    fc.assert(
      fc.property(replies, cuts, (reply, pieces) => {
        const observer = streamObserver(format)
        for (const event of upstreamEvents(format, deltasOf(reply, pieces))) observer.feed(event)
        const seen = observer.seen()
        expect(counts(seen.usage)).toEqual(counts(reported(format, reply)))
        expect(seen.content).toBe(true)
        if (format !== "bedrockConverse") expect(seen.model).toBe("the-model")
        const called = reply.choices[0]?.parts.some((part) => part.kind === "toolCall")
        expect(seen.finish).toBe(
          reply.choices[0]?.finish === "length" ? "length" : called === true ? "toolCalls" : "stop",
        )
      }),
      { numRuns: 60 },
    )
  })
})
