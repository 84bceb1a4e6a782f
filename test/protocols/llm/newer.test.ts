/** Words that vendors added to their formats late, and that reach clients and models of the others. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { translation } from "../../../protocols/llm/translations.ts"
import type { ChatFormat } from "../../../protocols/llm/Translation.ts"
import { prepare } from "./call.ts"

const between = (from: ChatFormat, to: ChatFormat) => {
  const found = translation(from, to)
  if (found === undefined) throw new Error(`no translation from ${from} to ${to}`)
  return found
}

describe("what was added late", () => {
  it("is Bedrock's effort, which is that of others", () => {
    const body = { messages: [{ role: "user", content: [{ text: "hi" }] }], outputConfig: { effort: "high" } }
    const { body: asked } = prepare(between("bedrockConverse", "openaiResponses"), body, "gpt-5")
    expect(asked).toMatchObject({ reasoning: { effort: "high" } })
  })

  it("is a picture in a result of Gemini's functions, beside what the function said", () => {
    const body = {
      contents: [
        { role: "user", parts: [{ text: "draw" }] },
        { role: "model", parts: [{ functionCall: { id: "c1", name: "draw", args: {} } }] },
        {
          role: "user",
          parts: [
            {
              functionResponse: {
                id: "c1",
                name: "draw",
                response: { size: 3 },
                parts: [{ inlineData: { mimeType: "image/png", data: "aGk=" } }],
              },
            },
          ],
        },
      ],
    }
    const { body: asked } = prepare(between("gemini", "anthropicMessages"), body, "claude-sonnet-4-5")
    expect(JSON.stringify(asked)).toContain('"data":"aGk="')
    expect(JSON.stringify(asked)).toContain(JSON.stringify(JSON.stringify({ size: 3 })))
  })

  it("is what a model of Bedrock cites from the web, whole and in pieces", () => {
    const made = prepare(between("openaiChat", "bedrockConverse"), { messages: [{ role: "user", content: "hi" }] })
    const citation = { title: "T", location: { web: { url: "https://example.com/a" } } }
    const reply = {
      output: {
        message: {
          role: "assistant",
          content: [{ citationsContent: { content: [{ text: "so" }], citations: [citation] } }],
        },
      },
      stopReason: "end_turn",
    }
    const annotation = { type: "url_citation", url_citation: { url: "https://example.com/a", title: "T" } }
    expect(Result.getOrThrow(made.reply(reply)).body).toMatchObject({
      choices: [{ message: { content: "so", annotations: [annotation] } }],
    })
    const stream = made.stream()
    const events = [
      ["messageStart", { role: "assistant" }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { text: "so" } }],
      ["contentBlockDelta", { contentBlockIndex: 0, delta: { citation } }],
    ] as const
    const out = events.flatMap(([event, said]) => [...stream.feed({ event, data: JSON.stringify(said) })])
    expect(JSON.parse(out.at(-1)?.data ?? "{}")).toMatchObject({ choices: [{ delta: { annotations: [annotation] } }] })
  })
})
