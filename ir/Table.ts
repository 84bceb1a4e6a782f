/** Tables that are changed by key without copying what stays: a change among ten thousand costs what was changed. */

/** Beyond this many edits a table is copied, so that reading stays as quick as it was. */
export const editsMax = 128

/** By key what is there from now on; `undefined` for what is there no more. */
export type Edits<K, V> = ReadonlyMap<K, V | undefined>

/** What it was made from, and what differs. It is a `Map` to whoever asks for one, and is never written to. */
class Table<K, V> extends Map<K, V> {
  readonly base: ReadonlyMap<K, V>
  readonly edits: Edits<K, V>
  private readonly count: number

  constructor(base: ReadonlyMap<K, V>, edits: Edits<K, V>) {
    super()
    this.base = base
    this.edits = edits
    let count = base.size
    for (const [key, value] of edits) count += Number(value !== undefined) - Number(base.has(key))
    this.count = count
  }

  override get size(): number {
    return this.count
  }

  override get(key: K): V | undefined {
    const edited = this.edits.get(key)
    return edited !== undefined || this.edits.has(key) ? edited : this.base.get(key)
  }

  override has(key: K): boolean {
    return this.get(key) !== undefined
  }

  override *entries(): MapIterator<[K, V]> {
    const { base, edits } = this
    for (const entry of base) {
      const edited = edits.get(entry[0])
      if (edited !== undefined) yield [entry[0], edited]
      else if (!edits.has(entry[0])) yield entry
    }
    for (const [key, value] of edits) if (value !== undefined && !base.has(key)) yield [key, value]
  }

  override [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries()
  }

  override *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key
  }

  override *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  override forEach(callback: (value: V, key: K, map: Map<K, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) callback.call(thisArg, value, key, this)
  }

  override set(): never {
    throw new TypeError("a table of a snapshot is not written to: make another with `edited`")
  }

  override delete(): never {
    return this.set()
  }

  override clear(): never {
    return this.set()
  }
}

/**
 * The table after these edits; the given one stays as it was, and must stay so. What is replaced keeps its place, and
 * what is new comes last.
 */
export const edited = <K, V>(table: ReadonlyMap<K, V>, edits: Edits<K, V>): ReadonlyMap<K, V> => {
  if (edits.size === 0) return table
  const isEdited = table instanceof Table
  const base: ReadonlyMap<K, V> = isEdited ? table.base : table
  const all = new Map<K, V | undefined>(isEdited ? table.edits : undefined)
  let comesBack = false
  for (const [key, value] of edits) {
    // What comes back is new, but its old place is still taken.
    if (value !== undefined && all.has(key) && all.get(key) === undefined) comesBack = true
    if (value === undefined && !base.has(key)) all.delete(key)
    else all.set(key, value)
  }
  if (!comesBack && all.size <= editsMax) return new Table(base, all)
  const copy = new Map(table)
  for (const [key, value] of edits) {
    if (value === undefined) copy.delete(key)
    else copy.set(key, value)
  }
  return copy
}

/** As one that owns what it holds, to be sent to another thread. */
export const owned = <K, V>(table: ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
  table instanceof Table ? new Map(table) : table

/** The keys that can differ between two tables; undefined when nothing is known of them. */
export const suspects = <K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): Iterable<K> | undefined => {
  const [base, other] = [a instanceof Table ? a.base : a, b instanceof Table ? b.base : b]
  if (base !== other) return undefined
  const keys = new Set<K>()
  if (a instanceof Table) for (const key of a.edits.keys()) keys.add(key)
  if (b instanceof Table) for (const key of b.edits.keys()) keys.add(key)
  return keys
}
