/** Backends of kind `ai`: providers that stand for each other, or models by name. */
import * as Effect from "effect/Effect"
import type { Backend } from "../../../ir/Backend.ts"
import { defaults } from "../../../ir/defaults.ts"
import { mergeAi, type TrafficPolicies } from "../../../ir/effective.ts"
import type { Budget } from "../../../ir/policy/Budget.ts"
import type { ModelRouteType } from "../../../ir/policy/Ai.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { collectRequest } from "../../5-policy/buffer.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import { encodingOf } from "../../ports/Coding.ts"
import { guess, guessing } from "../../ports/Tokens.ts"
import { admitTokens, chargeTokens } from "../../5-policy/TokenMeter.ts"
import { totalOf } from "../../../protocols/llm/Usage.ts"
import { promptTokens } from "./words.ts"
import type { Refusal } from "../../Refusal.ts"
import { type Hop, isSigned } from "../Hop.ts"
import { type DispatchPorts, hopOf } from "../ports.ts"
import type { Try } from "../Target.ts"
import { Account } from "./Account.ts"
import { type Asked, read } from "./Asked.ts"
import { compile as compileBudgets, type Estimate, freely, outputMax } from "./budgets.ts"
import { ask, type Candidate, type Candidates, candidates, type FailoverSettings } from "./failover.ts"
import { asKind, clientFormats, kindsBy, type Place, placesBy, usualRoutes } from "./kinds.ts"
import { declared } from "./listing.ts"
import { LlmState } from "./LlmState.ts"
import type { Part } from "./Part.ts"
import { type Cached, compile as compileCache } from "./cache/responseCache.ts"
import { compile as compileProvider, type Connecting, type Provider } from "./Provider.ts"
import { modelsOf } from "./models.ts"
import { type Catalogue, catalogueOf, costOf, find, ratesFor } from "./prices.ts"
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
  converse: "chat",
  realtime: "chat",
  embeddings: "embeddings",
  rerank: "rerank",
  anthropicTokenCount: "countTokens",
  geminiCountTokens: "countTokens",
}

/** A prompt with pictures outgrows what is a sane limit for anything else; a limit that was set holds here too. */
const bodyBytesMax = ({ maxBufferBytes }: PolicyPorts): number =>
  maxBufferBytes === defaults.maxBufferBytes ? defaults.llmBodyBytesMax : maxBufferBytes

/** Those of the route, and those of backends; several providers of one backend have the same. */
const budgetsOf = (route: TrafficPolicies, parts: ReadonlyArray<Part>): ReadonlyArray<Budget> => {
  const all = new Map<string, Budget>()
  for (const budget of route.Ai?.budgets ?? []) all.set(budget.name, budget)
  for (const { policies } of parts) for (const budget of policies.Ai?.budgets ?? []) all.set(budget.name, budget)
  return [...all.values()]
}

/** Like the paths, it is that of the route unless a backend has its own. */
const cacheOf = (
  own: LlmState,
  ports: PolicyPorts,
  clock: DispatchPorts["clock"],
  backend: LlmBackend,
  parts: ReadonlyArray<Part>,
  route: TrafficPolicies,
): Cached | undefined => {
  const policy =
    parts.find(({ policies }) => policies.Ai?.responseCache !== undefined)?.policies.Ai?.responseCache ??
    route.Ai?.responseCache
  const replies = policy === undefined ? undefined : own.replies[policy.store]
  const cryptography = ports.gate?.cryptography
  if (policy === undefined || replies === undefined || cryptography === undefined) return undefined
  const { sha256 } = cryptography
  const mayChangeAnswers = parts.map(({ group, model, policies, provider }) => [group, model, policies.Ai, provider])
  const generation = sha256(JSON.stringify([backend.key, route.Ai, mayChangeAnswers]))
  const similar = (name: string, entriesMax: number) => own.similar(name, entriesMax)
  return compileCache(policy, { ports, clock, replies, sha256, generation, similar })
}

const tooLarge: Refusal = { _tag: "RequestBodyTooLarge" }

