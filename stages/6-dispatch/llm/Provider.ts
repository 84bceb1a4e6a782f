/** One provider, compiled: what is sent to it, through which policies, and to which address. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { defaults } from "../../../ir/defaults.ts"
import { type BackendPolicies, mergeAi, type TrafficPolicies } from "../../../ir/effective.ts"
import type { HostTarget } from "../../../ir/HostTarget.ts"
import { isMetadata } from "../../../protocols/llm/bedrockMetadata.ts"
import { hostOf } from "../../../protocols/http/authority.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import type { CallOptions, Format } from "../../../protocols/llm/Translation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import { textOf } from "../../5-policy/credentials/aws.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import { layer } from "../../5-policy/layer.ts"
import { backendSteps, type PolicyPorts } from "../../5-policy/steps.ts"
import { guessing } from "../../ports/Tokens.ts"
import type { Refusal } from "../../Refusal.ts"
import { authorityOf } from "../authority.ts"
import type { EndpointHandle } from "../Endpoints.ts"
import { type Patience, send } from "../http.ts"
import type { DispatchPorts } from "../ports.ts"
import { positive } from "../positive.ts"
import { Try } from "../Target.ts"
import type { Account } from "./Account.ts"
import type { Asked } from "./Asked.ts"
import { relocating, takeIn } from "./credentials.ts"
import { deliver, type Received } from "./deliver.ts"
import { echo } from "./echo.ts"
import type { Part } from "./Part.ts"
import { compile as compileGuards, type Passed } from "./guardrails.ts"
import { counting } from "./counting.ts"
import { preparing, type Sendable, unsupported } from "./prepare.ts"
import { compile as compileShape } from "./shape.ts"
import type { Settling } from "./settle.ts"
import { traitsOf } from "./vendor/traitsOf.ts"
import { inPath, type VendorTraits } from "./vendor/VendorCall.ts"
import { pathModel } from "./pathModel.ts"

/** Where calls of one format go. */
interface Destination {
  readonly handle: EndpointHandle
  readonly authority: string | undefined
  readonly host: string | undefined
}

/** How connections to a provider are made; a text says why they cannot be. */
export type Connecting = (target: HostTarget) => EndpointHandle

/** A reply as the provider gave it, and what becomes of it if it is the one. */
export interface Called {
  readonly reply: Reply
  readonly deliver: () => Effect.Effect<Reply, Refusal>
}

export type Answer =
  | { readonly _tag: "Called"; readonly called: Called }
  /** A guard refused it; nobody else is asked either. */
  | { readonly _tag: "Stopped"; readonly reply: Reply }
  /** The request cannot be put to this provider. */
  | { readonly _tag: "Unfit"; readonly client: Format | undefined; readonly error: LlmError }

export interface Provider {
  readonly name: string
  readonly part: Part
  readonly traits: VendorTraits
  readonly ask: (
    attempt: Try,
    asked: Asked,
    account: Account,
    pinned: string | undefined,
  ) => Effect.Effect<Answer, Refusal>
  /** Passes a request of the gateway's own on as it is, with the provider's policies and credential. */
  readonly pass: (attempt: Try) => Effect.Effect<Reply, Refusal>
  /** A reply that this provider gave before, shaped as its policies shape replies. */
  readonly again: (attempt: Try, reply: Reply) => Effect.Effect<Reply, Refusal>
}

const optionsOf = ({ provider }: Part, traits: VendorTraits, ai: BackendPolicies["Ai"]): CallOptions | undefined => {
  const { vendor } = provider
  const caching = ai?.promptCaching
  const options: CallOptions = {
    ...(caching === undefined
      ? {}
      : {
          promptCaching: {
            system: caching.cacheSystem,
            messages: caching.cacheMessages,
            tools: caching.cacheTools,
            minTokens: caching.minTokens ?? 0,
            messageOffset: caching.cacheMessageOffset,
          },
        }),
    ...(traits.moderation === undefined ? {} : { moderation: traits.moderation }),
    ...(vendor._tag !== "Bedrock"
      ? {}
      : {
          bedrock: {
            region: vendor.region,
            ...(vendor.guardrailIdentifier === undefined || vendor.guardrailVersion === undefined
              ? {}
              : { guardrail: { identifier: vendor.guardrailIdentifier, version: vendor.guardrailVersion } }),
          },
        }),
  }
  return Object.keys(options).length === 0 ? undefined : options
}

