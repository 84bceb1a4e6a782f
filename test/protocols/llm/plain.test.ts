/** Embeddings, ranking and counting, after the public documentation of each provider. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import type { Call, PlainFormat } from "../../../protocols/llm/Translation.ts"
import { translation } from "../../../protocols/llm/translations.ts"
import { call } from "./call.ts"

interface Case {
  readonly name: string
  readonly from: PlainFormat
  readonly to: PlainFormat
  readonly model: string
  readonly options?: Call["options"]
  readonly asked: object
  readonly sent: object
  readonly dropped?: ReadonlyArray<string>
  readonly answered: object
  readonly headers?: Record<string, string>
  readonly got: object
  readonly tokens?: number
}

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64")
const embeddings = (model: string, tokens: number, ...vectors: ReadonlyArray<ReadonlyArray<number> | string>) => ({
  object: "list",
  data: vectors.map((embedding, index) => ({ object: "embedding", index, embedding })),
  model,
  usage: { prompt_tokens: tokens, total_tokens: tokens },
})

const cases: ReadonlyArray<Case> = [
  {
    name: "Vertex",
    from: "openaiEmbeddings",
    to: "vertexEmbeddings",
    model: "text-embedding-005",
    asked: { model: "x", input: ["a", "b"], dimensions: 2, task_type: "CLUSTERING", user: "u" },
    sent: {
      instances: [
        { content: "a", task_type: "CLUSTERING" },
        { content: "b", task_type: "CLUSTERING" },
      ],
      parameters: { outputDimensionality: 2 },
    },
    dropped: ["user"],
    answered: {
      predictions: [
        { embeddings: { values: [0.5, 1], statistics: { token_count: 3 } } },
        { embeddings: { values: [0.25, 2], statistics: { token_count: 4 } } },
      ],
    },
    got: embeddings("text-embedding-005", 7, [0.5, 1], [0.25, 2]),
    tokens: 7,
  },
  {
    name: "Gemini",
    from: "openaiEmbeddings",
    to: "geminiEmbeddings",
    model: "gemini-embedding-001",
    asked: { input: "a" },
    sent: { requests: [{ model: "models/gemini-embedding-001", content: { parts: [{ text: "a" }] } }] },
    answered: { embeddings: [{ values: [1, 2] }] },
    got: embeddings("gemini-embedding-001", 0, [1, 2]),
  },
  {
    name: "Titan, packed",
    from: "openaiEmbeddings",
    to: "bedrockTitanEmbeddings",
    model: "amazon.titan-embed-text-v2:0",
    asked: { input: ["a"], dimensions: 256, normalize: true, encoding_format: "base64" },
    sent: { inputText: "a", dimensions: 256, normalize: true },
    answered: { embedding: [1, 0.5], inputTextTokenCount: 5 },
    got: embeddings("amazon.titan-embed-text-v2:0", 5, Buffer.from(Float32Array.of(1, 0.5).buffer).toString("base64")),
    tokens: 5,
  },
  {
    name: "Nova",
    from: "openaiEmbeddings",
    to: "bedrockNovaEmbeddings",
    model: "amazon.nova-2-multimodal-embeddings-v1:0",
    asked: { input: "a", dimensions: 1024 },
    sent: {
      taskType: "SINGLE_EMBEDDING",
      singleEmbeddingParams: {
        embeddingPurpose: "GENERIC_INDEX",
        embeddingDimension: 1024,
        text: { truncationMode: "END", value: "a" },
      },
    },
    answered: { embeddings: [{ embeddingType: "TEXT", embedding: [1] }] },
    headers: { "x-amzn-bedrock-input-token-count": "4" },
    got: embeddings("amazon.nova-2-multimodal-embeddings-v1:0", 4, [1]),
    tokens: 4,
  },
  {
    name: "Cohere 3",
    from: "openaiEmbeddings",
    to: "bedrockCohereEmbeddings",
    model: "cohere.embed-english-v3",
    asked: { input: ["a", "b"], dimensions: 10, input_type: "search_document" },
    sent: { texts: ["a", "b"], input_type: "search_document" },
    dropped: ["dimensions"],
    answered: { embeddings: [[1], [2]], response_type: "embeddings_floats" },
    headers: { "x-amzn-bedrock-input-token-count": "9" },
    got: embeddings("cohere.embed-english-v3", 9, [1], [2]),
    tokens: 9,
  },
  {
    name: "Cohere 4",
    from: "openaiEmbeddings",
    to: "bedrockCohereEmbeddings",
    model: "cohere.embed-v4:0",
    asked: { input: "a", dimensions: 512 },
    sent: { texts: ["a"], input_type: "search_query", output_dimension: 512, embedding_types: ["float"] },
    answered: { embeddings: { float: [[3]] } },
    got: embeddings("cohere.embed-v4:0", 0, [3]),
  },
  {
    name: "ranking on Bedrock",
    from: "cohereRerank",
    to: "bedrockRerank",
    model: "cohere.rerank-v3-5:0",
    options: { bedrock: { region: "eu-west-1" } },
    asked: {
      model: "x",
      query: "q",
      documents: ["a", { text: "b" }, { title: "c" }],
      top_n: 2,
      max_tokens_per_doc: 10,
    },
    sent: {
      queries: [{ type: "TEXT", textQuery: { text: "q" } }],
      sources: ["a", "b", '{"title":"c"}'].map((text) => ({
        type: "INLINE",
        inlineDocumentSource: { type: "TEXT", textDocument: { text } },
      })),
      rerankingConfiguration: {
        type: "BEDROCK_RERANKING_MODEL",
        bedrockRerankingConfiguration: {
          numberOfResults: 2,
          modelConfiguration: {
            modelArn: "arn:aws:bedrock:eu-west-1::foundation-model/cohere.rerank-v3-5:0",
            additionalModelRequestFields: { max_tokens_per_doc: 10 },
          },
        },
      },
    },
    answered: {
      results: [
        { index: 1, relevanceScore: 0.9 },
        { index: 0, relevanceScore: 0.1 },
      ],
    },
    got: {
      id: call("").id,
      results: [
        { index: 1, relevance_score: 0.9 },
        { index: 0, relevance_score: 0.1 },
      ],
      meta: { billed_units: { search_units: 1 } },
    },
  },
  {
    name: "ranking on Vertex, with the documents",
    from: "cohereRerank",
    to: "vertexRerank",
    model: "semantic-ranker-default@latest",
    asked: { query: "q", documents: ["a", "b"], top_n: 1, return_documents: true },
    sent: {
      model: "semantic-ranker-default@latest",
      query: "q",
      records: [
        { id: "0", content: "a" },
        { id: "1", content: "b" },
      ],
      topN: 1,
      ignoreRecordDetailsInResponse: false,
    },
    answered: { records: [{ id: "1", score: 0.7 }] },
    got: {
      id: call("").id,
      results: [{ index: 1, relevance_score: 0.7, document: { text: "b" } }],
      meta: { billed_units: { search_units: 1 } },
    },
  },
  {
    name: "counting on Bedrock",
    from: "anthropicCountTokens",
    to: "bedrockCountTokens",
    model: "anthropic.claude-sonnet-4-5",
    asked: { model: "x", messages: [{ role: "user", content: "é" }] },
    sent: {
      input: {
        invokeModel: {
          body: base64({
            max_tokens: 1,
            anthropic_version: "bedrock-2023-05-31",
            messages: [{ role: "user", content: "é" }],
          }),
        },
      },
    },
    answered: { inputTokens: 12 },
    got: { input_tokens: 12 },
  },
  {
    name: "counting with Gemini",
    from: "anthropicCountTokens",
    to: "geminiCountTokens",
    model: "gemini-2.5-flash",
    asked: { model: "x", system: "s", messages: [{ role: "user", content: "a" }] },
    sent: {
      generateContentRequest: {
        model: "models/gemini-2.5-flash",
        systemInstruction: { parts: [{ text: "s" }] },
        contents: [{ role: "user", parts: [{ text: "a" }] }],
      },
    },
    answered: { totalTokens: 3 },
    got: { input_tokens: 3 },
  },
  {
    name: "counting with Claude",
    from: "geminiCountTokens",
    to: "anthropicCountTokens",
    model: "claude-sonnet-4-5",
    asked: { contents: [{ role: "user", parts: [{ text: "a" }] }] },
    sent: { model: "claude-sonnet-4-5", messages: [{ role: "user", content: [{ type: "text", text: "a" }] }] },
    answered: { input_tokens: 8 },
    got: { totalTokens: 8, promptTokensDetails: [{ modality: "TEXT", tokenCount: 8 }] },
  },
]

describe.each(cases)(
  "$name",
  ({ answered, asked, dropped = [], from, got, headers, model, options, sent, to, tokens }) => {
    const pair = translation(from, to)
    if (pair === undefined) throw new Error(`${from} to ${to}`)
    const prepared = Result.getOrThrow(pair.request(asked, call(model, options)))

    it("is asked as it wants to be", () => {
      expect(prepared.body).toEqual(sent)
      expect(prepared.dropped).toEqual(dropped)
    })
    it("answers as the client expects", () => {
      const reply = Result.getOrThrow(prepared.reply(answered, headers))
      expect(reply.body).toEqual(got)
      expect(reply.usage?.inputTokens).toBe(tokens)
    })
    it("that answers something else is a reason, not a throw", () => {
      for (const wrong of [{}, { error: { message: "no" } }, null, [], "x"])
        expect(Result.isFailure(prepared.reply(wrong))).toBe(true)
    })
  },
)

describe("what cannot be asked", () => {
  const refused = (from: PlainFormat, to: PlainFormat, body: unknown): string => {
    const made = translation(from, to)?.request(body, call("m"))
    return made !== undefined && Result.isFailure(made) ? made.failure.path : "fine"
  }
  it("is refused with its place", () => {
    expect(refused("openaiEmbeddings", "bedrockTitanEmbeddings", { input: ["a", "b"] })).toBe("input")
    expect(refused("openaiEmbeddings", "vertexEmbeddings", { input: [[1, 2]] })).toBe("input")
    expect(refused("openaiEmbeddings", "geminiEmbeddings", {})).toBe("input")
    expect(refused("cohereRerank", "vertexRerank", { query: "q", documents: [] })).toBe("documents")
    expect(refused("cohereRerank", "bedrockRerank", { documents: ["a"] })).toBe("query")
    expect(refused("anthropicCountTokens", "bedrockCountTokens", {})).toBe("messages")
    expect(refused("cohereRerank", "vertexRerank", "x")).toBe("")
  })
})
