/** What can be done to a gateway while it runs: sessions ended, caches emptied, targets tried and connected to anew. */
import * as Schema from "effect/Schema"
import type { CacheState, Probed, SessionState } from "../../Desk.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"
import * as Replies from "./replies.ts"
import type { Runtime } from "./runtime.ts"

const opt = <S extends Schema.Top>(schema: S) => Schema.optionalKey(schema)
const OneTarget = Schema.Struct({ target: Schema.NonEmptyString })
const AnyTarget = Schema.Struct({ target: opt(Schema.NonEmptyString) })

/** How long threads may take to connect to what they are asked to. */
const probeMillis = 30_000

const sum = (all: ReadonlyArray<unknown>): number =>
  all.reduce<number>((total, one) => total + (typeof one === "number" ? one : 0), 0)

/** The same cache of several threads is told as one. */
const together = (all: ReadonlyArray<ReadonlyArray<CacheState>>): ReadonlyArray<CacheState> => {
  const found = new Map<string, number>()
  for (const { entries, name } of all.flat()) found.set(name, (found.get(name) ?? 0) + entries)
  return Array.from(found, ([name, entries]) => ({ name, entries }))
}

export const operateEndpoints = ({ ask }: Pick<Runtime, "ask">): ReadonlyArray<Endpoint> => [
  endpoint({
    method: "GET",
    path: "/api/mcp/sessions",
    isGuarded: true,
    summary: "Sessions of MCP clients",
    reply: Replies.Sessions,
    run: async () => {
      const threads = (await ask({ about: "sessions" })) as ReadonlyArray<ReadonlyArray<SessionState>>
      return { sessions: threads.flatMap((sessions, thread) => sessions.map((one) => ({ ...one, thread }))) }
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/mcp/sessions/{id}",
    summary: "Ends a session: its calls are given up, targets are told, and its client has to begin anew",
    reply: Replies.Ended,
    run: async ({ name }) => {
      const ended = (await ask({ about: "endSession", id: name })).includes(true)
      return ended ? { ended } : refused(404, "there is no such session")
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/caches",
    summary: "What is kept of others' answers, and how much of it",
    reply: Replies.Caches,
    run: async () => ({
      caches: together((await ask({ about: "caches" })) as ReadonlyArray<ReadonlyArray<CacheState>>),
    }),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/caches",
    summary: "Empties every cache",
    reply: Replies.Cleared,
    run: async () => {
      await ask({ about: "clearCaches" })
      return { cleared: true }
    },
  }),
  endpoint({
    method: "DELETE",
    path: "/api/caches/{name}",
    summary: "Empties a cache",
    reply: Replies.Cleared,
    run: async ({ name }) =>
      sum(await ask({ about: "clearCaches", name })) > 0 ? { cleared: true } : refused(404, "there is no such cache"),
  }),
  endpoint({
    method: "POST",
    path: "/api/targets/probe",
    summary:
      "Connects to a target that is in use, or to all of them, and asks those that speak a protocol in it how they are",
    body: AnyTarget,
    reply: Replies.Probes,
    run: async ({ body }) => {
      const threads = (await ask({ about: "probe", ...body }, probeMillis)) as ReadonlyArray<ReadonlyArray<Probed>>
      return body.target !== undefined && threads.every(({ length }) => length === 0)
        ? refused(404, "nothing of that name is in use; /api/targets lists what is")
        : { threads }
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/targets/reconnect",
    summary: "Connects to a target anew, asks it anew what it can, and takes it back where it was left out",
    body: OneTarget,
    reply: Replies.Reconnected,
    run: async ({ body }) => {
      const count = sum(await ask({ about: "reconnect", ...body }))
      return count > 0
        ? { reconnected: count }
        : refused(404, "nothing of that name is in use; /api/targets lists what is")
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/fibers",
    isGuarded: true,
    summary: "What each thread is busy with: its fibers as trees, and what of Node keeps it alive",
    reply: Replies.Fibers,
    run: async () => ({ threads: await ask({ about: "fibers" }) }),
  }),
]
