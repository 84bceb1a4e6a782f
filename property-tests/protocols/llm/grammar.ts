/** Whether events are a stream of a format: a judge of its own, that shares nothing with the code under test. */
import type { ChatFormat, WireEvent } from "../../../protocols/llm/Translation.ts"

// oxlint-disable-next-line typescript/no-explicit-any -- what came over the wire is looked at as it is
type Json = Record<string, any>

const demand = (holds: boolean, why: string): void => {
  if (!holds) throw new Error(why)
}

export interface Judged {
  readonly text: string
  readonly thought: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly input: string }>
  readonly reason: string | undefined
  readonly usage: Json | undefined
  readonly ended: boolean
  readonly failed: boolean
}

const chat = (events: ReadonlyArray<WireEvent>): Judged => {
  let text = ""
  let thought = ""
  let reason: string | undefined
  let usage: Json | undefined
  let ended = false
  let failed = false
  let greeted = false
  const calls: Array<{ id: string; name: string; input: string }> = []
  let id: unknown
  for (const event of events) {
    demand(!ended && !failed, "something follows the end")
    demand(event.event === undefined, "a chunk has no event name")
    if (event.data === "[DONE]") {
      ended = true
      continue
    }
    const chunk: Json = JSON.parse(event.data)
    if (chunk["error"] !== undefined) {
      demand(typeof chunk["error"].message === "string", "an error has a message")
      failed = true
      continue
    }
    demand(chunk["object"] === "chat.completion.chunk", "the object of a chunk")
    id ??= chunk["id"]
    demand(chunk["id"] === id && typeof id === "string", "every chunk has the same id")
    demand(typeof chunk["model"] === "string" && typeof chunk["created"] === "number", "model and created")
    if (chunk["usage"] !== undefined) {
      demand(chunk["choices"].length === 0, "the chunk of the usage has no choices")
      usage = chunk["usage"]
      continue
    }
    demand(chunk["choices"].length === 1, "one choice a chunk")
    const [choice] = chunk["choices"]
    demand(reason === undefined, "nothing comes after the reason")
    if (!greeted) demand(choice.delta.role === "assistant", "the first chunk names the role")
    greeted = true
    text += choice.delta.content ?? ""
    thought += choice.delta.reasoning_content ?? ""
    for (const one of choice.delta.tool_calls ?? []) {
      if (calls[one.index] === undefined) {
        demand(one.index === calls.length, "calls are numbered in order")
        demand(typeof one.id === "string" && one.id !== "", "a call begins with its id")
        demand(typeof one.function.name === "string", "a call begins with its name")
        calls.push({ id: one.id, name: one.function.name, input: one.function.arguments })
      } else {
        demand(one.id === undefined, "the id of a call is said once")
        calls[one.index]!.input += one.function.arguments
      }
    }
    if (choice.finish_reason !== null) reason = choice.finish_reason
  }
  if (ended) demand(reason !== undefined, "a stream that ends well has a reason")
  return { text, thought, calls, reason, usage, ended, failed }
}

const messages = (events: ReadonlyArray<WireEvent>): Judged => {
  let text = ""
  let thought = ""
  let reason: string | undefined
  let usage: Json | undefined
  let state: "before" | "between" | "inside" | "closing" | "ended" | "failed" = "before"
  let index = -1
  let type = ""
  const calls: Array<{ id: string; name: string; input: string }> = []
  for (const event of events) {
    const said: Json = JSON.parse(event.data)
    demand(event.event === said["type"], "the name of an event is its type")
    demand(state !== "ended" && state !== "failed", "something follows the end")
    switch (said["type"]) {
      case "message_start":
        demand(state === "before", "a message starts once")
        demand(said["message"].content.length === 0 && said["message"].stop_reason === null, "a message starts empty")
        demand(typeof said["message"].usage.input_tokens === "number", "a message starts with its usage")
        state = "between"
        break
      case "content_block_start":
        demand(state === "between", "blocks come one after another")
        demand(said["index"] === index + 1, "blocks are numbered in order")
        index = said["index"]
        type = said["content_block"].type
        if (type === "tool_use") {
          demand(Object.keys(said["content_block"].input).length === 0, "a call begins without input")
          calls.push({ id: said["content_block"].id, name: said["content_block"].name, input: "" })
        }
        state = "inside"
        break
      case "content_block_delta": {
        demand(state === "inside" && said["index"] === index, "a piece belongs to the open block")
        const delta = said["delta"]
        if (delta.type === "text_delta") {
          demand(type === "text", "text in a text block")
          text += delta.text
        } else if (delta.type === "thinking_delta") {
          demand(type === "thinking", "thoughts in a thinking block")
          thought += delta.thinking
        } else if (delta.type === "input_json_delta") {
          demand(type === "tool_use", "input in a block of a call")
          calls.at(-1)!.input += delta.partial_json
        } else demand(["signature_delta", "citations_delta"].includes(delta.type), `a piece of type ${delta.type}`)
        break
      }
      case "content_block_stop":
        demand(state === "inside" && said["index"] === index, "the open block is closed")
        if (type === "tool_use") JSON.parse(calls.at(-1)!.input)
        state = "between"
        break
      case "message_delta":
        demand(state === "between", "no block is open at the end")
        reason = said["delta"].stop_reason
        usage = said["usage"]
        state = "closing"
        break
      case "message_stop":
        demand(state === "closing", "a message ends after its reason")
        state = "ended"
        break
      case "error":
        demand(typeof said["error"].message === "string" && typeof said["error"].type === "string", "an error says why")
        state = "failed"
        break
      default:
        throw new Error(`an event ${String(said["type"])}`)
    }
  }
  return { text, thought, calls, reason, usage, ended: state === "ended", failed: state === "failed" }
}

