/** A postbox of one process, for as long as it lives. */
import * as Effect from "effect/Effect"
import {
  AFTERLIFE_MILLIS,
  type DeadLetter,
  DEAD_MILLIS_MAX,
  type Kept,
  type Letter,
  LETTERS_PER_REGISTRATION_MAX,
  type Postbox,
  type Posting,
  type Registration,
  REGISTRATION_MILLIS_MAX,
  REGISTRATIONS_MAX,
  REGISTRATIONS_PER_TASK_MAX,
  UNBOUND_MILLIS_MAX,
} from "../../../ports/Postbox.ts"

interface Item {
  readonly number: number
  readonly body: string
  readonly digest: string
  postedMillis: number
  /** Why it was given up. */
  why: string
  state: "waiting" | "done" | "dead"
  attempts: number
  dueMillis: number
  leasedMillis: number
}

interface Entry {
  registration: Registration
  readonly createdMillis: number
  endedMillis: number | undefined
  last: number
  items: Array<Item>
}

const isSamePlace = (a: Registration, b: Registration): boolean =>
  a.agent === b.agent && a.owner === b.owner && a.taskId === b.taskId && a.configId === b.configId

class MemoryPostbox {
  private readonly entries = new Map<string, Entry>()

  keep(registration: Registration, nowMillis: number): Kept | "full" {
    const { agent, owner, taskId } = registration
    if (taskId !== undefined) {
      const siblings = [...this.entries.values()].filter(
        ({ registration: one }) => one.agent === agent && one.owner === owner && one.taskId === taskId,
      )
      const same = siblings.find(({ registration: one }) => isSamePlace(one, registration))
      if (same !== undefined) {
        const before = same.registration
        same.registration = { ...registration, id: before.id, token: before.token }
        return { registration: same.registration, before }
      }
      if (siblings.length >= REGISTRATIONS_PER_TASK_MAX) return "full"
    }
    if (this.entries.size >= REGISTRATIONS_MAX) return "full"
    this.entries.set(registration.id, {
      registration,
      createdMillis: nowMillis,
      endedMillis: undefined,
      last: 0,
      items: [],
    })
    return { registration, before: undefined }
  }

  bind(id: string, taskId: string): void {
    const entry = this.entries.get(id)
    if (entry === undefined || entry.registration.taskId !== undefined) return
    const bound = { ...entry.registration, taskId }
    for (const [key, { registration }] of this.entries) if (isSamePlace(registration, bound)) this.entries.delete(key)
    entry.registration = bound
  }

  find(id: string): Registration | undefined {
    return this.entries.get(id)?.registration
  }

  list(agent: string, owner: string, taskId: string): ReadonlyArray<Registration> {
    return [...this.entries.values()].flatMap(({ registration: one }) =>
      one.agent === agent && one.owner === owner && one.taskId === taskId ? [one] : [],
    )
  }

  remove(id: string): void {
    this.entries.delete(id)
  }

  post({ body, digest, isLast, registration, repeats }: Posting, nowMillis: number): "posted" | "known" | "full" {
    const entry = this.entries.get(registration)
    if (entry === undefined) return "known"
    const { items } = entry
    const isKnown =
      repeats === "anywhere"
        ? items.some((one) => one.digest === digest)
        : repeats === "next" && items.at(-1)?.digest === digest
    if (isKnown) return "known"
    if (items.filter(({ state }) => state === "waiting").length >= LETTERS_PER_REGISTRATION_MAX) return "full"
    if (isLast) entry.endedMillis = nowMillis
    items.push({
      number: ++entry.last,
      body,
      digest,
      postedMillis: nowMillis,
      state: "waiting",
      attempts: 0,
      dueMillis: nowMillis,
      leasedMillis: 0,
      why: "",
    })
    return "posted"
  }

  take(max: number, nowMillis: number, untilMillis: number): ReadonlyArray<Letter> {
    const taken: Array<Letter> = []
    for (const { items, registration } of this.entries.values()) {
      if (taken.length >= max) break
      const first = items.find(({ state }) => state === "waiting")
      if (first === undefined || first.dueMillis > nowMillis || first.leasedMillis > nowMillis) continue
      first.leasedMillis = untilMillis
      const { attempts, body, number, postedMillis } = first
      taken.push({ registration, number, body, attempts, postedMillis })
    }
    return taken
  }

