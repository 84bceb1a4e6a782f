/**
 * The pairs that share one path, best first. Few are tried one after the other; many are looked up by the values that
 * they ask for, so that a thousand tenants told apart by one header cost what one does.
 */
import * as Entry from "./Entry.ts"
import * as Radix from "./Radix.ts"

export interface Chain<A> {
  readonly entries: ReadonlyArray<Entry.Entry<A>>
  /** Absent while trying them in turn is as quick. */
  readonly groups: ReadonlyArray<Group<A>> | undefined
}

/** Pairs that ask for exact values of the same things. */
interface Group<A> {
  readonly signature: string
  readonly asked: ReadonlyArray<Asked>
  readonly level: Level<A>
}

interface Asked {
  readonly what: "method" | "header" | "query"
  readonly name: string
}

/** One level per thing asked for; the pairs are at the last. */
interface Level<A> {
  readonly entries: ReadonlyArray<Entry.Entry<A>>
  readonly next: Radix.Radix<Level<A>>
}

/** Up to here a scan is as quick as the look-up. */
export const scanMax = 16

export const empty: Chain<never> = { entries: [], groups: undefined }

/** Answered instead of an entry when a value was too long to look at. */
export const tooLong: Entry.Entry<never> = {
  value: undefined as never,
  route: undefined as never,
  match: undefined as never,
  host: "",
  place: 0,
  pathLength: 0,
  method: undefined,
  headers: [],
  query: [],
  isPlain: false,
}

/** The best pair that accepts the request and comes before `best`. */
export const search = <A>(
  chain: Chain<A>,
  request: Entry.RouteRequest,
  best: Entry.Entry<A> | undefined,
): Entry.Entry<A> | undefined => {
  const { entries, groups } = chain
  if (groups === undefined) return first(entries, request, best)
  let found: Entry.Entry<A> | undefined
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as Group<A>
    // A client that repeats fields could make the look-up dearer than trying each in turn.
    if (combinations(group.asked, request) > entries.length) return first(entries, request, best)
    const better = explore(group.asked, group.level, 0, request, found ?? best)
    if (better === tooLong) return better
    if (better !== undefined) found = better
  }
  return found
}

const first = <A>(
  entries: ReadonlyArray<Entry.Entry<A>>,
  request: Entry.RouteRequest,
  best: Entry.Entry<A> | undefined,
): Entry.Entry<A> | undefined => {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry.Entry<A>
    if (best !== undefined && Entry.compare(best, entry) < 0) return undefined
    const verdict = Entry.accepts(entry, request)
    if (verdict === Entry.Verdict.Yes) return entry
    if (verdict === Entry.Verdict.TooLong) return tooLong
  }
  return undefined
}

const explore = <A>(
  asked: ReadonlyArray<Asked>,
  level: Level<A>,
  at: number,
  request: Entry.RouteRequest,
  best: Entry.Entry<A> | undefined,
): Entry.Entry<A> | undefined => {
  const next = asked[at]
  if (next === undefined) return first(level.entries, request, best)
  const single = singleValue(next, request)
  if (single !== undefined || next.what !== "header") {
    const below = single === undefined ? undefined : Radix.get(level.next, single)
    return below === undefined ? undefined : explore(asked, below, at + 1, request, best)
  }
  const flat = request.headers.flat
  let found: Entry.Entry<A> | undefined
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== next.name) continue
    const below = Radix.get(level.next, flat[i + 1] as string)
    if (below === undefined) continue
    const better = explore(asked, below, at + 1, request, found ?? best)
    if (better === tooLong) return better
    if (better !== undefined) found = better
  }
  return found
}

const singleValue = ({ what, name }: Asked, request: Entry.RouteRequest): string | undefined => {
  if (what === "method") return request.method
  return what === "query" ? Entry.lastParameter(request.query, name) : Entry.pseudoHeader(name, request)
}

/** In how many ways the fields of the request can be put together for this group. */
const combinations = (asked: ReadonlyArray<Asked>, request: Entry.RouteRequest): number => {
  const flat = request.headers.flat
  let ways = 1
  for (const { what, name } of asked) {
    if (what !== "header") continue
    let lines = 0
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) lines++
    if (lines > 1) ways *= lines
  }
  return ways
}

/** The same chain without some pairs (the very objects) and with others. */
export const update = <A>(
  chain: Chain<A>,
  removed: ReadonlyArray<Entry.Entry<A>>,
  added: ReadonlyArray<Entry.Entry<A>>,
): Chain<A> => {
  const entries = replaced(chain.entries, removed, added)
  if (entries.length <= scanMax) return { entries, groups: undefined }
  return chain.groups === undefined
    ? { entries, groups: regrouped([], [], entries) }
    : { entries, groups: regrouped(chain.groups, removed, added) }
}

