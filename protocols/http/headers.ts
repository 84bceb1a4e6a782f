/**
 * Header fields in the order they arrived, as one flat list: name, value, name, value …
 * The list is what parsers give and serialisers take, so a relay never rebuilds it; names are in lower case.
 */
export class Headers {
  /** Mutable on purpose: an exchange owns its headers and edits them in place. */
  readonly flat: Array<string>
  /** How the sender spelled the names, by the name in lower case; only where that is to be kept. */
  spelled: ReadonlyMap<string, string> | undefined = undefined

  constructor(flat: Array<string> = []) {
    this.flat = flat
  }

  static from(fields: Readonly<Record<string, string>>): Headers {
    const flat: Array<string> = []
    for (const name of Object.keys(fields)) flat.push(name.toLowerCase(), fields[name] as string)
    return new Headers(flat)
  }

  /** The first value of a field. */
  get(name: string): string | undefined {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]
    return undefined
  }

  has(name: string): boolean {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return true
    return false
  }

  all(name: string): ReadonlyArray<string> {
    const flat = this.flat
    const values: Array<string> = []
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) values.push(flat[i + 1] as string)
    return values
  }

  /** Replaces every field of that name by one, in the place of the first. */
  set(name: string, value: string): void {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] !== name) continue
      flat[i + 1] = value
      this.removeFrom(name, i + 2)
      return
    }
    flat.push(name, value)
  }

  append(name: string, value: string): void {
    this.flat.push(name, value)
  }

  remove(name: string): void {
    this.removeFrom(name, 0)
  }

  copy(): Headers {
    const copy = new Headers(this.flat.slice())
    copy.spelled = this.spelled
    return copy
  }

  /** The list as it goes on an HTTP/1 wire: the one list, or a copy of it with the names as they were spelled. */
  get written(): Array<string> {
    const { flat, spelled } = this
    if (spelled === undefined) return flat
    const written = flat.slice()
    for (let i = 0; i < written.length; i += 2) {
      const name = written[i] as string
      written[i] = spelled.get(name) ?? name
    }
    return written
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: string]> {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) yield [flat[i] as string, flat[i + 1] as string]
  }

  private removeFrom(name: string, start: number): void {
    const flat = this.flat
    let kept = start
    for (let i = start; i < flat.length; i += 2) {
      if (flat[i] === name) continue
      flat[kept] = flat[i] as string
      flat[kept + 1] = flat[i + 1] as string
      kept += 2
    }
    flat.length = kept
  }
}

/** The spelling of the names in a list as it was received; the first one counts. */
export const spellingOf = (flat: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const spelled = new Map<string, string>()
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    const lower = name.toLowerCase()
    if (!spelled.has(lower)) spelled.set(lower, name)
  }
  return spelled
}
