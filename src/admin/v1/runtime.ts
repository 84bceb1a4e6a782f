/** The gateway as it runs: state, targets, connections, stories, levels, profiles, and the end. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Levels, parse as parseLevels } from "../../telemetry/Levels.ts"
import { wishCountMax, wishMillisMax } from "../../telemetry/Curiosity.ts"
import type { Explanation } from "../../telemetry/explanation.ts"
import type { Asking } from "../../workers/questions.ts"
import type { RequestLog } from "../../telemetry/requestLog/RequestLog.ts"
import * as Query from "../../telemetry/requestLog/query.ts"
import * as Effect from "effect/Effect"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"

export interface Runtime {
  /** What every thread says, ours first. */
  readonly ask: (asking: Asking, millis?: number) => Promise<ReadonlyArray<unknown>>
  readonly state: () => unknown
  readonly levels: Levels
  readonly onLevels: () => void
  readonly quit: () => void
  readonly requestLog: RequestLog | undefined
}

const opt = <S extends Schema.Top>(schema: S) => Schema.optionalKey(schema)
const Name = Schema.Struct({ count: opt(Schema.NumberFromString) })
const Wish = Schema.Struct({
  count: opt(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: wishCountMax }))),
  expression: opt(Schema.String),
  seconds: opt(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: wishMillisMax / 1000 }))),
})
const ProfileQuery = Schema.Struct({ seconds: opt(Schema.NumberFromString), thread: opt(Schema.NumberFromString) })
const Logging = Schema.Struct({ level: opt(Schema.String), reset: opt(Schema.Boolean) })

const profileSecondsMax = 300

const profileOf = (runtime: Runtime, kind: "cpu" | "heap") =>
  endpoint({
    method: "GET",
    path: `/api/profile/${kind}`,
    summary: `What a thread spends its ${kind === "cpu" ? "time" : "memory"} on, for the developer tools of a browser`,
    isGuarded: true,
    query: ProfileQuery,
    reply: Replies.Profile,
    run: async ({ query: { seconds = 10, thread = 0 } }) => {
      if (!(seconds >= 1 && seconds <= profileSecondsMax))
        return refused(400, `seconds are from 1 to ${profileSecondsMax}`)
      const millis = seconds * 1000
      const [found] = (await runtime.ask({ about: "profile", kind, millis, thread }, millis + 5_000)).filter(
        (one) => typeof one === "string",
      )
      return found === undefined
        ? refused(409, "there is no such thread, or it is taking another profile")
        : {
            status: 200,
            headers: {
              "content-type": "application/json",
              "content-disposition": `attachment; filename="sluice-${thread}.${kind === "cpu" ? "cpuprofile" : "heapprofile"}"`,
            },
            body: found,
          }
    },
  })

export const runtimeEndpoints = (runtime: Runtime): ReadonlyArray<Endpoint> => [
  endpoint({
    method: "GET",
    path: "/api/status",
    summary: "How the gateway is: build, configuration, threads",
    reply: Replies.Status,
    run: async () => ({ ...(runtime.state() as object), threads: await runtime.ask({ about: "state" }) }),
  }),
  endpoint({
    method: "GET",
    path: "/api/targets",
    summary: "Where the gateway sends to, and how these targets are doing, by thread",
    reply: Replies.Targets,
    run: async () => ({ threads: await runtime.ask({ about: "targets" }) }),
  }),
  endpoint({
    method: "GET",
    path: "/api/connections",
    isGuarded: true,
    summary: "Connections of clients, by thread",
    reply: Replies.Connections,
    run: async () => ({ threads: await runtime.ask({ about: "connections" }) }),
  }),
  endpoint({
    method: "GET",
    path: "/api/explain",
    isGuarded: true,
    summary: "Exchanges that have a story, the newest first",
    query: Name,
    reply: Replies.Stories,
    run: async ({ query: { count = 50 } }) => {
      const all = (await runtime.ask({ about: "stories", count: Math.min(500, count) })) as ReadonlyArray<
        ReadonlyArray<Explanation>
      >
      const newest = all.flat().sort((a, b) => (a.at < b.at ? 1 : -1))
      return {
        stories: newest.slice(0, count).map(({ at, id, reason, status, why }) => ({ id, at, status, reason, why })),
      }
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/explain/{id}",
    isGuarded: true,
    summary: "The story of one exchange, by the header x-sluice-id of its reply",
    reply: Replies.Story,
    run: async ({ name }) => {
      const [found] = await runtime.ask({ about: "story", id: name })
      if (found !== undefined) return found
      const store = runtime.requestLog?.store
      if (store !== undefined) {
        const kept = await Effect.runPromise(Effect.result(Query.one(store, name, false)))
        if (kept._tag === "Success" && kept.success?.story !== undefined) return kept.success.story
      }
      return refused(404, "there is no story of that name any more; the latest are kept, or all with a request log")
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/explain",
    summary: "Asks for the stories of the next exchanges, or of those for which an expression holds",
    body: Wish,
    reply: Replies.Wanted,
    run: async ({ body: { count = 1, expression, seconds = 60 } }) => {
      const wish = { count, millis: seconds * 1000, ...(expression === undefined ? {} : { expression }) }
      const problems = (await runtime.ask({ about: "wish", wish })) as ReadonlyArray<ReadonlyArray<string>>
      const [first] = problems.flat()
      return first === undefined ? { wanted: count } : refused(400, first)
    },
  }),
  endpoint({
    method: "PUT",
    path: "/api/logging",
    summary: "Changes how much is logged: `info`, or `request=off,config=debug`",
    body: Logging,
    reply: Replies.Level,
    run: ({ body: { level, reset = false } }) => {
      const directive = level === undefined ? undefined : parseLevels(level)
      if (directive !== undefined && Result.isFailure(directive))
        return refused(400, `invalid level ${directive.failure}`)
      if (reset) runtime.levels.reset()
      if (directive !== undefined && !runtime.levels.set(directive.success)) return refused(400, "too many targets")
      runtime.onLevels()
      return { level: runtime.levels.describe() }
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/drain",
    summary: "Takes leave of every client, then ends",
    reply: Replies.Draining,
    run: () => {
      runtime.quit()
      return { draining: true }
    },
  }),
  profileOf(runtime, "cpu"),
  profileOf(runtime, "heap"),
]
