/** What providers of every kind say to the same questions: a word, a word in pieces, a tool, a shape, and no. */
import type * as http from "node:http"
import { crc32 } from "node:zlib"
import { type Call, sendJson } from "./provider.ts"

export const words = ["Hello", " there", "!"]
export const text = words.join("")
export const tool = { name: "weather", input: { city: "Ulm", days: 2 } }
const argumentsText = JSON.stringify(tool.input)
const argumentPieces = [argumentsText.slice(0, 7), argumentsText.slice(7)]
export const used = { input: 21, output: 9 }
export const refusal = { status: 429, message: "slow down please" }

type Event = { readonly event?: string; readonly data: unknown }

interface Wire {
  readonly whole: (tools: boolean) => unknown
  readonly events: (tools: boolean) => ReadonlyArray<Event>
  readonly error: unknown
}

const chatHead = { id: "chatcmpl-9", created: 1_790_000_000, model: "served-model" }
const chatUsage = {
  prompt_tokens: used.input,
  completion_tokens: used.output,
  total_tokens: used.input + used.output,
}
const chatChunk = (delta: object, finish: string | null = null) => ({
  ...chatHead,
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason: finish }],
})

const openaiChat: Wire = {
  whole: (tools) => ({
    ...chatHead,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: tools
          ? {
              role: "assistant",
              content: null,
              tool_calls: [{ id: "call_1", type: "function", function: { name: tool.name, arguments: argumentsText } }],
            }
          : { role: "assistant", content: text },
        finish_reason: tools ? "tool_calls" : "stop",
      },
    ],
    usage: chatUsage,
  }),
  events: (tools) => [
    { data: chatChunk({ role: "assistant", content: "" }) },
    ...(tools
      ? [
          chatChunk({
            tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: tool.name, arguments: "" } }],
          }),
          ...argumentPieces.map((piece) => chatChunk({ tool_calls: [{ index: 0, function: { arguments: piece } }] })),
        ]
      : words.map((content) => chatChunk({ content }))
    ).map((data) => ({ data })),
    { data: chatChunk({}, tools ? "tool_calls" : "stop") },
    { data: { ...chatChunk({}), choices: [], usage: chatUsage } },
    { data: "[DONE]" },
  ],
  error: { error: { message: refusal.message, type: "rate_limit_error", param: null, code: "rate_limit_exceeded" } },
}

const message = {
  id: "msg_9",
  type: "message",
  role: "assistant",
  model: "served-model",
  stop_sequence: null,
}

const anthropicMessages: Wire = {
  whole: (tools) => ({
    ...message,
    content: tools
      ? [{ type: "tool_use", id: "toolu_1", name: tool.name, input: tool.input }]
      : [{ type: "text", text }],
    stop_reason: tools ? "tool_use" : "end_turn",
    usage: { input_tokens: used.input, output_tokens: used.output },
  }),
  events: (tools) =>
    [
      {
        type: "message_start",
        message: { ...message, content: [], stop_reason: null, usage: { input_tokens: used.input, output_tokens: 1 } },
      },
      {
        type: "content_block_start",
        index: 0,
        content_block: tools
          ? { type: "tool_use", id: "toolu_1", name: tool.name, input: {} }
          : { type: "text", text: "" },
      },
      { type: "ping" },
      ...(tools
        ? argumentPieces.map((partial_json) => ({ type: "input_json_delta", partial_json }))
        : words.map((text) => ({ type: "text_delta", text }))
      ).map((delta) => ({ type: "content_block_delta", index: 0, delta })),
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason: tools ? "tool_use" : "end_turn", stop_sequence: null },
        usage: { output_tokens: used.output },
      },
      { type: "message_stop" },
    ].map((data) => ({ event: data.type, data })),
  error: { type: "error", error: { type: "rate_limit_error", message: refusal.message } },
}

const responseOf = (tools: boolean, status: string, output: ReadonlyArray<unknown>) => ({
  id: "resp_9",
  object: "response",
  created_at: 1_790_000_000,
  model: "served-model",
  status,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  tool_choice: "auto",
  tools: [],
  output,
  usage:
    status === "completed"
      ? {
          input_tokens: used.input,
          output_tokens: used.output,
          total_tokens: used.input + used.output,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens_details: { reasoning_tokens: 0 },
        }
      : null,
  ...(tools ? {} : {}),
})

const outputOf = (tools: boolean) =>
  tools
    ? {
        id: "fc_1",
        type: "function_call",
        call_id: "call_1",
        name: tool.name,
        arguments: argumentsText,
        status: "completed",
      }
    : {
        id: "msg_1",
        type: "message",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text, annotations: [], logprobs: [] }],
      }

