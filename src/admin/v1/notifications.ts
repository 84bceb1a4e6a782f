/** Notifications of agents that no receiver took: listed without what they say, tried again, or forgotten. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Undelivered } from "../../../stages/6-dispatch/a2a/push/undelivered.ts"
import type { Answer } from "../serve.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"

const Notification = Schema.Struct({
  id: Schema.String,
  agent: Schema.String,
  task: Schema.String,
  receiver: Schema.String,
  event: Schema.String,
  attempts: Schema.Finite,
  postedAt: Schema.String,
  why: Schema.String,
}).annotate({ identifier: "UndeliveredNotification" })

const answered = <A>(effect: Effect.Effect<A, string>, answer: (value: A) => unknown): Promise<unknown> =>
  Effect.runPromise(
    Effect.match(effect, {
      onFailure: (why): Answer | unknown => refused(503, why),
      onSuccess: (value) => answer(value),
    }),
  )

const unknown = (): Answer => refused(404, "there is no such notification")

export const notificationEndpoints = ({ drop, list, retry }: Undelivered): ReadonlyArray<Endpoint> => [
  endpoint({
    method: "GET",
    path: "/api/a2a/notifications/undelivered",
    isGuarded: true,
    summary: "Notifications of agents that were given up, the latest first",
    reply: Schema.Struct({ notifications: Schema.Array(Notification) }),
    run: () =>
      answered(list, (all) => ({
        notifications: all.map(({ postedMillis, taskId, ...shown }) => ({
          ...shown,
          task: taskId,
          postedAt: new Date(postedMillis).toISOString(),
        })),
      })),
  }),
  endpoint({
    method: "POST",
    path: "/api/a2a/notifications/undelivered/{id}/retry",
    summary: "Tries a notification again that was given up",
    reply: Schema.Struct({ retried: Schema.String }),
    run: ({ name }) => answered(retry(name), (isDone) => (isDone ? { retried: name } : unknown())),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/a2a/notifications/undelivered/{id}",
    summary: "Forgets a notification that was given up",
    reply: Schema.Struct({ dropped: Schema.String }),
    run: ({ name }) => answered(drop(name), (isDone) => (isDone ? { dropped: name } : unknown())),
  }),
]