const responses = (events: ReadonlyArray<WireEvent>): Judged => {
  let text = ""
  let thought = ""
  let response: Json | undefined
  let failed = false
  const items: Array<Json> = []
  const done: Array<Json> = []
  const grown = new Map<string, string>()
  const calls: Array<{ id: string; name: string; input: string }> = []
  let errored = false
  for (const [i, event] of events.entries()) {
    const said: Json = JSON.parse(event.data)
    demand(event.event === said["type"], "the name of an event is its type")
    demand(said["sequence_number"] === i, "events are numbered in order")
    demand(response === undefined, "something follows the end")
    if (errored) demand(said["type"] === "response.failed", "an error is followed by how the response ended")
    const key = `${said["output_index"]}.${said["content_index"] ?? said["summary_index"] ?? 0}`
    const grow = (): void => {
      demand(items[said["output_index"]] !== undefined, "an item is announced before it grows")
      demand(said["item_id"] === items[said["output_index"]]!["id"], "a piece names its item")
      demand(done[said["output_index"]] === undefined, "an item that is done does not grow")
      grown.set(key, (grown.get(key) ?? "") + said["delta"])
    }
    switch (said["type"]) {
      case "response.created":
        demand(i === 0 && said["response"].status === "in_progress", "a response is created first")
        break
      case "response.in_progress":
        demand(i === 1, "and is in progress then")
        break
      case "response.output_item.added":
        demand(said["output_index"] === items.length, "items are numbered in order")
        demand(typeof said["item"].id === "string", "an item has an id")
        items.push(said["item"])
        break
      case "response.content_part.added":
      case "response.reasoning_summary_part.added":
        demand(said["item_id"] === items[said["output_index"]]!["id"], "a part names its item")
        grown.set(key, "")
        break
      case "response.output_text.delta":
        grow()
        text += said["delta"]
        break
      case "response.reasoning_summary_text.delta":
        grow()
        thought += said["delta"]
        break
      case "response.refusal.delta":
      case "response.custom_tool_call_input.delta":
      case "response.function_call_arguments.delta":
        grow()
        break
      case "response.output_text.annotation.added":
        demand(typeof said["annotation"]?.type === "string", "an annotation has a type")
        demand(done[said["output_index"]] === undefined, "what is done is not annotated")
        break
      case "response.refusal.done":
        demand(said["refusal"] === grown.get(key), "a refusal is the sum of its pieces")
        break
      case "response.custom_tool_call_input.done":
        demand(said["input"] === (grown.get(key) ?? ""), "an input is the sum of its pieces")
        break
      case "response.output_text.done":
        demand(said["text"] === grown.get(key), "a text is the sum of its pieces")
        break
      case "response.reasoning_summary_text.done":
        demand(said["text"] === grown.get(key), "a thought is the sum of its pieces")
        break
      case "response.function_call_arguments.done":
        demand(said["arguments"] === grown.get(key), "arguments are the sum of their pieces")
        break
      case "response.content_part.done":
      case "response.reasoning_summary_part.done":
        demand((said["part"].text ?? said["part"].refusal) === grown.get(key), "a part is the sum of its pieces")
        break
      case "response.output_item.done": {
        const { item } = said
        demand(item.id === items[said["output_index"]]!["id"], "an item keeps its id")
        demand(item.status === "completed", "an item that is done is complete")
        done[said["output_index"]] = item
        if (item.type === "function_call") calls.push({ id: item.call_id, name: item.name, input: item.arguments })
        break
      }
      case "response.completed":
      case "response.incomplete":
        response = said["response"]
        demand(done.length === items.length, "every item is done at the end")
        demand(JSON.stringify(said["response"].output) === JSON.stringify(done), "the response holds what was streamed")
        demand(`response.${said["response"].status}` === said["type"], "the status is the event")
        break
      case "error":
        demand(typeof said["message"] === "string", "an error says why")
        errored = true
        break
      case "response.failed":
        demand(errored, "an error comes before")
        failed = true
        response = said["response"]
        demand(response!["status"] === "failed" && typeof response!["error"].message === "string", "a failure says why")
        break
      default:
        throw new Error(`an event ${String(said["type"])}`)
    }
  }
  return {
    text,
    thought,
    calls,
    reason: failed ? undefined : response?.["status"],
    usage: response?.["usage"] ?? undefined,
    ended: response !== undefined && !failed,
    failed,
  }
}

