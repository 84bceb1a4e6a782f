/** Finds what belongs to a host name: the same name, else the longest `*` suffix, else any. */
import * as Radix from "./Radix.ts"

/** Longer texts are no DNS names: nothing is found for them, so they cannot slip past a name to a wider one. */
export const hostLengthMax = 253

interface Slot<V> {
  readonly exact: V | undefined
  /** For names that have more in front. */
  readonly suffix: V | undefined
}

/** A persistent map from host patterns (`a.b`, `*.b`, `*`), by their letters from the end. */
export type HostMap<V> = Radix.Radix<Slot<V>>

export const emptyMap: HostMap<never> = Radix.empty

/** Names are compared in lower case; empty stands for any. */
export const normal = (pattern: string): string => (pattern === "" ? "*" : pattern.toLowerCase())

/** `undefined` from `change` removes the pattern. */
export const update = <V>(
  map: HostMap<V>,
  pattern: string,
  change: (value: V | undefined) => V | undefined,
): HostMap<V> => {
  const isSuffix = pattern.startsWith("*")
  return Radix.update(map, reversed(isSuffix ? pattern.slice(1) : pattern), (slot) => {
    const exact = isSuffix ? slot?.exact : change(slot?.exact)
    const suffix = isSuffix ? change(slot?.suffix) : slot?.suffix
    if (exact === slot?.exact && suffix === slot?.suffix) return slot
    return exact === undefined && suffix === undefined ? undefined : { exact, suffix }
  })
}

/** Visits what matches the host, most specific first, until a visit answers. */
export const search = <V, C, R>(
  map: HostMap<V>,
  host: string,
  context: C,
  visit: (value: V, context: C) => R | undefined,
): R | undefined => (host.length > hostLengthMax ? undefined : searchFrom(map, host, host.length, context, visit))

/** Recursion goes no deeper than a host is long. */
const searchFrom = <V, C, R>(
  node: HostMap<V>,
  host: string,
  left: number,
  context: C,
  visit: (value: V, context: C) => R | undefined,
): R | undefined => {
  if (left > 0) {
    const child = Radix.child(node, host.charCodeAt(left - 1))
    if (child !== undefined && endsWith(host, left, child.label)) {
      const answer = searchFrom(child, host, left - child.length, context, visit)
      if (answer !== undefined) return answer
    }
  }
  const slot = node.value
  if (slot === undefined) return undefined
  if (left === 0 && slot.exact !== undefined) {
    const answer = visit(slot.exact, context)
    if (answer !== undefined) return answer
  }
  const isAny = node.length === 0
  return slot.suffix !== undefined && (left > 0 || isAny) ? visit(slot.suffix, context) : undefined
}

const endsWith = (host: string, left: number, label: string): boolean => {
  if (label.length > left) return false
  for (let i = 1; i < label.length; i++) if (host.charCodeAt(left - 1 - i) !== label.charCodeAt(i)) return false
  return true
}

const reversed = (text: string): string => {
  let out = ""
  for (let i = text.length - 1; i >= 0; i--) out += text[i]
  return out
}

/** How closely a pattern names the host; -1 when it does not. */
export const closeness = (pattern: string, host: string): number => {
  if (pattern === "*") return 0
  if (!pattern.startsWith("*")) return pattern === host ? host.length + 1 : -1
  const suffix = pattern.slice(1)
  return host.length > suffix.length && host.endsWith(suffix) ? suffix.length : -1
}

interface Named<A> {
  readonly hostname: string
  readonly value: A
}

export type Hosts<A> = HostMap<Named<A>>

/** Of two entries with one hostname the first stays. */
export const makeHosts = <A>(entries: Iterable<{ readonly hostname: string; readonly value: A }>): Hosts<A> => {
  let hosts: Hosts<A> = emptyMap
  for (const { hostname, value } of entries) {
    const pattern = normal(hostname)
    hosts = update(hosts, pattern, (known) => known ?? { hostname: pattern, value })
  }
  return hosts
}

const itself = <A>(named: Named<A>): Named<A> => named

/** The host is in lower case and has no port; empty when a handshake named none. */
export const findHost = <A>(hosts: Hosts<A>, host: string): A | undefined =>
  search(hosts, host, undefined, itself)?.value

/** Whether another entry names this host more closely than the hostname a connection was opened for: then 421. */
export const better = <A>(hosts: Hosts<A>, host: string, fixed: string): boolean => {
  const best = search(hosts, host, undefined, itself)
  return best !== undefined && closeness(best.hostname, host) > closeness(normal(fixed), host)
}