/** Reads a request that may be sent more than once. */
const reading = (
  dispatch: DispatchPorts,
  bytesMax: number,
  attempt: Try,
  place: Place,
): Effect.Effect<Asked, Refusal> => {
  const { exchange, request } = attempt
  const understood = (bytes: Uint8Array): Asked =>
    read(place, request.query, request.headers.get("content-type"), bytes)
  if (request.body._tag === "Empty") return Effect.succeed(understood(new Uint8Array(0)))
  const encoding = encodingOf(request.headers)
  if (encoding !== undefined) {
    const decoded = dispatch.llm?.coding?.decoded(encoding, Body.flowing(request.body))
    if (decoded === undefined) {
      return Effect.fail({ _tag: "InvalidRequest", detail: `nobody here knows the coding ${JSON.stringify(encoding)}` })
    }
    request.body = decoded
    request.headers.remove("content-encoding")
    exchange.request.headers.remove("content-encoding")
  }
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

/** What is asked on behalf of an agent stays in the chain that led to it; providers are told nothing of other clients. */
const goingOn = (hop: Hop, attempt: Try): Refusal | undefined => {
  const { exchange } = attempt
  if (!isSigned(attempt.request.headers)) return undefined
  const circling = hop.judge(attempt.request.headers)
  if (circling !== undefined) return circling
  attempt.request = attempt.request.copy()
  hop.sign(attempt.request.headers, attempt.request.version, exchange.trace !== undefined)
  return undefined
}

/** What it may come to, as far as that can be told before; by the dearest of those who may be asked. */
const estimated = (catalogue: Catalogue | undefined, account: Account, asked: Asked, all: Candidates): Estimate => {
  const { json, kind, model } = asked
  const input = account.countedTokens ?? (json === undefined ? 0 : promptTokens(clientFormats[kind], json, guess))
  const output = outputMax(json)
  let usd = 0
  for (const { pinned, provider } of all.byMember.values()) {
    const found = find(catalogue, provider.traits.name, pinned ?? provider.part.provider.model ?? model)
    if (found.status !== "exact") continue
    const rates = ratesFor(found.price, input)
    usd = Math.max(usd, costOf({ inputTokens: input, outputTokens: output }, rates).total)
  }
  return { tokens: input + output, usd }
}

/** What is told of the request, from here on. */
const opened = (attempt: Try, asked: Asked): Account => {
  const account = new Account(
    operations[asked.kind] ?? "other",
    asked.model,
    asked.streaming,
    asked.json,
    attempt.exchange.startedMillis,
  )
  account.format = clientFormats[asked.kind]
  account.isHeard = attempt.exchange.keepsPayload
  const notes = (attempt.exchange.notes ??= {})
  notes.llm = account
  return account
}

/** A refusal as the client's format has it. */
const inOwnWords =
  (kind: ModelRouteType, attempt: Try, mayComeAgain: boolean) =>
  (refusal: Refusal): Effect.Effect<Reply, Refusal> => {
    const format = clientFormats[kind]
    // A tunnel is refused as any other; and who may try again must see that it failed.
    if (format === undefined || mayComeAgain) return Effect.fail(refusal)
    attempt.exchange.trail.refusal = refusal
    return Effect.succeed(errorReply(format, ofRefusal(refusal), "headers" in refusal ? refusal.headers : []))
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
  const catalogue = catalogueOf(backend.prices)
  const settle = settling(catalogue, clock, tokens)
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
  const placeOf = placesBy(
    kindsBy(ai?.routes ?? usualRoutes, backend._tag === "Models" ? "passthrough" : "completions"),
  )
  const told = mergeAi(route.Ai, parts.find(({ policies }) => policies.Ai?.models !== undefined)?.policies.Ai)?.models
  const createdSeconds = Math.floor(clock.wallMillis() / 1000)
  const tokenizes = parts.some(({ provider }) => provider.tokenize)

  const mayComeAgain = route.Retry !== undefined
  const hop = hopOf(dispatch, "llm", backend.key)

  const asking = (attempt: Try, place: Place): Effect.Effect<Asked, Refusal> => {
    const circling = goingOn(hop, attempt)
    if (circling !== undefined) return Effect.fail(circling)
    if (attempt.request.upgrade !== undefined) {
      return Effect.succeed(read(asKind(place, "realtime"), attempt.request.query, undefined, new Uint8Array(0)))
    }
    const asked = reading(dispatch, bytesMax, attempt, place)
    return tokenizes ? Effect.andThen(tokens.load, asked) : asked
  }

  const counted = ({ json, kind, model }: Asked): number | undefined =>
    tokenizes && json !== undefined
      ? promptTokens(clientFormats[kind], json, (text) => tokens.count(model, text) ?? guess(text))
      : undefined

  const budgets = compileBudgets(budgetsOf(route, parts), ports, own.spendings, clock)

  const cache = cacheOf(own, ports, clock, backend, parts, route)
  /** Whoever asks what was answered before costs nobody anything. */
  const known = (attempt: Try, asked: Asked, all: Candidates, account: Account): Effect.Effect<Reply, Refusal> =>
    cache === undefined
      ? affordable(attempt, asked, all, account)
      : cache(attempt, asked, account, all, () => affordable(attempt, asked, all, account))

  /** Whoever has spent what there was is refused before anybody is asked. */
  const affordable = (attempt: Try, asked: Asked, all: Candidates, account: Account): Effect.Effect<Reply, Refusal> => {
    const asking = (): Effect.Effect<Reply, Refusal> => ask(settings, all, attempt, asked, account)
    if (budgets === undefined || account.operation === "countTokens") return asking()
    const admission = budgets.admit(attempt, account, () => estimated(catalogue, account, asked, all))
    if (admission === freely) return asking()
    return Effect.flatMap(admission, ({ refusal }) => {
      if (refusal === undefined) return asking()
      account.settle(clock.nowMillis())
      attempt.exchange.trail.declined = { by: "a budget", why: refusal.error.message }
      return Effect.succeed(errorReply(clientFormats[asked.kind], refusal.error, refusal.headers))
    })
  }

  /** Limits on tokens let it in, and are told what it came to. */
  const metered = (attempt: Try, asked: Asked, answering: (account: Account) => Effect.Effect<Reply, Refusal>) => {
    const account = opened(attempt, asked)
    account.countedTokens = counted(asked)
    const { exchange } = attempt
    let answered: Effect.Effect<Reply, Refusal>
    if (exchange.meters === undefined) answered = answering(account)
    else {
      account.watch(({ usage }) => {
        if (usage !== undefined || !mayComeAgain) chargeTokens(exchange, usage === undefined ? 0 : totalOf(usage))
      })
      account.watchAlong(({ usage }) => {
        if (usage !== undefined) chargeTokens(exchange, totalOf(usage))
      })
      const admitted = account.operation === "countTokens" ? Effect.void : admitTokens(attempt, account.countedTokens)
      answered = Effect.flatMap(admitted, () => answering(account))
    }
    // A client that leaves before there is a reply has used nothing, and that must be told too.
    return Effect.onExit(answered, (exit) => {
      if (exit._tag === "Failure") account.settle(clock.nowMillis())
      return Effect.void
    })
  }

  if (backend._tag === "Llm") {
    const all = candidates(parts.map((part) => candidate(part)))
    return (attempt) => {
      const { method, path } = attempt.request
      const listed =
        told === undefined
          ? undefined
          : declared(told, attempt.request, attempt.exchange.identity?.apiKey?.allowedModels, createdSeconds)
      if (listed !== undefined) return Effect.succeed(listed)
      const found = placeOf(path)
      const place = method === "GET" && attempt.request.upgrade === undefined ? asKind(found, "passthrough") : found
      if (place.kind === "models") return Effect.succeed(notImplemented())
      const answered = Effect.flatMap(asking(attempt, place), (asked) =>
        metered(attempt, asked, (account) => known(attempt, asked, all, account)),
      )
      return Effect.catch(answered, inOwnWords(place.kind, attempt, mayComeAgain))
    }
  }

  const models = modelsOf(backend, parts, ports, clock, candidate)
  return (attempt) => {
    const listed = models.listing(attempt)
    if (listed !== undefined) return Effect.succeed(listed)
    const place = placeOf(attempt.request.path)
    const { kind } = place
    const answered = Effect.flatMap(asking(attempt, place), (asked) => {
      const found = models.find(attempt, asked)
      if (found._tag === "Refused") {
        opened(attempt, asked)
        attempt.exchange.trail.declined = { by: "the list of models", why: found.error.message }
        return Effect.succeed(errorReply(clientFormats[kind], found.error))
      }
      const understood =
        kind === "passthrough" && found.passthrough === "detect" ? { ...asked, kind: "detect" as const } : asked
      return metered(attempt, understood, (account) => known(attempt, understood, found.candidates, account))
    })
    return Effect.catch(answered, inOwnWords(kind, attempt, mayComeAgain))
  }
}

const notImplemented = (): Reply =>
  errorReply(undefined, { ...invalid("Route 'Models' not implemented"), status: 501, kind: "internal" })
