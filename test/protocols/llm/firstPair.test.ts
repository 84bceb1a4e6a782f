import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { anthropicMessagesToOpenaiChat } from "../../../protocols/llm/translate/anthropicMessages-openaiChat.ts"
import { openaiChatToAnthropicMessages } from "../../../protocols/llm/translate/openaiChat-anthropicMessages.ts"
import { prepare } from "./call.ts"

const data = (events: ReadonlyArray<{ readonly data: string }>): ReadonlyArray<unknown> =>
  events.map((event) => (event.data === "[DONE]" ? event.data : JSON.parse(event.data)))

describe("Chat Completions in front of Anthropic", () => {
  it("makes one user message out of the results of parallel tools", () => {
    const { body } = prepare(
      openaiChatToAnthropicMessages,
      {
        model: "x",
        messages: [
          { role: "system", content: "be brief" },
          { role: "user", content: "weather in A and B" },
          {
            role: "assistant",
            content: null,
            tool_calls: [
              { id: "a", type: "function", function: { name: "weather", arguments: '{"city":"A"}' } },
              { id: "b", type: "function", function: { name: "weather", arguments: "" } },
            ],
          },
          { role: "tool", tool_call_id: "a", content: "sun" },
          { role: "tool", tool_call_id: "b", content: "rain" },
        ],
      },
      "claude-sonnet-4-5",
    )
    expect(body).toEqual({
      model: "claude-sonnet-4-5",
      max_tokens: 4096,
      system: "be brief",
      messages: [
        { role: "user", content: [{ type: "text", text: "weather in A and B" }] },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: "a", name: "weather", input: { city: "A" } },
            { type: "tool_use", id: "b", name: "weather", input: {} },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "a", content: "sun" },
            { type: "tool_result", tool_use_id: "b", content: "rain" },
          ],
        },
      ],
    })
  })

  it("streams text, a tool call and the usage", () => {
    const stream = prepare(openaiChatToAnthropicMessages, {
      messages: [{ role: "user", content: "hi" }],
      stream: true,
      stream_options: { include_usage: true },
    }).stream()
    const events = [
      {
        type: "message_start",
        message: {
          id: "msg_1",
          model: "claude",
          usage: { input_tokens: 5, output_tokens: 1, cache_read_input_tokens: 3 },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } },
      { type: "content_block_stop", index: 0 },
      { type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "t", name: "f", input: {} } },
      { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"a":' } },
      { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: "1}" } },
      { type: "content_block_stop", index: 1 },
      { type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 9 } },
      { type: "message_stop" },
    ]
    const out = data(events.flatMap((event) => stream.feed({ event: event.type, data: JSON.stringify(event) })))
    expect(out.at(-1)).toBe("[DONE]")
    expect(out.at(-2)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 8, completion_tokens: 9, total_tokens: 17 },
    })
    expect(out.at(-3)).toMatchObject({ choices: [{ delta: {}, finish_reason: "tool_calls" }] })
    expect(out[0]).toMatchObject({
      id: "msg_1",
      model: "claude",
      choices: [{ delta: { role: "assistant", content: "Hi" } }],
    })
    expect(stream.seen()).toMatchObject({ finish: "toolCalls", over: true, content: true })
  })
})

describe("Anthropic in front of Chat Completions", () => {
  it("answers with blocks and counts the cache apart", () => {
    const prepared = prepare(
      anthropicMessagesToOpenaiChat,
      { max_tokens: 10, messages: [{ role: "user", content: "hi" }] },
      "gpt-4o",
    )
    expect(prepared.body).toEqual({
      model: "gpt-4o",
      max_completion_tokens: 10,
      messages: [{ role: "user", content: "hi" }],
    })
    const reply = Result.getOrThrow(
      prepared.reply({
        id: "chatcmpl-1",
        model: "gpt-4o-2",
        choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "length" }],
        usage: {
          prompt_tokens: 10,
          completion_tokens: 2,
          total_tokens: 12,
          prompt_tokens_details: { cached_tokens: 4 },
        },
      }),
    )
    expect(reply.body).toEqual({
      id: "msg_chatcmpl-1",
      type: "message",
      role: "assistant",
      model: "gpt-4o-2",
      content: [{ type: "text", text: "Hello", citations: null }],
      stop_reason: "max_tokens",
      stop_sequence: null,
      usage: { input_tokens: 6, cache_creation_input_tokens: 0, cache_read_input_tokens: 4, output_tokens: 2 },
    })
  })
})
