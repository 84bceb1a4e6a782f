/** What was said to a model and by it, in plain words: for whoever writes it down or judges it in an expression. */
import { at, isObject, type JsonObject, listOf, parseJson, textOf } from "./Json.ts"
import type { Format } from "./Translation.ts"

export interface Said {
  readonly role: string
  readonly content: string
}

export interface CalledTool {
  readonly id: string
  readonly name: string
  readonly arguments: unknown
}

export interface Answered {
  /** One for each choice. */
  readonly completion: ReadonlyArray<string>
  readonly toolCalls: ReadonlyArray<CalledTool>
}

/** Text, or the text among parts. */
const wordsOf = (content: unknown): string => {
  if (typeof content === "string") return content
  let words = ""
  for (const part of listOf(content)) {
    words += typeof part === "string" ? part : (textOf(at(part, "text")) ?? "")
    if (isObject(part) && part["content"] !== undefined) words += wordsOf(part["content"])
  }
  return words
}

const turn = (role: unknown, content: unknown): Said => ({ role: textOf(role) ?? "user", content: wordsOf(content) })

export const promptIn = (format: Format | undefined, body: JsonObject): ReadonlyArray<Said> => {
  switch (format) {
    case "openaiResponses": {
      const { input, instructions } = body
      const items = typeof input === "string" ? [{ role: "user", content: input }] : listOf(input)
      return [
        ...(textOf(instructions) === undefined ? [] : [turn("system", instructions)]),
        ...items.filter(isObject).map((item) => turn(item["role"] ?? "tool", item["content"] ?? item["output"])),
      ]
    }
    case "gemini": {
      const system = body["systemInstruction"] ?? body["system_instruction"]
      return [
        ...(system === undefined ? [] : [turn("system", at(system, "parts"))]),
        ...listOf(body["contents"]).map((one) => turn(at(one, "role"), at(one, "parts"))),
      ]
    }
    default:
      return [
        ...(body["system"] === undefined ? [] : [turn("system", body["system"])]),
        ...listOf(body["messages"]).map((one) => turn(at(one, "role"), at(one, "content"))),
      ]
  }
}

/** Arguments are JSON in a text, unless the model has written something else. */
const argumentsOf = (written: unknown): unknown =>
  typeof written === "string" ? (parseJson(written) ?? written) : (written ?? {})

const toolOf = (id: unknown, name: unknown, written: unknown): CalledTool => ({
  id: textOf(id) ?? "",
  name: textOf(name) ?? "",
  arguments: argumentsOf(written),
})

const responseOf = (response: unknown): Answered => {
  const items = listOf(at(response, "output")).filter(isObject)
  const texts = items.filter((item) => item["type"] === "message").map((item) => wordsOf(item["content"]))
  const calls = items.filter((item) => item["type"] === "function_call")
  return {
    completion: texts,
    toolCalls: calls.map((item) => toolOf(item["call_id"], item["name"], item["arguments"])),
  }
}

export const answerIn = (format: Format | undefined, body: JsonObject): Answered => {
  switch (format) {
    case "openaiChat": {
      const messages = listOf(body["choices"]).map((choice) => at(choice, "message"))
      return {
        completion: messages.map((message) => wordsOf(at(message, "content"))),
        toolCalls: messages.flatMap((message) =>
          listOf(at(message, "tool_calls")).map((call) =>
            toolOf(at(call, "id"), at(call, "function", "name"), at(call, "function", "arguments")),
          ),
        ),
      }
    }
    case "anthropicMessages": {
      const blocks = listOf(body["content"]).filter(isObject)
      return {
        completion: [wordsOf(blocks.filter((block) => block["type"] === "text"))],
        toolCalls: blocks
          .filter((block) => block["type"] === "tool_use")
          .map((block) => toolOf(block["id"], block["name"], block["input"])),
      }
    }
    case "openaiResponses":
      return responseOf(body)
    case "gemini": {
      const all = listOf(body["candidates"]).map((candidate) => listOf(at(candidate, "content", "parts")))
      return {
        completion: all.map((parts) => wordsOf(parts.filter((part) => at(part, "thought") !== true))),
        toolCalls: all.flat().flatMap((part) => {
          const call = at(part, "functionCall")
          return call === undefined ? [] : [toolOf(at(call, "id"), at(call, "name"), at(call, "args"))]
        }),
      }
    }
    default:
      return { completion: [], toolCalls: [] }
  }
}

interface Growing {
  id: string
  name: string
  written: string
}

const grown = (calls: Iterable<Growing>): ReadonlyArray<CalledTool> =>
  Array.from(calls, ({ id, name, written }) => toolOf(id, name, written))

const inOrder = <A>(byIndex: ReadonlyMap<number, A>): ReadonlyArray<A> =>
  [...byIndex].sort(([a], [b]) => a - b).map(([, one]) => one)

const indexOf = (value: unknown): number => (typeof value === "number" ? value : 0)

/** The pieces of a stream, put together again. */
export const answerInEvents = (format: Format | undefined, events: ReadonlyArray<JsonObject>): Answered => {
  const texts = new Map<number, string>()
  const calls = new Map<number, Growing>()
  const say = (index: number, text: string | undefined): void => {
    if (text !== undefined) texts.set(index, (texts.get(index) ?? "") + text)
  }
  const call = (index: number): Growing => {
    let growing = calls.get(index)
    if (growing === undefined) calls.set(index, (growing = { id: "", name: "", written: "" }))
    return growing
  }
  const made: Array<CalledTool> = []
  for (const event of events) {
    switch (format) {
      case "openaiChat":
        for (const choice of listOf(event["choices"])) {
          const index = indexOf(at(choice, "index"))
          say(index, textOf(at(choice, "delta", "content")))
          for (const piece of listOf(at(choice, "delta", "tool_calls"))) {
            const growing = call(index * 1_000 + indexOf(at(piece, "index")))
            growing.id ||= textOf(at(piece, "id")) ?? ""
            growing.name += textOf(at(piece, "function", "name")) ?? ""
            growing.written += textOf(at(piece, "function", "arguments")) ?? ""
          }
        }
        break
      case "anthropicMessages": {
        say(0, textOf(at(event, "delta", "text")))
        const block = at(event, "content_block")
        if (at(block, "type") === "tool_use") {
          const growing = call(indexOf(event["index"]))
          growing.id = textOf(at(block, "id")) ?? ""
          growing.name = textOf(at(block, "name")) ?? ""
        }
        const piece = textOf(at(event, "delta", "partial_json"))
        if (piece !== undefined) call(indexOf(event["index"])).written += piece
        break
      }
      case "openaiResponses": {
        const whole = at(event, "response", "output")
        if (event["type"] === "response.completed" && listOf(whole).length > 0) return responseOf(event["response"])
        if (event["type"] === "response.output_text.delta") say(indexOf(event["output_index"]), textOf(event["delta"]))
        const item = at(event, "item")
        if (event["type"] === "response.output_item.done" && at(item, "type") === "function_call") {
          made.push(toolOf(at(item, "call_id"), at(item, "name"), at(item, "arguments")))
        }
        break
      }
      case "gemini": {
        const { completion, toolCalls } = answerIn("gemini", event)
        for (const [index, text] of completion.entries()) say(index, text)
        made.push(...toolCalls)
        break
      }
      default:
    }
  }
  return { completion: inOrder(texts), toolCalls: [...grown(inOrder(calls)), ...made] }
}
