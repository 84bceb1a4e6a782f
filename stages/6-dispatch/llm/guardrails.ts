/** Guards around a call of a model: what is said to it, and what it says. */
import * as Effect from "effect/Effect"
import type { GuardKind, PromptGuard, Rejection, RequestGuard, ResponseGuard } from "../../../ir/policy/PromptGuard.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { type HeldLimits, HeldStream } from "../../../protocols/llm/guard/HeldStream.ts"
import { MaskedText } from "../../../protocols/llm/guard/MaskedText.ts"
import {
  replySpots,
  requestSpots,
  type Scope,
  scopes,
  type Spot,
  withTexts,
} from "../../../protocols/llm/guard/spots.ts"
import { isObject, type JsonObject, parseJson } from "../../../protocols/llm/Json.ts"
import { kindOfStatus, type LlmError } from "../../../protocols/llm/LlmError.ts"
import { streamError } from "../../../protocols/llm/errors.ts"
import type { Framing } from "../../../protocols/llm/framing.ts"
import { type ChatFormat, chatFormats, type Format } from "../../../protocols/llm/Translation.ts"
import * as Body from "../../Body.ts"
import type { Exchange, Reply, Trail } from "../../Exchange.ts"
import { compileFields } from "../../5-policy/headerEdits.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Try } from "../Target.ts"
import type { Account } from "./Account.ts"
import { REPLY_BYTES_MAX } from "./deliver.ts"
import { brokenOff } from "./EventFlow.ts"
import type { Checked, Guard, Side } from "./guard/Guard.ts"
import { areLocal, guardFlow } from "./guard/guardFlow.ts"
import { ask, type Refused, type Words } from "./guard/judge.ts"
import { isLocal, local } from "./guard/local.ts"
import { remote } from "./guard/remote.ts"
import { compile as compileRewrite } from "./guard/rewrite.ts"
import { errorReply } from "./told.ts"

/** No secret is longer that a pattern can find in a stream. */
const TAIL_CHARS = 256
/** How much a stream says before a service is asked about it. */
const BATCH_CHARS = 1024
const HELD_CHARS_MAX = 1024 * 1024
const REJECTED_STATUS = 403
const REJECTED_MESSAGE = "The request was rejected due to inappropriate content"

export type Passed =
  | { readonly _tag: "Passed"; readonly json: JsonObject }
  | { readonly _tag: "Stopped"; readonly reply: Reply }

export interface Guarding {
  readonly request: (
    attempt: Try,
    format: Format | undefined,
    json: JsonObject,
    account: Account,
  ) => Effect.Effect<Passed>
  /** `isList`: the client takes a stream as one long list. */
  readonly reply: (
    attempt: Try,
    format: Format | undefined,
    reply: Reply,
    account: Account,
    isList: boolean,
  ) => Effect.Effect<Reply>
}

const isChat = (format: Format | undefined): format is ChatFormat => chatFormats.some((one) => one === format)

const names: Readonly<Record<GuardKind["_tag"], string>> = {
  Regex: "regex",
  Keywords: "keywords",
  PromptInjection: "promptInjection",
  Webhook: "webhook",
  OpenAiModeration: "openAIModeration",
  BedrockGuardrails: "bedrockGuardrails",
  GoogleModelArmor: "googleModelArmor",
  AzureContentSafety: "azureContentSafety",
}

export const guardOf = (one: RequestGuard | ResponseGuard, ports: PolicyPorts): Guard => {
  const { kind, rejection } = one
  const fields = rejection?.headers === undefined ? undefined : compileFields(rejection.headers, () => false)
  return {
    name: names[kind._tag],
    judge: isLocal(kind) ? local(kind) : remote(kind, ports),
    rejection,
    rejectionHeaders: typeof fields === "string" ? undefined : fields,
    scope: new Set<Scope>("scope" in one ? one.scope : scopes),
  }
}

const isRaw = ({ kind }: RequestGuard): boolean => kind._tag === "Webhook" && kind.isRaw

const wordsOf = (spots: ReadonlyArray<Spot>): ReadonlyMap<Spot, Words> =>
  new Map(
    spots.map((spot) => [
      spot,
      { masked: new MaskedText(spot.text), scope: spot.scope, role: spot.role, group: spot.group },
    ]),
  )

