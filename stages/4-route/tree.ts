/**
 * Chooses the route of a request: by host, then along the path, then by what is asked beyond it. The cost follows the
 * request, not the number of routes. A tree never changes: a change makes another one that shares all it did not touch.
 */
import type { PathMatch } from "../../ir/Match.ts"
import type { RouteKey } from "../../ir/Key.ts"
import * as Chain from "./Chain.ts"
import * as Entry from "./Entry.ts"
import * as Host from "./host.ts"
import * as Radix from "./Radix.ts"
import * as Regex from "./Regex.ts"

export type { Candidate, Found, RouteRequest } from "./Entry.ts"

export interface RouteTree<A> {
  readonly hosts: Host.HostMap<Bucket<A>>
  readonly routes: Radix.Radix<Registered<A>>
}

/** The pairs of one host pattern, by path: exact ones and prefixes by their text, expressions by their plain start. */
type Bucket<A> = Radix.Radix<Slot<A>>

interface Slot<A> {
  /** The path that leads here. */
  readonly path: string
  /** The one prefix that is here, where it asks for nothing else and nothing else is here: most slots of most tables. */
  readonly sole: Entry.Entry<A> | undefined
  readonly exact: Chain.Chain<A>
  readonly prefix: Chain.Chain<A>
  /** Longest pattern first. */
  readonly regexes: ReadonlyArray<Expression<A>>
}

/** The pairs that share one path expression. */
interface Expression<A> {
  readonly regex: Regex.Regex
  readonly chain: Chain.Chain<A>
}

/** What has to go when the route goes. */
interface Registered<A> {
  readonly candidate: Entry.Candidate<A>
  readonly entries: ReadonlyArray<Entry.Entry<A>>
}

export const empty: RouteTree<never> = { hosts: Host.emptyMap, routes: Radix.empty }

/** Of two candidates with one key the later stays. */
export const make = <A>(candidates: Iterable<Entry.Candidate<A>>): RouteTree<A> =>
  change<A>(empty, { remove: [], add: candidates })

export interface Change<A> {
  readonly remove: Iterable<RouteKey>
  readonly add: Iterable<Entry.Candidate<A>>
}

/** Adding a route whose key is known replaces it. The given tree stays as it was. */
export const change = <A>(tree: RouteTree<A>, { remove, add }: Change<A>): RouteTree<A> => {
  const compile = Entry.compiler()
  const wanted = new Map<RouteKey, Entry.Candidate<A> | undefined>()
  for (const key of remove) wanted.set(key, undefined)
  for (const candidate of add) wanted.set(candidate.route.key, candidate)

  const edits: Edits<A> = new Map()
  let routes = tree.routes
  for (const [key, candidate] of wanted)
    routes = Radix.update(routes, key, (known) => {
      for (const entry of known?.entries ?? []) editsAt(edits, entry).removed.push(entry)
      if (candidate === undefined) return undefined
      const entries = Entry.entriesOf(candidate, compile)
      for (const entry of entries) editsAt(edits, entry).added.push(entry)
      return { candidate, entries }
    })

  let hosts = tree.hosts
  for (const [host, paths] of edits)
    hosts = Host.update(hosts, host, (bucket) => {
      let next: Bucket<A> = bucket ?? Radix.empty
      for (const [path, edit] of paths) next = Radix.update(next, path, (slot) => editedSlot(slot, path, edit, compile))
      return Radix.isEmpty(next) ? undefined : next
    })
  return { hosts, routes }
}

/** The value under a key, as it was given. */
export const valueOf = <A>(tree: RouteTree<A>, key: RouteKey): A | undefined =>
  Radix.get(tree.routes, key)?.candidate.value

/** By host pattern, then by the text that leads to the slot. */
type Edits<A> = Map<string, Map<string, Edit<A>>>

interface Edit<A> {
  readonly removed: Array<Entry.Entry<A>>
  readonly added: Array<Entry.Entry<A>>
}

const editsAt = <A>(edits: Edits<A>, { host, match }: Entry.Entry<A>): Edit<A> => {
  let paths = edits.get(host)
  if (paths === undefined) edits.set(host, (paths = new Map()))
  const text = wayTo(match.path)
  let edit = paths.get(text)
  if (edit === undefined) paths.set(text, (edit = { removed: [], added: [] }))
  return edit
}

const wayTo = (path: PathMatch): string => {
  switch (path._tag) {
    case "Exact":
      return path.path
    case "Prefix":
      return Entry.trimmed(path.path)
    case "Regex":
      return Regex.literalPrefix(path.pattern)
  }
}

const editedSlot = <A>(
  slot: Slot<A> | undefined,
  path: string,
  edit: Edit<A>,
  compile: Entry.Compiler,
): Slot<A> | undefined => {
  const exact = editedChain(slot?.exact ?? Chain.empty, edit, "Exact")
  const prefix = editedChain(slot?.prefix ?? Chain.empty, edit, "Prefix")
  const regexes = editedExpressions(slot?.regexes ?? [], edit, compile)
  if (exact.entries.length === 0 && prefix.entries.length === 0 && regexes.length === 0) return undefined
  const [first] = prefix.entries
  const isSole = first?.isPlain === true && prefix.entries.length === 1 && exact.entries.length + regexes.length === 0
  return { path, sole: isSole ? first : undefined, exact, prefix, regexes }
}

