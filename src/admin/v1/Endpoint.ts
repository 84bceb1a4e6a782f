/** One thing that the admin API can do, described by schemas: what is decoded, what the reference says, and what is done. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Answer, type Asked, json } from "../serve.ts"

export interface Given<Q, B> {
  readonly query: Q
  readonly body: B
  /** What the path names, where it has a place for it. */
  readonly name: string
}

export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** `{name}` stands for one segment. */
  readonly path: string
  readonly summary: string
  /** Only for whoever may change something. */
  readonly isGuarded: boolean
  readonly query: Schema.Top | undefined
  readonly body: Schema.Top | undefined
  readonly reply: Schema.Top
  /** What is said with 422, where that is more than a text. */
  readonly refusal: Schema.Top | undefined
  readonly media: string
  readonly run: (asked: Asked, name: string) => Promise<Answer>
}

type Decodable = Schema.Codec<unknown, unknown>
type TypeOf<S extends Decodable | undefined> = S extends Decodable ? S["Type"] : undefined

interface Definition<Q extends Decodable | undefined, B extends Decodable | undefined> {
  readonly method: Endpoint["method"]
  readonly path: string
  readonly summary: string
  readonly isGuarded?: boolean
  readonly query?: Q
  readonly body?: B
  readonly reply: Schema.Top
  readonly refusal?: Schema.Top
  /** What kind of reply it is; JSON unless set. */
  readonly media?: string
  /** Whatever is no answer yet is sent as JSON. */
  readonly run: (given: Given<TypeOf<Q>, TypeOf<B>>) => unknown
}

/** Errors are a JSON string. */
export const refused = (status: number, message: string): Answer => ({ ...json(message), status })

const isAnswer = (value: unknown): value is Answer =>
  typeof value === "object" &&
  value !== null &&
  "status" in value &&
  "body" in value &&
  typeof value.status === "number"

const decoded = (schema: Decodable, value: unknown): Result.Result<unknown, string> => {
  const exit = Schema.decodeUnknownResult(schema)(value, { onExcessProperty: "error", errors: "all" })
  return Result.mapError(exit, ({ message }) => message)
}

export const endpoint = <Q extends Decodable | undefined = undefined, B extends Decodable | undefined = undefined>(
  definition: Definition<Q, B>,
): Endpoint => ({
  method: definition.method,
  path: definition.path,
  summary: definition.summary,
  isGuarded: definition.isGuarded ?? definition.method !== "GET",
  query: definition.query,
  body: definition.body,
  reply: definition.reply,
  refusal: definition.refusal,
  media: definition.media ?? "application/json",
  run: async (asked, name) => {
    let body: unknown
    if (definition.body !== undefined) {
      const text = await asked.body()
      if (text === undefined) return refused(413, "the body is too long")
      try {
        body = text.trim() === "" ? {} : JSON.parse(text)
      } catch {
        return refused(400, "the body is not JSON")
      }
      const read = decoded(definition.body, body)
      if (Result.isFailure(read)) return refused(400, read.failure)
      body = read.success
    }
    let query: unknown
    if (definition.query !== undefined) {
      const read = decoded(definition.query, Object.fromEntries(asked.query))
      if (Result.isFailure(read)) return refused(400, read.failure)
      query = read.success
    }
    const outcome = await definition.run({ body, query, name } as Given<TypeOf<Q>, TypeOf<B>>)
    return isAnswer(outcome) ? outcome : json(outcome ?? null)
  },
})

export interface Match {
  readonly endpoint: Endpoint
  readonly name: string
}

/** Undefined: no such path. A list: the path exists, with these methods. */
export const find = (
  endpoints: ReadonlyArray<Endpoint>,
  method: string,
  path: string,
): Match | ReadonlyArray<string> | undefined => {
  const methods: Array<string> = []
  for (const endpoint of endpoints) {
    const name = nameIn(endpoint.path, path)
    if (name === undefined) continue
    if (endpoint.method === method || (method === "HEAD" && endpoint.method === "GET")) return { endpoint, name }
    methods.push(endpoint.method)
  }
  return methods.length === 0 ? undefined : methods
}

const nameIn = (pattern: string, path: string): string | undefined => {
  const [before = "", after] = pattern.split(/\{[^}]+\}/)
  if (after === undefined) return pattern === path ? "" : undefined
  if (!path.startsWith(before) || !path.endsWith(after)) return undefined
  const name = path.slice(before.length, path.length - after.length)
  if (name === "" || name.includes("/")) return undefined
  try {
    return decodeURIComponent(name)
  } catch {
    return undefined
  }
}
