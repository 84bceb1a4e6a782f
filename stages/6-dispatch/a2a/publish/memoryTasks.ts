/** Tasks that this process alone knows of. */
import * as Effect from "effect/Effect"
import { type KeptTask, SILENT_MAX, TASK_MILLIS_MAX, type Tasks } from "../../../ports/Tasks.ts"

/** Beyond, those that moved first are forgotten. */
const TASKS_MAX = 10_000

interface Held {
  task: KeptTask
  beatMillis: number
  isUnwanted: boolean
}

export const memoryTasks = (tasksMax: number = TASKS_MAX): Tasks => {
  const held = new Map<string, Held>()
  return {
    put: (task, nowMillis) =>
      Effect.sync(() => {
        const before = held.get(task.id)
        held.delete(task.id)
        held.set(task.id, { task, beatMillis: nowMillis, isUnwanted: before?.isUnwanted ?? false })
        if (held.size <= tasksMax) return
        for (const oldest of held.keys()) {
          held.delete(oldest)
          return
        }
      }),
    find: (id) =>
      Effect.sync(() => {
        const found = held.get(id)
        return found === undefined ? undefined : { task: found.task, beatMillis: found.beatMillis }
      }),
    list: ({ agent, contextId, limit, offset, owner, sinceMillis, state }) =>
      Effect.sync(() => {
        const all = [...held.values()]
          .map(({ task }) => task)
          .filter(
            (task) =>
              task.agent === agent &&
              task.owner === owner &&
              (contextId === undefined || task.contextId === contextId) &&
              (state === undefined || task.state === state) &&
              (sinceMillis === undefined || task.movedMillis >= sinceMillis),
          )
          .toSorted((a, b) => b.movedMillis - a.movedMillis || (a.id < b.id ? -1 : 1))
        return { tasks: all.slice(offset, offset + limit), total: all.length }
      }),
    claim: (id, from, to, nowMillis) =>
      Effect.sync(() => {
        const found = held.get(id)
        if (found === undefined || found.task.state !== from) return false
        found.task = { ...found.task, state: to }
        found.beatMillis = nowMillis
        found.isUnwanted = false
        return true
      }),
    wish: (id) =>
      Effect.sync(() => {
        const found = held.get(id)
        if (found !== undefined) found.isUnwanted = true
      }),
    beat: (id, nowMillis) =>
      Effect.sync(() => {
        const found = held.get(id)
        if (found === undefined) return false
        found.beatMillis = nowMillis
        return found.isUnwanted
      }),
    silent: (states, sinceMillis) =>
      Effect.sync(() =>
        [...held.values()]
          .filter(({ beatMillis, task }) => states.includes(task.state) && beatMillis < sinceMillis)
          .slice(0, SILENT_MAX)
          .map(({ task }) => task),
      ),
    sweep: (nowMillis) =>
      Effect.sync(() => {
        for (const [id, { task }] of held) if (nowMillis - task.movedMillis > TASK_MILLIS_MAX) held.delete(id)
      }),
  }
}
