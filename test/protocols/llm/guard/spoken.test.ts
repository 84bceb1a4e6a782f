import { describe, expect, it } from "vitest"
import { keepsCalls, spokenOf, withSpoken } from "../../../../protocols/llm/guard/spoken.ts"
import { chatFormats } from "../../../../protocols/llm/Translation.ts"

describe("the messages of a request", () => {
  it.each(chatFormats)("are found and put back in %s, with everything else as it was", (format) => {
    const body = { messages: [1], input: [2], contents: [3], other: { a: 1 } }
    const spoken = spokenOf(format, body) ?? []
    expect(spoken).toHaveLength(1)
    const changed = withSpoken(format, body, [...spoken, "more"])
    expect(spokenOf(format, changed)).toEqual([...spoken, "more"])
    expect(changed["other"]).toBe(body.other)
  })

  it("are not there where only a text is", () => expect(spokenOf("openaiResponses", { input: "hi" })).toBeUndefined())
})

describe("calls of tools and their results", () => {
  const pairs = {
    openaiChat: [
      { role: "assistant", tool_calls: [{ id: "1" }] },
      { role: "tool", tool_call_id: "1", content: "x" },
    ],
    openaiResponses: [
      { type: "function_call", call_id: "1" },
      { type: "function_call_output", call_id: "1", output: "x" },
    ],
    anthropicMessages: [
      { role: "assistant", content: [{ type: "tool_use", id: "1" }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "1" }] },
    ],
    gemini: [
      { role: "model", parts: [{ functionCall: { name: "1" } }] },
      { role: "user", parts: [{ functionResponse: { name: "1" } }] },
    ],
    bedrockConverse: [
      { role: "assistant", content: [{ toolUse: { toolUseId: "1" } }] },
      { role: "user", content: [{ toolResult: { toolUseId: "1" } }] },
    ],
  }

  it.each(Object.entries(pairs))("of %s stay together", (_format, [call, result]) => {
    const before = [call, result]
    expect(keepsCalls(before, before)).toBe(true)
    // Both may be left out together, and neither alone, nor in another order.
    expect(keepsCalls(before, [])).toBe(true)
    expect(keepsCalls(before, [call])).toBe(false)
    expect(keepsCalls(before, [result])).toBe(false)
    expect(keepsCalls(before, [result, call])).toBe(false)
  })

  it("may be open where they were", () => {
    const open = [{ role: "assistant", tool_calls: [{ id: "1" }] }]
    expect(keepsCalls(open, open)).toBe(true)
    expect(keepsCalls([], open)).toBe(false)
  })
})