/** What Bedrock is told of each request; undefined: nothing, or what cannot be computed. */
const metadataOf = (
  { vendor }: Part["provider"],
  ports: PolicyPorts,
): ((attempt: Try) => JsonObject | undefined) | undefined => {
  if (vendor._tag !== "Bedrock" || vendor.requestMetadata === undefined) return undefined
  const texts = vendor.requestMetadata.map(({ key, value }) => ({ key, of: textOf(value, ports, isMetadata) }))
  return (attempt) => {
    const told: Record<string, string> = {}
    for (const { key, of } of texts) {
      const text = of(attempt)
      if (text === undefined) return undefined
      told[key] = text
    }
    return told
  }
}

/** Vendors whose clients put no model into the path, so that a path of the client's own can be kept. */
const keepsPath: ReadonlySet<string> = new Set(["OpenAi", "Anthropic", "Copilot"])

const withQuery = (request: Request, path: string, drops: ReadonlySet<string>): void => {
  const mark = path.indexOf("?")
  const own = mark < 0 ? undefined : path.slice(mark + 1)
  request.path = mark < 0 ? path : path.slice(0, mark)
  const kept = request.query
    ?.split("&")
    .filter((one) => !drops.has(one.split("=", 1)[0] as string))
    .join("&")
  request.query = own === undefined ? (kept === "" ? undefined : kept) : kept ? `${own}&${kept}` : own
}

/** Of clients of one vendor, and meant for it only. */
const altOnly: ReadonlySet<string> = new Set(["alt"])
const azureVersion: ReadonlySet<string> = new Set(["api-version"])
const none: ReadonlySet<string> = new Set()

/** Where the path names the model, it names the one that is really asked for. */
const underName = (path: string, model: string | undefined): string => {
  const named = model === undefined ? undefined : pathModel(path)
  return named === undefined || model === undefined || named.model === model
    ? path
    : path.slice(0, named.start) + inPath(model) + path.slice(named.end)
}

const routed = (part: Part, traits: VendorTraits) => {
  const { provider } = part
  const { pathOverride, pathPrefix, target, vendor } = provider
  return (request: Request, { client, model, streaming, upstream }: Sendable): void => {
    if (pathOverride !== undefined) {
      request.query = undefined
      return withQuery(request, pathOverride, none)
    }
    if (upstream === undefined) {
      if (request.upgrade !== undefined && traits.realtimePath !== undefined) {
        request.path = traits.realtimePath(pathPrefix)
      } else request.path = traits.opaquePath(underName(request.path, model), pathPrefix)
      return
    }
    const isKept = target !== undefined && pathPrefix === undefined && client === upstream && keepsPath.has(vendor._tag)
    if (isKept) return
    const path = traits.path({ format: upstream, model: model ?? "", streaming, prefix: pathPrefix })
    const isGemini = client === "gemini" || client === "geminiCountTokens" || upstream === "gemini"
    withQuery(request, path, isGemini ? altOnly : vendor._tag === "Azure" ? azureVersion : none)
  }
}

const patienceOf = (
  { idleMillis }: Part["provider"],
  { BackendHttp }: BackendPolicies,
  { Timeout }: TrafficPolicies,
): Patience => ({
  headMillis: positive(BackendHttp?.requestTimeoutMillis ?? Timeout?.backendRequestMillis),
  idleMillis:
    idleMillis === undefined ? (positive(Timeout?.idleMillis) ?? defaults.llmIdleMillis) : positive(idleMillis),
})

const settledReply = (reply: Reply, account: Account): Answer => ({
  _tag: "Called",
  called: {
    reply,
    deliver: () =>
      Effect.sync(() => {
        account.settle(account.startedMillis)
        return reply
      }),
  },
})

/** What nobody reads. */
const unread: Sendable = {
  client: undefined,
  upstream: undefined,
  model: undefined,
  streaming: false,
  bytes: new Uint8Array(0),
  isRewritten: false,
  prepared: undefined,
  holdsBackUsage: false,
  wantsList: false,
}