const openaiResponses: Wire = {
  whole: (tools) => responseOf(tools, "completed", [outputOf(tools)]),
  events: (tools) => {
    const at = { output_index: 0, item_id: tools ? "fc_1" : "msg_1" }
    const part = { type: "output_text", text: "", annotations: [], logprobs: [] }
    const events = [
      { type: "response.created", response: responseOf(tools, "in_progress", []) },
      { type: "response.in_progress", response: responseOf(tools, "in_progress", []) },
      {
        type: "response.output_item.added",
        output_index: 0,
        item: tools
          ? { ...outputOf(true), arguments: "", status: "in_progress" }
          : { ...outputOf(false), content: [], status: "in_progress" },
      },
      ...(tools
        ? [
            ...argumentPieces.map((delta) => ({ type: "response.function_call_arguments.delta", ...at, delta })),
            { type: "response.function_call_arguments.done", ...at, name: tool.name, arguments: argumentsText },
          ]
        : [
            { type: "response.content_part.added", ...at, content_index: 0, part },
            ...words.map((delta) => ({
              type: "response.output_text.delta",
              ...at,
              content_index: 0,
              delta,
              logprobs: [],
            })),
            { type: "response.output_text.done", ...at, content_index: 0, text, logprobs: [] },
            { type: "response.content_part.done", ...at, content_index: 0, part: { ...part, text } },
          ]),
      { type: "response.output_item.done", output_index: 0, item: outputOf(tools) },
      { type: "response.completed", response: responseOf(tools, "completed", [outputOf(tools)]) },
    ]
    return events.map((data, sequence_number) => ({ event: data.type, data: { ...data, sequence_number } }))
  },
  error: openaiChat.error,
}

const chunkOf = (parts: ReadonlyArray<unknown>, more: object = {}) => ({
  candidates: [{ index: 0, content: { role: "model", parts }, ...more }],
  modelVersion: "served-model",
  responseId: "g9",
  usageMetadata: {
    promptTokenCount: used.input,
    candidatesTokenCount: used.output,
    totalTokenCount: used.input + used.output,
  },
})
const functionCall = { functionCall: { name: tool.name, args: tool.input } }

const gemini: Wire = {
  whole: (tools) => chunkOf([tools ? functionCall : { text }], { finishReason: "STOP" }),
  events: (tools) =>
    (tools
      ? [chunkOf([functionCall], { finishReason: "STOP" })]
      : [...words.map((text) => chunkOf([{ text }])), chunkOf([{ text: "" }], { finishReason: "STOP" })]
    ).map((data) => ({ data })),
  error: { error: { code: refusal.status, message: refusal.message, status: "RESOURCE_EXHAUSTED" } },
}

const bedrockUsage = { inputTokens: used.input, outputTokens: used.output, totalTokens: used.input + used.output }

const bedrockConverse: Wire = {
  whole: (tools) => ({
    output: {
      message: {
        role: "assistant",
        content: tools ? [{ toolUse: { toolUseId: "tooluse_1", name: tool.name, input: tool.input } }] : [{ text }],
      },
    },
    stopReason: tools ? "tool_use" : "end_turn",
    usage: bedrockUsage,
    metrics: { latencyMs: 5 },
  }),
  events: (tools) => [
    { event: "messageStart", data: { role: "assistant" } },
    ...(tools
      ? [
          {
            event: "contentBlockStart",
            data: { contentBlockIndex: 0, start: { toolUse: { toolUseId: "tooluse_1", name: tool.name } } },
          },
        ]
      : []),
    ...(tools
      ? argumentPieces.map((input) => ({ contentBlockIndex: 0, delta: { toolUse: { input } } }))
      : words.map((text) => ({ contentBlockIndex: 0, delta: { text } }))
    ).map((data) => ({ event: "contentBlockDelta", data })),
    { event: "contentBlockStop", data: { contentBlockIndex: 0 } },
    { event: "messageStop", data: { stopReason: tools ? "tool_use" : "end_turn" } },
    { event: "metadata", data: { usage: bedrockUsage, metrics: { latencyMs: 5 } } },
  ],
  error: { message: refusal.message },
}

export const wires = { openaiChat, openaiResponses, anthropicMessages, gemini, bedrockConverse } as const
export type WireName = keyof typeof wires

const header = (name: string, value: string): Buffer => {
  const head = Buffer.alloc(name.length + 4)
  head.writeUInt8(name.length, 0)
  head.write(name, 1, "latin1")
  head.writeUInt8(7, name.length + 1)
  head.writeUInt16BE(value.length, name.length + 2)
  return Buffer.concat([head, Buffer.from(value, "latin1")])
}

