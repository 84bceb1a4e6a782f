/**
 * A persistent map from text: a change copies the nodes on the way to its key and shares the rest, and a walk along a
 * text meets every key that the text begins with. Reading costs the length of the text, whatever the number of keys.
 */
export interface Radix<V> {
  /** The text between the parent and this node. */
  readonly label: string
  readonly value: V | undefined
  /** By the first code unit of their label. */
  readonly children: ReadonlyMap<number, Radix<V>>
}

const none: ReadonlyMap<number, never> = new Map<number, never>()

export const empty: Radix<never> = { label: "", value: undefined, children: none }

export const isEmpty = (root: Radix<unknown>): boolean => root.value === undefined && root.children.size === 0

export const get = <V>(root: Radix<V>, key: string): V | undefined => {
  let node = root
  let at = 0
  while (at < key.length) {
    const child = node.children.get(key.charCodeAt(at))
    if (child === undefined || !key.startsWith(child.label, at)) return undefined
    at += child.label.length
    node = child
  }
  return node.value
}

/** `undefined` from `change` removes the key; the same value leaves the map as it is. */
export const update = <V>(root: Radix<V>, key: string, change: (value: V | undefined) => V | undefined): Radix<V> => {
  const passed: Array<Radix<V>> = []
  let node = root
  let at = 0
  while (at < key.length) {
    const child = node.children.get(key.charCodeAt(at))
    const shared = child === undefined ? 0 : sharedLength(child.label, key, at)
    if (child !== undefined && shared === child.label.length) {
      passed.push(node)
      node = child
      at += shared
      continue
    }
    const value = change(undefined)
    if (value === undefined) return root
    return rebuilt(
      passed,
      withChild(node, child === undefined ? leaf(key.slice(at), value) : split(child, shared, key.slice(at), value)),
    )
  }
  const value = change(node.value)
  return value === node.value ? root : rebuilt(passed, { label: node.label, value, children: node.children })
}

const leaf = <V>(label: string, value: V): Radix<V> => ({ label, value, children: none })

/** Cuts a node after its first `shared` characters, to make room for a key that goes another way there. */
const split = <V>(node: Radix<V>, shared: number, rest: string, value: V): Radix<V> => {
  const lower: Radix<V> = { label: node.label.slice(shared), value: node.value, children: node.children }
  const children = new Map([[lower.label.charCodeAt(0), lower]])
  if (rest.length === shared) return { label: rest, value, children }
  const other = leaf(rest.slice(shared), value)
  children.set(other.label.charCodeAt(0), other)
  return { label: rest.slice(0, shared), value: undefined, children }
}

const withChild = <V>(node: Radix<V>, child: Radix<V>): Radix<V> => {
  const children = new Map(node.children)
  children.set(child.label.charCodeAt(0), child)
  return { label: node.label, value: node.value, children }
}

const rebuilt = <V>(passed: ReadonlyArray<Radix<V>>, changed: Radix<V>): Radix<V> => {
  let node = changed
  for (let i = passed.length - 1; i >= 0; i--) {
    const parent = passed[i] as Radix<V>
    const kept = tidied(node)
    if (kept !== undefined) node = withChild(parent, kept)
    else {
      const children = new Map(parent.children)
      children.delete(node.label.charCodeAt(0))
      node = { label: parent.label, value: parent.value, children }
    }
  }
  return node
}

/** A node that holds nothing goes; one that only leads to a single other becomes one with it. */
const tidied = <V>(node: Radix<V>): Radix<V> | undefined => {
  if (node.value !== undefined || node.children.size > 1) return node
  for (const child of node.children.values())
    return { label: node.label + child.label, value: child.value, children: child.children }
  return undefined
}

const sharedLength = (label: string, key: string, at: number): number => {
  const end = Math.min(label.length, key.length - at)
  let i = 0
  while (i < end && label.charCodeAt(i) === key.charCodeAt(at + i)) i++
  return i
}