/** A few changes are put in place one by one; for many the whole is sorted again. */
const replaced = <A>(
  entries: ReadonlyArray<Entry.Entry<A>>,
  removed: ReadonlyArray<Entry.Entry<A>>,
  added: ReadonlyArray<Entry.Entry<A>>,
): ReadonlyArray<Entry.Entry<A>> => {
  if (removed.length + added.length > 8) {
    const gone = new Set(removed)
    const rest = gone.size === 0 ? entries.slice() : entries.filter((entry) => !gone.has(entry))
    for (const entry of added) rest.push(entry)
    return rest.sort(Entry.compare)
  }
  const next = entries.slice()
  for (const entry of removed) {
    const at = position(next, entry)
    if (next[at] === entry) next.splice(at, 1)
  }
  for (const entry of added) next.splice(position(next, entry), 0, entry)
  return next
}

/** Where the entry is, or would be. */
const position = <A>(entries: ReadonlyArray<Entry.Entry<A>>, entry: Entry.Entry<A>): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (Entry.compare(entries[middle] as Entry.Entry<A>, entry) < 0) low = middle + 1
    else high = middle
  }
  return low
}

interface Keyed {
  readonly asked: ReadonlyArray<Asked>
  readonly values: ReadonlyArray<string>
}

const keyOf = <A>({ headers, method, query }: Entry.Entry<A>): Keyed => {
  const asked: Array<Asked> = []
  const values: Array<string> = []
  if (method !== undefined) {
    asked.push({ what: "method", name: "" })
    values.push(method)
  }
  const put = (what: "header" | "query", conditions: ReadonlyArray<Entry.Condition>): void => {
    for (const { name, exact } of conditions.toSorted((a, b) => Entry.compareText(a.name, b.name))) {
      if (exact === undefined) continue
      asked.push({ what, name })
      values.push(exact)
    }
  }
  put("header", headers)
  put("query", query)
  return { asked, values }
}

const noLevel: Level<never> = { entries: [], next: Radix.empty }

interface Edits<A> {
  readonly asked: ReadonlyArray<Asked>
  readonly edits: Array<{ values: ReadonlyArray<string>; entry: Entry.Entry<A>; isRemoval: boolean }>
}

const regrouped = <A>(
  groups: ReadonlyArray<Group<A>>,
  removed: ReadonlyArray<Entry.Entry<A>>,
  added: ReadonlyArray<Entry.Entry<A>>,
): ReadonlyArray<Group<A>> => {
  const bySignature = new Map<string, Edits<A>>()
  const collect = (entry: Entry.Entry<A>, isRemoval: boolean): void => {
    const { asked, values } = keyOf(entry)
    const signature = JSON.stringify(asked)
    const edits = bySignature.get(signature)
    if (edits === undefined) bySignature.set(signature, { asked, edits: [{ values, entry, isRemoval }] })
    else edits.edits.push({ values, entry, isRemoval })
  }
  for (const entry of removed) collect(entry, true)
  for (const entry of added) collect(entry, false)

  const next: Array<Group<A>> = []
  const put = (signature: string, asked: ReadonlyArray<Asked>, before: Level<A>, { edits }: Edits<A>): void => {
    let level: Level<A> = before
    for (const edit of edits) level = edited(level, edit.values, 0, edit.entry, edit.isRemoval) ?? noLevel
    if (level.entries.length > 0 || !Radix.isEmpty(level.next)) next.push({ signature, asked, level })
  }
  for (const group of groups) {
    const edits = bySignature.get(group.signature)
    if (edits === undefined) next.push(group)
    else put(group.signature, group.asked, group.level, edits)
    bySignature.delete(group.signature)
  }
  for (const [signature, edits] of bySignature) put(signature, edits.asked, noLevel, edits)
  return next
}

/** `undefined` when nothing is left. */
const edited = <A>(
  level: Level<A>,
  values: ReadonlyArray<string>,
  at: number,
  entry: Entry.Entry<A>,
  isRemoval: boolean,
): Level<A> | undefined => {
  const value = values[at]
  if (value === undefined) {
    const entries = isRemoval ? replaced(level.entries, [entry], []) : replaced(level.entries, [], [entry])
    return entries.length === 0 ? undefined : { entries, next: level.next }
  }
  const next = Radix.update(level.next, value, (below) => edited(below ?? noLevel, values, at + 1, entry, isRemoval))
  return Radix.isEmpty(next) ? undefined : { entries: level.entries, next }
}
