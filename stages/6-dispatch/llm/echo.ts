/**
 * The built-in provider: says again what it was told, in Chat Completions, without a network. A script in the header
 * `x-echo` makes it slow, chatty, broken or fond of tools, so that whatever talks to models can be tried against it.
 */
import * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import { embeddingList } from "../../../protocols/llm/embeddings.ts"
import { at, countOf, isObject, type JsonObject, listOf, objectsOf, textOf } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import { guess } from "../../ports/Tokens.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Asked } from "./Asked.ts"
import type { Sendable } from "./prepare.ts"
import { promptTokens } from "./words.ts"

/** No script can keep a request for longer, or make a reply longer, than this. */
const DELAY_MILLIS_MAX = 60_000
const TEXT_CHARS_MAX = 1_000_000
const DIMENSIONS_MAX = 4_096

export interface Script {
  readonly text: string | undefined
  readonly status: number | undefined
  readonly message: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly delayMillis: number
  /** Between one piece of a stream and the next. */
  readonly intervalMillis: number
  readonly tools: ReadonlyArray<{ readonly name: string; readonly arguments: unknown }>
  readonly reasoning: string | undefined
  /** After so many pieces a stream breaks off. */
  readonly breakAfter: number | undefined
  readonly finish: string | undefined
}

const bounded = (value: unknown, max: number): number => Math.min(countOf(value) ?? 0, max)

const scriptOf = (text: string | undefined): Script => {
  let said: unknown
  try {
    said = text === undefined ? undefined : JSON.parse(text)
  } catch {
    said = undefined
  }
  const script: JsonObject = isObject(said) ? said : {}
  const status = countOf(script["status"])
  return {
    text: textOf(script["text"])?.slice(0, TEXT_CHARS_MAX),
    status: status !== undefined && status >= 200 && status < 600 ? Math.trunc(status) : undefined,
    message: textOf(script["message"]),
    retryAfterSeconds: countOf(script["retryAfter"]),
    delayMillis: bounded(script["delay"], DELAY_MILLIS_MAX),
    intervalMillis: bounded(script["interval"], DELAY_MILLIS_MAX),
    tools: objectsOf(script["tools"]).flatMap((tool) => {
      const name = textOf(tool["name"])
      return name === undefined ? [] : [{ name, arguments: tool["arguments"] ?? {} }]
    }),
    reasoning: textOf(script["reasoning"]),
    breakAfter: countOf(script["breakAfter"]),
    finish: textOf(script["finish"]),
  }
}

const wordsOf = (content: unknown): string =>
  typeof content === "string"
    ? content
    : objectsOf(content)
        .map((part) => textOf(part["text"]) ?? "")
        .join("")

/** What the last message of the user says. */
const lastSaid = (body: JsonObject): string => {
  const last = objectsOf(body["messages"]).findLast((message) => message["role"] === "user")
  return last === undefined ? "" : wordsOf(last["content"])
}

/** A tool that must be called is called, without arguments. */
const forced = (body: JsonObject): Script["tools"] => {
  const choice = body["tool_choice"]
  const name = textOf(at(choice, "function", "name"))
  if (name !== undefined) return [{ name, arguments: {} }]
  if (choice !== "required") return []
  const first = textOf(at(listOf(body["tools"])[0], "function", "name"))
  return first === undefined ? [] : [{ name: first, arguments: {} }]
}

/** An answer in the shape that the client demands: every property of a schema with the plainest value of its type. */
const sample = (schema: unknown, depth: number): unknown => {
  if (!isObject(schema) || depth > 16) return null
  const options = listOf(schema["enum"])
  if (options.length > 0) return options[0]
  if (schema["const"] !== undefined) return schema["const"]
  const type = Array.isArray(schema["type"]) ? schema["type"][0] : schema["type"]
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries(isObject(schema["properties"]) ? schema["properties"] : {}).map(([name, inner]) => [
          name,
          sample(inner, depth + 1),
        ]),
      )
    case "array":
      return []
    case "string":
      return "echo"
    case "number":
    case "integer":
      return 0
    case "boolean":
      return true
    default:
      return null
  }
}

