/** Backends of kind `ai`: providers that stand for each other, or models by name. */
import * as Effect from "effect/Effect"
import type { Backend } from "../../../ir/Backend.ts"
import { defaults } from "../../../ir/defaults.ts"
import { mergeAi, type TrafficPolicies } from "../../../ir/effective.ts"
import type { ModelRouteType } from "../../../ir/policy/Ai.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { collectRequest } from "../../5-policy/buffer.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import { guessing } from "../../ports/Tokens.ts"
import type { Refusal } from "../../Refusal.ts"
import type { DispatchPorts } from "../ports.ts"
import type { Try } from "../Target.ts"
import { Account } from "./Account.ts"
import { type Asked, read } from "./Asked.ts"
import { ask, type Candidate, candidates, type FailoverSettings } from "./failover.ts"
import { clientFormats, kindsBy, usualRoutes } from "./kinds.ts"
import { LlmState } from "./LlmState.ts"
import type { Part } from "./Part.ts"
import { compile as compileProvider, type Connecting, type Provider } from "./Provider.ts"
import { modelsOf } from "./models.ts"
import { settling } from "./settle.ts"
import { errorReply, invalid, ofRefusal } from "./told.ts"

export type LlmBackend = Extract<Backend, { readonly _tag: "Llm" | "Models" }>

export interface LlmPlace {
  readonly backend: LlmBackend
  readonly parts: ReadonlyArray<Part>
}

export interface LlmParts {
  readonly connecting: (part: Part) => Connecting | string
  readonly affinityOf: FailoverSettings["affinityOf"]
  readonly judge: FailoverSettings["judge"]
}

type Attempting = (attempt: Try) => Effect.Effect<Reply, Refusal>

const operations: { readonly [Kind in ModelRouteType]?: Account["operation"] } = {
  completions: "chat",
  messages: "chat",
  responses: "chat",
  generateContent: "chat",
  realtime: "chat",
  embeddings: "embeddings",
  rerank: "rerank",
  anthropicTokenCount: "countTokens",
  geminiCountTokens: "countTokens",
}

/** A prompt with pictures outgrows what is a sane limit for anything else; a limit that was set holds here too. */
const bodyBytesMax = ({ maxBufferBytes }: PolicyPorts): number =>
  maxBufferBytes === defaults.maxBufferBytes ? defaults.llmBodyBytesMax : maxBufferBytes

const tooLarge: Refusal = { _tag: "RequestBodyTooLarge" }

/** Reads a request that may be sent more than once. */
const reading = (
  dispatch: DispatchPorts,
  bytesMax: number,
  attempt: Try,
  kind: ModelRouteType,
): Effect.Effect<Asked, Refusal> => {
  const { exchange, request } = attempt
  const understood = (bytes: Uint8Array): Asked =>
    read(kind, request.path, request.query, request.headers.get("content-type"), bytes)
  if (request.body._tag === "Empty") return Effect.succeed(understood(new Uint8Array(0)))
  if (request.body._tag === "Bytes") {
    return request.body.bytes.byteLength > bytesMax
      ? Effect.fail(tooLarge)
      : Effect.succeed(understood(request.body.bytes))
  }
  const declared = request.body.length
  if (declared !== undefined && declared > bytesMax) return Effect.fail(tooLarge)
  return Effect.flatMap(collectRequest(request, bytesMax, dispatch.clock, exchange.deadlineMillis), (collected) => {
    if (collected._tag === "Partial") {
      Body.discard(collected.body)
      return Effect.fail(tooLarge)
    }
    const body = Body.bytes(collected.bytes)
    request.body = body
    // Another attempt finds the body where this one left it.
    exchange.request.body = body
    return Effect.succeed(understood(collected.bytes))
  })
}

