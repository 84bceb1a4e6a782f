/** What Vertex wants to be different about a request of Anthropic's Messages that it takes itself. */
import { isObject, type JsonObject } from "./Json.ts"

export const VERTEX_ANTHROPIC_VERSION = "vertex-2023-10-16"
const DEPTH_MAX = 64

const withoutScope = (value: unknown, depth: number): unknown => {
  if (depth > DEPTH_MAX) return value
  if (Array.isArray(value)) return value.map((one) => withoutScope(one, depth + 1))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name !== "cache_control" || !isObject(inner)) return [name, withoutScope(inner, depth + 1)]
      const { scope: _, ...mark } = inner
      return [name, mark]
    }),
  )
}

/** The model stands in the address, so it leaves the body, unless tokens are only counted. */
export const anthropicOnVertex = (body: JsonObject, countsTokens = false): JsonObject => {
  const { model, output_format: _, ...rest } = body
  const said = withoutScope(rest, 0)
  return {
    ...(isObject(said) ? said : {}),
    anthropic_version: VERTEX_ANTHROPIC_VERSION,
    ...(countsTokens && model !== undefined ? { model } : {}),
  }
}