const generate = (events: ReadonlyArray<WireEvent>): Judged => {
  let text = ""
  let thought = ""
  let reason: string | undefined
  let usage: Json | undefined
  let failed = false
  const calls: Array<{ id: string; name: string; input: string }> = []
  for (const event of events) {
    demand(event.event === undefined, "a chunk has no event name")
    demand(reason === undefined && !failed, "something follows the end")
    const chunk: Json = JSON.parse(event.data)
    if (chunk["error"] !== undefined) {
      demand(typeof chunk["error"].code === "number" && typeof chunk["error"].status === "string", "an error says why")
      failed = true
      continue
    }
    demand(typeof chunk["responseId"] === "string" && typeof chunk["modelVersion"] === "string", "id and model")
    usage = chunk["usageMetadata"] ?? usage
    for (const candidate of chunk["candidates"]) {
      demand(candidate.content.role === "model" && candidate.content.parts.length > 0, "a candidate has parts")
      for (const part of candidate.content.parts)
        if (part.functionCall !== undefined)
          calls.push({
            id: part.functionCall.id,
            name: part.functionCall.name,
            input: JSON.stringify(part.functionCall.args),
          })
        else if (part.thought === true) thought += part.text
        else text += part.text
      reason = candidate.finishReason ?? reason
    }
  }
  return { text, thought, calls, reason, usage, ended: reason !== undefined, failed }
}

const converse = (events: ReadonlyArray<WireEvent>): Judged => {
  let text = ""
  let thought = ""
  let reason: string | undefined
  let usage: Json | undefined
  let started = false
  let failed = false
  let open: { index: number; kind: string } | undefined
  let index = -1
  const calls: Array<{ id: string; name: string; input: string }> = []
  for (const { data, event = "" } of events) {
    const said: Json = JSON.parse(data)
    demand(!failed && usage === undefined, "something follows the end")
    if (event.startsWith("exception:")) {
      demand(typeof said["message"] === "string", "an exception says why")
      failed = true
      continue
    }
    if (event !== "messageStart") demand(started, "a message starts first")
    if (event !== "metadata") demand(reason === undefined, "only the usage comes after the reason")
    switch (event) {
      case "messageStart":
        demand(!started && said["role"] === "assistant", "a message starts once")
        started = true
        break
      case "contentBlockStart":
        demand(open === undefined, "blocks come one after another")
        demand(said["contentBlockIndex"] === index + 1, "blocks are numbered in order")
        open = { index: ++index, kind: "toolUse" }
        calls.push({ id: said["start"].toolUse.toolUseId, name: said["start"].toolUse.name, input: "" })
        break
      case "contentBlockDelta": {
        const [[kind, piece]] = Object.entries(said["delta"]) as [[string, Json & string]]
        if (open === undefined) {
          demand(kind !== "toolUse", "a call announces itself")
          demand(said["contentBlockIndex"] === index + 1, "blocks are numbered in order")
          open = { index: ++index, kind: kind === "citation" ? "text" : kind }
        }
        demand(said["contentBlockIndex"] === open.index, "a piece belongs to the open block")
        demand(kind === open.kind || (kind === "citation" && open.kind === "text"), "a block is of one kind")
        if (kind === "text") text += piece
        else if (kind === "toolUse") calls.at(-1)!.input += piece["input"]
        else if (kind === "reasoningContent") thought += piece["text"] ?? ""
        break
      }
      case "contentBlockStop":
        demand(open !== undefined && said["contentBlockIndex"] === open.index, "the open block is closed")
        if (open?.kind === "toolUse") JSON.parse(calls.at(-1)!.input)
        open = undefined
        break
      case "messageStop":
        demand(open === undefined, "no block is open at the end")
        reason = said["stopReason"]
        break
      case "metadata":
        demand(reason !== undefined, "the usage comes after the reason")
        usage = said["usage"]
        break
      default:
        throw new Error(`an event ${event}`)
    }
  }
  return { text, thought, calls, reason, usage, ended: usage !== undefined, failed }
}

export const judge = (format: ChatFormat, events: ReadonlyArray<WireEvent>): Judged => {
  switch (format) {
    case "openaiChat":
      return chat(events)
    case "anthropicMessages":
      return messages(events)
    case "openaiResponses":
      return responses(events)
    case "gemini":
      return generate(events)
    case "bedrockConverse":
      return converse(events)
  }
}