export const reach = (
  dispatch: DispatchPorts,
  ports: PolicyPorts,
  { backend, parts }: LlmPlace,
  route: TrafficPolicies,
  made: LlmParts,
): Attempting => {
  const { clock, llm } = dispatch
  const tokens = llm?.tokens ?? guessing
  const settle = settling(llm, clock, tokens)
  const settings: FailoverSettings = {
    clock,
    affinityOf: made.affinityOf,
    judge: made.judge,
    backoffMillis: route.Retry?.backoffMillis,
  }
  const own = llm ?? new LlmState(tokens)
  const providers = new Map<Part, Provider>()
  const providerOf = (part: Part): Provider => {
    let provider = providers.get(part)
    if (provider === undefined) {
      provider = compileProvider(dispatch, ports, part, route, made.connecting(part), settle)
      providers.set(part, provider)
    }
    return provider
  }
  const candidate = (part: Part, pinned?: string, group = part.group): Candidate => {
    const id = `${backend.key} ${part.provider.name}`
    return { provider: providerOf(part), pinned, group, id, vitals: own.vitals(id) }
  }
  const bytesMax = bodyBytesMax(ports)
  const ai = mergeAi(route.Ai, parts.find(({ policies }) => policies.Ai?.routes !== undefined)?.policies.Ai)
  const kindOf = kindsBy(ai?.routes ?? usualRoutes, backend._tag === "Models" ? "passthrough" : "completions")
  const tokenizes = parts.some(({ provider }) => provider.tokenize)

  const asking = (attempt: Try, kind: ModelRouteType): Effect.Effect<Asked, Refusal> => {
    if (attempt.request.upgrade !== undefined) {
      const { path, query } = attempt.request
      return Effect.succeed(read("realtime", path, query, undefined, new Uint8Array(0)))
    }
    const asked = reading(dispatch, bytesMax, attempt, kind)
    return tokenizes ? Effect.andThen(tokens.load, asked) : asked
  }

  const opened = (attempt: Try, asked: Asked): Account => {
    const account = new Account(
      operations[asked.kind] ?? "other",
      asked.model,
      asked.streaming,
      asked.json,
      attempt.exchange.startedMillis,
    )
    const notes = (attempt.exchange.notes ??= {})
    notes.llm = account
    return account
  }

  const inOwnWords =
    (kind: ModelRouteType, attempt: Try) =>
    (refusal: Refusal): Effect.Effect<Reply, Refusal> => {
      const format = clientFormats[kind]
      // A tunnel is refused as any other; and who may try again must see that it failed.
      if (format === undefined || route.Retry !== undefined) return Effect.fail(refusal)
      attempt.exchange.trail.refusal = refusal
      return Effect.succeed(errorReply(format, ofRefusal(refusal), "headers" in refusal ? refusal.headers : []))
    }

  if (backend._tag === "Llm") {
    const all = candidates(parts.map((part) => candidate(part)))
    return (attempt) => {
      const { method, path } = attempt.request
      const kind = method === "GET" && attempt.request.upgrade === undefined ? "passthrough" : kindOf(path)
      if (kind === "models") return Effect.succeed(notImplemented())
      const answered = Effect.flatMap(asking(attempt, kind), (asked) =>
        ask(settings, all, attempt, asked, opened(attempt, asked)),
      )
      return Effect.catch(answered, inOwnWords(kind, attempt))
    }
  }

  const models = modelsOf(backend, parts, ports, clock, candidate)
  return (attempt) => {
    const listed = models.listing(attempt)
    if (listed !== undefined) return Effect.succeed(listed)
    const kind = kindOf(attempt.request.path)
    const answered = Effect.flatMap(asking(attempt, kind), (asked) => {
      const found = models.find(attempt, asked)
      if (found._tag === "Refused") {
        opened(attempt, asked)
        return Effect.succeed(errorReply(clientFormats[kind], found.error))
      }
      const understood =
        kind === "passthrough" && found.passthrough === "detect" ? { ...asked, kind: "detect" as const } : asked
      return ask(settings, found.candidates, attempt, understood, opened(attempt, asked))
    })
    return Effect.catch(answered, inOwnWords(kind, attempt))
  }
}

const notImplemented = (): Reply =>
  errorReply(undefined, { ...invalid("Route 'Models' not implemented"), status: 501, kind: "internal" })
