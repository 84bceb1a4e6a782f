/** What providers answer, after their public documentation: whole replies, streams and errors. */
import type { JsonObject } from "../../../../protocols/llm/Json.ts"
import type { ChatFormat, WireEvent } from "../../../../protocols/llm/Translation.ts"

const chat = (message: JsonObject, finish_reason: string, usage: JsonObject): JsonObject => ({
  id: "chatcmpl-B9M",
  object: "chat.completion",
  created: 1741569952,
  model: "gpt-5.4-2026-03-05",
  choices: [{ index: 0, message: { role: "assistant", refusal: null, ...message }, logprobs: null, finish_reason }],
  usage,
})
const message = (content: ReadonlyArray<JsonObject>, stop_reason: string, usage: JsonObject): JsonObject => ({
  id: "msg_01XF",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5-20250929",
  content,
  stop_reason,
  stop_sequence: null,
  usage,
})
const response = (output: ReadonlyArray<JsonObject>, more: JsonObject = {}): JsonObject => ({
  id: "resp_67cc",
  object: "response",
  created_at: 1741476542,
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-5.4",
  output,
  usage: {
    input_tokens: 36,
    input_tokens_details: { cached_tokens: 10 },
    output_tokens: 87,
    output_tokens_details: { reasoning_tokens: 40 },
    total_tokens: 123,
  },
  ...more,
})
const generated = (parts: ReadonlyArray<JsonObject>, finishReason: string, usageMetadata: JsonObject): JsonObject => ({
  candidates: [{ content: { parts, role: "model" }, finishReason, index: 0 }],
  usageMetadata,
  modelVersion: "gemini-2.5-flash",
  responseId: "gid1",
})
const converse = (content: ReadonlyArray<JsonObject>, stopReason: string, usage: JsonObject): JsonObject => ({
  output: { message: { role: "assistant", content } },
  stopReason,
  usage,
  metrics: { latencyMs: 551 },
})

