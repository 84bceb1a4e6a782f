/**
 * One list of tasks out of several, each of which is read page by page: those that moved last come first, nothing is
 * left out and nothing comes twice. Tokens are the agents' own, so a page that was used in part is asked for again, and
 * what was taken of it is skipped.
 */
import { type Fields, fieldsOf, isFields, listOf, parse, textOf } from "./Fields.ts"
import { fromBase64Url, toBase64Url } from "../base64url.ts"

export interface Cursor {
  /** Empty: the first page. */
  readonly token: string
  /** How many of that page were taken already. */
  readonly skip: number
}

export interface Cursors {
  /** By the name of the list; one that is missing is at its end. */
  readonly lists: ReadonlyMap<string, Cursor>
  /** How many tasks the lists have that are at their end. */
  readonly ended: number
}

export interface Page {
  readonly name: string
  readonly cursor: Cursor
  /** As the agent answered. */
  readonly result: Fields
}

/** As 1.0 says: what is asked for where nothing is. */
export const PAGE_SIZE = 50

const start: Cursor = { token: "", skip: 0 }

/** Where to go on; undefined where a token is none of ours. Lists that are new since then are not begun in the middle. */
export const cursorsOf = (names: ReadonlyArray<string>, pageToken: string | undefined): Cursors | undefined => {
  if (pageToken === undefined) return { lists: new Map(names.map((name) => [name, start])), ended: 0 }
  const said = parse(fromBase64Url(pageToken) ?? "")?.value
  if (!isFields(said)) return undefined
  const { ended, lists } = said
  if (typeof ended !== "number" || !isFields(lists)) return undefined
  const cursors = new Map<string, Cursor>()
  for (const [name, value] of Object.entries(lists)) {
    const [token, skip] = listOf(value)
    if (typeof token !== "string" || typeof skip !== "number" || !Number.isInteger(skip) || skip < 0) return undefined
    if (names.includes(name)) cursors.set(name, { token, skip })
  }
  return { lists: cursors, ended }
}

const tokenOf = ({ ended, lists }: Cursors): string => {
  if (lists.size === 0) return ""
  const written = [...lists].map(([name, { skip, token }]) => [name, [token, skip]])
  return toBase64Url(JSON.stringify({ lists: Object.fromEntries(written), ended }))
}

const movedAt = (task: unknown): number => {
  const at = Date.parse(textOf(fieldsOf(fieldsOf(task)["status"])["timestamp"]) ?? "")
  return Number.isNaN(at) ? -Infinity : at
}

const sizeOf = ({ result }: Page): number => Number(result["totalSize"]) || 0

interface Reading {
  readonly page: Page
  readonly tasks: ReadonlyArray<unknown>
  readonly next: string
  at: number
}

/** A page that has come to its end, with more behind it: what comes next of that list is not known yet. */
const isDry = ({ at, next, tasks }: Reading): boolean => at >= tasks.length && next !== ""

/** `before` is how many tasks the lists have that are at their end already. */
export const merged = (pages: ReadonlyArray<Page>, before: number, pageSize: number): Fields => {
  const readings = pages.map((page): Reading => {
    const tasks = listOf(page.result["tasks"])
    return {
      page,
      tasks,
      next: textOf(page.result["nextPageToken"]) ?? "",
      at: Math.min(page.cursor.skip, tasks.length),
    }
  })
  const tasks: Array<unknown> = []
  while (tasks.length < pageSize) {
    // Something newer may be on a page that was not asked for; the first round always gets on, or there is nothing.
    if (tasks.length > 0 && readings.some(isDry)) break
    let best: Reading | undefined
    for (const one of readings) {
      if (one.at >= one.tasks.length) continue
      if (best === undefined || movedAt(one.tasks[one.at]) > movedAt(best.tasks[best.at])) best = one
    }
    if (best === undefined) break
    tasks.push(best.tasks[best.at++])
  }
  const left = new Map<string, Cursor>()
  let ended = before
  for (const { at, next, page, tasks } of readings) {
    if (at < tasks.length) left.set(page.name, { token: page.cursor.token, skip: at })
    else if (next !== "") left.set(page.name, { token: next, skip: 0 })
    else ended += sizeOf(page)
  }
  return {
    tasks,
    nextPageToken: tokenOf({ lists: left, ended }),
    pageSize,
    totalSize: pages.reduce((sum, page) => sum + sizeOf(page), before),
  }
}
