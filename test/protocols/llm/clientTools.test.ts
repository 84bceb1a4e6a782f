/** Tools that only clients of OpenAI know, called by models that never heard of them. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { isObject, type JsonObject, objectsOf, without } from "../../../protocols/llm/Json.ts"
import type { ChatFormat, WireEvent } from "../../../protocols/llm/Translation.ts"
import { translations } from "../../../protocols/llm/translations.ts"
import { prepare } from "./call.ts"

const pairOf = (from: ChatFormat, to: ChatFormat) => {
  const pair = translations.find((one) => one.from === from && one.to === to)
  if (pair === undefined) throw new Error(`no pair ${from}-${to}`)
  return pair
}

const request = {
  input: "Go",
  tools: [
    { type: "local_shell" },
    { type: "shell", environment: { type: "local" } },
    { type: "apply_patch" },
    { type: "custom", name: "python" },
    {
      type: "namespace",
      name: "team",
      description: "Colleagues.",
      tools: [
        { type: "function", name: "ask", parameters: { type: "object" } },
        { type: "custom", name: "shout" },
      ],
    },
  ],
}

const calls: ReadonlyArray<readonly [string, JsonObject, JsonObject]> = [
  [
    "local_shell",
    { command: ["ls"] },
    { type: "local_shell_call", action: { type: "exec", command: ["ls"], env: {} } },
  ],
  [
    "shell",
    { commands: ["ls", "pwd"], timeout_ms: 5 },
    { type: "shell_call", action: { commands: ["ls", "pwd"], timeout_ms: 5, max_output_length: null } },
  ],
  [
    "apply_patch",
    { type: "delete_file", path: "a" },
    { type: "apply_patch_call", operation: { type: "delete_file", path: "a" } },
  ],
  ["python", { input: "1 + 1\n" }, { type: "custom_tool_call", name: "python", input: "1 + 1\n" }],
  ["team_ask", { who: "Ann" }, { type: "function_call", namespace: "team", name: "ask", arguments: '{"who":"Ann"}' }],
  ["team_shout", { input: "HEY" }, { type: "custom_tool_call", namespace: "team", name: "shout", input: "HEY" }],
]

const expected = calls.map(([, , item]) => item)
const trimmed = (items: unknown): ReadonlyArray<JsonObject> =>
  objectsOf(items).map((item) => without(item, new Set(["id", "call_id", "status"])))

const anthropic = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude",
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 1 },
  content: calls.map(([name, input], i) => ({ type: "tool_use", id: `t${i}`, name, input })),
}
const chat = {
  id: "c",
  object: "chat.completion",
  model: "kimi",
  choices: [
    {
      index: 0,
      finish_reason: "tool_calls",
      message: {
        role: "assistant",
        content: null,
        tool_calls: calls.map(([name, input], i) => ({
          id: `t${i}`,
          type: "function",
          function: { name, arguments: JSON.stringify(input) },
        })),
      },
    },
  ],
}
const gemini = {
  candidates: [
    {
      finishReason: "STOP",
      content: {
        role: "model",
        parts: calls.map(([name, args]) => ({ functionCall: { name: name.replace("team_", "team."), args } })),
      },
    },
  ],
}
const bedrock = {
  stopReason: "tool_use",
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
  output: {
    message: {
      role: "assistant",
      content: calls.map(([name, input], i) => ({ toolUse: { toolUseId: `t${i}`, name, input } })),
    },
  },
}

const events = function* (): Generator<WireEvent> {
  const said = (type: string, fields: JsonObject): WireEvent => ({
    event: type,
    data: JSON.stringify({ type, ...fields }),
  })
  yield said("message_start", { message: { id: "m", model: "claude", usage: { input_tokens: 1, output_tokens: 1 } } })
  for (const [index, [name, input]] of calls.entries()) {
    yield said("content_block_start", { index, content_block: { type: "tool_use", id: `t${index}`, name, input: {} } })
    for (const partial_json of JSON.stringify(input).match(/.{1,3}/gs) ?? [])
      yield said("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } })
    yield said("content_block_stop", { index })
  }
  yield said("message_delta", { delta: { stop_reason: "tool_use" }, usage: { output_tokens: 3 } })
  yield said("message_stop", {})
}

describe("what a client of Responses runs itself", () => {
  it.each([
    ["anthropicMessages", anthropic],
    ["openaiChat", chat],
    ["gemini", gemini],
    ["bedrockConverse", bedrock],
  ] as const)("is called by a model behind %s in the client's own items", (to, reply) => {
    const answer = Result.getOrThrow(prepare(pairOf("openaiResponses", to), request).reply(reply))
    expect(trimmed(answer.body["output"])).toEqual(expected)
  })

  it("is called in a stream, whole and in the same items", () => {
    const stream = prepare(pairOf("openaiResponses", "anthropicMessages"), { ...request, stream: true }).stream()
    const out = [...events()].flatMap(stream.feed).map(({ data }): JsonObject => JSON.parse(data))
    const done = out.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item)
    expect(trimmed(done)).toEqual(expected)
    const last = out.at(-1)?.["response"]
    expect(trimmed(isObject(last) ? last["output"] : undefined)).toEqual(expected)
    const pieces = out.filter(({ type }) => type === "response.custom_tool_call_input.delta").map(({ delta }) => delta)
    expect(pieces).toEqual(["1 + 1\n", "HEY"])
  })

  it("leaves a function its name where it has that of something built in", () => {
    const shells = { input: "Go", tools: [{ type: "function", name: "shell", parameters: {} }, { type: "shell" }] }
    const prepared = prepare(pairOf("openaiResponses", "openaiChat"), shells)
    const names = objectsOf(prepared.body["tools"]).map(
      (tool) => isObject(tool["function"]) && tool["function"]["name"],
    )
    expect(names).toEqual(["shell", "client_shell"])
  })
})

describe("a tool that takes text", () => {
  const custom = {
    messages: [{ role: "user", content: "Go" }],
    tools: [{ type: "custom", custom: { name: "python" } }],
  }

  it("stays one where the model knows such tools, and is a function elsewhere", () => {
    const to = pairOf("openaiResponses", "openaiChat")
    const asked = { input: "Go", tools: [{ type: "custom", name: "python" }] }
    expect(objectsOf(prepare(to, asked, "gpt-5.1").body["tools"])[0]?.["type"]).toBe("custom")
    expect(objectsOf(prepare(to, asked, "kimi-k3").body["tools"])[0]?.["type"]).toBe("function")
  })

  it("is called with text again for clients of Chat Completions", () => {
    const reply = { ...anthropic, content: [{ type: "tool_use", id: "t", name: "python", input: { input: "2" } }] }
    const answer = Result.getOrThrow(prepare(pairOf("openaiChat", "anthropicMessages"), custom).reply(reply))
    expect(answer.body["choices"]).toMatchObject([
      { message: { tool_calls: [{ type: "custom", custom: { name: "python", input: "2" } }] } },
    ])
  })

  it("is given what the model wrote when it wrote something else", () => {
    const reply = { ...anthropic, content: [{ type: "tool_use", id: "t", name: "python", input: { code: "2" } }] }
    const answer = Result.getOrThrow(prepare(pairOf("openaiChat", "anthropicMessages"), custom).reply(reply))
    expect(answer.body["choices"]).toMatchObject([{ message: { tool_calls: [{ custom: { input: '{"code":"2"}' } }] } }])
  })
})