const demanded = (body: JsonObject): string | undefined => {
  const format = body["response_format"]
  const schema = at(format, "json_schema", "schema")
  if (schema !== undefined) return JSON.stringify(sample(schema, 0))
  return at(format, "type") === "json_object" ? "{}" : undefined
}

interface Said {
  readonly text: string
  readonly tools: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly reasoning: string | undefined
  readonly finish: string
  readonly usage: JsonObject
}

const answerTo = (body: JsonObject, script: Script, id: string): Said => {
  const asked = script.tools.length > 0 ? script.tools : forced(body)
  const tools = asked.map((tool, i) => ({
    id: `call_${id.slice(0, 16)}${i}`,
    name: tool.name,
    arguments: typeof tool.arguments === "string" ? tool.arguments : JSON.stringify(tool.arguments),
  }))
  const text = script.text ?? (tools.length > 0 ? "" : (demanded(body) ?? lastSaid(body)))
  const prompt = promptTokens("openaiChat", body, guess)
  const reasoning = script.reasoning === undefined ? 0 : guess(script.reasoning)
  const completion = guess(text) + reasoning + tools.reduce((sum, tool) => sum + guess(tool.name + tool.arguments), 0)
  return {
    text,
    tools,
    reasoning: script.reasoning,
    finish: script.finish ?? (tools.length > 0 ? "tool_calls" : "stop"),
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
      ...(reasoning === 0 ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
    },
  }
}

/** Pieces that end where a word begins, as models write. */
const piecesOf = (text: string): ReadonlyArray<string> => text.match(/\s*\S+\s*$|\s*\S+|\s+/g) ?? []

interface Head {
  readonly id: string
  readonly created: number
  readonly model: string
}

const chunksOf = (head: Head, said: Said, withUsage: boolean): ReadonlyArray<JsonObject> => {
  const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason: finish }],
  })
  return [
    chunk({ role: "assistant", content: "" }),
    ...piecesOf(said.reasoning ?? "").map((reasoning_content) => chunk({ reasoning_content })),
    ...piecesOf(said.text).map((content) => chunk({ content })),
    ...said.tools.flatMap((tool, index) => [
      chunk({
        tool_calls: [{ index, id: tool.id, type: "function", function: { name: tool.name, arguments: "" } }],
      }),
      ...(tool.arguments.match(/[^]{1,12}/g) ?? []).map((piece) =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ]),
    chunk({}, said.finish),
    ...(withUsage ? [{ ...head, object: "chat.completion.chunk", choices: [], usage: said.usage }] : []),
  ]
}

const whole = (head: Head, said: Said): JsonObject => ({
  ...head,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: said.tools.length > 0 && said.text === "" ? null : said.text,
        ...(said.reasoning === undefined ? {} : { reasoning_content: said.reasoning }),
        ...(said.tools.length === 0
          ? {}
          : {
              tool_calls: said.tools.map(({ arguments: args, id, name }) => ({
                id,
                type: "function",
                function: { name, arguments: args },
              })),
            }),
      },
      finish_reason: said.finish,
    },
  ],
  usage: said.usage,
})

const encoder = new TextEncoder()

/** Events one after the other, at the pace that was asked for; nothing is kept for a client that does not take it. */
class Spoken implements Body.Flow {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly events: ReadonlyArray<string>
  private readonly clock: Clock
  private readonly intervalMillis: number
  private readonly breaks: boolean

  constructor(events: ReadonlyArray<string>, clock: Clock, intervalMillis: number, breaks: boolean) {
    this.events = events
    this.clock = clock
    this.intervalMillis = intervalMillis
    this.breaks = breaks
  }