const withMasks = (json: JsonObject, words: ReadonlyMap<Spot, Words>): JsonObject => {
  const changed = new Map<Spot, string>()
  for (const [spot, { masked }] of words) if (masked.isMasked) changed.set(spot, masked.text)
  return changed.size === 0 ? json : withTexts(json, changed)
}

/** Stands where a guard is named that does not judge. */
const nobody: Guard["judge"] = { _tag: "Local", action: "reject", find: () => [], textLengthMax: 0 }

export const statusOf = (rejection: Rejection | undefined, { judgement }: Refused): number =>
  judgement.kind === "unclear" ? 503 : (judgement.status ?? rejection?.status ?? REJECTED_STATUS)

/** In the words of the configuration or of a webhook, where they chose any. */
export const messageOf = ({ guard, judgement }: Refused): string =>
  (judgement.kind === "unclear" ? undefined : judgement.body) ?? guard.rejection?.body ?? REJECTED_MESSAGE

/** Why, for a reader of the client's format. */
const errorOf = (refused: Refused): LlmError => {
  const { guard, judgement } = refused
  const status = statusOf(guard.rejection, refused)
  return judgement.kind === "unclear"
    ? {
        kind: "unavailable",
        status,
        message: `a guard of this model could not be asked (${guard.name})`,
        code: "guardrail_unavailable",
      }
    : {
        kind: kindOfStatus(status),
        status,
        message: guard.rejection?.body ?? REJECTED_MESSAGE,
        code: "guardrail_rejected",
      }
}

/** Words that the configuration or a webhook chose are sent as they are; our own in the client's format. */
const refusal = (format: Format | undefined, refused: Refused): Reply => {
  const { guard, judgement } = refused
  const own = judgement.kind === "unclear" ? undefined : (judgement.body ?? guard.rejection?.body)
  const reply =
    own === undefined
      ? errorReply(format, errorOf(refused))
      : {
          status: statusOf(guard.rejection, refused),
          headers: new Headers([
            "content-type",
            parseJson(own) === undefined ? "text/plain; charset=utf-8" : "application/json",
          ]),
          body: Body.text(own),
          origin: "gateway" as const,
        }
  editRejection(reply, refused)
  return reply
}

/** What the configuration wants in the head of a rejection. */
export const editRejection = ({ headers }: Reply, { guard, judgement }: Refused): void => {
  const edits = guard.rejectionHeaders
  if (edits === undefined || judgement.kind === "unclear") return
  for (let i = 0; i + 1 < edits.add.length; i += 2) headers.append(edits.add[i] ?? "", edits.add[i + 1] ?? "")
  for (let i = 0; i + 1 < edits.set.length; i += 2) headers.set(edits.set[i] ?? "", edits.set[i + 1] ?? "")
  for (const name of edits.remove) headers.remove(name)
}

/** A guard that did not run is seen by whoever reads the reply, too. */
export const tellOpen = (reply: Reply, guarded: ReadonlyArray<Checked>): void => {
  const open = [...new Set(guarded.filter(({ action }) => action === "failOpen").map(({ guard }) => guard))]
  if (open.length > 0) reply.headers.set("x-sluice-guardrails-failed-open", open.join(", "))
}

const unreadable = (message: string): LlmError => ({
  kind: "internal",
  status: 502,
  message,
  code: "guardrail_unreadable",
})

/** How the events of a reply are carried; undefined for one that is no stream. */
const streamed = ({ headers }: Reply, isList: boolean): Framing | undefined => {
  const type = headers.get("content-type") ?? ""
  if (/^text\/event-stream\b/i.test(type)) return "sse"
  if (/^application\/vnd\.amazon\.eventstream\b/i.test(type)) return "awsEventStream"
  return isList && /^application\/json\b/i.test(type) ? "jsonArray" : undefined
}

export const declined = (side: Side, { guard, judgement }: Refused): NonNullable<Trail["declined"]> => ({
  by: `the guard ${guard.name}`,
  why:
    judgement.kind === "unclear"
      ? `it could not judge the ${side}, and does not let pass what it cannot judge`
      : `it rejects the ${side}${judgement.reason === undefined ? "" : `: ${judgement.reason}`}`,
})

