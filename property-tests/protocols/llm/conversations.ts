/** Conversations, replies and streams as nobody but a generator would hold them. */
import * as fc from "fast-check"
import type {
  ChatReply,
  ChatRequest,
  Delta,
  Finish,
  Part,
  ToolCallPart,
  Turn,
} from "../../../protocols/llm/Conversation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"

export const words = fc
  .string({
    unit: fc.constantFrom("a", "Z", "é", "😀", " ", "\n", '"', "\\", "{", "}", "7", "|", "data: "),
    minLength: 1,
    maxLength: 12,
  })
  .filter((text) => text.trim() !== "")
  .map((text) => `x${text}y`)

export const names = fc.constantFrom("get_weather", "search", "a", "do-it", "run.it", "x".repeat(70), "tool name é")
const argument = fc.oneof(words, fc.integer({ min: -1000, max: 1000 }), fc.boolean(), fc.constant(null))
export const input = fc
  .dictionary(fc.constantFrom("a", "b", "city", "__proto__", "ü"), argument, { maxKeys: 3 })
  .map((value) => JSON.stringify(value))

const toolCall = (id: string): fc.Arbitrary<ToolCallPart> =>
  fc.record({ kind: fc.constant("toolCall" as const), id: fc.constant(id), name: names, input })

const text = words.map((text): Part => ({ kind: "text", text }))
const image = fc.constant<Part>({
  kind: "image",
  source: { kind: "base64", mediaType: "image/png", data: "iVBORw0KGgo=" },
})

