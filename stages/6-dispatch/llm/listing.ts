/** The list of models, in words that clients of every vendor understand. */
import { coversModel, modelsIntersect } from "../../../ir/backend/modelNames.ts"
import type { ListedModel } from "../../../ir/policy/Ai.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"
import { errorReply } from "./told.ts"

/** What a key that is good for some models only sees of one: by name where it can. */
export const visible = (pattern: string, allowed: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  if (allowed === undefined) return [pattern]
  if (!pattern.includes("*")) return allowed.some((one) => coversModel(one, pattern)) ? [pattern] : []
  const exact = allowed.filter((one) => !one.includes("*") && coversModel(pattern, one))
  const rest = allowed.some((one) => one.includes("*") && modelsIntersect(one, pattern))
  return rest ? [...exact, pattern] : exact
}

export const mayUse = (allowed: ReadonlyArray<string> | undefined, model: string): boolean =>
  allowed === undefined || allowed.some((pattern) => coversModel(pattern, model))

const modelPath = /^(?:\/v1(?:beta)?)?\/models(?:\/(.+))?$/

/** Undefined: another path. */
export const listingPath = (path: string): { readonly id: string | undefined } | undefined => {
  const found = modelPath.exec(path.length > 1 ? path.replace(/\/$/, "") : path)
  if (found === null) return undefined
  const id = found[1]
  if (id?.includes(":") === true) return undefined
  try {
    return { id: id === undefined ? undefined : decodeURIComponent(id) }
  } catch {
    return { id }
  }
}

const entry = (id: string, createdSeconds: number, ownedBy = "sluice"): JsonObject => ({
  id,
  object: "model",
  created: createdSeconds,
  owned_by: ownedBy,
  type: "model",
  display_name: id,
  created_at: new Date(createdSeconds * 1000).toISOString(),
})

const json = (body: JsonObject): Reply => ({
  status: 200,
  headers: new Headers(["content-type", "application/json"]),
  body: Body.text(JSON.stringify(body)),
  origin: "gateway",
})

const native = (id: string): JsonObject => ({
  name: `models/${id}`,
  displayName: id,
  supportedGenerationMethods: ["generateContent", "streamGenerateContent", "countTokens"],
})

/** Google's clients want another shape; not all of them ask under `/v1beta`. */
export const wantsNative = ({ headers, path }: Request): boolean =>
  path.startsWith("/v1beta/") || headers.has("x-goog-api-client") || headers.has("x-goog-api-key")

const listOf = (isNative: boolean, ids: ReadonlyArray<string>, entries: () => ReadonlyArray<JsonObject>): Reply =>
  isNative
    ? json({ models: ids.map(native) })
    : json({
        object: "list",
        data: entries(),
        has_more: false,
        first_id: ids[0] ?? null,
        last_id: ids[ids.length - 1] ?? null,
      })

export const list = (isNative: boolean, ids: ReadonlyArray<string>, createdSeconds: number): Reply =>
  listOf(isNative, ids, () => ids.map((id) => entry(id, createdSeconds)))

export const one = (isNative: boolean, id: string, createdSeconds: number): Reply =>
  json(isNative ? native(id) : entry(id, createdSeconds))

/** No model of that name, for this caller at least. */
export const missing = (isNative: boolean, id: string): Reply =>
  errorReply(isNative ? "gemini" : undefined, {
    status: 404,
    kind: "notFound",
    message: `the model ${JSON.stringify(id)} does not exist`,
    code: "model_not_found",
  })

/** The answer where the configuration says which models there are; undefined: something else was asked. */
export const declared = (
  models: ReadonlyArray<ListedModel>,
  request: Request,
  allowed: ReadonlyArray<string> | undefined,
  createdSeconds: number,
): Reply | undefined => {
  const asked = request.method === "GET" || request.method === "HEAD" ? listingPath(request.path) : undefined
  if (asked === undefined) return undefined
  const isNative = wantsNative(request)
  const seen = models.filter(({ id }) => mayUse(allowed, id))
  const shown = (model: ListedModel) => entry(model.id, model.createdSeconds ?? createdSeconds, model.ownedBy)
  if (asked.id === undefined) {
    const ids = seen.map(({ id }) => id)
    return listOf(isNative, ids, () => seen.map(shown))
  }
  const found = seen.find(({ id }) => id === asked.id)
  if (found === undefined) return missing(isNative, asked.id)
  return json(isNative ? native(found.id) : shown(found))
}