/** One message of an AWS event stream, checksums included. */
export const awsMessage = (event: string, data: unknown): Buffer => {
  const isException = event.startsWith("exception:")
  const kind = isException ? "exception" : "event"
  const headers = Buffer.concat([
    header(":message-type", kind),
    header(`:${kind}-type`, isException ? event.slice("exception:".length) : event),
    header(":content-type", "application/json"),
  ])
  const payload = Buffer.from(JSON.stringify(data))
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(16 + headers.byteLength + payload.byteLength, 0)
  prelude.writeUInt32BE(headers.byteLength, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const head = Buffer.concat([prelude, headers, payload])
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(crc32(head), 0)
  return Buffer.concat([head, tail])
}

/** The whole stream as the bytes a provider would send. */
export const streamBytes = (wire: WireName, tools: boolean): Buffer => encoded(wire, wires[wire].events(tools))

/** In which format a call was put. */
export const wireOf = ({ path }: Call): WireName => {
  if (/:(?:stream)?generateContent/i.test(path)) return "gemini"
  if (/\/converse(?:-stream)?$/.test(path)) return "bedrockConverse"
  if (/\/messages$|awPredict$/.test(path)) return "anthropicMessages"
  return /\/responses(?:\?|$)/.test(path) ? "openaiResponses" : "openaiChat"
}

const isStream = ({ json, path }: Call): boolean =>
  json?.stream === true || /streamGenerateContent|streamRawPredict|converse-stream/.test(path)

/** What is answered, in whatever format it is asked. */
export type Scenario =
  | "words"
  | "tools"
  /** An answer in the shape that was asked for. */
  | "shaped"
  /** No, at once. */
  | "error"
  /** The provider says in the middle of a stream that it fails. */
  | "fails"
  /** The connection breaks in the middle of a stream. */
  | "breaks"
  /** The same word again and again, until nobody listens. */
  | "drips"

/** The same in JSON, in the place of the words. */
const shaped = (whole: unknown): unknown =>
  JSON.parse(JSON.stringify(whole).replaceAll(JSON.stringify(text), JSON.stringify(argumentsText)))

export const failure = "overloaded, alas"

/** As a provider says in the middle of a stream that it fails. */
const failing: Readonly<Record<WireName, Event>> = {
  openaiChat: { data: { error: { message: failure, type: "server_error", param: null, code: null } } },
  openaiResponses: {
    event: "error",
    data: { type: "error", sequence_number: 7, code: "server_error", message: failure, param: null },
  },
  anthropicMessages: {
    event: "error",
    data: { type: "error", error: { type: "overloaded_error", message: failure } },
  },
  gemini: { data: { error: { code: 503, message: failure, status: "UNAVAILABLE" } } },
  bedrockConverse: { event: "exception:serviceUnavailableException", data: { message: failure } },
}

/** Up to the first word that is said. */
const firstWord = (events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events.slice(0, events.findIndex(({ data }) => JSON.stringify(data).includes(JSON.stringify(words[0]))) + 1)

const encoded = (wire: WireName, events: ReadonlyArray<Event>): Buffer =>
  wire === "bedrockConverse"
    ? Buffer.concat(events.map(({ data, event }) => awsMessage(event ?? "", data)))
    : Buffer.from(
        events
          .map(
            ({ data, event }) =>
              `${event === undefined ? "" : `event: ${event}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`,
          )
          .join(""),
      )

export const answering =
  (scenario: () => Scenario) =>
  (call: Call, response: http.ServerResponse): void => {
    const wire = wireOf(call)
    const how = scenario()
    if (how === "error") return sendJson(response, refusal.status, wires[wire].error, { "retry-after": "3" })
    if (!isStream(call)) {
      const whole = wires[wire].whole(how === "tools")
      return sendJson(response, 200, how === "shaped" ? shaped(whole) : whole)
    }
    const events = wires[wire].events(how === "tools")
    response.writeHead(200, {
      "content-type": wire === "bedrockConverse" ? "application/vnd.amazon.eventstream" : "text/event-stream",
    })
    switch (how) {
      case "drips": {
        const begun = firstWord(events)
        const drop = encoded(wire, begun.slice(-1))
        response.write(encoded(wire, begun))
        const dripping = setInterval(() => response.write(drop), 5)
        response.on("close", () => clearInterval(dripping))
        return
      }
      case "breaks":
        response.write(encoded(wire, firstWord(events)), () => response.destroy())
        return
      case "fails":
        response.end(encoded(wire, [...firstWord(events), failing[wire]]))
        return
      default:
        response.end(encoded(wire, events))
    }
  }
