/** The description of the admin API, made from the schemas that decode its requests. */
import * as Schema from "effect/Schema"
import type { Endpoint } from "./Endpoint.ts"

type Json = Record<string, unknown>

const schemaOf = (schema: Schema.Top, definitions: Json): unknown => {
  const document = Schema.toJsonSchemaDocument(schema)
  Object.assign(definitions, document.definitions)
  return moved(document.schema)
}

/** Where OpenAPI keeps what is referred to; and nothing is said or taken that is not described. */
const moved = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(moved)
  if (typeof value !== "object" || value === null) return value
  const isClosed =
    "properties" in value &&
    Reflect.get(value, "type") === "object" &&
    Reflect.get(value, "additionalProperties") !== false
  const all: ReadonlyArray<readonly [string, unknown]> = Object.entries(value)
  return Object.fromEntries(
    [...all, ...(isClosed ? [["additionalProperties", false] as const] : [])].map(([key, one]) => [
      key,
      key === "$ref" && typeof one === "string" ? one.replace("#/$defs/", "#/components/schemas/") : moved(one),
    ]),
  )
}

const content = (schema: unknown, media = "application/json"): Json => ({ [media]: { schema } })

const parameters = ({ path, query }: Endpoint, definitions: Json): ReadonlyArray<Json> => {
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }))
  if (query === undefined) return names
  const schema = schemaOf(query, definitions) as {
    readonly properties?: Json
    readonly required?: ReadonlyArray<string>
  }
  const asked = Object.entries(schema.properties ?? {}).map(([name, schema_]) => ({
    name,
    in: "query",
    required: schema.required?.includes(name) ?? false,
    schema: schema_,
  }))
  return [...names, ...asked]
}

const operation = (endpoint: Endpoint, definitions: Json): Json => ({
  summary: endpoint.summary,
  operationId: `${endpoint.method.toLowerCase()}${endpoint.path.replace(/[^a-zA-Z0-9]+(.)?/g, (_, next: string | undefined) => (next ?? "").toUpperCase())}`,
  ...(endpoint.isGuarded ? { security: [{ token: [] }] } : {}),
  parameters: parameters(endpoint, definitions),
  ...(endpoint.body === undefined
    ? {}
    : { requestBody: { required: true, content: content(schemaOf(endpoint.body, definitions)) } }),
  responses: {
    "200": {
      description: "done",
      content: content(schemaOf(endpoint.reply, definitions), endpoint.media),
    },
    ...(endpoint.refusal === undefined
      ? {}
      : { "422": { description: "refused", content: content(schemaOf(endpoint.refusal, definitions)) } }),
    default: {
      description: "why not",
      // Whoever is not let in, or asks for what there is not, is told so in plain text.
      content: { ...content({ type: "string" }), ...content({ type: "string" }, "text/plain") },
    },
  },
})

export const openapi = (endpoints: ReadonlyArray<Endpoint>, version: string): Json => {
  const definitions: Json = {}
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    const at = (paths[endpoint.path] ??= {})
    at[endpoint.method.toLowerCase()] = operation(endpoint, definitions)
  }
  return {
    openapi: "3.1.0",
    info: { title: "Sluice administration", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(definitions).map(([name, one]) => [name, moved(one)])),
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "SLUICE_ADMIN_TOKEN, where the gateway was given one" },
      },
    },
  }
}