const editedChain = <A>(chain: Chain.Chain<A>, edit: Edit<A>, kind: "Exact" | "Prefix"): Chain.Chain<A> => {
  const isOfKind = (entry: Entry.Entry<A>): boolean => entry.match.path._tag === kind
  const removed = edit.removed.filter(isOfKind)
  const added = edit.added.filter(isOfKind)
  return removed.length === 0 && added.length === 0 ? chain : Chain.update(chain, removed, added)
}

const editedExpressions = <A>(
  expressions: ReadonlyArray<Expression<A>>,
  edit: Edit<A>,
  compile: Entry.Compiler,
): ReadonlyArray<Expression<A>> => {
  const byPattern = new Map<string, Edit<A>>()
  const collect = (entry: Entry.Entry<A>, side: "removed" | "added"): void => {
    const path = entry.match.path
    if (path._tag !== "Regex") return
    let one = byPattern.get(path.pattern)
    if (one === undefined) byPattern.set(path.pattern, (one = { removed: [], added: [] }))
    one[side].push(entry)
  }
  for (const entry of edit.removed) collect(entry, "removed")
  for (const entry of edit.added) collect(entry, "added")
  if (byPattern.size === 0) return expressions

  const next: Array<Expression<A>> = []
  const put = (regex: Regex.Regex, before: Chain.Chain<A>, { removed, added }: Edit<A>): void => {
    const chain = Chain.update(before, removed, added)
    if (chain.entries.length > 0) next.push({ regex, chain })
  }
  for (const expression of expressions) {
    const one = byPattern.get(expression.regex.pattern)
    if (one === undefined) next.push(expression)
    else put(expression.regex, expression.chain, one)
    byPattern.delete(expression.regex.pattern)
  }
  for (const [pattern, one] of byPattern) put(compile(pattern), Chain.empty, one)
  return next.sort((a, b) => b.regex.pattern.length - a.regex.pattern.length)
}

/** The pair that wins, as it is stored: finding allocates next to nothing. */
export const find = <A>(tree: RouteTree<A>, request: Entry.RouteRequest): Entry.Found<A> | undefined => {
  const entry = Host.search(tree.hosts, request.host, request, inBucket)
  return entry === undefined || entry === Chain.tooLong ? undefined : entry
}

const inBucket = <A>(bucket: Bucket<A>, request: Entry.RouteRequest): Entry.Entry<A> | undefined =>
  along(bucket, request, false)

/**
 * A walk that looks only at the first unit of each stretch may go astray, and went right when the path begins with the
 * text it arrived at: one text is compared in place of one for each node. A path that went astray is walked carefully.
 */
const along = <A>(bucket: Bucket<A>, request: Entry.RouteRequest, isCareful: boolean): Entry.Entry<A> | undefined => {
  const path = request.path
  let node = bucket
  let at = 0
  let deepest: Slot<A> | undefined
  let above: Array<Slot<A>> | undefined
  for (;;) {
    if (node.value !== undefined) {
      if (deepest !== undefined) (above ??= []).push(deepest)
      deepest = node.value
    }
    if (at >= path.length) break
    const child = Radix.child(node, path.charCodeAt(at))
    if (child === undefined || (isCareful && !path.startsWith(child.label, at))) break
    at += child.length
    node = child
  }
  if (deepest === undefined) return undefined
  if (!isCareful && !path.startsWith(deepest.path)) return along(bucket, request, true)
  if (above === undefined && deepest.sole !== undefined)
    return endsSegment(path, deepest.path.length) ? deepest.sole : undefined

  if (deepest.path.length === path.length) {
    const found = Chain.search(deepest.exact, request, undefined)
    if (found !== undefined) return found
  }
  let best = amongPrefixes(deepest, request, undefined)
  for (let i = above === undefined ? -1 : above.length - 1; i >= 0 && best !== Chain.tooLong; i--)
    best = amongPrefixes((above as ReadonlyArray<Slot<A>>)[i] as Slot<A>, request, best)
  if (best !== Chain.tooLong) best = amongExpressions(deepest.regexes, request, best)
  for (let i = above === undefined ? -1 : above.length - 1; i >= 0 && best !== Chain.tooLong; i--)
    best = amongExpressions(((above as ReadonlyArray<Slot<A>>)[i] as Slot<A>).regexes, request, best)
  return best
}

const endsSegment = (path: string, depth: number): boolean =>
  path.length === depth || path.charCodeAt(depth) === Entry.slash

const amongPrefixes = <A>(
  { prefix, path }: Slot<A>,
  request: Entry.RouteRequest,
  best: Entry.Entry<A> | undefined,
): Entry.Entry<A> | undefined => {
  if (prefix.entries.length === 0) return best
  if (!endsSegment(request.path, path.length)) return best
  return Chain.search(prefix, request, best) ?? best
}

/** Only those whose rank could win are run, and only when everything but the path is right. */
const amongExpressions = <A>(
  expressions: ReadonlyArray<Expression<A>>,
  request: Entry.RouteRequest,
  before: Entry.Entry<A> | undefined,
): Entry.Entry<A> | undefined => {
  let best = before
  for (let i = 0; i < expressions.length; i++) {
    const { regex, chain } = expressions[i] as Expression<A>
    if (best !== undefined && regex.pattern.length < best.pathLength) return best
    const found = Chain.search(chain, request, best)
    if (found === undefined) continue
    const verdict = Entry.acceptsText(regex, request.path)
    if (verdict === Entry.Verdict.No) continue
    if (verdict === Entry.Verdict.TooLong || found === Chain.tooLong) return Chain.tooLong
    best = found
  }
  return best
}
