/**
 * A persistent map from text: a change copies the nodes on the way to its key and shares the rest, and a walk along a
 * text meets every key that the text begins with. Reading costs the length of the text, whatever the number of keys.
 * Among ten thousand keys most of what a walk reads is not in any cache, so a node is laid out to be read little of: the
 * next one is found by its place in an array.
 */
export interface Radix<V> {
  /** The text between the parent and this node. */
  readonly label: string
  /** Of the label, for walks that compare the whole text once they have arrived. */
  readonly length: number
  readonly value: V | undefined
  /** The unit that the first place of `plain` is for. */
  readonly low: number
  /** Children whose label begins with a unit of ASCII, by that unit; neither the first nor the last place is empty. */
  readonly plain: ReadonlyArray<Radix<V> | undefined>
  /** Children whose label begins with any other unit. */
  readonly wide: ReadonlyMap<number, Radix<V>> | undefined
}

const plainMax = 0x7f

const node = <V>(
  label: string,
  value: V | undefined,
  low: number,
  plain: ReadonlyArray<Radix<V> | undefined>,
  wide: ReadonlyMap<number, Radix<V>> | undefined,
): Radix<V> => ({ label, length: label.length, value, low, plain, wide })

const leaf = <V>(label: string, value: V | undefined): Radix<V> => node<V>(label, value, 0, [], undefined)

export const empty: Radix<never> = leaf<never>("", undefined)

/** The one whose label begins with this unit. */
export const child = <V>({ low, plain, wide }: Radix<V>, unit: number): Radix<V> | undefined => {
  if (unit > plainMax) return wide?.get(unit)
  const at = unit - low
  return at >= 0 && at < plain.length ? plain[at] : undefined
}

export const children = <V>({ plain, wide }: Radix<V>): ReadonlyArray<Radix<V>> => {
  const all = plain.filter((one) => one !== undefined)
  if (wide !== undefined) all.push(...wide.values())
  return all
}

export const isEmpty = (root: Radix<unknown>): boolean => root.value === undefined && children(root).length === 0

export const get = <V>(root: Radix<V>, key: string): V | undefined => {
  let node = root
  let at = 0
  while (at < key.length) {
    const next = child(node, key.charCodeAt(at))
    if (next === undefined || !key.startsWith(next.label, at)) return undefined
    at += next.length
    node = next
  }
  return node.value
}

/** `undefined` from `change` removes the key; the same value leaves the map as it is. */
export const update = <V>(root: Radix<V>, key: string, change: (value: V | undefined) => V | undefined): Radix<V> => {
  const passed: Array<Radix<V>> = []
  let node = root
  let at = 0
  while (at < key.length) {
    const next = child(node, key.charCodeAt(at))
    const shared = next === undefined ? 0 : sharedLength(next.label, key, at)
    if (next !== undefined && shared === next.length) {
      passed.push(node)
      node = next
      at += shared
      continue
    }
    const value = change(undefined)
    if (value === undefined) return root
    return rebuilt(
      passed,
      withChild(node, next === undefined ? leaf(key.slice(at), value) : split(next, shared, key.slice(at), value)),
    )
  }
  const value = change(node.value)
  return value === node.value ? root : rebuilt(passed, { ...node, value })
}

/** Cuts a node after its first `shared` characters, to make room for a key that goes another way there. */
const split = <V>(whole: Radix<V>, shared: number, rest: string, value: V): Radix<V> => {
  const lower = relabelled(whole, whole.label.slice(shared))
  if (rest.length === shared) return withChild(leaf(rest, value), lower)
  return withChild(withChild(leaf<V>(rest.slice(0, shared), undefined), lower), leaf(rest.slice(shared), value))
}

const relabelled = <V>({ low, plain, value, wide }: Radix<V>, label: string): Radix<V> =>
  node(label, value, low, plain, wide)

const withChild = <V>(parent: Radix<V>, one: Radix<V>): Radix<V> => {
  const { label, low, plain, value, wide } = parent
  const unit = one.label.charCodeAt(0)
  if (unit > plainMax) return node(label, value, low, plain, new Map(wide).set(unit, one))
  if (plain.length === 0) return node(label, value, unit, [one], wide)
  const first = Math.min(low, unit)
  const places: Array<Radix<V> | undefined> = []
  for (let at = first; at < low; at++) places.push(undefined)
  for (let i = 0; i < plain.length; i++) places.push(plain[i])
  while (places.length <= unit - first) places.push(undefined)
  places[unit - first] = one
  return node(label, value, first, places, wide)
}

const withoutChild = <V>({ label, low, plain, value, wide }: Radix<V>, unit: number): Radix<V> => {
  if (unit > plainMax) {
    const rest = new Map(wide)
    rest.delete(unit)
    return node(label, value, low, plain, rest.size === 0 ? undefined : rest)
  }
  const isThere = (one: Radix<V> | undefined, i: number): boolean => one !== undefined && i !== unit - low
  const first = plain.findIndex(isThere)
  if (first < 0) return node(label, value, 0, [], wide)
  const places = plain.slice(first, plain.findLastIndex(isThere) + 1)
  if (unit - low > first && unit - low < first + places.length) places[unit - low - first] = undefined
  return node(label, value, low + first, places, wide)
}

const rebuilt = <V>(passed: ReadonlyArray<Radix<V>>, changed: Radix<V>): Radix<V> => {
  let node = changed
  for (let i = passed.length - 1; i >= 0; i--) {
    const parent = passed[i] as Radix<V>
    const kept = tidied(node)
    node = kept === undefined ? withoutChild(parent, node.label.charCodeAt(0)) : withChild(parent, kept)
  }
  return node
}

/** A node that holds nothing goes; one that only leads to a single other becomes one with it. */
const tidied = <V>(node: Radix<V>): Radix<V> | undefined => {
  if (node.value !== undefined) return node
  const below = children(node)
  const [only] = below
  if (only === undefined) return undefined
  return below.length > 1 ? node : relabelled(only, node.label + only.label)
}

const sharedLength = (label: string, key: string, at: number): number => {
  const end = Math.min(label.length, key.length - at)
  let i = 0
  while (i < end && label.charCodeAt(i) === key.charCodeAt(at + i)) i++
  return i
}
