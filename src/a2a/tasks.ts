/** Tasks of agents that the gateway plays, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import { type KeptTask, SILENT_MAX, TASK_MILLIS_MAX, type Tasks, type TasksFailure } from "../../stages/ports/Tasks.ts"
import { join, sql } from "../store/Statement.ts"
import { type Component, number, type Row, type Store, type StoreFailure, text } from "../store/Store.ts"

export const component: Component = {
  name: "a2a_task",
  migrations: [
    `CREATE TABLE a2a_task (
      id TEXT PRIMARY KEY, agent TEXT NOT NULL, owner TEXT NOT NULL, context TEXT NOT NULL, state TEXT NOT NULL,
      moved DOUBLE PRECISION NOT NULL, beat DOUBLE PRECISION NOT NULL, unwanted INTEGER NOT NULL DEFAULT 0,
      task TEXT NOT NULL, more TEXT NOT NULL)`,
    "CREATE INDEX a2a_task_owner ON a2a_task (agent, owner, moved)",
    "CREATE INDEX a2a_task_moved ON a2a_task (moved)",
    "CREATE INDEX a2a_task_beat ON a2a_task (state, beat)",
  ],
}

const failed = ({ message }: StoreFailure): TasksFailure => ({ _tag: "TasksFailure", message })

const read = (row: Row): KeptTask => ({
  id: text(row, "id"),
  agent: text(row, "agent"),
  owner: text(row, "owner"),
  contextId: text(row, "context"),
  state: text(row, "state"),
  movedMillis: number(row, "moved"),
  task: text(row, "task"),
  more: text(row, "more"),
})

export const make = (store: Effect.Effect<Store, StoreFailure>): Tasks => {
  const using = <A>(work: (open: Store) => Effect.Effect<A, StoreFailure>): Effect.Effect<A, TasksFailure> =>
    Effect.mapError(Effect.flatMap(store, work), failed)
  return {
    put: ({ agent, contextId, id, more, movedMillis, owner, state, task }, now) =>
      using((open) =>
        Effect.asVoid(
          open.run(
            sql`INSERT INTO a2a_task (id, agent, owner, context, state, moved, beat, task, more)
              VALUES (${id}, ${agent}, ${owner}, ${contextId}, ${state}, ${movedMillis}, ${now}, ${task}, ${more})
              ON CONFLICT (id) DO UPDATE SET state = excluded.state, moved = excluded.moved, beat = excluded.beat,
                task = excluded.task, more = excluded.more`,
          ),
        ),
      ),
    find: (id) =>
      using((open) =>
        Effect.map(
          open.all(sql`SELECT * FROM a2a_task WHERE id = ${id}`, (row) => ({
            task: read(row),
            beatMillis: number(row, "beat"),
          })),
          ([first]) => first,
        ),
      ),
    list: ({ agent, contextId, limit, offset, owner, sinceMillis, state }) => {
      const where = join(
        [
          sql`agent = ${agent}`,
          sql`owner = ${owner}`,
          ...(contextId === undefined ? [] : [sql`context = ${contextId}`]),
          ...(state === undefined ? [] : [sql`state = ${state}`]),
          ...(sinceMillis === undefined ? [] : [sql`moved >= ${sinceMillis}`]),
        ],
        " AND ",
      )
      return using((open) =>
        Effect.map(
          Effect.all([
            open.all(
              sql`SELECT * FROM a2a_task WHERE ${where} ORDER BY moved DESC, id LIMIT ${limit} OFFSET ${offset}`,
              read,
            ),
            open.all(sql`SELECT CAST(COUNT(*) AS INTEGER) AS total FROM a2a_task WHERE ${where}`, (row) =>
              number(row, "total"),
            ),
          ]),
          ([tasks, [total = 0]]) => ({ tasks, total }),
        ),
      )
    },
    claim: (id, from, to, now) =>
      using((open) =>
        Effect.map(
          open.run(
            sql`UPDATE a2a_task SET state = ${to}, beat = ${now}, unwanted = 0 WHERE id = ${id} AND state = ${from}`,
          ),
          (changed) => changed === 1,
        ),
      ),
    wish: (id) => using((open) => Effect.asVoid(open.run(sql`UPDATE a2a_task SET unwanted = 1 WHERE id = ${id}`))),
    beat: (id, now) =>
      using((open) =>
        Effect.map(
          open.all(sql`UPDATE a2a_task SET beat = ${now} WHERE id = ${id} RETURNING unwanted`, (row) =>
            number(row, "unwanted"),
          ),
          ([unwanted]) => unwanted === 1,
        ),
      ),
    silent: (states, since) =>
      using((open) =>
        open.all(
          sql`SELECT * FROM a2a_task WHERE state IN (${join(
            states.map((state) => sql`${state}`),
            ", ",
          )}) AND beat < ${since} ORDER BY beat LIMIT ${SILENT_MAX}`,
          read,
        ),
      ),
    sweep: (now) =>
      using((open) => Effect.asVoid(open.run(sql`DELETE FROM a2a_task WHERE moved < ${now - TASK_MILLIS_MAX}`))),
  }
}
