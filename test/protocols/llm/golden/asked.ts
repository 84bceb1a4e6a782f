/**
 * What clients ask, after the public documentation of each format. The types are those of the official libraries, so
 * that a request no client could write does not compile.
 */
import type Anthropic from "@anthropic-ai/sdk"
import type OpenAI from "openai"
import type { JsonObject } from "../../../../protocols/llm/Json.ts"

type Chat = Omit<OpenAI.ChatCompletionCreateParams, "model">
type Responses = Omit<OpenAI.Responses.ResponseCreateParams, "model">
/** Sampling parameters left the library's types with the models that refuse them; earlier models still take them. */
type Messages = Omit<Anthropic.MessageCreateParams, "model"> & {
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
}

const weather = {
  type: "object",
  properties: {
    location: { type: "string", description: "City and country" },
    unit: { type: "string", enum: ["celsius", "fahrenheit"] },
  },
  required: ["location"],
} as const
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
const pdf = "JVBERi0xLjQKJSVFT0YK"
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
} as const

/** Not in the library's types, yet asked by clients of several gateways. */
const bareSchema = { json_schema: { name: "person", schema: person, strict: true } }

export const openaiChat: Readonly<Record<string, Chat>> = {
  "a question": { messages: [{ role: "user", content: "What is the capital of France?" }] },
  "system and developer": {
    messages: [
      { role: "system", content: "You are helpful." },
      { role: "developer", content: [{ type: "text", text: "Answer in one word." }] },
      { role: "user", content: "Capital of Italy?" },
    ],
  },
  "several turns": {
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello! How can I help?" },
      { role: "user", content: "Tell a joke" },
      { role: "user", content: "A short one" },
    ],
    max_tokens: 50,
  },
  sampling: {
    messages: [{ role: "user", content: "Say something" }],
    temperature: 1.4,
    top_p: 0.9,
    max_completion_tokens: 64,
    stop: ["END", "\n\n"],
    seed: 7,
    presence_penalty: 0.5,
    frequency_penalty: -0.5,
    user: "user-123",
  },
  "one stop and metadata": {
    messages: [{ role: "user", content: "Count" }],
    stop: "5",
    metadata: { team: "a" },
    store: true,
    service_tier: "auto",
  },
  "an image by address and one as data": {
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What differs?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${png}`, detail: "high" } },
          { type: "image_url", image_url: { url: "https://example.com/cat.jpg" } },
        ],
      },
    ],
  },
  "a file and a sound": {
    messages: [
      {
        role: "user",
        content: [
          { type: "file", file: { filename: "report.pdf", file_data: `data:application/pdf;base64,${pdf}` } },
          { type: "text", text: "Summarise" },
        ],
      },
    ],
  },
  "a tool": {
    messages: [{ role: "user", content: "Weather in Paris?" }],
    tools: [
      {
        type: "function",
        function: { name: "get_weather", description: "Current weather", parameters: weather, strict: true },
      },
    ],
    tool_choice: "auto",
  },
  "a tool that must be called, one at a time": {
    messages: [{ role: "user", content: "Weather in Paris?" }],
    tools: [
      { type: "function", function: { name: "get_weather", parameters: weather } },
      { type: "function", function: { name: "now" } },
    ],
    tool_choice: { type: "function", function: { name: "get_weather" } },
    parallel_tool_calls: false,
  },
  "any tool": {
    messages: [{ role: "user", content: "Do it" }],
    tools: [{ type: "function", function: { name: "now", description: "The time" } }],
    tool_choice: "required",
  },
  "no tool for now": {
    messages: [{ role: "user", content: "Do not" }],
    tools: [{ type: "function", function: { name: "now", description: "The time" } }],
    tool_choice: "none",
  },
  "no tool after one was used": {
    messages: [
      { role: "user", content: "What time is it?" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "now", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "noon" },
    ],
    tools: [{ type: "function", function: { name: "now", description: "The time" } }],
    tool_choice: "none",
  },
  "results of parallel tools": {
    messages: [
      { role: "user", content: "Weather in Paris and Rome?" },
      {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "call_p", type: "function", function: { name: "get_weather", arguments: '{"location":"Paris"}' } },
          { id: "call_r", type: "function", function: { name: "get_weather", arguments: '{"location":"Rome"}' } },
        ],
      },
      { role: "tool", tool_call_id: "call_r", content: "28 degrees" },
      { role: "tool", tool_call_id: "call_p", content: [{ type: "text", text: "21 degrees" }] },
      { role: "user", content: "And tomorrow?" },
    ],
    tools: [{ type: "function", function: { name: "get_weather", parameters: weather } }],
  },
  "arguments that are empty or broken": {
    messages: [
      { role: "user", content: "go" },
      {
        role: "assistant",
        tool_calls: [
          { id: "a", type: "function", function: { name: "now", arguments: "" } },
          { id: "b", type: "function", function: { name: "now", arguments: '{"x":' } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "12:00" },
      { role: "tool", tool_call_id: "b", content: "" },
    ],
    tools: [{ type: "function", function: { name: "now" } }],
  },
  "a schema": {
    messages: [{ role: "user", content: "Jane is 54" }],
    response_format: {
      type: "json_schema",
      json_schema: { name: "person", description: "A person", schema: person, strict: true },
    },
  },
  "a schema without a format": {
    messages: [{ role: "user", content: "Ada is 36" }],
    ...bareSchema,
  },
  "a tool that takes text by a grammar": {
    messages: [{ role: "user", content: "Shout" }],
    tools: [
      {
        type: "custom",
        custom: {
          name: "shout",
          format: { type: "grammar", grammar: { syntax: "regex", definition: "[A-Z ]+!" } },
        },
      },
    ],
    tool_choice: { type: "custom", custom: { name: "shout" } },
  },
  "any json": { messages: [{ role: "user", content: "JSON please" }], response_format: { type: "json_object" } },
  "low effort": { messages: [{ role: "user", content: "2+2" }], reasoning_effort: "low", max_completion_tokens: 8000 },
  "high effort in a small answer": {
    messages: [{ role: "user", content: "2+2" }],
    reasoning_effort: "high",
    max_completion_tokens: 2000,
  },
  "log-probabilities and choices": {
    messages: [{ role: "user", content: "Yes?" }],
    logprobs: true,
    top_logprobs: 3,
    n: 2,
  },
  "a stream": { messages: [{ role: "user", content: "Hi" }], stream: true, stream_options: { include_usage: true } },
  "a refusal in history": {
    messages: [
      { role: "user", content: "Bad thing" },
      { role: "assistant", refusal: "I cannot." },
      { role: "user", content: "Good thing" },
    ],
  },
}

export const anthropicMessages: Readonly<Record<string, Messages>> = {
  "a question": { max_tokens: 1024, messages: [{ role: "user", content: "Hello, Claude" }] },
  system: { max_tokens: 100, system: "Be brief.", messages: [{ role: "user", content: "Hi" }] },
  "cached system": {
    max_tokens: 100,
    system: [
      { type: "text", text: "You know this book." },
      { type: "text", text: "The whole book.", cache_control: { type: "ephemeral" } },
    ],
    messages: [
      {
        role: "user",
        content: [{ type: "text", text: "Who is it about?", cache_control: { type: "ephemeral", ttl: "1h" } }],
      },
    ],
  },
  sampling: {
    max_tokens: 10,
    temperature: 0.7,
    top_p: 0.9,
    top_k: 40,
    stop_sequences: ["END"],
    metadata: { user_id: "u-1" },
    messages: [{ role: "user", content: "x" }],
  },
  images: {
    max_tokens: 100,
    messages: [
      {
        role: "user",
        content: [
          { type: "image", source: { type: "base64", media_type: "image/png", data: png } },
          { type: "text", text: "What is it?" },
        ],
      },
    ],
  },
  "an image by address": {
    max_tokens: 100,
    messages: [
      { role: "user", content: [{ type: "image", source: { type: "url", url: "https://example.com/a.png" } }] },
    ],
  },
  documents: {
    max_tokens: 100,
    messages: [
      {
        role: "user",
        content: [
          {
            type: "document",
            source: { type: "base64", media_type: "application/pdf", data: pdf },
            title: "report.pdf",
            citations: { enabled: true },
          },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "Plain words" }, title: "notes" },
          { type: "text", text: "Summarise" },
        ],
      },
    ],
  },
  tools: {
    max_tokens: 100,
    tools: [
      { name: "get_weather", description: "Weather", input_schema: weather as unknown as Anthropic.Tool.InputSchema },
      { name: "now", input_schema: { type: "object" }, cache_control: { type: "ephemeral" } },
    ],
    tool_choice: { type: "any", disable_parallel_tool_use: true },
    messages: [{ role: "user", content: "Weather?" }],
  },
  "no tool for now": {
    max_tokens: 100,
    tools: [{ name: "now", input_schema: { type: "object" } }],
    tool_choice: { type: "none" },
    messages: [{ role: "user", content: "Time?" }],
  },
  "one tool": {
    max_tokens: 100,
    tools: [{ name: "now", input_schema: { type: "object" } }],
    tool_choice: { type: "tool", name: "now" },
    messages: [{ role: "user", content: "Time?" }],
  },
  "results of tools": {
    max_tokens: 100,
    tools: [{ name: "get_weather", input_schema: weather as unknown as Anthropic.Tool.InputSchema }],
    messages: [
      { role: "user", content: "Weather in Paris and Rome?" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "I will look." },
          { type: "tool_use", id: "toolu_1", name: "get_weather", input: { location: "Paris" } },
          { type: "tool_use", id: "toolu_2", name: "get_weather", input: { location: "Rome" } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "toolu_1", content: "21 degrees" },
          {
            type: "tool_result",
            tool_use_id: "toolu_2",
            is_error: true,
            content: [{ type: "text", text: "no such city" }],
          },
          { type: "text", text: "Which is warmer?" },
        ],
      },
    ],
  },
  "a picture as a result": {
    max_tokens: 100,
    tools: [{ name: "screenshot", input_schema: { type: "object" } }],
    messages: [
      { role: "user", content: "Look" },
      { role: "assistant", content: [{ type: "tool_use", id: "toolu_9", name: "screenshot", input: {} }] },
      {
        role: "user",
        content: [
          {
            type: "tool_result",
            tool_use_id: "toolu_9",
            content: [
              { type: "text", text: "Taken" },
              { type: "image", source: { type: "base64", media_type: "image/png", data: png } },
            ],
          },
        ],
      },
    ],
  },
  thinking: {
    max_tokens: 16000,
    thinking: { type: "enabled", budget_tokens: 10000 },
    messages: [{ role: "user", content: "Prove it" }],
  },
  "adaptive thinking": {
    max_tokens: 16000,
    thinking: { type: "adaptive" },
    output_config: { effort: "medium" },
    messages: [{ role: "user", content: "Prove it" }],
  },
  "no thinking": { max_tokens: 100, thinking: { type: "disabled" }, messages: [{ role: "user", content: "Hi" }] },
  "thoughts of earlier turns": {
    max_tokens: 4000,
    messages: [
      { role: "user", content: "Hard" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Let me see", signature: "c2lnbmF0dXJl" },
          { type: "redacted_thinking", data: "cmVkYWN0ZWQ=" },
          { type: "text", text: "42" },
        ],
      },
      { role: "user", content: "Why?" },
    ],
  },
  "a schema": {
    max_tokens: 100,
    output_config: { format: { type: "json_schema", schema: person } },
    messages: [{ role: "user", content: "Jane is 54" }],
  },
  "a stream": { max_tokens: 100, stream: true, messages: [{ role: "user", content: "Hi" }] },
  "a search result": {
    max_tokens: 100,
    messages: [
      {
        role: "user",
        content: [
          {
            type: "search_result",
            source: "https://example.com/x",
            title: "X",
            content: [{ type: "text", text: "Facts" }],
          },
          { type: "text", text: "So?" },
        ],
      },
    ],
  },
}

export const openaiResponses: Readonly<Record<string, Responses>> = {
  "a question": { input: "Tell me a story" },
  instructions: { instructions: "Talk like a pirate.", input: "Hi", max_output_tokens: 100 },
  messages: {
    input: [
      { role: "developer", content: "Be brief" },
      { role: "user", content: [{ type: "input_text", text: "Hi" }] },
      {
        type: "message",
        id: "msg_1",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: "Hello", annotations: [] }],
      },
      { role: "user", content: "Again" },
    ],
  },
  "an image": {
    input: [
      {
        role: "user",
        content: [
          { type: "input_text", text: "What?" },
          { type: "input_image", image_url: `data:image/png;base64,${png}`, detail: "auto" },
        ],
      },
    ],
  },
  "a file": {
    input: [
      {
        role: "user",
        content: [
          { type: "input_file", filename: "a.pdf", file_data: `data:application/pdf;base64,${pdf}` },
          { type: "input_text", text: "Summarise" },
        ],
      },
    ],
  },
  tools: {
    input: "Weather?",
    tools: [
      { type: "function", name: "get_weather", description: "Weather", parameters: weather, strict: true },
      { type: "web_search" },
    ],
    tool_choice: "required",
    parallel_tool_calls: false,
  },
  "no tool for now": {
    input: "Weather?",
    tools: [{ type: "function", name: "get_weather", parameters: weather, strict: false }],
    tool_choice: "none",
  },
  "one tool": {
    input: "Weather?",
    tools: [{ type: "function", name: "get_weather", parameters: weather, strict: false }],
    tool_choice: { type: "function", name: "get_weather" },
  },
  "results of tools": {
    input: [
      { role: "user", content: "Weather in Paris and Rome?" },
      { type: "function_call", id: "fc_1", call_id: "call_1", name: "get_weather", arguments: '{"location":"Paris"}' },
      { type: "function_call", id: "fc_2", call_id: "call_2", name: "get_weather", arguments: '{"location":"Rome"}' },
      { type: "function_call_output", call_id: "call_1", output: "21" },
      { type: "function_call_output", call_id: "call_2", output: "28" },
    ],
    tools: [{ type: "function", name: "get_weather", parameters: weather, strict: true }],
  },
  "tools that run at the client": {
    input: [
      { role: "user", content: "Fix the build" },
      {
        type: "local_shell_call",
        id: "lsh_1",
        call_id: "call_1",
        status: "completed",
        action: { type: "exec", command: ["make", "-k"], env: {} },
      },
      { type: "local_shell_call_output", id: "call_1", output: "undefined symbol" },
      { type: "shell_call", call_id: "call_2", action: { commands: ["nm a.o"] } },
      {
        type: "shell_call_output",
        call_id: "call_2",
        output: [{ stdout: "U main", stderr: "", outcome: { type: "exit", exit_code: 0 } }],
      },
      {
        type: "apply_patch_call",
        call_id: "call_3",
        status: "completed",
        operation: { type: "update_file", path: "a.c", diff: "@@\n+int main;" },
      },
      { type: "apply_patch_call_output", call_id: "call_3", status: "failed" },
      { type: "function_call", call_id: "call_4", namespace: "team", name: "ask", arguments: '{"who":"Ann"}' },
      { type: "function_call_output", call_id: "call_4", output: "No idea" },
    ],
    tools: [
      { type: "local_shell" },
      { type: "shell", environment: { type: "local" } },
      { type: "apply_patch" },
      {
        type: "namespace",
        name: "team",
        description: "Colleagues.",
        tools: [
          { type: "function", name: "ask", description: "Asks one.", parameters: { type: "object" } },
          { type: "custom", name: "shout", format: { type: "grammar", syntax: "regex", definition: "[A-Z ]+!" } },
        ],
      },
    ],
    tool_choice: { type: "apply_patch" },
  },
  "a custom tool": {
    input: [
      { role: "user", content: "Patch it" },
      { type: "custom_tool_call", id: "ctc_1", call_id: "call_7", name: "apply", input: "*** patch" },
      { type: "custom_tool_call_output", call_id: "call_7", output: "done" },
      { role: "user", content: "Next" },
    ],
    tools: [{ type: "custom", name: "apply", description: "Applies a patch" }],
  },
  effort: { input: "Think", reasoning: { effort: "high", summary: "auto" }, max_output_tokens: 9000 },
  "a thought of an earlier turn": {
    input: [
      { role: "user", content: "Think" },
      {
        type: "reasoning",
        id: "rs_1",
        summary: [{ type: "summary_text", text: "I thought" }],
        encrypted_content: "Z0FBQUE=",
      },
      { role: "assistant", content: "42" },
      { role: "user", content: "Why?" },
    ],
    store: false,
    include: ["reasoning.encrypted_content"],
  },
  "a thought of Claude": {
    input: [
      { role: "user", content: "Think" },
      {
        type: "reasoning",
        id: "rs_1",
        summary: [{ type: "summary_text", text: "I thought" }],
        encrypted_content: "sluice.anthropic.c2ln",
      },
      { role: "assistant", content: "42" },
      { role: "user", content: "Why?" },
    ],
  },
  "a schema": {
    input: "Jane is 54",
    text: { format: { type: "json_schema", name: "person", schema: person, strict: true }, verbosity: "low" },
  },
  "sampling and metadata": {
    input: "x",
    temperature: 0.2,
    top_p: 0.5,
    metadata: { a: "b" },
    user: "u",
    truncation: "auto",
    service_tier: "default",
  },
  "a stream": { input: "Hi", stream: true },
}

export const gemini: Readonly<Record<string, JsonObject>> = {
  "a question": { contents: [{ parts: [{ text: "Explain AI" }] }] },
  system: {
    system_instruction: { parts: [{ text: "You are a cat." }] },
    contents: [{ role: "user", parts: [{ text: "Hi" }] }],
  },
  "several turns": {
    contents: [
      { role: "user", parts: [{ text: "Hi" }] },
      { role: "model", parts: [{ text: "Hello" }] },
      { role: "user", parts: [{ text: "More" }, { text: "words" }] },
    ],
  },
  sampling: {
    contents: [{ role: "user", parts: [{ text: "x" }] }],
    generationConfig: {
      temperature: 1,
      topP: 0.8,
      topK: 10,
      maxOutputTokens: 800,
      stopSequences: ["Title"],
      candidateCount: 1,
      seed: 5,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
    },
    safetySettings: [{ category: "HARM_CATEGORY_DANGEROUS_CONTENT", threshold: "BLOCK_ONLY_HIGH" }],
  },
  media: {
    contents: [
      {
        role: "user",
        parts: [
          { inlineData: { mimeType: "image/png", data: png } },
          { inline_data: { mime_type: "application/pdf", data: pdf } },
          { text: "Describe" },
        ],
      },
    ],
  },
  tools: {
    contents: [{ role: "user", parts: [{ text: "Weather?" }] }],
    tools: [
      {
        functionDeclarations: [
          {
            name: "get_weather",
            description: "Weather",
            parameters: {
              type: "OBJECT",
              properties: { location: { type: "STRING" }, days: { type: "INTEGER", nullable: true, minimum: "1" } },
              required: ["location"],
            },
          },
          { name: "now", parametersJsonSchema: { type: "object", properties: {} } },
        ],
      },
      { googleSearch: {} },
    ],
    toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["get_weather"] } },
  },
  "no tool for now": {
    contents: [{ role: "user", parts: [{ text: "Time?" }] }],
    tools: [{ functionDeclarations: [{ name: "now", description: "The time" }] }],
    toolConfig: { functionCallingConfig: { mode: "NONE" } },
  },
  "results of tools": {
    contents: [
      { role: "user", parts: [{ text: "Weather in Paris and Rome?" }] },
      {
        role: "model",
        parts: [
          { functionCall: { name: "get_weather", args: { location: "Paris" } }, thoughtSignature: "Z29vZ2xl" },
          { functionCall: { name: "get_weather", args: { location: "Rome" } } },
        ],
      },
      {
        role: "user",
        parts: [
          { functionResponse: { name: "get_weather", response: { output: "21" } } },
          { functionResponse: { name: "get_weather", response: { temperature: 28, unit: "C" } } },
        ],
      },
    ],
    tools: [
      {
        functionDeclarations: [
          { name: "get_weather", parameters: { type: "OBJECT", properties: { location: { type: "STRING" } } } },
        ],
      },
    ],
  },
  thinking: {
    contents: [{ role: "user", parts: [{ text: "Think" }] }],
    generationConfig: { thinkingConfig: { thinkingBudget: 2048, includeThoughts: true }, maxOutputTokens: 8000 },
  },
  "a level of thinking": {
    contents: [{ role: "user", parts: [{ text: "Think" }] }],
    generationConfig: { thinkingConfig: { thinkingLevel: "LOW" }, maxOutputTokens: 8000 },
  },
  "no thinking": {
    contents: [{ role: "user", parts: [{ text: "Quick" }] }],
    generationConfig: { thinkingConfig: { thinkingBudget: 0 } },
  },
  "a schema": {
    contents: [{ role: "user", parts: [{ text: "Jane is 54" }] }],
    generationConfig: {
      responseMimeType: "application/json",
      responseSchema: {
        type: "OBJECT",
        properties: { name: { type: "STRING" }, age: { type: "INTEGER" } },
        required: ["name"],
      },
    },
  },
}

export const bedrockConverse: Readonly<Record<string, JsonObject>> = {
  "a question": { messages: [{ role: "user", content: [{ text: "Explain AI" }] }] },
  "system, with a cache point": {
    system: [{ text: "You are a cat." }, { cachePoint: { type: "default" } }, { text: "Purr." }],
    messages: [{ role: "user", content: [{ text: "Hi" }, { cachePoint: { type: "default", ttl: "1h" } }] }],
  },
  "several turns": {
    messages: [
      { role: "user", content: [{ text: "Hi" }] },
      { role: "assistant", content: [{ text: "Hello" }] },
      { role: "user", content: [{ text: "More" }, { text: "words" }] },
    ],
  },
  sampling: {
    messages: [{ role: "user", content: [{ text: "x" }] }],
    inferenceConfig: { maxTokens: 512, temperature: 0.5, topP: 0.9, stopSequences: ["END"] },
    additionalModelRequestFields: { top_k: 40 },
    requestMetadata: { team: "red" },
    serviceTier: { type: "priority" },
    performanceConfig: { latency: "optimized" },
  },
  media: {
    messages: [
      {
        role: "user",
        content: [
          { image: { format: "png", source: { bytes: png } } },
          {
            document: {
              format: "pdf",
              name: "report",
              context: "the last quarter",
              citations: { enabled: true },
              source: { bytes: pdf },
            },
          },
          { document: { format: "txt", name: "notes", source: { text: "plain words" } } },
          { text: "Describe" },
        ],
      },
    ],
  },
  "a picture in S3": {
    messages: [
      {
        role: "user",
        content: [{ image: { format: "png", source: { s3Location: { uri: "s3://bucket/a.png" } } } }, { text: "?" }],
      },
    ],
  },
  tools: {
    messages: [{ role: "user", content: [{ text: "Weather?" }] }],
    toolConfig: {
      tools: [
        { toolSpec: { name: "get_weather", description: "Weather", inputSchema: { json: weather } } },
        { toolSpec: { name: "now", inputSchema: { json: { type: "object" } }, strict: true } },
        { cachePoint: { type: "default" } },
        { systemTool: { name: "nova_grounding" } },
      ],
      toolChoice: { any: {} },
    },
  },
  "one tool and what it said": {
    messages: [
      { role: "user", content: [{ text: "Weather in Paris?" }] },
      {
        role: "assistant",
        content: [
          { text: "Looking." },
          { toolUse: { toolUseId: "tooluse_1", name: "get_weather", input: { location: "Paris" } } },
          { toolUse: { toolUseId: "tooluse_2", name: "get_weather", input: { location: "Rome" } } },
        ],
      },
      {
        role: "user",
        content: [
          { toolResult: { toolUseId: "tooluse_1", content: [{ json: { degrees: 21 } }], status: "success" } },
          { toolResult: { toolUseId: "tooluse_2", content: [{ text: "no such city" }], status: "error" } },
        ],
      },
    ],
    toolConfig: {
      tools: [{ toolSpec: { name: "get_weather", inputSchema: { json: weather } } }],
      toolChoice: { tool: { name: "get_weather" } },
    },
  },
  thoughts: {
    messages: [
      { role: "user", content: [{ text: "2+2?" }] },
      {
        role: "assistant",
        content: [
          { reasoningContent: { reasoningText: { text: "Hm", signature: "c2ln" } } },
          { reasoningContent: { redactedContent: "cmVk" } },
          { text: "4" },
        ],
      },
      { role: "user", content: [{ text: "and 3+3?" }] },
    ],
    inferenceConfig: { maxTokens: 4096 },
    additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2048 } },
  },
  "the effort of a Nova": {
    messages: [{ role: "user", content: [{ text: "Think" }] }],
    additionalModelRequestFields: { reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } },
  },
  "a shape": {
    messages: [{ role: "user", content: [{ text: "Ann is 7" }] }],
    outputConfig: {
      textFormat: {
        type: "json_schema",
        structure: { jsonSchema: { name: "person", schema: JSON.stringify(person) } },
      },
    },
  },
  "guarded, cited and searched": {
    messages: [
      {
        role: "user",
        content: [
          { guardContent: { text: { text: "judge this", qualifiers: ["query"] } } },
          {
            searchResult: {
              source: "https://example.com",
              title: "Grass",
              content: [{ text: "It is green." }],
              citations: { enabled: true },
            },
          },
        ],
      },
      {
        role: "assistant",
        content: [{ citationsContent: { content: [{ text: "Green." }], citations: [{ title: "Grass" }] } }],
      },
      { role: "user", content: [{ text: "Sure?" }] },
    ],
    guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
  },
  "no message": { messages: [] },
  "no list": { messages: "hi" },
}
