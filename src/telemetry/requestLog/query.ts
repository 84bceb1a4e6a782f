/** Questions to the request log: search, one entry, what came since, and sums over time. */
import * as Effect from "effect/Effect"
import { join, list, raw, sql, type Statement, type Value } from "../../store/Statement.ts"
import { number, optional, type Row, type Store, type StoreFailure, text } from "../../store/Store.ts"

export interface Filters {
  readonly httpStatus?: ReadonlyArray<number> | undefined
  readonly provider?: ReadonlyArray<string> | undefined
  readonly requestModel?: ReadonlyArray<string> | undefined
  readonly responseModel?: ReadonlyArray<string> | undefined
  readonly protocol?: ReadonlyArray<string> | undefined
  readonly traceId?: string | undefined
  /** As `x-sluice-id` named it. */
  readonly id?: string | undefined
  readonly hasPayload?: boolean | undefined
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
}

export interface Search {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly fromUnixMillis?: number | undefined
  readonly toUnixMillis?: number | undefined
  readonly filters: Filters
  readonly includeAttributes: boolean
}

export interface Entry {
  readonly id: string
  readonly startedAt: string
  readonly completedAt: string
  readonly durationMs: number
  readonly protocol: string
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly sluiceId: string | undefined
  readonly httpStatus: number | undefined
  readonly reason: string
  readonly error: string | undefined
  readonly genAi: {
    readonly operationName: string | undefined
    readonly providerName: string | undefined
    readonly requestModel: string | undefined
    readonly responseModel: string | undefined
  }
  readonly usage: {
    readonly inputTokens: number | undefined
    readonly outputTokens: number | undefined
    readonly totalTokens: number | undefined
  }
  readonly cost: number | undefined
  readonly hasPayload: boolean
  readonly attributes?: unknown
  readonly payload?: { readonly requestPrompt: unknown; readonly responseCompletion: unknown }
  readonly story?: unknown
}

const parsed = (json: string | undefined): unknown => (json === undefined ? undefined : (JSON.parse(json) as unknown))

const entry = (row: Row, includeAttributes: boolean): Entry => ({
  id: text(row, "id"),
  startedAt: new Date(number(row, "started_at")).toISOString(),
  completedAt: new Date(number(row, "completed_at")).toISOString(),
  durationMs: number(row, "duration_ms"),
  protocol: text(row, "protocol"),
  traceId: optional(text, row, "trace_id"),
  spanId: optional(text, row, "span_id"),
  sluiceId: optional(text, row, "sluice_id"),
  httpStatus: optional(number, row, "http_status"),
  reason: text(row, "reason"),
  error: optional(text, row, "error"),
  genAi: {
    operationName: optional(text, row, "gen_ai_operation_name"),
    providerName: optional(text, row, "gen_ai_provider_name"),
    requestModel: optional(text, row, "gen_ai_request_model"),
    responseModel: optional(text, row, "gen_ai_response_model"),
  },
  usage: {
    inputTokens: optional(number, row, "input_tokens"),
    outputTokens: optional(number, row, "output_tokens"),
    totalTokens: optional(number, row, "total_tokens"),
  },
  cost: optional(number, row, "cost"),
  hasPayload: number(row, "has_payload") === 1,
  ...(includeAttributes ? { attributes: parsed(text(row, "attributes_json")) } : {}),
})

/** Attributes with a column of their own. */
const columns: Readonly<Record<string, string>> = {
  "agentgateway.user": "agentgateway_user",
  "agentgateway.group": "agentgateway_group",
  "user_agent.name": "user_agent_name",
}

const attribute = ({ dialect }: Store, name: string): Statement => {
  const column = Object.hasOwn(columns, name) ? columns[name] : undefined
  if (column !== undefined) return raw(column)
  // A name never is a path: what is asked for is the member of exactly that name.
  return dialect === "sqlite"
    ? sql`(SELECT value FROM json_each(attributes_json) WHERE key = ${name})`
    : sql`(attributes_json::jsonb ->> ${name}::text)`
}

const compared = (store: Store, name: string, wanted: unknown): Statement => {
  const values = (Array.isArray(wanted) ? wanted : [wanted]).map((one): Value =>
    typeof one === "number" && store.dialect === "sqlite" ? one : String(one),
  )
  const found = attribute(store, name)
  // Numbers and texts are told apart in one dialect and not in the other; both are looked for.
  const all = store.dialect === "sqlite" ? [...values, ...values.map(String)] : values
  return sql`${found} IN ${list(all)}`
}

