/** Guards that ask a service, through the policies that hold for the call. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GuardKind } from "../../../../ir/policy/PromptGuard.ts"
import type { Callee, CalleePolicy } from "../../../../ir/policy/Callee.ts"
import { hostOf } from "../../../../protocols/http/authority.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import {
  azureAnalyzeJudgement,
  azureJailbreakJudgement,
  azurePieces,
  bedrockJudgement,
  bedrockRequest,
  type Judgement,
  type Message,
  moderationJudgement,
  moderationRequest,
  modelArmorJudgement,
  modelArmorRequest,
  webhookJudgement,
  webhookRequest,
} from "../../../../protocols/llm/guard/remote.ts"
import { parseJson, type JsonObject } from "../../../../protocols/llm/Json.ts"
import * as Body from "../../../Body.ts"
import { Request } from "../../../Exchange.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import { isCarried } from "../../../5-policy/headerEdits.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import type { Try } from "../../Target.ts"
import { usualTls } from "../implicit.ts"
import * as Regex from "../../../4-route/Regex.ts"
import type { ValueMatch } from "../../../../ir/Match.ts"
import type { RemoteGuard, Side } from "./Guard.ts"
import type { LocalKind } from "./local.ts"

const GUARD_TIMEOUT_MILLIS = 10_000
/** No verdict is longer. */
const REPLY_BYTES_MAX = 8 * 1024 * 1024

const unclear = (detail: string): Judgement => ({ kind: "unclear", detail })
const decoder = new TextDecoder()

interface Asking {
  readonly callee: Callee
  readonly origin: { readonly scheme: string; readonly authority: string } | undefined
}

/** A service by its own address: over TLS, and with its own kind of credentials, unless something else is said. */
const asking = (
  url: string | undefined,
  usual: string,
  policies: ReadonlyArray<CalleePolicy>,
  implicit: CalleePolicy | undefined,
): Asking => {
  const at = new URL(url ?? `https://${usual}`)
  const has = (tag: CalleePolicy["_tag"]): boolean => policies.some((policy) => policy._tag === tag)
  const scheme = at.protocol === "http:" ? "http" : "https"
  const authority = at.port === "" ? `${at.hostname}:${scheme === "http" ? 80 : 443}` : at.host
  return {
    origin: { scheme, authority },
    callee: {
      backend: { _tag: "Dynamic" },
      policies: [
        ...policies,
        ...(scheme === "https" && !has("BackendTls") ? [usualTls] : []),
        ...(implicit !== undefined && url === undefined && !has("BackendAuth") ? [implicit] : []),
      ],
    },
  }
}

interface Posted {
  readonly path: string
  readonly body: JsonObject
  readonly headers?: Headers
  readonly method?: string
  readonly authority?: string
}

/** The JSON that was answered; a text says why there is none. */
const post = (attempt: Try, { callee, origin }: Asking, posted: Posted): Effect.Effect<unknown, string> => {
  const authority = posted.authority ?? origin?.authority ?? ""
  const headers = posted.headers ?? new Headers()
  headers.set("content-type", "application/json")
  headers.set("accept", "application/json")
  const [path = "/", query] = posted.path.split("?", 2)
  const request = new Request(
    posted.method ?? "POST",
    origin?.scheme ?? "http",
    authority,
    hostOf(authority),
    path,
    query,
    "1.1",
    headers,
    Body.text(JSON.stringify(posted.body)),
    undefined,
  )
  const call = attempt.exchange.plan.callees.to(callee, "Guardrail")
  const answered = Effect.mapError(call(attempt.exchange, request, GUARD_TIMEOUT_MILLIS), (refusal) => refusal._tag)
  return Effect.flatMap(answered, (reply) =>
    Effect.flatMap(
      // The head came in time; the rest of it has to as well.
      Effect.timeoutOrElse(
        Effect.mapError(Body.collect(reply.body, REPLY_BYTES_MAX), (failure) => failure.message),
        { duration: GUARD_TIMEOUT_MILLIS, orElse: () => Effect.fail("it did not finish its answer in time") },
      ),
      (collected): Effect.Effect<unknown, string> => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return Effect.fail("its answer is too long")
        }
        if (reply.status < 200 || reply.status > 299) return Effect.fail(`it answered ${reply.status}`)
        const value = parseJson(decoder.decode(collected.bytes))
        return value === undefined ? Effect.fail("its answer is no JSON") : Effect.succeed(value)
      },
    ),
  )
}

