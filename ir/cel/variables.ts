/**
 * The variables expressions may read, their types, and where each of them exists.
 * `Need` names what an expression makes its host capture; a host captures nothing else.
 */
import {
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  list,
  map,
  named,
  type RecordType,
  string,
  timestamp,
  type Type,
  uint,
} from "./Type.ts"

const record = (name: string, fields: Readonly<Record<string, Type>>, rest?: Type): RecordType => ({
  kind: "record",
  name,
  fields,
  ...(rest === undefined ? {} : { rest }),
})

const fieldsOf = (type: Type, names: string): Readonly<Record<string, Type>> =>
  Object.fromEntries(names.split(" ").map((name) => [name, type]))

const query = named("query")
const headers = named("headers")
const redacted = named("redacted")
const anyMap = map(string, dyn)

const requestFields = {
  ...fieldsOf(string, "method host scheme path version"),
  uri: query,
  pathAndQuery: query,
  headers,
  body: bytes,
  bodyPrefix: bytes,
  startTime: timestamp,
}

const request = record("request", requestFields)
const finishedRequest = record("request", { ...requestFields, endTime: timestamp })
const response = record("response", { code: int, grpcStatus: int, headers, body: bytes, bodyPrefix: bytes })

const source = record("source", {
  ...fieldsOf(string, "address rawAddress spiffeId issuer subject subjectCn certificate"),
  ...fieldsOf(int, "port rawPort"),
  identity: record("identity", fieldsOf(string, "trustDomain namespace serviceAccount")),
  subjectAltNames: list(string),
  unverifiedWorkload: record("workload", fieldsOf(string, "name namespace serviceAccount")),
  connectHeaders: headers,
})
const destination = record("destination", { address: string, port: int, hostname: string })

const jwt = record("jwt", { rawToken: redacted }, dyn)
const apiKey = record("apiKey", { key: redacted }, dyn)
const basicAuth = record("basicAuth", { username: string })

const proxy = record("proxy", {
  bind: string,
  gateway: record("gateway", fieldsOf(string, "namespace name")),
  listener: record("listener", { name: string }),
  route: record("route", fieldsOf(string, "namespace name kind rule")),
  ...fieldsOf(duration, "requestProcessingDuration upstreamDuration responseProcessingDuration"),
})
const backend = record("backend", fieldsOf(string, "name type protocol"))
const env = record("env", fieldsOf(string, "podName namespace gateway"))

const rates = "input output cacheRead cacheWrite reasoning inputAudio outputAudio"
const llm = record("llm", {
  streaming: bool,
  ...fieldsOf(string, "requestModel responseModel provider serviceTier cache"),
  ...fieldsOf(
    uint,
    "inputTokens providerInputTokens inputImageTokens inputTextTokens inputAudioTokens cachedInputTokens cacheCreationInputTokens outputTokens outputImageTokens outputTextTokens outputAudioTokens reasoningTokens totalTokens providerTotalTokens countTokens",
  ),
  ...fieldsOf(duration, "timeToFirstToken timePerOutputToken"),
  prompt: list(record("message", { role: string, content: string })),
  completion: list(string),
  toolCalls: list(record("toolCall", { id: string, name: string, arguments: dyn })),
  params: record("params", {
    ...fieldsOf(double, "temperature top_p frequency_penalty presence_penalty"),
    ...fieldsOf(int, "seed max_tokens dimensions"),
    encoding_format: string,
  }),
  cost: record("cost", fieldsOf(double, `total ${rates}`)),
  costRates: record("costRates", fieldsOf(double, rates)),
})

const item = record("item", { target: string, name: string })
const mcpItem = record("mcp", {
  tool: record("tool", { target: string, name: string, arguments: dyn }),
  prompt: record("prompt", { target: string, name: string, arguments: dyn }),
  resource: item,
  task: item,
})
const mcpCall = record("mcp", {
  ...mcpItem.fields,
  methodName: string,
  sessionId: string,
  tool: record("tool", { target: string, name: string, arguments: dyn, result: dyn, error: dyn }),
})

const mcpMessage = record("mcp", { methodName: string, targets: list(string), params: dyn, result: dyn })