export const replies: Readonly<Record<ChatFormat, Readonly<Record<string, JsonObject>>>> = {
  openaiChat: {
    words: chat({ content: "Hello!" }, "stop", {
      prompt_tokens: 19,
      completion_tokens: 10,
      total_tokens: 29,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 3 },
    }),
    tools: chat(
      {
        content: null,
        tool_calls: [
          { id: "call_a", type: "function", function: { name: "get_weather", arguments: '{"location":"Paris"}' } },
          { id: "call_b", type: "function", function: { name: "now", arguments: "" } },
        ],
      },
      "tool_calls",
      { prompt_tokens: 82, completion_tokens: 17, total_tokens: 99 },
    ),
    "cut off": chat({ content: "Once" }, "length", { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 }),
    filtered: chat({ content: "" }, "content_filter", { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 }),
    refused: chat({ content: null, refusal: "I cannot help." }, "stop", {
      prompt_tokens: 5,
      completion_tokens: 4,
      total_tokens: 9,
    }),
    "thought aloud": chat({ content: "4", reasoning_content: "2+2" }, "stop", {
      prompt_tokens: 5,
      completion_tokens: 1,
      total_tokens: 16,
      completion_tokens_details: { reasoning_tokens: 10 },
    }),
  },
  anthropicMessages: {
    words: message([{ type: "text", text: "Hi!" }], "end_turn", {
      input_tokens: 2095,
      output_tokens: 503,
      cache_creation_input_tokens: 2051,
      cache_read_input_tokens: 100,
    }),
    tools: message(
      [
        { type: "text", text: "I will look." },
        { type: "tool_use", id: "toolu_1", name: "get_weather", input: { location: "Paris" } },
      ],
      "tool_use",
      { input_tokens: 5, output_tokens: 6 },
    ),
    thoughts: message(
      [
        { type: "thinking", thinking: "Let me see", signature: "c2lnbmF0dXJl" },
        { type: "redacted_thinking", data: "cmVkYWN0ZWQ=" },
        { type: "text", text: "42" },
      ],
      "end_turn",
      { input_tokens: 5, output_tokens: 60 },
    ),
    "cut off": message([{ type: "text", text: "Once" }], "max_tokens", { input_tokens: 5, output_tokens: 1 }),
    "a stop sequence": {
      ...message([{ type: "text", text: "1 2" }], "stop_sequence", { input_tokens: 5, output_tokens: 3 }),
      stop_sequence: "3",
    },
    refused: message([{ type: "text", text: "No." }], "refusal", { input_tokens: 5, output_tokens: 2 }),
    cited: message(
      [
        {
          type: "text",
          text: "The grass is green.",
          citations: [
            {
              type: "web_search_result_location",
              url: "https://example.com",
              title: "Grass",
              encrypted_index: "e",
              cited_text: "green",
            },
          ],
        },
      ],
      "end_turn",
      { input_tokens: 5, output_tokens: 9 },
    ),
  },
  openaiResponses: {
    words: response([
      {
        type: "message",
        id: "msg_1",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text: "Hi there", annotations: [] }],
      },
    ]),
    tools: response([
      {
        type: "reasoning",
        id: "rs_1",
        summary: [{ type: "summary_text", text: "I need the weather" }],
        encrypted_content: "Z0FBQUE=",
      },
      {
        type: "function_call",
        id: "fc_1",
        call_id: "call_1",
        name: "get_weather",
        arguments: '{"location":"Paris"}',
        status: "completed",
      },
    ]),
    "cut off": response(
      [
        {
          type: "message",
          id: "msg_1",
          status: "incomplete",
          role: "assistant",
          content: [{ type: "output_text", text: "On", annotations: [] }],
        },
      ],
      {
        status: "incomplete",
        incomplete_details: { reason: "max_output_tokens" },
      },
    ),
    refused: response([
      {
        type: "message",
        id: "msg_1",
        status: "completed",
        role: "assistant",
        content: [{ type: "refusal", refusal: "No." }],
      },
    ]),
    failed: response([], { status: "failed", error: { code: "server_error", message: "The model failed" } }),
  },
  gemini: {
    words: generated([{ text: "AI is" }, { text: " learning" }], "STOP", {
      promptTokenCount: 8,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
      cachedContentTokenCount: 3,
      totalTokenCount: 58,
    }),
    tools: generated(
      [
        { text: "thinking", thought: true },
        { functionCall: { name: "get_weather", args: { location: "Paris" } }, thoughtSignature: "ab+/cd==" },
        { functionCall: { id: "g1", name: "now", args: {} } },
      ],
      "STOP",
      { promptTokenCount: 8, candidatesTokenCount: 20, totalTokenCount: 28 },
    ),
    "cut off": generated([{ text: "Once" }], "MAX_TOKENS", {
      promptTokenCount: 4,
      candidatesTokenCount: 1,
      totalTokenCount: 5,
    }),
    "blocked prompt": {
      promptFeedback: { blockReason: "SAFETY" },
      usageMetadata: { promptTokenCount: 4, totalTokenCount: 4 },
      modelVersion: "gemini-2.5-flash",
    },
    unsafe: generated([], "SAFETY", { promptTokenCount: 4, totalTokenCount: 4 }),
    "a picture": generated(
      [{ text: "Here" }, { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } }],
      "STOP",
      {
        promptTokenCount: 4,
        candidatesTokenCount: 1290,
        totalTokenCount: 1294,
        candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 1290 }],
      },
    ),
  },
  bedrockConverse: {
    words: converse([{ text: "Hello" }], "end_turn", {
      inputTokens: 30,
      outputTokens: 628,
      totalTokens: 658,
      cacheReadInputTokens: 12,
      cacheWriteInputTokens: 5,
    }),
    tools: converse(
      [
        { text: "Looking." },
        { toolUse: { toolUseId: "tooluse_1", name: "get_weather", input: { location: "Paris" } } },
      ],
      "tool_use",
      { inputTokens: 5, outputTokens: 7, totalTokens: 12 },
    ),
    thoughts: converse(
      [
        { reasoningContent: { reasoningText: { text: "Hm", signature: "c2ln" } } },
        { reasoningContent: { redactedContent: "cmVk" } },
        { text: "42" },
      ],
      "end_turn",
      { inputTokens: 5, outputTokens: 7, totalTokens: 12 },
    ),
    guarded: converse([{ text: "Sorry" }], "guardrail_intervened", { inputTokens: 5, outputTokens: 0, totalTokens: 5 }),
    "cut off": converse([{ text: "On" }], "max_tokens", { inputTokens: 5, outputTokens: 1, totalTokens: 6 }),
    "a stop sequence": converse([{ text: "On" }], "stop_sequence", { inputTokens: 5, outputTokens: 1, totalTokens: 6 }),
    "too long a conversation": converse([{ text: "On" }], "model_context_window_exceeded", {
      inputTokens: 200_000,
      outputTokens: 1,
      totalTokens: 200_001,
    }),
  },
}