const judged = (
  answer: Effect.Effect<unknown, string>,
  judge: (reply: unknown) => Judgement,
): Effect.Effect<Judgement> => Effect.match(answer, { onFailure: unclear, onSuccess: judge })

const textsOf = (messages: ReadonlyArray<Message>): ReadonlyArray<string> => messages.map((message) => message.content)

type Of<Tag extends GuardKind["_tag"]> = Extract<GuardKind, { readonly _tag: Tag }>

const moderation = ({ model, policies, url }: Of<"OpenAiModeration">): RemoteGuard["ask"] => {
  const to = asking(url, "api.openai.com", policies, undefined)
  return (attempt, _side, messages) =>
    judged(
      post(attempt, to, {
        path: "/v1/moderations",
        body: moderationRequest(textsOf(messages), model ?? "omni-moderation-latest"),
      }),
      moderationJudgement,
    )
}

const bedrock = (kind: Of<"BedrockGuardrails">): RemoteGuard["ask"] => {
  const { guardrailIdentifier, guardrailVersion, policies, region, url } = kind
  const to = asking(url, `bedrock-runtime.${region}.amazonaws.com`, policies, {
    _tag: "BackendAuth",
    auth: { _tag: "Aws", region, serviceName: "bedrock" },
    credentials: [],
  })
  const part = (text: string): string => encodeURIComponent(text)
  const path = `/guardrail/${part(guardrailIdentifier)}/version/${part(guardrailVersion)}/apply`
  return (attempt, side, messages) =>
    judged(
      post(attempt, to, { path, body: bedrockRequest(textsOf(messages), side === "request" ? "INPUT" : "OUTPUT") }),
      (reply) => bedrockJudgement(reply, messages.length),
    )
}

const modelArmor = (kind: Of<"GoogleModelArmor">): RemoteGuard["ask"] => {
  const { policies, projectId, templateId, url } = kind
  const location = kind.location ?? "us-central1"
  const to = asking(url, `modelarmor.${location}.rep.googleapis.com`, policies, {
    _tag: "BackendAuth",
    auth: { _tag: "Gcp", token: { _tag: "AccessToken" } },
    credentials: [],
  })
  const part = (text: string): string => encodeURIComponent(text)
  const template = `/v1/projects/${part(projectId)}/locations/${part(location)}/templates/${part(templateId)}`
  return (attempt, side, messages) =>
    judged(
      post(attempt, to, {
        path: `${template}:${side === "request" ? "sanitizeUserPrompt" : "sanitizeModelResponse"}`,
        body: modelArmorRequest(textsOf(messages), side),
      }),
      modelArmorJudgement,
    )
}

const SEVERITY_USUAL = 2

