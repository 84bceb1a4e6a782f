/** The request log: search, one entry, what comes in, and sums. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { RequestLog } from "../../telemetry/requestLog/RequestLog.ts"
import * as Query from "../../telemetry/requestLog/query.ts"
import type { Store, StoreFailure } from "../../store/Store.ts"
import type { Clock } from "../../../stages/ports/Timer.ts"
import type { Answer } from "../serve.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"

const opt = <S extends Schema.Top>(schema: S) => Schema.optionalKey(schema)
const Time = Schema.String.check(Schema.makeFilter((text: string) => !Number.isNaN(Date.parse(text)) || "not a time"))
const TimeRange = Schema.Struct({ from: opt(Time), to: opt(Time) })
const Texts = Schema.Array(Schema.String)
const Filters = Schema.Struct({
  httpStatus: opt(Schema.Array(Schema.Int)),
  provider: opt(Texts),
  requestModel: opt(Texts),
  responseModel: opt(Texts),
  protocol: opt(Texts),
  traceId: opt(Schema.String),
  id: opt(Schema.String),
  hasPayload: opt(Schema.Boolean),
  attributes: opt(Schema.Record(Schema.String, Schema.Json)),
}).annotate({ identifier: "LogFilters" })
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const SearchBody = Schema.Struct({
  limit: opt(between(1, 500)),
  cursor: opt(Schema.String),
  timeRange: opt(TimeRange),
  filters: opt(Filters),
  includeAttributes: opt(Schema.Boolean),
}).annotate({ identifier: "LogSearch" })
const GetBody = Schema.Struct({ id: Schema.String, includePayload: opt(Schema.Boolean) })
const TailBody = Schema.Struct({ cursor: opt(Schema.String), filters: opt(Filters) })
const Group = Schema.Struct({
  field: Schema.Literals(["provider", "requestModel", "responseModel", "httpStatus", "protocol", "attributes"]),
  key: opt(Schema.String),
})
const SummaryBody = Schema.Struct({
  timeRange: opt(TimeRange),
  filters: opt(Filters),
  groupBy: opt(Schema.Array(Group).check(Schema.isMaxLength(4))),
  bucketCount: opt(between(1, 500)),
  bucketSeconds: opt(between(1, 31_536_000)),
})

const tailMillis = 1_000
const heartbeatMillis = 15_000
const tailedAtOnce = 500

const noLog = refused(404, "no request log is kept: set `config.database` or `config.logging.database`")
const notOpen = refused(503, "the database of the request log is not open yet")

const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

/** Whoever looks must see what was done before: what still waits is written first. */
const using = async (
  log: RequestLog | undefined,
  work: (store: Store) => Effect.Effect<unknown, StoreFailure>,
): Promise<unknown> => {
  if (log === undefined) return noLog
  const { store } = log
  if (store === undefined) return notOpen
  return Effect.runPromise(
    Effect.catch(Effect.andThen(log.flush, work(store)), ({ message }) => Effect.succeed(refused(503, message))),
  )
}

async function* tail(store: Store, clock: Clock, cursor: string, filters: Query.Filters): AsyncGenerator<string> {
  let at = cursor
  let quietMillis = 0
  yield ": ready\n\n"
  for (;;) {
    const found = await Effect.runPromise(Effect.result(Query.since(store, at, filters, tailedAtOnce)))
    if (found._tag === "Failure") yield event("error", found.failure.message)
    else {
      for (const one of found.success) {
        at = one.cursor
        yield event("log", one)
      }
      if (found.success.length > 0) quietMillis = 0
    }
    await new Promise<void>((resolve) => clock.after(tailMillis, resolve))
    quietMillis += tailMillis
    if (quietMillis >= heartbeatMillis) {
      quietMillis = 0
      yield event("heartbeat", {})
    }
  }
}

export const logEndpoints = (log: RequestLog | undefined, clock: Clock): ReadonlyArray<Endpoint> => [
  endpoint({
    method: "POST",
    path: "/api/logs/search",
    summary: "Entries of the request log, newest first",
    body: SearchBody,
    reply: Replies.Logs,
    run: ({ body: { cursor, filters = {}, includeAttributes = false, limit = 100, timeRange } }) =>
      cursor !== undefined && Query.parseCursor(cursor) === undefined
        ? refused(400, "the cursor is not one of ours")
        : using(log, (store) =>
            Query.search(store, {
              limit,
              cursor,
              filters,
              includeAttributes,
              fromUnixMillis: timeRange?.from === undefined ? undefined : Date.parse(timeRange.from),
              toUnixMillis: timeRange?.to === undefined ? undefined : Date.parse(timeRange.to),
            }),
          ),
  }),
  endpoint({
    method: "POST",
    path: "/api/logs/get",
    summary: "One entry, by its own id or that of the header x-sluice-id",
    body: GetBody,
    reply: Replies.OneLog,
    run: async ({ body: { id, includePayload = false } }) => {
      const found = await using(log, (store) => Query.one(store, id, includePayload))
      return found === undefined
        ? refused(404, "no such entry")
        : typeof found === "object" && found !== null && "body" in found
          ? found
          : { log: found }
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/logs/tail",
    summary: "Entries as they are completed, as server-sent events",
    body: TailBody,
    reply: Replies.AnyText,
    media: "text/event-stream",
    run: ({ body: { cursor, filters = {} } }): Answer => {
      if (log === undefined) return noLog
      if (log.store === undefined) return notOpen
      const from = cursor ?? `${new Date(clock.wallMillis()).toISOString()}|`
      return {
        status: 200,
        headers: { "content-type": "text/event-stream" },
        body: tail(log.store, clock, from, filters),
      }
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/logs/analytics/summary",
    summary: "Requests, tokens and cost over time and by group",
    body: SummaryBody,
    reply: Replies.LogSummary,
    run: ({ body: { bucketCount = 96, bucketSeconds, filters = {}, groupBy = [], timeRange } }) => {
      const to = timeRange?.to === undefined ? clock.wallMillis() + 1 : Date.parse(timeRange.to)
      const from = timeRange?.from === undefined ? to - 24 * 3_600_000 : Date.parse(timeRange.from)
      if (to <= from) return refused(400, "the time range is empty")
      const seconds = Math.max(
        bucketSeconds ?? Math.ceil((to - from) / bucketCount / 1000),
        Math.ceil((to - from) / 500_000),
      )
      const [fromUnixMillis, toUnixMillis] = [Math.floor(from), Math.ceil(to)]
      return using(log, (store) =>
        Effect.map(
          Effect.all([
            Query.summarize(store, { fromUnixMillis, toUnixMillis, bucketMillis: seconds * 1000, groupBy, filters }),
            Query.options(store, fromUnixMillis, toUnixMillis),
          ]),
          ([sums, filterOptions]) => ({
            timeRange: { from: new Date(from).toISOString(), to: new Date(to).toISOString() },
            bucketSeconds: seconds,
            ...sums,
            filterOptions,
          }),
        ),
      )
    },
  }),
]