const named = (events: ReadonlyArray<JsonObject>): ReadonlyArray<WireEvent> =>
  events.map((event) => ({ event: String(event["type"]), data: JSON.stringify(event) }))
const chunks = (choices: ReadonlyArray<JsonObject>, usage: JsonObject): ReadonlyArray<WireEvent> => [
  ...choices.map((choice) => ({
    data: JSON.stringify({
      id: "chatcmpl-9",
      object: "chat.completion.chunk",
      created: 1694268190,
      model: "gpt-5.4",
      choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
    }),
  })),
  {
    data: JSON.stringify({
      id: "chatcmpl-9",
      object: "chat.completion.chunk",
      created: 1694268190,
      model: "gpt-5.4",
      choices: [],
      usage,
    }),
  },
  { data: "[DONE]" },
]
const bedrock = (events: ReadonlyArray<readonly [string, JsonObject]>): ReadonlyArray<WireEvent> =>
  events.map(([event, body]) => ({ event, data: JSON.stringify(body) }))

export const streams: Readonly<Record<ChatFormat, Readonly<Record<string, ReadonlyArray<WireEvent>>>>> = {
  openaiChat: {
    words: chunks(
      [
        { delta: { role: "assistant", content: "" } },
        { delta: { content: "Hel" } },
        { delta: { content: "lo" } },
        { delta: {}, finish_reason: "stop" },
      ],
      { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    ),
    "a thought in blocks of content": chunks(
      [
        { delta: { content: [{ type: "thinking", thinking: [{ type: "text", text: "Hm" }], closed: true }] } },
        { delta: { content: [{ type: "thinking", thinking: [{ type: "text", text: ", yes" }], closed: true }] } },
        { delta: { content: "Hi" } },
        { delta: { content: "" }, finish_reason: "stop" },
      ],
      { prompt_tokens: 5, completion_tokens: 2, total_tokens: 17 },
    ),
    "tools without places": chunks(
      [
        { delta: { tool_calls: [{ id: "call_a", type: "function", function: { name: "f", arguments: '{"a":1}' } }] } },
        { delta: { tool_calls: [{ id: "call_b", type: "function", function: { name: "g", arguments: "" } }] } },
        { delta: {}, finish_reason: "stop" },
      ],
      { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    ),
    "parallel tools, both announced first": chunks(
      [
        {
          delta: {
            role: "assistant",
            content: null,
            tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "f", arguments: "" } }],
          },
        },
        {
          delta: { tool_calls: [{ index: 1, id: "call_b", type: "function", function: { name: "g", arguments: "" } }] },
        },
        { delta: { tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] } },
        { delta: { tool_calls: [{ index: 1, function: { arguments: '{"b":2}' } }] } },
        { delta: { tool_calls: [{ index: 0, function: { arguments: "1}" } }] } },
        { delta: {}, finish_reason: "tool_calls" },
      ],
      { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 },
    ),
    "an error in the middle": [
      ...chunks([{ delta: { role: "assistant", content: "Hel" } }], {}).slice(0, 1),
      {
        data: JSON.stringify({
          error: { message: "The server had an error", type: "server_error", param: null, code: null },
        }),
      },
    ],
  },
  anthropicMessages: {
    "words after thoughts": named([
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "claude-sonnet-4-5",
          content: [],
          stop_reason: null,
          usage: { input_tokens: 25, output_tokens: 1, cache_read_input_tokens: 5 },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "", signature: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Hm" } },
      { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "c2ln" } },
      { type: "content_block_stop", index: 0 },
      { type: "ping" },
      { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Hello" } },
      { type: "content_block_stop", index: 1 },
      { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 15 } },
      { type: "message_stop" },
    ]),
    "a tool without arguments, and one of the provider's own": named([
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "claude-sonnet-4-5",
          content: [],
          stop_reason: null,
          usage: { input_tokens: 25, output_tokens: 1 },
        },
      },
      {
        type: "content_block_start",
        index: 0,
        content_block: { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} },
      },
      { type: "content_block_delta", index: 0, delta: { type: "input_json_delta", partial_json: '{"query":"x"}' } },
      { type: "content_block_stop", index: 0 },
      {
        type: "content_block_start",
        index: 1,
        content_block: { type: "tool_use", id: "toolu_1", name: "now", input: {} },
      },
      { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "" } },
      { type: "content_block_stop", index: 1 },
      { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 15 } },
      { type: "message_stop" },
    ]),
    overloaded: named([
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "claude-sonnet-4-5",
          content: [],
          stop_reason: null,
          usage: { input_tokens: 25, output_tokens: 1 },
        },
      },
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
    ]),
  },
  openaiResponses: {
    words: named([
      {
        type: "response.created",
        sequence_number: 0,
        response: { id: "resp_1", model: "gpt-5.4", created_at: 1741476542, status: "in_progress", output: [] },
      },
      {
        type: "response.output_item.added",
        sequence_number: 1,
        output_index: 0,
        item: { id: "msg_1", type: "message", status: "in_progress", role: "assistant", content: [] },
      },
      {
        type: "response.content_part.added",
        sequence_number: 2,
        item_id: "msg_1",
        output_index: 0,
        content_index: 0,
        part: { type: "output_text", text: "", annotations: [] },
      },
      {
        type: "response.output_text.delta",
        sequence_number: 3,
        item_id: "msg_1",
        output_index: 0,
        content_index: 0,
        delta: "Hi",
      },
      {
        type: "response.output_text.done",
        sequence_number: 4,
        item_id: "msg_1",
        output_index: 0,
        content_index: 0,
        text: "Hi",
      },
      {
        type: "response.content_part.done",
        sequence_number: 5,
        item_id: "msg_1",
        output_index: 0,
        content_index: 0,
        part: { type: "output_text", text: "Hi", annotations: [] },
      },
      {
        type: "response.output_item.done",
        sequence_number: 6,
        output_index: 0,
        item: {
          id: "msg_1",
          type: "message",
          status: "completed",
          role: "assistant",
          content: [{ type: "output_text", text: "Hi", annotations: [] }],
        },
      },
      {
        type: "response.completed",
        sequence_number: 7,
        response: response([
          {
            id: "msg_1",
            type: "message",
            status: "completed",
            role: "assistant",
            content: [{ type: "output_text", text: "Hi", annotations: [] }],
          },
        ]),
      },
    ]),
    "a tool after a thought": named([
      { type: "response.created", response: { id: "resp_1", model: "gpt-5.4", created_at: 1741476542 } },
      { type: "response.output_item.added", output_index: 0, item: { id: "rs_1", type: "reasoning", summary: [] } },
      {
        type: "response.reasoning_summary_text.delta",
        item_id: "rs_1",
        output_index: 0,
        summary_index: 0,
        delta: "I need it",
      },
      {
        type: "response.output_item.done",
        output_index: 0,
        item: {
          id: "rs_1",
          type: "reasoning",
          summary: [{ type: "summary_text", text: "I need it" }],
          encrypted_content: "Z0FB",
        },
      },
      {
        type: "response.output_item.added",
        output_index: 1,
        item: { id: "fc_1", type: "function_call", call_id: "call_1", name: "f", arguments: "" },
      },
      { type: "response.function_call_arguments.delta", item_id: "fc_1", output_index: 1, delta: '{"a"' },
      { type: "response.function_call_arguments.delta", item_id: "fc_1", output_index: 1, delta: ":1}" },
      {
        type: "response.output_item.done",
        output_index: 1,
        item: {
          id: "fc_1",
          type: "function_call",
          call_id: "call_1",
          name: "f",
          arguments: '{"a":1}',
          status: "completed",
        },
      },
      { type: "response.completed", response: response([]) },
    ]),
    failed: named([
      { type: "response.created", response: { id: "resp_1", model: "gpt-5.4", created_at: 1741476542 } },
      {
        type: "response.failed",
        response: { id: "resp_1", status: "failed", error: { code: "rate_limit_exceeded", message: "Slow down" } },
      },
    ]),
  },
  gemini: {
    words: [
      {
        data: JSON.stringify({
          candidates: [{ content: { parts: [{ text: "Hm", thought: true }], role: "model" }, index: 0 }],
          modelVersion: "gemini-2.5-flash",
          responseId: "g",
          usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 },
        }),
      },
      {
        data: JSON.stringify({
          candidates: [{ content: { parts: [{ text: "Hel" }], role: "model" }, index: 0 }],
          modelVersion: "gemini-2.5-flash",
          responseId: "g",
        }),
      },
      {
        data: JSON.stringify({
          candidates: [{ content: { parts: [{ text: "lo" }], role: "model" }, finishReason: "STOP", index: 0 }],
          modelVersion: "gemini-2.5-flash",
          responseId: "g",
          usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, thoughtsTokenCount: 4, totalTokenCount: 11 },
        }),
      },
    ],
    "a signed tool": [
      {
        data: JSON.stringify({
          candidates: [
            {
              content: {
                parts: [{ functionCall: { name: "f", args: { a: 1 } }, thoughtSignature: "ab+/" }],
                role: "model",
              },
              finishReason: "STOP",
              index: 0,
            },
          ],
          modelVersion: "gemini-3-pro",
          responseId: "g",
          usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
        }),
      },
    ],
    blocked: [
      {
        data: JSON.stringify({
          promptFeedback: { blockReason: "PROHIBITED_CONTENT" },
          usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 },
        }),
      },
    ],
  },
  bedrockConverse: {
    "words and a tool": bedrock([
      ["messageStart", { role: "assistant" }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Loo" } }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "king" } }],
      ["contentBlockStop", { contentBlockIndex: 0 }],
      ["contentBlockStart", { contentBlockIndex: 1, start: { toolUse: { toolUseId: "tooluse_1", name: "f" } } }],
      ["contentBlockDelta", { contentBlockIndex: 1, delta: { toolUse: { input: '{"a":' } } }],
      ["contentBlockDelta", { contentBlockIndex: 1, delta: { toolUse: { input: "1}" } } }],
      ["contentBlockStop", { contentBlockIndex: 1 }],
      ["messageStop", { stopReason: "tool_use" }],
      ["metadata", { usage: { inputTokens: 5, outputTokens: 7, totalTokens: 12 }, metrics: { latencyMs: 1 } }],
    ]),
    throttled: bedrock([
      ["messageStart", { role: "assistant" }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Loo" } }],
      ["exception:throttlingException", { message: "Too many requests" }],
    ]),
    thoughts: bedrock([
      ["messageStart", { role: "assistant" }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: "Let me" } } }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: " see" } } }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { signature: "c2ln" } } }],
      ["contentBlockStop", { contentBlockIndex: 0 }],
      ["contentBlockDelta", { contentBlockIndex: 1, delta: { text: "42" } }],
      ["contentBlockStop", { contentBlockIndex: 1 }],
      ["messageStop", { stopReason: "end_turn" }],
      [
        "metadata",
        {
          usage: {
            inputTokens: 5,
            outputTokens: 9,
            totalTokens: 20,
            cacheReadInputTokens: 4,
            cacheWriteInputTokens: 2,
          },
          metrics: { latencyMs: 1 },
        },
      ],
    ]),
    "two tools at once": bedrock([
      ["messageStart", { role: "assistant" }],
      ["contentBlockStart", { contentBlockIndex: 0, start: { toolUse: { toolUseId: "tooluse_1", name: "f" } } }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { toolUse: { input: '{"a":1}' } } }],
      ["contentBlockStop", { contentBlockIndex: 0 }],
      ["contentBlockStart", { contentBlockIndex: 1, start: { toolUse: { toolUseId: "tooluse_2", name: "g" } } }],
      ["contentBlockStop", { contentBlockIndex: 1 }],
      ["messageStop", { stopReason: "tool_use" }],
      ["metadata", { usage: { inputTokens: 5, outputTokens: 7, totalTokens: 12 }, metrics: { latencyMs: 1 } }],
    ]),
    "cut off": bedrock([
      ["messageStart", { role: "assistant" }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "On" } }],
      ["contentBlockStop", { contentBlockIndex: 0 }],
      ["messageStop", { stopReason: "max_tokens" }],
      ["metadata", { usage: { inputTokens: 5, outputTokens: 1, totalTokens: 6 }, metrics: { latencyMs: 1 } }],
    ]),
  },
}