const azure = (kind: Of<"AzureContentSafety">): RemoteGuard["ask"] => {
  const { analyzeText, detectJailbreak, endpoint, policies, url } = kind
  const host = endpoint.replace(/^https?:\/\//, "").replace(/\/.*$/, "")
  const to = asking(url, host, policies, {
    _tag: "BackendAuth",
    auth: { _tag: "Azure", source: { _tag: "Implicit" } },
    credentials: [],
  })
  const analyze = (attempt: Try, text: string): Effect.Effect<Judgement> =>
    judged(
      post(attempt, to, {
        path: `/contentsafety/text:analyze?api-version=${encodeURIComponent(analyzeText?.apiVersion ?? "2024-09-01")}`,
        body: {
          text,
          ...(analyzeText === undefined || analyzeText.blocklistNames.length === 0
            ? {}
            : { blocklistNames: analyzeText.blocklistNames }),
          ...(analyzeText?.haltOnBlocklistHit === undefined
            ? {}
            : { haltOnBlocklistHit: analyzeText.haltOnBlocklistHit }),
        },
      }),
      (reply) => azureAnalyzeJudgement(reply, analyzeText?.severityThreshold ?? SEVERITY_USUAL),
    )
  const jailbreak = (attempt: Try, text: string): Effect.Effect<Judgement> =>
    judged(
      post(attempt, to, {
        path: `/contentsafety/text:detectJailbreak?api-version=${encodeURIComponent(detectJailbreak?.apiVersion ?? "2024-02-15-preview")}`,
        body: { text },
      }),
      azureJailbreakJudgement,
    )
  return (attempt, side, messages) => {
    const checks: Array<Effect.Effect<Judgement>> = []
    for (const piece of azurePieces(textsOf(messages))) {
      if (analyzeText !== undefined || detectJailbreak === undefined) checks.push(analyze(attempt, piece))
      if (detectJailbreak !== undefined && side === "request") checks.push(jailbreak(attempt, piece))
    }
    // The first that objects decides.
    return checks.reduceRight<Effect.Effect<Judgement>>(
      (next, check) => Effect.flatMap(check, (one) => (one.kind === "pass" ? next : Effect.succeed(one))),
      Effect.succeed({ kind: "pass" }),
    )
  }
}

const matching = (value: ValueMatch): ((text: string) => boolean) => {
  if (value._tag === "Exact") return (text) => text === value.value
  const regex = Result.getOrElse(Regex.compile(value.pattern), () => Regex.never(value.pattern))
  return (text) => regex.test(text)
}

/** What cannot be carried in a header is as good as a failed expression. */
const headerText = (value: CelValue): string | undefined => {
  const text = typeof value === "string" ? value : value instanceof Uint8Array ? decoder.decode(value) : undefined
  return text === undefined || !isCarried(text) ? undefined : text
}

/** Fields of a message that are no headers. */
const pseudo = new Set([":path", ":method", ":authority"])

/** How a webhook is asked: with which headers, at which path. */
export const posting = (kind: Of<"Webhook">, ports: PolicyPorts) => {
  const expressions = expressionsOf(ports)
  const to: Asking = { callee: { backend: kind.target, policies: [] }, origin: undefined }
  const fields = kind.headers.map(({ name, expression }) => ({
    name: name.toLowerCase(),
    expression: expressions.compile(expression, "llm", "header"),
  }))
  const forwarded = kind.forwardHeaderMatches.map(({ name, value }) => ({ name, test: matching(value) }))
  return (attempt: Try, side: Side, body: JsonObject, replyHeaders: Headers | undefined) => {
    const headers = new Headers()
    const source = side === "request" ? attempt.exchange.request.headers : replyHeaders
    for (const { name, test } of forwarded) {
      for (const value of source?.all(name) ?? []) if (test(value)) headers.append(name, value)
    }
    const special = new Map<string, string>()
    if (fields.length > 0) {
      const facts = Facts.of(expressions.around, attempt)
      facts.llmRequest = attempt.exchange.notes?.llm?.body as CelValue | undefined
      for (const { name, expression } of fields) {
        const value = expression.as(facts, headerText)
        if (value === undefined) continue
        if (pseudo.has(name)) special.set(name, value)
        else headers.set(name, value)
      }
    }
    const path = special.get(":path")
    const method = special.get(":method")
    const authority = special.get(":authority")
    return post(attempt, to, {
      path: path ?? kind.path ?? `/${side}`,
      body,
      headers,
      ...(method === undefined ? {} : { method }),
      ...(authority === undefined ? {} : { authority }),
    })
  }
}

const encoder = new TextEncoder()
const passed: Judgement = { kind: "pass" }

const webhook = (kind: Of<"Webhook">, ports: PolicyPorts): RemoteGuard["ask"] => {
  const asked = posting(kind, ports)
  return (attempt, side, messages, replyHeaders) => {
    if (kind.bytesMin > 0 && encoder.encode(JSON.stringify(messages)).byteLength < kind.bytesMin) {
      return Effect.succeed(passed)
    }
    return judged(asked(attempt, side, webhookRequest(messages, side), replyHeaders), (reply) =>
      webhookJudgement(reply, messages.length),
    )
  }
}

export const remote = (kind: Exclude<GuardKind, LocalKind>, ports: PolicyPorts): RemoteGuard => ({
  _tag: "Remote",
  failsOpen: kind.failureMode === "failOpen",
  wants: kind._tag === "Webhook" ? "messages" : "texts",
  ask: askOf(kind, ports),
})

const askOf = (kind: Exclude<GuardKind, LocalKind>, ports: PolicyPorts): RemoteGuard["ask"] => {
  switch (kind._tag) {
    case "OpenAiModeration":
      return moderation(kind)
    case "BedrockGuardrails":
      return bedrock(kind)
    case "GoogleModelArmor":
      return modelArmor(kind)
    case "AzureContentSafety":
      return azure(kind)
    case "Webhook":
      return webhook(kind, ports)
  }
}