  private item({ number, registration }: Letter): Item | undefined {
    return this.entries.get(registration.id)?.items.find((one) => one.number === number && one.state === "waiting")
  }

  end(letter: Letter, state: "done" | "dead", why = ""): void {
    const item = this.item(letter)
    if (item === undefined) return
    item.state = state
    item.why = why
    if (state === "dead") item.attempts = letter.attempts + 1
  }

  dead(max: number): ReadonlyArray<DeadLetter> {
    const all = [...this.entries.values()].flatMap(({ items, registration }) =>
      items.flatMap(({ attempts, body, number, postedMillis, state, why }) =>
        state === "dead" ? [{ registration, number, body, attempts, postedMillis, why }] : [],
      ),
    )
    return all.sort((a, b) => b.postedMillis - a.postedMillis).slice(0, max)
  }

  private deadItem(id: string, number: number): Item | undefined {
    return this.entries.get(id)?.items.find((one) => one.number === number && one.state === "dead")
  }

  revive(id: string, number: number, nowMillis: number): boolean {
    const item = this.deadItem(id, number)
    if (item === undefined) return false
    item.state = "waiting"
    item.why = ""
    item.attempts = 0
    item.dueMillis = item.postedMillis = nowMillis
    item.leasedMillis = 0
    return true
  }

  drop(id: string, number: number): boolean {
    const entry = this.entries.get(id)
    const item = this.deadItem(id, number)
    if (entry === undefined || item === undefined) return false
    entry.items = entry.items.filter((one) => one !== item)
    return true
  }

  postpone(letter: Letter, attempts: number, dueMillis: number): void {
    const item = this.item(letter)
    if (item === undefined) return
    item.attempts = attempts
    item.dueMillis = dueMillis
    item.leasedMillis = 0
  }

  sweep(nowMillis: number): void {
    for (const [id, entry] of this.entries) {
      const { createdMillis, endedMillis, items, registration } = entry
      const isWaiting = items.some(({ state }) => state !== "done")
      const isOver =
        (registration.taskId === undefined && createdMillis < nowMillis - UNBOUND_MILLIS_MAX) ||
        createdMillis < nowMillis - REGISTRATION_MILLIS_MAX ||
        (!isWaiting && endedMillis !== undefined && endedMillis < nowMillis - AFTERLIFE_MILLIS)
      if (isOver) this.entries.delete(id)
      else {
        entry.items = items.filter(
          ({ postedMillis, state }) =>
            state === "waiting" || postedMillis > nowMillis - (state === "dead" ? DEAD_MILLIS_MAX : AFTERLIFE_MILLIS),
        )
      }
    }
  }
}

export const memoryPostbox = (): Postbox => {
  const box = new MemoryPostbox()
  return {
    keep: (registration, now) => Effect.sync(() => box.keep(registration, now)),
    bind: (id, taskId) => Effect.sync(() => box.bind(id, taskId)),
    find: (id) => Effect.sync(() => box.find(id)),
    list: (agent, owner, taskId) => Effect.sync(() => box.list(agent, owner, taskId)),
    remove: (id) => Effect.sync(() => box.remove(id)),
    post: (posting, now) => Effect.sync(() => box.post(posting, now)),
    take: (max, now, until) => Effect.sync(() => box.take(max, now, until)),
    delivered: (letter) => Effect.sync(() => box.end(letter, "done")),
    postpone: (letter, attempts, due) => Effect.sync(() => box.postpone(letter, attempts, due)),
    bury: (letter, why) => Effect.sync(() => box.end(letter, "dead", why)),
    dead: (max) => Effect.sync(() => box.dead(max)),
    revive: (id, number, now) => Effect.sync(() => box.revive(id, number, now)),
    drop: (id, number) => Effect.sync(() => box.drop(id, number)),
    sweep: (now) => Effect.sync(() => box.sweep(now)),
  }
}