const nothingAsked: Asked = {
  kind: "passthrough",
  bytes: unread.bytes,
  contentType: undefined,
  json: undefined,
  inPath: undefined,
  model: undefined,
  streaming: false,
  isStreamingPath: false,
  wantsList: false,
}

export const compile = (
  dispatch: DispatchPorts,
  policyPorts: PolicyPorts,
  part: Part,
  route: TrafficPolicies,
  connecting: Connecting | string,
  settling: Settling,
): Provider => {
  const { policies, provider } = part
  const { clock } = dispatch
  const tokens = dispatch.llm?.tokens ?? guessing
  const coding = dispatch.llm?.coding
  const traits = traitsOf(provider.vendor)
  const ai = mergeAi(route.Ai, policies.Ai)
  const shape = compileShape(ai, policyPorts)
  const prepare = preparing(provider, traits, shape, optionsOf(part, traits, ai), metadataOf(provider, policyPorts))
  const guards = compileGuards(ai?.promptGuard, policyPorts)
  const setPath = routed(part, traits)
  const relocate = relocating(traits, policies.BackendAuth)
  const { BackendAuth: auth, ...others } = policies
  // A signature is over what is sent, so it comes after everything else.
  const isLate = auth?.auth?._tag === "Aws"
  const early = backendSteps(policyPorts, isLate ? others : policies)
  const late = isLate && auth !== undefined ? backendSteps(policyPorts, { BackendAuth: auth }) : []
  const patience = patienceOf(provider, policies, route)
  const version = policies.BackendHttp?.version === "HTTP/2.0" ? "2" : "1.1"
  const isTls = policies.BackendTls !== undefined
  const destinations = new Map<Format | undefined, Destination | undefined>()
  const destinationFor = (format: Format | undefined): Destination | undefined => {
    if (destinations.has(format)) return destinations.get(format)
    const target = provider.target ?? traits.address(format)
    const authority = target === undefined ? undefined : authorityOf(target, isTls ? "https" : "http")
    const destination =
      target === undefined || typeof connecting === "string"
        ? undefined
        : { handle: connecting(target), authority, host: authority === undefined ? undefined : hostOf(authority) }
    destinations.set(format, destination)
    return destination
  }
  const sendTo = (attempt: Try, sendable: Sendable, asked: Asked): Effect.Effect<Reply, Refusal> => {
    if (provider.vendor._tag === "Echo") return echo(clock, attempt.request, sendable, asked)
    if (typeof connecting === "string") return Effect.fail({ _tag: "FilterFailed", detail: connecting })
    const destination = destinationFor(sendable.upstream)
    if (destination === undefined) return Effect.fail({ _tag: "NoHealthyBackends" })
    const { request } = attempt
    const { authority, handle, host } = destination
    if (authority !== undefined && host !== undefined) {
      request.authority = authority
      request.host = host
    }
    return send(attempt, request, handle.get(), version, patience, clock)
  }
  const inner = (sendable: Sendable, asked: Asked) => {
    const finished = (attempt: Try): Effect.Effect<Reply, Refusal> => {
      const { request } = attempt
      relocate(request, sendable.upstream)
      if (sendable.upstream !== undefined && sendable.model !== undefined) {
        traits.head?.(request.headers, {
          format: sendable.upstream,
          model: sendable.model,
          streaming: sendable.streaming,
          prefix: provider.pathPrefix,
        })
      }
      return late.length === 0
        ? sendTo(attempt, sendable, asked)
        : layer<Try>(late, (signed) => sendTo(signed, sendable, asked))(attempt)
    }
    return early.length === 0 ? finished : layer<Try>(early, finished)
  }

  const freshCall = () => ({ nowMillis: clock.wallMillis(), id: idOf(clock.random) })
  const unfit = (error: LlmError): Effect.Effect<Answer> =>
    Effect.succeed<Answer>({ _tag: "Unfit", client: undefined, error })
  const closed = (
    attempt: Try,
    asked: Asked,
    account: Account,
    ready: Result.Result<Sendable, LlmError>,
  ): Effect.Effect<Answer, Refusal> =>
    Result.isFailure(ready) ? unfit(ready.failure) : sending(attempt, asked, account, ready.success)
  const guarded = (
    attempt: Try,
    { client, wantsList }: Sendable,
    account: Account,
    delivered: Effect.Effect<Reply, Refusal>,
  ): Effect.Effect<Reply, Refusal> =>
    guards === undefined
      ? delivered
      : Effect.flatMap(delivered, (reply) => guards.reply(attempt, client, reply, account, wantsList))
  const sending = (
    attempt: Try,
    asked: Asked,
    account: Account,
    sendable: Sendable,
  ): Effect.Effect<Answer, Refusal> => {
    const request = attempt.request.copy()
    setPath(request, sendable)
    request.captured = undefined
    const { headers } = request
    if (request.upgrade === undefined) request.body = Body.bytes(sendable.bytes)
    // What an extension had compressed could not be read for what it used.
    else headers.remove("sec-websocket-extensions")
    headers.remove("content-length")
    headers.remove("accept-encoding")
    if (sendable.isRewritten) headers.set("content-type", "application/json")
    takeIn(request, auth)
    const own = new Try(attempt.exchange, request)
    own.number = attempt.number
    account.provider = traits.name
    account.providerName = provider.name
    account.upstreamModel = sendable.model
    account.clientFormat = sendable.client
    account.upstreamFormat = sendable.upstream
    account.leftOut = sendable.prepared?.dropped
    attempt.exchange.inquiry?.note({
      stage: "model",
      decision: `asks ${provider.name} (${traits.name}) for ${sendable.model ?? "what the request names"}${translationIn(sendable)}`,
    })
    account.responseModel = undefined
    return Effect.matchEffect(inner(sendable, asked)(own), {
      onFailure: (refusal) => {
        attempt.failure = own.failure
        return Effect.fail(refusal)
      },
      onSuccess: (reply) => {
        reply.headers.set("x-sluice-provider", provider.name)
        if (sendable.model !== undefined) reply.headers.set("x-sluice-model", sendable.model)
        const answer: Answer = {
          _tag: "Called",
          called: {
            reply,
            deliver: () => {
              const settle = (received: Received | undefined): void => settling.over(account, sendable, received)
              const answered = (usage: Usage): void => settling.answered(account, usage)
              const broke = (failure: Body.FlowFailure): void => void (attempt.exchange.trail.brokenOff = failure)
              const delivered = deliver(reply, sendable, { clock, account, coding, settle, answered, broke })
              return guarded(attempt, sendable, account, delivered)
            },
          },
        }
        return Effect.succeed(answer)
      },
    })
  }

  const { ResponseHeaderModifier, Transformations } = policies
  const shaping = backendSteps(policyPorts, {
    ...(ResponseHeaderModifier === undefined ? {} : { ResponseHeaderModifier }),
    ...(Transformations === undefined ? {} : { Transformations }),
  })

  return {
    name: provider.name,
    part,
    traits,
    pass: (attempt) => inner(unread, nothingAsked)(attempt),
    again: (attempt, reply) =>
      shaping.length === 0
        ? Effect.succeed(reply)
        : layer<Try>(shaping, () => Effect.succeed(reply))(new Try(attempt.exchange, attempt.request.copy())),
    ask: (attempt, asked, account, pinned) => {
      const made = prepare(attempt, asked, pinned, freshCall)
      if (Result.isFailure(made)) {
        const counted = made.failure.code === unsupported ? counting(asked, tokens) : undefined
        return counted === undefined
          ? unfit(made.failure)
          : Effect.map(counted, (reply) => settledReply(reply, account))
      }
      const { client, close, json } = made.success
      if (guards === undefined || json === undefined) return closed(attempt, asked, account, close(undefined))
      account.provider = traits.name
      account.providerName = provider.name
      return Effect.flatMap(guards.request(attempt, client, json, account), (passed: Passed) => {
        if (passed._tag === "Passed") return closed(attempt, asked, account, close(passed.json))
        account.settle(clock.nowMillis())
        return Effect.succeed<Answer>({ _tag: "Stopped", reply: passed.reply })
      })
    },
  }
}

const translationIn = ({ client, upstream }: Sendable): string =>
  client === undefined || upstream === undefined || client === upstream
    ? ""
    : `, translated from ${client} to ${upstream}`

const idOf = (random: () => number): string => {
  let id = ""
  while (id.length < 24)
    id += Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, "0")
  return id
}