const a2aAsked = {
  ...fieldsOf(string, "agent binding version method operation skill taskId contextId taskOwner pushUrl"),
  message: record("message", {
    ...fieldsOf(string, "messageId role contextId taskId"),
    parts: list(dyn),
    metadata: anyMap,
  }),
}
const a2a = record("a2a", a2aAsked)
const a2aAnswered = record("a2a", {
  ...a2aAsked,
  response: record("response", {
    ...fieldsOf(string, "outcome kind taskId taskState contextId"),
    errorCode: int,
  }),
})

const identity = { jwt, apiKey, basicAuth }
const peers = { source, destination }
const metadata = { extauthz: anyMap, extproc: anyMap, mcpGuardrails: anyMap, metadata: anyMap }

/** Where an expression is evaluated, by the name used in messages and documentation. */
export type Context =
  | "networkAuthorization"
  | "networkExtAuthz"
  | "tcpTarget"
  | "gateway"
  | "route"
  | "backend"
  | "llm"
  | "attempt"
  | "response"
  | "tokenCost"
  | "mcpAuthorization"
  | "mcpGuardrail"
  | "log"
  | "tcpLog"

const httpRequest = { request, ...peers, ...identity, proxy, env, ...metadata }
const attempt = { ...httpRequest, backend, llm, a2a }
const replied = { ...attempt, response, a2a: a2aAnswered }

export const contexts: Readonly<Record<Context, Readonly<Record<string, Type>>>> = {
  networkAuthorization: { source, env },
  networkExtAuthz: { request, ...peers, env },
  tcpTarget: { ...peers, proxy, env },
  gateway: httpRequest,
  route: httpRequest,
  backend: attempt,
  llm: { ...attempt, llmRequest: dyn },
  attempt: replied,
  response: replied,
  tokenCost: attempt,
  mcpAuthorization: { ...httpRequest, backend, mcp: mcpItem },
  mcpGuardrail: { ...httpRequest, backend, mcp: mcpMessage },
  log: { ...replied, request: finishedRequest, mcp: mcpCall },
  tcpLog: { ...peers, proxy, backend, env },
}

/** What each context is called when an expression asks there for what it does not have. */
export const contextNames: Readonly<Record<Context, string>> = {
  networkAuthorization: "network authorization",
  networkExtAuthz: "network external authorization",
  tcpTarget: "a TCP target",
  gateway: "gateway policies",
  route: "route policies",
  backend: "backend policies",
  llm: "LLM transformations",
  attempt: "retry and health conditions",
  response: "response policies",
  tokenCost: "token costs of rate limits",
  mcpAuthorization: "MCP authorization",
  mcpGuardrail: "MCP guardrails",
  log: "access logs, metrics and traces",
  tcpLog: "TCP access logs",
}

const partNeeds = {
  "request.body": "requestBody",
  "request.bodyPrefix": "requestBodyPrefix",
  "response.body": "responseBody",
  "response.bodyPrefix": "responseBodyPrefix",
  "source.certificate": "sourceCertificate",
  "source.unverifiedWorkload": "sourceWorkload",
  "llm.prompt": "llmPrompt",
  "llm.completion": "llmCompletion",
  "llm.toolCalls": "llmToolCalls",
  "mcp.tool.arguments": "mcpArguments",
  "mcp.tool.result": "mcpResult",
  "mcp.tool.error": "mcpError",
} as const

type Root =
  | "request"
  | "response"
  | "source"
  | "destination"
  | "jwt"
  | "apiKey"
  | "basicAuth"
  | "proxy"
  | "backend"
  | "env"
  | "llm"
  | "llmRequest"
  | "mcp"
  | "a2a"
  | "extauthz"
  | "extproc"
  | "mcpGuardrails"
  | "metadata"

/** A variable, or a part of one that is costly to have. */
export type Need = Root | (typeof partNeeds)[keyof typeof partNeeds]

const roots: ReadonlySet<string> = new Set(Object.values(contexts).flatMap((variables) => Object.keys(variables)))

const parts = Object.entries(partNeeds)

/** What reading this path needs; a path that ends early is read whole. */
export const needsOf = (path: ReadonlyArray<string>): ReadonlyArray<Need> => {
  const [root] = path
  if (root === undefined || !roots.has(root)) return []
  const text = path.join(".")
  const inside = parts.filter(([part]) => part === text || part.startsWith(`${text}.`) || text.startsWith(`${part}.`))
  return [root as Need, ...inside.map(([, need]) => need)]
}