export interface Failure {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export const failures: Readonly<Record<ChatFormat, Readonly<Record<string, Failure>>>> = {
  openaiChat: {
    "a bad key": {
      status: 401,
      body: JSON.stringify({
        error: {
          message: "Incorrect API key provided",
          type: "invalid_request_error",
          param: null,
          code: "invalid_api_key",
        },
      }),
    },
    "too long": {
      status: 400,
      body: JSON.stringify({
        error: {
          message: "maximum context length",
          type: "invalid_request_error",
          param: "messages",
          code: "context_length_exceeded",
        },
      }),
    },
    "too many": {
      status: 429,
      body: JSON.stringify({
        error: { message: "Rate limit reached", type: "requests", param: null, code: "rate_limit_exceeded" },
      }),
    },
    "no money": {
      status: 429,
      body: JSON.stringify({
        error: {
          message: "You exceeded your current quota",
          type: "insufficient_quota",
          param: null,
          code: "insufficient_quota",
        },
      }),
    },
    "a page of a proxy": { status: 502, body: "<html><body>Bad Gateway</body></html>" },
  },
  anthropicMessages: {
    overloaded: {
      status: 529,
      body: JSON.stringify({
        type: "error",
        error: { type: "overloaded_error", message: "Overloaded" },
        request_id: "req_1",
      }),
    },
    invalid: {
      status: 400,
      body: JSON.stringify({
        type: "error",
        error: { type: "invalid_request_error", message: "max_tokens: Field required" },
      }),
    },
    "no such model": {
      status: 404,
      body: JSON.stringify({ type: "error", error: { type: "not_found_error", message: "model: x" } }),
    },
  },
  openaiResponses: {
    invalid: {
      status: 400,
      body: JSON.stringify({
        error: { message: "Unknown parameter", type: "invalid_request_error", param: "foo", code: "unknown_parameter" },
      }),
    },
    "a bad key": {
      status: 401,
      body: JSON.stringify({
        error: {
          message: "Incorrect API key provided",
          type: "invalid_request_error",
          param: null,
          code: "invalid_api_key",
        },
      }),
    },
    "a bad field": {
      status: 400,
      body: JSON.stringify({
        error: {
          message: "Unsupported value: 'temperature'",
          type: "invalid_request_error",
          param: "temperature",
          code: "unsupported_value",
        },
      }),
    },
    "an outage": { status: 503, body: "upstream connect error" },
  },
  gemini: {
    invalid: {
      status: 400,
      body: JSON.stringify({
        error: { code: 400, message: "API key not valid", status: "INVALID_ARGUMENT", details: [] },
      }),
    },
    "exhausted, in a list": {
      status: 429,
      body: JSON.stringify([{ error: { code: 429, message: "Quota exceeded", status: "RESOURCE_EXHAUSTED" } }]),
    },
    down: {
      status: 503,
      body: JSON.stringify({ error: { code: 503, message: "The model is overloaded", status: "UNAVAILABLE" } }),
    },
  },
  bedrockConverse: {
    throttled: {
      status: 429,
      body: JSON.stringify({ message: "Too many requests" }),
      headers: { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/" },
    },
    denied: {
      status: 403,
      body: JSON.stringify({ message: "You don't have access to the model" }),
      headers: { "x-amzn-errortype": "AccessDeniedException" },
    },
    invalid: {
      status: 400,
      body: JSON.stringify({ message: "The provided model identifier is invalid." }),
      headers: { "x-amzn-errortype": "ValidationException" },
    },
  },
}
