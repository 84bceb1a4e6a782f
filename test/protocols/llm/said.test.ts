/** What was said, put together from bodies and streams of every format. */
import { describe, expect, it } from "vitest"
import { answerIn, answerInEvents, promptIn } from "../../../protocols/llm/said.ts"

const weather = { name: "weather", arguments: { city: "Ulm" } }

describe("a prompt", () => {
  it.each([
    [
      "openaiChat",
      {
        messages: [
          { role: "system", content: "s" },
          { role: "user", content: [{ text: "q" }] },
        ],
      },
    ],
    ["anthropicMessages", { system: [{ type: "text", text: "s" }], messages: [{ role: "user", content: "q" }] }],
    ["openaiResponses", { instructions: "s", input: "q" }],
    ["gemini", { systemInstruction: { parts: [{ text: "s" }] }, contents: [{ role: "user", parts: [{ text: "q" }] }] }],
  ] as const)("in %s", (format, body) => {
    expect(promptIn(format, body)).toEqual([
      { role: "system", content: "s" },
      { role: "user", content: "q" },
    ])
  })
})

describe("an answer", () => {
  const args = JSON.stringify(weather.arguments)
  it.each([
    [
      "openaiChat",
      {
        choices: [
          { message: { content: "hi", tool_calls: [{ id: "1", function: { name: "weather", arguments: args } }] } },
        ],
      },
    ],
    [
      "anthropicMessages",
      {
        content: [
          { type: "thinking", thinking: "x" },
          { type: "text", text: "hi" },
          { type: "tool_use", id: "1", name: "weather", input: weather.arguments },
        ],
      },
    ],
    [
      "openaiResponses",
      {
        output: [
          { type: "message", content: [{ type: "output_text", text: "hi" }] },
          { type: "function_call", call_id: "1", name: "weather", arguments: args },
        ],
      },
    ],
    [
      "gemini",
      {
        candidates: [
          {
            content: {
              parts: [
                { text: "x", thought: true },
                { text: "hi" },
                { functionCall: { id: "1", name: "weather", args: weather.arguments } },
              ],
            },
          },
        ],
      },
    ],
  ] as const)("in %s", (format, body) => {
    expect(answerIn(format, body)).toEqual({ completion: ["hi"], toolCalls: [{ id: "1", ...weather }] })
  })
  it("of anything else says nothing", () => {
    expect(answerIn(undefined, { choices: 1 })).toEqual({ completion: [], toolCalls: [] })
    expect(answerIn("openaiChat", { choices: [null, { message: 3 }] }).completion).toEqual(["", ""])
  })
})

describe("an answer in pieces", () => {
  it.each([
    [
      "openaiChat",
      [
        { choices: [{ index: 0, delta: { content: "h" } }] },
        {
          choices: [
            {
              index: 0,
              delta: {
                content: "i",
                tool_calls: [{ index: 0, id: "1", function: { name: "weather", arguments: '{"ci' } }],
              },
            },
          ],
        },
        { choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: 'ty":"Ulm"}' } }] } }] },
        { choices: [], usage: {} },
      ],
    ],
    [
      "anthropicMessages",
      [
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hi" } },
        { type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "1", name: "weather" } },
        { type: "content_block_delta", index: 1, delta: { partial_json: '{"city":' } },
        { type: "content_block_delta", index: 1, delta: { partial_json: '"Ulm"}' } },
      ],
    ],
    [
      "openaiResponses",
      [
        { type: "response.output_text.delta", output_index: 0, delta: "hi" },
        {
          type: "response.output_item.done",
          item: { type: "function_call", call_id: "1", name: "weather", arguments: '{"city":"Ulm"}' },
        },
      ],
    ],
    [
      "gemini",
      [
        { candidates: [{ content: { parts: [{ text: "h" }] } }] },
        {
          candidates: [
            {
              content: {
                parts: [{ text: "i" }, { functionCall: { id: "1", name: "weather", args: weather.arguments } }],
              },
            },
          ],
        },
      ],
    ],
  ] as const)("in %s", (format, events) => {
    expect(answerInEvents(format, events)).toEqual({ completion: ["hi"], toolCalls: [{ id: "1", ...weather }] })
  })
})