const conditions = (store: Store, filters: Filters): ReadonlyArray<Statement> => {
  const all: Array<Statement> = []
  const among = (column: string, wanted: ReadonlyArray<Value> | undefined): void => {
    if (wanted !== undefined && wanted.length > 0) all.push(sql`${raw(column)} IN ${list(wanted)}`)
  }
  among("http_status", filters.httpStatus)
  among("gen_ai_provider_name", filters.provider)
  among("gen_ai_request_model", filters.requestModel)
  among("gen_ai_response_model", filters.responseModel)
  among("protocol", filters.protocol)
  if (filters.traceId !== undefined) all.push(sql`trace_id = ${filters.traceId}`)
  if (filters.id !== undefined) all.push(sql`sluice_id = ${filters.id}`)
  if (filters.hasPayload !== undefined) all.push(sql`has_payload = ${filters.hasPayload ? 1 : 0}`)
  for (const [name, wanted] of Object.entries(filters.attributes ?? {})) all.push(compared(store, name, wanted))
  return all
}

const where = (all: ReadonlyArray<Statement>): Statement =>
  all.length === 0 ? raw("") : sql`WHERE ${join(all, " AND ")}`

/** `<RFC3339>|<id>`: the place of an entry in the order of time. */
const cursorOf = (at: string, id: string): string => `${at}|${id}`

export const parseCursor = (cursor: string): { readonly at: number; readonly id: string } | undefined => {
  const [time = "", id] = cursor.split("|")
  const at = Date.parse(time)
  return Number.isNaN(at) || id === undefined ? undefined : { at, id }
}

export interface Found {
  readonly logs: ReadonlyArray<Entry>
  /** Where to go on; absent at the end. */
  readonly nextCursor?: string
}

/** The newest first. */
export const search = (store: Store, asked: Search): Effect.Effect<Found, StoreFailure> => {
  const all = [...conditions(store, asked.filters)]
  if (asked.fromUnixMillis !== undefined) all.push(sql`started_at >= ${asked.fromUnixMillis}`)
  if (asked.toUnixMillis !== undefined) all.push(sql`started_at < ${asked.toUnixMillis}`)
  const after = asked.cursor === undefined ? undefined : parseCursor(asked.cursor)
  if (after !== undefined) all.push(sql`(started_at < ${after.at} OR (started_at = ${after.at} AND id < ${after.id}))`)
  return Effect.map(
    store.all(
      sql`SELECT * FROM request_logs ${where(all)} ORDER BY started_at DESC, id DESC LIMIT ${asked.limit + 1}`,
      (row) => entry(row, asked.includeAttributes),
    ),
    (logs) => {
      const shown = logs.slice(0, asked.limit)
      const last = shown.at(-1)
      return logs.length > asked.limit && last !== undefined
        ? { logs: shown, nextCursor: cursorOf(last.startedAt, last.id) }
        : { logs: shown }
    },
  )
}

export const one = (
  store: Store,
  id: string,
  includePayload: boolean,
): Effect.Effect<Entry | undefined, StoreFailure> =>
  Effect.gen(function* () {
    const found = yield* store.first(
      sql`SELECT * FROM request_logs WHERE id = ${id} OR sluice_id = ${id} LIMIT 1`,
      (row) => ({
        ...entry(row, true),
        story: parsed(optional(text, row, "story_json")),
      }),
    )
    if (found === undefined || !includePayload || !found.hasPayload) return found
    const payload = yield* store.first(sql`SELECT * FROM request_log_payloads WHERE log_id = ${found.id}`, (row) => ({
      requestPrompt: parsed(optional(text, row, "request_prompt_json")),
      responseCompletion: parsed(optional(text, row, "response_completion_json")),
    }))
    return payload === undefined ? found : { ...found, payload }
  })

/** What was completed after the cursor, oldest first, with the cursor of each. */
export const since = (
  store: Store,
  cursor: string,
  filters: Filters,
  limit: number,
): Effect.Effect<ReadonlyArray<{ readonly entry: Entry; readonly cursor: string }>, StoreFailure> => {
  const after = parseCursor(cursor) ?? { at: 0, id: "" }
  const all = [
    ...conditions(store, filters),
    sql`(completed_at > ${after.at} OR (completed_at = ${after.at} AND id > ${after.id}))`,
  ]
  return store.all(sql`SELECT * FROM request_logs ${where(all)} ORDER BY completed_at, id LIMIT ${limit}`, (row) => {
    const found = entry(row, true)
    return { entry: found, cursor: cursorOf(found.completedAt, found.id) }
  })
}

export interface Grouping {
  readonly field: "provider" | "requestModel" | "responseModel" | "httpStatus" | "protocol" | "attributes"
  readonly key?: string | undefined
}

