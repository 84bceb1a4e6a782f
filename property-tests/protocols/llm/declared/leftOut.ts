/**
 * What one format can say and is left out on the way to others without a word, and why. Everything else that is left
 * out is named in the log of the call.
 */
import type { ChatFormat } from "../../../../protocols/llm/Translation.ts"

const noTool = "a choice among tools says nothing where there are none"
const ordered = "Gemini matches results to calls by their order and names"
const ids = "the place of an item in the conversation says as much as its id"
const notJson = "what a tool was called with is an object there, and this text is none"
const capped = "a budget is kept below the number of tokens that may be written"
const strayed = "the vendor refuses such a part in a turn of this role; it is dropped with the turn's other nonsense"
const encoded = "it is carried, in Base64"
const unnamedSchema = "the schema is carried; there is no place for its name"

export const leftOut: Readonly<Record<ChatFormat, ReadonlyArray<readonly [what: RegExp, why: string]>>> = {
  openaiChat: [
    [/: \.function_call\.name$|: \.tool_choice\(/, noTool],
    [/function_call\.arguments$|function\.arguments$/, notJson],
    [/^gemini: .*tool_calls\[\]\(\w+\)\.id$/, ordered],
    [/json_schema\.(?:name|description)$/, unnamedSchema],
    [/: \.top_logprobs$/, "without `logprobs` it asks for nothing"],
  ],
  openaiResponses: [
    [/: \.tool_choice\(/, noTool],
    [/\(function_call\)\.arguments$/, notJson],
    [/^gemini: .*\.call_id$/, ordered],
    [/\.id$/, ids],
    [/\(function_call_output\)\.(?:name|namespace)$/, "the call that is answered has them"],
    [/max_output_length$/, "it bounded an output that is there already"],
    [/^gemini: .*\.parameters$/, "it is no schema that can be said in OpenAPI's subset"],
    [/: \.top_logprobs$/, "without being included, the probabilities are not wanted"],
  ],
  anthropicMessages: [
    [/: \.tool_choice\(/, noTool],
    [/^gemini: .*\(tool_use\)\.id$/, ordered],
    [/^bedrockConverse: .*\(document\)\.source\(content\)/, encoded],
    [/\(user\)\.content\[\]\((?:thinking|tool_use)\)/, strayed],
    [/thinking\(enabled\)\.budget_tokens$/, capped],
    [/^gemini: .*input_schema\(object\)/, "it is no schema that can be said in OpenAPI's subset"],
  ],
  gemini: [
    [/displayName$/, "a picture and a document of which only the address is given have no name elsewhere"],
    [/contents\[\]\.parts\[\]\.functionCall\.(?:args|id|name)$/, strayed],
    [/partialArgs/, "pieces of a call come in streams only; a request has the whole"],
    [/\.generationConfig\.logprobs$/, "without `responseLogprobs` it asks for nothing"],
    [
      /\.generationConfig\.response(?:JsonSchema|MimeType|Schema)/,
      "a schema counts only for the type `application/json`",
    ],
    [/thinkingBudget$/, capped],
    [/systemInstruction\.role$/, "instructions have one role"],
    [/allowedFunctionNames/, noTool],
    [
      /functionDeclarations\[\]\.parameters\./,
      "bounds are numbers written as text, and examples and orders have no words in JSON Schema",
    ],
  ],
  bedrockConverse: [
    [/: \.modelId$/, "it is in the path, and the route decides about the model"],
    [/toolChoice\.tool\.name$/, noTool],
    [/^gemini: .*toolUseId$/, ordered],
    [/^gemini: .*inputSchema\.json$/, "it is no schema that can be said in OpenAPI's subset"],
    [/outputConfig\.effort$/, "a word that is no effort"],
    [/outputConfig\.textFormat/, "a schema is JSON in a text, and this text is none"],
    [/\.error\.message$/, "why a clip could not be made is part of replies"],
  ],
}