  open(sink: Body.Sink): Body.Source {
    const { breaks, clock, events, intervalMillis } = this
    let next = 0
    let isOver = false
    let isPaused = false
    let cancelTimer: (() => void) | undefined
    const speak = (): void => {
      cancelTimer = undefined
      while (!isOver && !isPaused) {
        if (next >= events.length) {
          isOver = true
          if (breaks) sink.fail(Body.flowFailure("gone", "the script said so"))
          else sink.end(undefined)
          return
        }
        isPaused = !sink.write(encoder.encode(events[next++]))
        if (intervalMillis > 0) {
          if (!isOver) cancelTimer = clock.after(intervalMillis, speak)
          return
        }
      }
    }
    speak()
    return {
      resume: () => {
        if (isOver || !isPaused) return
        isPaused = false
        if (cancelTimer === undefined) speak()
      },
      cancel: () => {
        isOver = true
        cancelTimer?.()
      },
    }
  }
}

const json = (status: number, body: JsonObject, more: ReadonlyArray<string> = []): Reply => ({
  status,
  headers: new Headers(["content-type", "application/json", ...more]),
  body: Body.text(JSON.stringify(body)),
  origin: "upstream",
})

/** Numbers that belong to a text, and to no other: a unit vector out of a running hash. */
const vectorOf = (text: string, dimensions: number): ReadonlyArray<number> => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  const values = Array.from({ length: dimensions }, () => {
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) + 0x297a2d39
    return (hash >>> 8) / 0x800000 - 1
  })
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1
  return values.map((value) => value / norm)
}

const embeddings = (body: JsonObject, model: string): JsonObject => {
  const { input } = body
  const texts = Array.isArray(input) && input.every((one) => typeof one === "string") ? input : [input]
  const dimensions = Math.max(1, bounded(body["dimensions"] ?? 8, DIMENSIONS_MAX))
  const said = texts.map((one) => (typeof one === "string" ? one : JSON.stringify(one ?? "")))
  const tokens = said.reduce((sum, text) => sum + guess(text), 0)
  const vectors = said.map((text) => vectorOf(text, dimensions))
  return embeddingList(vectors, model, tokens, body["encoding_format"])
}

const parsed = (bytes: Uint8Array): JsonObject => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

const reply = (clock: Clock, { bytes, model = "echo", upstream }: Sendable, asked: Asked, script: Script): Reply => {
  if (script.status !== undefined && script.status >= 400) {
    const { message = "the script said so", retryAfterSeconds, status } = script
    const more = retryAfterSeconds === undefined ? [] : ["retry-after", String(retryAfterSeconds)]
    return json(status, { error: { message, type: "echo_error", param: null, code: null } }, more)
  }
  const body = parsed(bytes)
  if (upstream === "openaiEmbeddings") return json(200, embeddings(body, model))
  if (upstream !== "openaiChat") {
    const message = `the built-in provider does not answer ${asked.kind}`
    return json(400, { error: { message, type: "invalid_request_error", param: null, code: null } })
  }
  const wall = clock.wallMillis()
  const id = `${wall.toString(16)}${Math.floor(clock.random() * 0xffff_ffff).toString(16)}`.padEnd(24, "0")
  const said = answerTo(body, script, id)
  const head: Head = { id: `chatcmpl-${id}`, created: Math.floor(wall / 1000), model }
  if (body["stream"] !== true) return json(200, whole(head, said))
  const all = chunksOf(head, said, at(body, "stream_options", "include_usage") === true)
  const events = [...all.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), "data: [DONE]\n\n"]
  const breaks = script.breakAfter !== undefined && script.breakAfter < events.length
  return {
    status: 200,
    headers: new Headers(["content-type", "text/event-stream", "cache-control", "no-cache"]),
    body: new Spoken(breaks ? events.slice(0, script.breakAfter) : events, clock, script.intervalMillis, breaks),
    origin: "upstream",
  }
}

export const echo = (
  clock: Clock,
  request: Request,
  sendable: Sendable,
  asked: Asked,
): Effect.Effect<Reply, Refusal> => {
  const script = scriptOf(request.headers.get("x-echo"))
  const made = Effect.sync(() => reply(clock, sendable, asked, script))
  return script.delayMillis === 0 ? made : Effect.andThen(waiting(clock, script.delayMillis), made)
}

const waiting = (clock: Clock, millis: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const cancel = clock.after(millis, () => resume(Effect.void))
    return Effect.sync(cancel)
  })
