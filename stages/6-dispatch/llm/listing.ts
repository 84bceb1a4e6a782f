/** The list of models, in words that clients of every vendor understand. */
import { coversModel, modelsIntersect } from "../../../ir/backend/modelNames.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import * as Body from "../../Body.ts"
import type { Reply, Request } from "../../Exchange.ts"

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

const entry = (id: string, createdSeconds: number): JsonObject => ({
  id,
  object: "model",
  created: createdSeconds,
  owned_by: "sluice",
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

export const list = (isNative: boolean, ids: ReadonlyArray<string>, createdSeconds: number): Reply =>
  isNative
    ? json({ models: ids.map(native) })
    : json({
        object: "list",
        data: ids.map((id) => entry(id, createdSeconds)),
        has_more: false,
        first_id: ids[0] ?? null,
        last_id: ids[ids.length - 1] ?? null,
      })

export const one = (isNative: boolean, id: string, createdSeconds: number): Reply =>
  json(isNative ? native(id) : entry(id, createdSeconds))