/** What was said so far, ending with the user: every call of a tool is answered in the next turn. */
export const turns: fc.Arbitrary<ReadonlyArray<Turn>> = fc
  .record({
    system: fc.option(words, { nil: undefined }),
    rounds: fc.array(
      fc.record({
        user: fc.tuple(fc.array(fc.oneof({ weight: 4, arbitrary: text }, image), { minLength: 1, maxLength: 3 })),
        said: fc.option(words, { nil: undefined }),
        calls: fc.array(fc.tuple(names, input, words, fc.boolean()), { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
    last: words,
  })
  .map(({ system, rounds, last }) => {
    const all: Array<Turn> = []
    if (system !== undefined) all.push({ role: "system", parts: [{ kind: "text", text: system }] })
    for (const [i, round] of rounds.entries()) {
      all.push({ role: "user", parts: round.user[0] })
      const calls = round.calls.map(([name, input], j): ToolCallPart => ({
        kind: "toolCall",
        id: `call_${i}_${j}`,
        name,
        input,
      }))
      const said: Array<Part> = [
        ...(round.said === undefined ? [] : [{ kind: "text" as const, text: round.said }]),
        ...calls,
      ]
      if (said.length > 0) all.push({ role: "assistant", parts: said })
      if (calls.length > 0)
        all.push({
          role: "user",
          parts: round.calls.map(([name, , output], j): Part => ({
            kind: "toolResult",
            id: `call_${i}_${j}`,
            name,
            content: [{ kind: "text", text: output }],
          })),
        })
    }
    all.push({ role: "user", parts: [{ kind: "text", text: last }] })
    return all
  })

export const requests: fc.Arbitrary<ChatRequest> = fc.record({
  turns,
  tools: fc.uniqueArray(
    fc.record({
      name: names,
      description: fc.option(words, { nil: undefined }),
      schema: fc.constantFrom(
        { type: "object", properties: { a: { type: "string", description: "an a" } }, required: ["a"] },
        { type: "object", properties: { city: { type: "string", enum: ["A", "B"] }, n: { type: "integer" } } },
      ),
    }),
    { selector: (tool) => tool.name, maxLength: 3 },
  ),
  toolChoice: fc.constantFrom(
    undefined,
    { kind: "auto" as const },
    { kind: "required" as const },
    { kind: "none" as const },
  ),
  maxTokens: fc.integer({ min: 1, max: 100_000 }),
  temperature: fc.constantFrom(undefined, 0, 0.5, 1),
  stop: fc.constantFrom(undefined, ["END"], ["a", "b"]),
  stream: fc.boolean(),
  streamUsage: fc.constant(true),
  extras: fc.constant({ vendor: "openai" as const, fields: {} }),
})

export const usages: fc.Arbitrary<Usage> = fc
  .record({
    fresh: fc.nat(1000),
    read: fc.nat(500),
    write: fc.nat(500),
    said: fc.integer({ min: 1, max: 1000 }),
    thought: fc.nat(500),
  })
  .map(({ fresh, read, write, said, thought }) => ({
    inputTokens: fresh + read + write,
    outputTokens: said + thought,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    reasoningTokens: thought,
  }))

const finishWith = (parts: ReadonlyArray<Part>, cut: boolean): Finish =>
  cut ? "length" : parts.some((part) => part.kind === "toolCall") ? "toolCalls" : "stop"

export const replies: fc.Arbitrary<ChatReply & { readonly usage: Usage }> = fc
  .record({
    thought: fc.option(words, { nil: undefined }),
    said: fc.option(words, { nil: undefined }),
    calls: fc
      .array(fc.nat(9), { maxLength: 3 })
      .chain((list) => fc.tuple(...list.map((_, i) => toolCall(`call_${i}`)))),
    cut: fc.boolean(),
    usage: usages,
  })
  .map(({ thought, said, calls, cut, usage }) => {
    const parts: Array<Part> = [
      ...(thought === undefined
        ? []
        : [{ kind: "reasoning" as const, text: thought, signature: { vendor: "anthropic" as const, value: "c2ln" } }]),
      ...(said === undefined && calls.length > 0 ? [] : [{ kind: "text" as const, text: said ?? "fine" }]),
      ...calls,
    ]
    return {
      id: "up_1",
      model: "the-model",
      createdSeconds: 1_700_000_000,
      choices: [{ parts, finish: finishWith(parts, cut) }],
      usage,
    }
  })

/** Cuts a text into the pieces it is streamed in. */
const pieces = (whole: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
  const units = [...whole]
  const places = [0, ...cuts.map((cut) => cut % (units.length + 1)).toSorted((a, b) => a - b), units.length]
  return places
    .slice(1)
    .map((end, i) => units.slice(places[i], end).join(""))
    .filter((piece) => piece !== "")
}

/** The same reply as a stream, in any pieces. */
export const deltasOf = (reply: ChatReply, cuts: ReadonlyArray<number>): ReadonlyArray<Delta> => {
  const deltas: Array<Delta> = [
    { kind: "start", id: reply.id, model: reply.model, createdSeconds: reply.createdSeconds },
  ]
  const choice = reply.choices[0]
  for (const [i, part] of (choice?.parts ?? []).entries()) {
    const key = String(i)
    if (part.kind === "text") deltas.push({ kind: "open", key, choice: 0, opening: { kind: "text" } })
    else if (part.kind === "reasoning") deltas.push({ kind: "open", key, choice: 0, opening: { kind: "reasoning" } })
    else if (part.kind === "toolCall")
      deltas.push({ kind: "open", key, choice: 0, opening: { kind: "toolCall", id: part.id, name: part.name } })
    const whole =
      part.kind === "toolCall" ? part.input : part.kind === "text" || part.kind === "reasoning" ? part.text : ""
    for (const text of pieces(whole, cuts)) deltas.push({ kind: "grow", key, text })
    if (part.kind === "reasoning" && part.signature !== undefined)
      deltas.push({ kind: "sign", key, signature: part.signature })
    deltas.push({ kind: "close", key })
  }
  deltas.push({ kind: "finish", choice: 0, finish: choice?.finish ?? "stop" })
  if (reply.usage !== undefined) deltas.push({ kind: "usage", usage: reply.usage })
  return deltas
}