const declining = (attempt: Try, side: Side, format: Format | undefined, refused: Refused): Reply => {
  attempt.exchange.trail.declined = declined(side, refused)
  return refusal(format, refused)
}

/** How much of a stream is held back. */
export const heldLimits = (guards: ReadonlyArray<Guard>): HeldLimits => ({
  tailChars: TAIL_CHARS,
  batchChars: areLocal(guards) ? 1 : BATCH_CHARS,
  heldCharsMax: HELD_CHARS_MAX,
})

/** Providers that stand for each other share their guards, so that a request is judged once however often it is sent. */
const known = new WeakMap<PromptGuard, WeakMap<PolicyPorts, Guarding>>()

export const compile = (policy: PromptGuard | undefined, ports: PolicyPorts): Guarding | undefined => {
  if (policy === undefined || policy.request.length + policy.response.length === 0) return undefined
  const ofPorts = known.get(policy) ?? new WeakMap<PolicyPorts, Guarding>()
  known.set(policy, ofPorts)
  const before = ofPorts.get(ports)
  if (before !== undefined) return before
  const made = make(policy, ports)
  ofPorts.set(ports, made)
  return made
}

const make = (policy: PromptGuard, ports: PolicyPorts): Guarding => {
  /** What passed for an exchange, by the texts that it was asked about. */
  const passed = new WeakMap<Exchange, { readonly texts: string; readonly masked: ReadonlyArray<string> }>()
  const requests = policy.request.filter((one) => !isRaw(one)).map((one) => guardOf(one, ports))
  const rewriters = policy.request.flatMap(({ kind }) =>
    kind._tag === "Webhook" && kind.isRaw
      ? [{ rewrite: compileRewrite(kind, ports), failsOpen: kind.failureMode === "failOpen" }]
      : [],
  )
  /** What became of messages, so that each is sent away once however many providers are asked. */
  const rewritten = new WeakMap<Exchange, Map<string, JsonObject>>()
  const responses = policy.response.map((one) => guardOf(one, ports))
  const limits = heldLimits(responses)

  const telling = (account: Account) => (checked: Checked) => account.checked(checked)
  const asking = (attempt: Try, side: Side, account: Account, replyHeaders?: Headers) => ({
    attempt,
    side,
    replyHeaders,
    tell: telling(account),
    clock: ports.clock,
  })

  const guardStream = (
    attempt: Try,
    format: ChatFormat,
    reply: Reply,
    account: Account,
    framing: Framing,
  ): Effect.Effect<Reply> => {
    const { body, headers } = reply
    if (body._tag === "Empty") return Effect.succeed(reply)
    const guarded = guardFlow(Body.flowing(body), framing, new HeldStream(format, limits), {
      guards: responses,
      asked: asking(attempt, "response", account, headers),
      refusal: (refused) => streamError(format, errorOf(refused)),
      broken: streamError(format, { kind: "unavailable", status: 503, message: "a guard of this model failed" }),
    })
    return Effect.map(guarded, (flow) => {
      reply.body = flow
      headers.remove("content-length")
      return reply
    })
  }

  const guardWhole = (attempt: Try, format: ChatFormat, reply: Reply, account: Account): Effect.Effect<Reply> => {
    const { body, headers } = reply
    reply.body = Body.empty
    const refuse = (message: string): Effect.Effect<Reply> => Effect.succeed(errorReply(format, unreadable(message)))
    return Effect.matchEffect(Body.collect(body, REPLY_BYTES_MAX), {
      onFailure: (failure) => {
        attempt.exchange.trail.brokenOff = failure
        return Effect.succeed(errorReply(format, brokenOff(failure)))
      },
      onSuccess: (collected) => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return refuse("the reply is too long to be judged")
        }
        const json = parseJson(decoder.decode(collected.bytes))
        if (!isObject(json)) return refuse("the reply cannot be judged: it is not JSON")
        const words = wordsOf(replySpots(format, json))
        return Effect.map(
          ask(responses, [...words.values()], asking(attempt, "response", account, headers)),
          (refused) => {
            if (refused !== undefined) return declining(attempt, "response", format, refused)
            const masked = withMasks(json, words)
            if (masked === json) reply.body = Body.bytes(collected.bytes)
            else {
              reply.body = Body.text(JSON.stringify(masked))
              for (const name of ["content-length", "content-md5", "digest", "etag"]) headers.remove(name)
            }
            tellOpen(reply, account.guarded)
            return reply
          },
        )
      },
    })
  }

  const unusable: Refused = {
    guard: { name: names.Webhook, judge: nobody, rejection: undefined, rejectionHeaders: undefined, scope: new Set() },
    judgement: { kind: "unclear", detail: "its messages cannot be used" },
  }

  /** After every guard: what is shortened was judged whole. */
  const rewrite = (attempt: Try, format: ChatFormat, json: JsonObject, account: Account): Effect.Effect<Passed> => {
    if (rewriters.length === 0) return Effect.succeed({ _tag: "Passed", json })
    const key = JSON.stringify(json)
    const known = rewritten.get(attempt.exchange) ?? new Map<string, JsonObject>()
    rewritten.set(attempt.exchange, known)
    const before = known.get(key)
    if (before !== undefined) return Effect.succeed({ _tag: "Passed", json: before })
    const told = (action: Checked["action"]): void =>
      account.checked({ phase: "request", guard: names.Webhook, action })
    const next = (i: number, current: JsonObject): Effect.Effect<Passed> => {
      const one = rewriters[i]
      if (one === undefined) {
        known.set(key, current)
        return Effect.succeed({ _tag: "Passed", json: current })
      }
      return Effect.matchEffect(one.rewrite(attempt, format, current, account.requestModel), {
        onSuccess: (changed) => {
          told(changed === current ? "allow" : "mask")
          return next(i + 1, changed)
        },
        onFailure: () => {
          told(one.failsOpen ? "failOpen" : "failClosed")
          return one.failsOpen
            ? next(i + 1, current)
            : Effect.succeed<Passed>({ _tag: "Stopped", reply: declining(attempt, "request", format, unusable) })
        },
      })
    }
    return next(0, json)
  }

  return {
    request: (attempt, format, json, account) => {
      if (!isChat(format)) return Effect.succeed({ _tag: "Passed", json })
      if (requests.length === 0) return rewrite(attempt, format, json, account)
      const words = wordsOf(requestSpots(format, json))
      const all = [...words.values()]
      const texts = JSON.stringify(all.map(({ masked, role, scope }) => [role, scope, masked.original]))
      const { exchange } = attempt
      const before = passed.get(exchange)
      if (before?.texts === texts) {
        for (const [i, { masked }] of all.entries()) masked.become(before.masked[i] ?? masked.original)
        return rewrite(attempt, format, withMasks(json, words), account)
      }
      return Effect.flatMap(ask(requests, all, asking(attempt, "request", account)), (refused) => {
        if (refused !== undefined) {
          return Effect.succeed<Passed>({ _tag: "Stopped", reply: declining(attempt, "request", format, refused) })
        }
        passed.set(exchange, { texts, masked: all.map(({ masked }) => masked.text) })
        return rewrite(attempt, format, withMasks(json, words), account)
      })
    },
    reply: (attempt, format, reply, account, isList) => {
      tellOpen(reply, account.guarded)
      if (responses.length === 0 || !isChat(format) || reply.status >= 400 || reply.tunnel !== undefined)
        return Effect.succeed(reply)
      const encoding = reply.headers.get("content-encoding")?.trim().toLowerCase()
      if (encoding !== undefined && encoding !== "" && encoding !== "identity") {
        Body.discard(reply.body)
        return Effect.succeed(errorReply(format, unreadable("the reply cannot be judged: it is compressed")))
      }
      const framing = streamed(reply, isList)
      if (framing !== undefined)
        return policy.streaming ? guardStream(attempt, format, reply, account, framing) : Effect.succeed(reply)
      return guardWhole(attempt, format, reply, account)
    },
  }
}

const decoder = new TextDecoder()
