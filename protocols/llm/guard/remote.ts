/** What the services that judge text are asked, and what their answers mean. */
import { at, countOf, isObject, type JsonObject, listOf, numberOf, objectsOf, textOf } from "../Json.ts"

/** What a guard makes of texts, in the order in which it was given them. */
export type Judgement =
  | { readonly kind: "pass" }
  | { readonly kind: "mask"; readonly texts: ReadonlyArray<string> }
  | { readonly kind: "reject"; readonly reason: string | undefined; readonly status?: number; readonly body?: string }
  /** The answer is none that the service gives. */
  | { readonly kind: "unclear"; readonly detail: string }

const pass: Judgement = { kind: "pass" }
const unclear = (detail: string): Judgement => ({ kind: "unclear", detail })
const reject = (reason?: string): Judgement => ({ kind: "reject", reason })

export const moderationRequest = (texts: ReadonlyArray<string>, model: string): JsonObject => ({ input: texts, model })

export const moderationJudgement = (reply: unknown): Judgement => {
  if (!Array.isArray(at(reply, "results"))) return unclear("no results")
  const flagged = objectsOf(at(reply, "results")).find((result) => result["flagged"] === true)
  if (flagged === undefined) return pass
  const categories = Object.entries(isObject(flagged["categories"]) ? flagged["categories"] : {})
  return reject(categories.flatMap(([name, is]) => (is === true ? [name] : [])).join(", ") || undefined)
}

export const bedrockRequest = (texts: ReadonlyArray<string>, source: "INPUT" | "OUTPUT"): JsonObject => ({
  source,
  content: texts.map((text) => ({ text: { text } })),
})

/** Every `action` that a policy of the guardrail took, wherever it stands. */
const actionsIn = (value: unknown, depth = 0): ReadonlyArray<string> => {
  if (depth > 8) return []
  if (Array.isArray(value)) return value.flatMap((one) => actionsIn(one, depth + 1))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, one]) =>
    name === "action" && typeof one === "string" ? [one] : actionsIn(one, depth + 1),
  )
}

export const bedrockJudgement = (reply: unknown, count: number): Judgement => {
  const action = at(reply, "action")
  if (action === "NONE") return pass
  if (action !== "GUARDRAIL_INTERVENED") return unclear("no action")
  const outputs = objectsOf(at(reply, "outputs")).map((output) => textOf(output["text"]) ?? "")
  const actions = actionsIn(at(reply, "assessments"))
  if (actions.includes("ANONYMIZED") && !actions.includes("BLOCKED") && outputs.length === count)
    return { kind: "mask", texts: outputs }
  return reject(textOf(at(reply, "actionReason")))
}

export const modelArmorRequest = (texts: ReadonlyArray<string>, side: "request" | "response"): JsonObject => {
  const text = texts.join("\n")
  return side === "request" ? { user_prompt_data: { text } } : { model_response_data: { text } }
}

const matchesIn = (value: unknown, depth = 0): boolean => {
  if (value === "MATCH_FOUND") return true
  if (depth > 8) return false
  if (Array.isArray(value)) return value.some((one) => matchesIn(one, depth + 1))
  return isObject(value) && Object.values(value).some((one) => matchesIn(one, depth + 1))
}

export const modelArmorJudgement = (reply: unknown): Judgement => {
  const result = at(reply, "sanitizationResult")
  if (!isObject(result)) return unclear("no sanitization result")
  // An answer that was not fully given says nothing about the filters that did not run.
  if (result["invocationResult"] === "FAILURE") return unclear("the filters did not run")
  return matchesIn(result) ? reject() : pass
}

/** The service takes no longer texts; what is longer is given to it in pieces. */
const AZURE_CHARS_MAX = 10_000

export const azurePieces = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const whole = texts.join("\n")
  const pieces: Array<string> = []
  for (let i = 0; i < whole.length; i += AZURE_CHARS_MAX) pieces.push(whole.slice(i, i + AZURE_CHARS_MAX))
  return pieces
}

export const azureAnalyzeJudgement = (reply: unknown, threshold: number): Judgement => {
  const analysis = at(reply, "categoriesAnalysis")
  if (!Array.isArray(analysis) && !Array.isArray(at(reply, "blocklistsMatch"))) return unclear("no analysis")
  const severe = objectsOf(analysis).find((one) => (numberOf(one["severity"]) ?? 0) >= threshold)
  if (severe !== undefined) return reject(textOf(severe["category"]))
  return listOf(at(reply, "blocklistsMatch")).length > 0 ? reject("blocklist") : pass
}

export const azureJailbreakJudgement = (reply: unknown): Judgement => {
  const detected = at(reply, "jailbreakAnalysis", "detected") ?? at(reply, "userPromptAnalysis", "attackDetected")
  if (typeof detected !== "boolean") return unclear("no analysis")
  return detected ? reject("jailbreak") : pass
}

export interface Message {
  readonly role: string
  readonly content: string
}

export const webhookRequest = (messages: ReadonlyArray<Message>, side: "request" | "response"): JsonObject => ({
  body: side === "request" ? { messages } : { choices: messages.map((message) => ({ message })) },
})

/** Told by its shape: new words, a refusal, or neither. */
export const webhookJudgement = (reply: unknown, count: number): Judgement => {
  const action = at(reply, "action")
  if (!isObject(action)) return unclear("no action")
  const { body } = action
  if (isObject(body)) {
    const said = Array.isArray(body["messages"]) ? body["messages"] : body["choices"]
    if (!Array.isArray(said)) return unclear("neither messages nor choices")
    const texts = said.map((one) => textOf(at(one, "content")) ?? textOf(at(one, "message", "content")))
    if (texts.length !== count || texts.some((text) => text === undefined))
      return unclear(`${texts.length} texts for ${count}`)
    return { kind: "mask", texts: texts.map((text) => text ?? "") }
  }
  const reason = textOf(action["reason"])
  if (typeof body === "string") {
    const status = countOf(action["status_code"])
    if (status === undefined || !Number.isInteger(status) || status < 200 || status > 599)
      return unclear("a status that is none")
    return { kind: "reject", reason, status, body }
  }
  return body === undefined ? pass : unclear("a body of another kind")
}