export interface Summary {
  readonly fromUnixMillis: number
  readonly toUnixMillis: number
  readonly bucketMillis: number
  readonly groupBy: ReadonlyArray<Grouping>
  readonly filters: Filters
}

const groupColumn = (store: Store, { field, key }: Grouping): Statement => {
  switch (field) {
    case "provider":
      return raw("gen_ai_provider_name")
    case "requestModel":
      return raw("gen_ai_request_model")
    case "responseModel":
      return raw("gen_ai_response_model")
    case "httpStatus":
      return raw("http_status")
    case "protocol":
      return raw("protocol")
    case "attributes":
      return attribute(store, key ?? "")
  }
}

export interface Sums {
  readonly group: ReadonlyArray<string | null>
  readonly requests: number
  readonly totalTokens: number
  readonly cost: number
}

/** Groups that are told; the rest is left out. */
const groupsMax = 1_000

const plainValue = (value: Value | undefined): string | null =>
  value === null || value === undefined ? null : String(value)

const sumsOf = (row: Row, groups: number): Sums => ({
  group: Array.from({ length: groups }, (_, i) => plainValue(row[`g${i}`])),
  requests: number(row, "requests"),
  totalTokens: number(row, "tokens"),
  cost: number(row, "cost"),
})

export const summarize = (
  store: Store,
  asked: Summary,
): Effect.Effect<
  { readonly buckets: ReadonlyArray<Sums & { readonly start: string }>; readonly groups: ReadonlyArray<Sums> },
  StoreFailure
> => {
  const condition = where([
    ...conditions(store, asked.filters),
    sql`started_at >= ${asked.fromUnixMillis}`,
    sql`started_at < ${asked.toUnixMillis}`,
  ])
  const named = asked.groupBy.map((one, i) => sql`${groupColumn(store, one)} AS ${raw(`g${i}`)}`)
  const names = asked.groupBy.map((_, i) => raw(`g${i}`))
  const columnsOf = (more: ReadonlyArray<Statement>): Statement =>
    join([...more, ...named, raw("total_tokens, cost")], ", ")
  const sums = raw(
    "CAST(count(*) AS BIGINT) AS requests, CAST(coalesce(sum(total_tokens), 0) AS BIGINT) AS tokens, CAST(coalesce(sum(cost), 0) AS DOUBLE PRECISION) AS cost",
  )
  const grouped = (keys: ReadonlyArray<Statement>): Statement =>
    keys.length === 0 ? raw("") : sql`GROUP BY ${join(keys, ", ")}`
  const bucket = sql`CAST((started_at - ${asked.fromUnixMillis}) / ${asked.bucketMillis} AS BIGINT) AS bucket`
  const groups = store.all(
    sql`SELECT ${join([...names, sums], ", ")} FROM (SELECT ${columnsOf([])} FROM request_logs ${condition}) AS found
      ${grouped(names)} ORDER BY requests DESC LIMIT ${groupsMax}`,
    (row) => sumsOf(row, names.length),
  )
  const buckets = store.all(
    sql`SELECT bucket, ${join([...names, sums], ", ")} FROM (SELECT ${columnsOf([bucket])} FROM request_logs ${condition}) AS found
      ${grouped([raw("bucket"), ...names])} ORDER BY bucket LIMIT ${500 * groupsMax}`,
    (row) => ({
      start: new Date(asked.fromUnixMillis + number(row, "bucket") * asked.bucketMillis).toISOString(),
      ...sumsOf(row, names.length),
    }),
  )
  return Effect.map(Effect.all([buckets, groups]), ([buckets, groups]) => ({
    buckets,
    groups: groups.filter(({ requests }) => requests > 0),
  }))
}

/** The values that filters can be chosen from, of a time. */
export const options = (store: Store, fromUnixMillis: number, toUnixMillis: number) => {
  const distinct = (column: string) =>
    store.all(
      sql`SELECT DISTINCT ${raw(column)} AS value FROM request_logs WHERE started_at >= ${fromUnixMillis}
        AND started_at < ${toUnixMillis} AND ${raw(column)} IS NOT NULL ORDER BY value LIMIT 200`,
      (row) => row["value"] ?? null,
    )
  return Effect.all({
    httpStatus: distinct("http_status"),
    provider: distinct("gen_ai_provider_name"),
    requestModel: distinct("gen_ai_request_model"),
    responseModel: distinct("gen_ai_response_model"),
    protocol: distinct("protocol"),
    user: distinct("agentgateway_user"),
    group: distinct("agentgateway_group"),
    userAgent: distinct("user_agent_name"),
  })
}
